//! Closing prices in; moving average convergence and divergence out.

use super::ema::Ema;
use super::wide::wide;
use super::{CHUNK, Indicator, Refused, RefusedAt, all_sound, period, sound};
use serde::{Deserialize, Serialize};

/// Moving average convergence and divergence, Appel's: the fast [`Ema`] minus the slow one; the
/// [`Ema`] of that, called signal; and the line minus the signal, called histogram. In the unit of
/// the price.
///
/// As in TA-Lib the fast average begins with the last `fast` of the first `slow` observations, and
/// the first value comes with observation `slow + signal − 1`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Macd {
    /// Observations that the fast average does not see, so that both begin together.
    ahead: usize,
    skipped: usize,
    fast: Ema,
    slow: Ema,
    signal: Ema,
}

impl Macd {
    /// Averages over about so many observations.
    ///
    /// # Errors
    /// A period is 0 or beyond [`super::PERIOD_MAX`], or the fast one is not the shorter.
    pub fn new(fast: usize, slow: usize, signal: usize) -> Result<Self, Refused> {
        let (fast, slow) = (period("fast", fast, 1)?, period("slow", slow, 1)?);
        if fast >= slow {
            return Err(Refused::Order { fast, slow });
        }
        Ok(Self {
            ahead: slow - fast,
            skipped: 0,
            fast: Ema::new(fast)?,
            slow: Ema::new(slow)?,
            signal: Ema::new(period("signal", signal, 1)?)?,
        })
    }

    #[inline]
    fn take(&mut self, close: f64) -> Option<[f64; 3]> {
        let slow = self.slow.take(close);
        if self.skipped < self.ahead {
            self.skipped += 1;
            return None;
        }
        let line = self.fast.take(close)? - slow?;
        let signal = self.signal.take(line)?;
        Some([line, signal, line - signal])
    }
}

impl Indicator<1, 3> for Macd {
    #[inline]
    fn update(&mut self, [close]: [f64; 1]) -> Result<Option<[f64; 3]>, Refused> {
        Ok(self.take(sound(close)?))
    }

    fn reset(&mut self) {
        self.skipped = 0;
        self.fast.reset();
        self.slow.reset();
        self.signal.reset();
    }

    fn update_all(
        &mut self,
        [closes]: [&[f64]; 1],
        [lines, signals, histograms]: [&mut [f64]; 3],
    ) -> Result<(), RefusedAt> {
        wide(|| {
            let mut first = 0;
            // One at a time until the signal has begun, which each chunk after that relies on.
            while first < closes.len() {
                let found = self.update([closes[first]]);
                let found = found.map_err(|reason| RefusedAt { index: first, reason })?;
                let row = found.unwrap_or([f64::NAN; 3]);
                (lines[first], signals[first], histograms[first]) = (row[0], row[1], row[2]);
                first += 1;
                if found.is_some() {
                    break;
                }
            }
            let mut slow = [0.0; CHUNK];
            while first < closes.len() {
                let end = closes.len().min(first + CHUNK);
                let chunk = &closes[first..end];
                all_sound(chunk, first)?;
                let (lines, signals) = (&mut lines[first..end], &mut signals[first..end]);
                let slow = &mut slow[..chunk.len()];
                self.fast.take_all(chunk, lines);
                self.slow.take_all(chunk, slow);
                for (line, slow) in lines.iter_mut().zip(&*slow) {
                    *line -= slow;
                }
                self.signal.take_all(lines, signals);
                let rows = lines.iter().zip(&*signals);
                for (histogram, (line, signal)) in histograms[first..end].iter_mut().zip(rows) {
                    *histogram = line - signal;
                }
                first = end;
            }
            Ok(())
        })
    }
}
