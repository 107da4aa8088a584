//! Best bid and ask with their quantities in; the price that leans to the side that gives way out.

use super::{Indicator, Refused, sound};
use serde::{Deserialize, Serialize};

/// Microprice: `(bid · ask_quantity + ask · bid_quantity) / (bid_quantity + ask_quantity)`, between
/// bid and ask, nearer to the side that has less resting on it. Nothing where nothing rests. It
/// remembers nothing.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Microprice;

impl Indicator<4, 1> for Microprice {
    /// Takes in bid, bid quantity, ask and ask quantity.
    #[inline]
    fn update(&mut self, quote: [f64; 4]) -> Result<Option<[f64; 1]>, Refused> {
        let [bid, bid_quantity, ask, ask_quantity] = quote;
        for number in quote {
            sound(number)?;
        }
        for quantity in [bid_quantity, ask_quantity] {
            if quantity < 0.0 {
                return Err(Refused::Volume(quantity));
            }
        }
        let both = bid_quantity + ask_quantity;
        Ok((both > 0.0).then(|| [(bid * ask_quantity + ask * bid_quantity) / both]))
    }

    fn reset(&mut self) {}
}
