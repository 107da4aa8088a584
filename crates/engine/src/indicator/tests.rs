//! Every indicator of the shelf: warm-up, known figures, one at a time against many, refusals, state.

use super::*;
use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};

/// Everything that must hold of any indicator over any sound observations.
fn conforms<const IN: usize, const OUT: usize, I>(new: &I, rows: &[[f64; IN]])
where
    I: Indicator<IN, OUT> + Clone + PartialEq + core::fmt::Debug + Serialize + DeserializeOwned,
{
    let columns: Vec<Vec<f64>> = (0..IN).map(|c| rows.iter().map(|row| row[c]).collect()).collect();
    let columns: [&[f64]; IN] = core::array::from_fn(|c| columns[c].as_slice());
    let (mut one, mut many) = (new.clone(), new.clone());
    let mut figures = vec![vec![7.0; rows.len()]; OUT];
    let mut slices = figures.iter_mut().map(Vec::as_mut_slice);
    many.update_all(columns, core::array::from_fn(|_| slices.next().unwrap())).unwrap();
    for (index, &row) in rows.iter().enumerate() {
        let before = one.clone();
        let mut bad = row;
        bad[IN - 1] = f64::NAN;
        assert!(one.update(bad).is_err());
        bad[IN - 1] = f64::INFINITY;
        assert!(one.update(bad).is_err());
        assert_eq!(one, before, "a refusal changes nothing");
        let found = one.update(row).unwrap().unwrap_or([f64::NAN; OUT]);
        let told: [u64; OUT] = core::array::from_fn(|c| figures[c][index].to_bits());
        assert_eq!(found.map(f64::to_bits), told, "index {index}");
        let stored = postcard::to_allocvec(&one).unwrap();
        assert_eq!(postcard::from_bytes::<I>(&stored).unwrap(), one);
    }
    one.reset();
    let mut fresh = new.clone();
    for &row in rows {
        assert_eq!(one.update(row), fresh.update(row), "reset forgets everything");
    }
}

proptest! {
    #[test]
    fn each_indicator_conforms(
        length in 2..40_usize,
        bars in prop::collection::vec((1.0..1e5_f64, 0.0..50.0_f64, 0.0..10.0_f64), 0..120),
    ) {
        let closes: Vec<_> = bars.iter().map(|bar| [bar.0]).collect();
        let ranges: Vec<_> = bars.iter().map(|&(c, half, _)| [c + half, c - half, c]).collect();
        let trades: Vec<_> = bars.iter().map(|&(c, _, v)| [c, v.floor()]).collect();
        let quotes: Vec<_> = bars.iter().map(|&(c, h, v)| [c - h, v, c + h, h]).collect();
        conforms(&Sma::new(length).unwrap(), &closes);
        conforms(&Ema::new(length).unwrap(), &closes);
        conforms(&Rsi::new(length).unwrap(), &closes);
        conforms(&Macd::new(length / 2, length, 5).unwrap(), &closes);
        conforms(&Bollinger::new(length, 2.0).unwrap(), &closes);
        conforms(&RealisedVolatility::new(length, 365.0).unwrap(), &closes);
        conforms(&Atr::new(length).unwrap(), &ranges);
        conforms(&Vwap::rolling(length).unwrap(), &trades);
        conforms(&Vwap::session(), &trades);
        conforms(&Microprice, &quotes);
    }

    #[test]
    fn windows_agree_with_plain_sums(
        length in 1..30_usize,
        prices in prop::collection::vec(1.0..1e5_f64, 1..200),
    ) {
        let mut window = moments::Moments::new(length);
        let mut sums = sums::Sums::new(length);
        for end in 1..=prices.len() {
            let found = window.take(prices[end - 1]);
            let sum = sums.take(prices[end - 1]);
            if end < length {
                prop_assert_eq!((found, sum), (None, None));
                continue;
            }
            let held = &prices[end - length..end];
            let count = length as f64;
            let mean = held.iter().sum::<f64>() / count;
            let variance = held.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
            let (found_mean, found_variance) = found.unwrap();
            prop_assert!((found_mean - mean).abs() < 1e-9 * mean);
            // Each of the steps so far may round at the scale of the largest square that it saw.
            let largest = prices[..end].iter().copied().fold(0.0, f64::max);
            let rounding = f64::EPSILON * end as f64 * largest * largest;
            prop_assert!((found_variance - variance).abs() <= rounding + 1e-9 * variance);
            prop_assert!((sum.unwrap() / count - mean).abs() < 1e-12 * mean);
        }
    }
}

