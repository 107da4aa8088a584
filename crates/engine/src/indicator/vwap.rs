//! Prices and volumes in; their volume-weighted average price out.

use super::sums::Sums;
use super::{Indicator, Refused, period, sound};
use serde::{Deserialize, Serialize};

/// Volume-weighted average price `Σ price · volume / Σ volume`, of everything since the session began
/// ([`Vwap::session`]; a reset begins the next) or of the last so many observations
/// ([`Vwap::rolling`]). Nothing while no volume was seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vwap {
    window: Window,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Window {
    Session { turnover: f64, volume: f64 },
    Rolling { turnover: Sums, volume: Sums },
}

impl Vwap {
    /// From the beginning of a session on.
    pub fn session() -> Self {
        Self { window: Window::Session { turnover: 0.0, volume: 0.0 } }
    }

    /// Over the last so many observations.
    ///
    /// # Errors
    /// The period is 0 or beyond [`super::PERIOD_MAX`].
    pub fn rolling(length: usize) -> Result<Self, Refused> {
        let empty = Sums::new(period("period", length, 1)?);
        Ok(Self { window: Window::Rolling { turnover: empty.clone(), volume: empty } })
    }
}

impl Indicator<2, 1> for Vwap {
    /// Takes in price and volume.
    #[inline]
    fn update(&mut self, [price, volume]: [f64; 2]) -> Result<Option<[f64; 1]>, Refused> {
        let (price, volume) = (sound(price)?, sound(volume)?);
        if volume < 0.0 {
            return Err(Refused::Volume(volume));
        }
        let sums = match &mut self.window {
            Window::Session { turnover, volume: all } => {
                *turnover += price * volume;
                *all += volume;
                Some((*turnover, *all))
            }
            Window::Rolling { turnover, volume: all } => {
                turnover.take(price * volume).zip(all.take(volume))
            }
        };
        Ok(sums.filter(|&(_, volume)| volume > 0.0).map(|(turnover, volume)| [turnover / volume]))
    }

    fn reset(&mut self) {
        match &mut self.window {
            Window::Session { turnover, volume } => (*turnover, *volume) = (0.0, 0.0),
            Window::Rolling { turnover, volume } => {
                turnover.reset();
                volume.reset();
            }
        }
    }
}
