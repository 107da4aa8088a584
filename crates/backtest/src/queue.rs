//! Changes of a price level in; how much of the strangers' quantity still stands in front of us out.
//!
//! A venue tells how much rests at a price in all, not who stands where. Trades take from the front.
//! A level that shrinks without a trade was cancelled somewhere, and where is a guess:
//!
//! - `Conservative`: all cancelled behind us. We advance by trades alone, and whenever the whole
//!   level is smaller than what we thought to be in front.
//! - `Probabilistic`: before or behind us in proportion to `size^power` of each part. Orders near
//!   the front have waited and tend to stay, so a power above 1 puts more of the cancelling in the
//!   larger part; 1 is proportional.
//!
//! The same consumption is told twice, as a trade and as a smaller level, in either order; `lead`
//! counts what was already taken in, as in the simulated exchange.

use serde::Deserialize;

/// Where cancelled quantity is taken to have stood.
#[derive(Copy, Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueModel {
    /// Behind us.
    Conservative,
    /// On both sides, by size to this power.
    Probabilistic {
        /// The exponent, above 0.
        power: f64,
    },
}

/// Our place in the queue of one price.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Strangers' quantity in front, raw.
    pub ahead: i64,
    /// Positive: left with a smaller level, the trade may still be told; negative: the reverse.
    lead: i64,
}

impl Place {
    /// Behind everything that rests there now.
    pub fn behind(quantity: i64) -> Place {
        Place { ahead: quantity.max(0), lead: 0 }
    }

    /// The level was told anew.
    pub fn level_told(&mut self, model: QueueModel, before: i64, now: i64) {
        let shrunk = (before - now).max(0);
        let traded = shrunk.min((-self.lead).max(0));
        self.lead += traded;
        let cancelled = shrunk - traded;
        let behind = (before - traded - self.ahead).max(0);
        let left = match model {
            QueueModel::Conservative => 0,
            QueueModel::Probabilistic { power } => in_front(cancelled, self.ahead, behind, power),
        };
        let left = left.max(self.ahead - now).clamp(0, self.ahead);
        self.ahead -= left;
        self.lead += left;
    }

    /// A trade at this price; returns how much of it reaches us.
    pub fn level_traded(&mut self, quantity: i64) -> i64 {
        let told = quantity.min(self.lead.max(0));
        self.lead -= told;
        let left = (quantity - told).min(self.ahead);
        self.ahead -= left;
        self.lead -= left;
        quantity - told - left
    }

    /// A depth change has told everything up to now: nothing of before is outstanding.
    pub fn settle(&mut self) {
        self.lead = 0;
    }
}

/// How much of a cancelled quantity stood in front. Float, as it is a guess; never more than either
/// part has.
fn in_front(cancelled: i64, ahead: i64, behind: i64, power: f64) -> i64 {
    let (front, back) = ((ahead as f64).powf(power), (behind as f64).powf(power));
    if front + back <= 0.0 {
        return 0;
    }
    let guess = (cancelled as f64 * front / (front + back)) as i64;
    guess.clamp((cancelled - behind).max(0), ahead.max(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conservative_place_advances_by_trades_and_by_a_smaller_level_alone() {
        let mut place = Place::behind(10);
        place.level_told(QueueModel::Conservative, 30, 15);
        assert_eq!(place.ahead, 10, "cancelled behind us");
        assert_eq!(place.level_traded(4), 0);
        assert_eq!(place.ahead, 6);
        place.level_told(QueueModel::Conservative, 15, 3);
        assert_eq!(place.ahead, 3, "no more than the whole level");
    }

    #[test]
    fn consumption_told_twice_counts_once_in_either_order() {
        let mut trade_first = Place::behind(10);
        assert_eq!(trade_first.level_traded(6), 0);
        trade_first.level_told(QueueModel::Conservative, 10, 4);
        let mut level_first = Place::behind(10);
        level_first.level_told(QueueModel::Conservative, 10, 4);
        assert_eq!(level_first.level_traded(6), 0);
        assert_eq!((trade_first.ahead, level_first.ahead), (4, 4));
        assert_eq!(level_first.level_traded(5), 1, "what is beyond the strangers reaches us");
    }

    #[test]
    fn probabilistic_place_shares_what_was_cancelled() {
        let mut place = Place::behind(50);
        place.level_told(QueueModel::Probabilistic { power: 1.0 }, 100, 60);
        assert_eq!(place.ahead, 30, "half of the cancelled 40 stood in front");
        let mut steep = Place::behind(80);
        steep.level_told(QueueModel::Probabilistic { power: 3.0 }, 100, 60);
        assert_eq!(steep.ahead, 80 - 39);
    }
}