#[test]
fn nothing_is_left_of_a_large_number_that_fell_out() {
    let mut vwap = Vwap::rolling(3).unwrap();
    for volume in [1e30, 0.1, 0.2] {
        vwap.update([50.0, volume]).unwrap();
    }
    assert_eq!(vwap.update([100.0, 0.0]), Ok(Some([(50.0 * 0.2 + 50.0 * 0.1) / (0.2 + 0.1)])));
    vwap.update([100.0, 0.0]).unwrap();
    assert_eq!(vwap.update([100.0, 0.0]), Ok(None), "no volume, no price");
}

#[test]
fn still_prices_give_exactly_no_movement() {
    let still = [[61_837.63]; 300];
    let last = |found: Vec<Option<[f64; 3]>>| found.last().copied().flatten();
    let mut macd = Macd::new(12, 26, 9).unwrap();
    let found = still.map(|close| macd.update(close).unwrap()).to_vec();
    assert_eq!(last(found), Some([0.0; 3]));
    let mut bands = Bollinger::new(20, 2.0).unwrap();
    let found = still.map(|close| bands.update(close).unwrap()).to_vec();
    assert_eq!(last(found), Some([61_837.63; 3]));
    let mut rsi = Rsi::new(14).unwrap();
    assert_eq!(still.map(|close| rsi.update(close).unwrap()).last(), Some(&Some([0.0])));
}

#[test]
fn what_makes_no_sense_is_refused_with_what_was_expected() {
    let text = |refused: Refused| refused.to_string();
    assert_eq!(text(Sma::new(0).unwrap_err()), "period: expected 1 to 1000000, found 0");
    assert_eq!(
        text(Macd::new(26, 12, 9).unwrap_err()),
        "fast: expected less than slow (12), found 26"
    );
    let width = Bollinger::new(20, f64::NAN).unwrap_err();
    assert_eq!(text(width), "width: expected a finite number above 0, found NaN");
    let mut atr = Atr::new(14).unwrap();
    let upside_down = atr.update([1.0, 2.0, 1.5]).unwrap_err();
    assert_eq!(text(upside_down), "expected high ≥ low, found high 1 and low 2");
    let volume = Vwap::session().update([1.0, -1.0]).unwrap_err();
    assert_eq!(text(volume), "expected a volume of 0 or more, found -1");
    let price = RealisedVolatility::new(5, 1.0).unwrap().update([0.0]).unwrap_err();
    assert_eq!(text(price), "expected a price above 0, found 0");
    let mut figures = [0.0; 600];
    let mut closes = [1.0; 600];
    closes[599] = f64::NAN;
    let at = Ema::new(3).unwrap().update_all([&closes], [&mut figures]).unwrap_err();
    assert_eq!(
        at.to_string(),
        "at index 599: expected a finite number below 1e100 in size, found NaN"
    );
}

#[test]
fn imbalance_is_the_share_of_one_side() {
    assert_eq!(imbalance(&[3.0], &[1.0]), Ok(Some(0.5)));
    assert_eq!(imbalance(&[0.0], &[]), Ok(None));
    assert!(imbalance(&[-1.0], &[]).is_err());
    let mut figures = [0.0; 2];
    let books = [[1.0, 9.0, 2.0, 9.0].as_slice(), &[1.0, 9.0, 0.0, 9.0]];
    imbalance_of_rows(books, 2, 1, &mut figures).unwrap();
    assert_eq!(figures, [0.0, 1.0]);
}
