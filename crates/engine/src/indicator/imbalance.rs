//! Quantities of the best levels in; which side has more, −1 to 1, out.

use super::{Refused, RefusedAt, sound};

/// Book imbalance: `(bids − asks) / (bids + asks)` of the quantities on the best levels of each side:
/// 1 when only bids rest, −1 when only asks do, nothing when nothing rests.
///
/// # Errors
/// A quantity is below zero or cannot be computed with.
#[inline]
pub fn imbalance(bids: &[f64], asks: &[f64]) -> Result<Option<f64>, Refused> {
    let (bids, asks) = (total(bids)?, total(asks)?);
    let both = bids + asks;
    Ok((both > 0.0).then(|| (bids - asks) / both))
}

/// The same of many books: row after row of `width` levels, of which the first `levels` count; NaN
/// where nothing rests.
///
/// # Errors
/// As [`imbalance`]; the index is that of the row.
pub fn imbalance_of_rows(
    [bids, asks]: [&[f64]; 2],
    width: usize,
    levels: usize,
    figures: &mut [f64],
) -> Result<(), RefusedAt> {
    let rows = bids.chunks_exact(width).zip(asks.chunks_exact(width));
    for (index, (figure, (bids, asks))) in figures.iter_mut().zip(rows).enumerate() {
        let found = imbalance(&bids[..levels], &asks[..levels]);
        *figure = found.map_err(|reason| RefusedAt { index, reason })?.unwrap_or(f64::NAN);
    }
    Ok(())
}

fn total(quantities: &[f64]) -> Result<f64, Refused> {
    quantities.iter().try_fold(0.0, |sum, &quantity| {
        let quantity = sound(quantity)?;
        if quantity < 0.0 { Err(Refused::Volume(quantity)) } else { Ok(sum + quantity) }
    })
}
