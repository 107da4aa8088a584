//! A profit at a time in; loss of the day and distance from the highest profit out.

use serde::{Deserialize, Serialize};
use values::{Money, Nanos};

const DAY_NS: Nanos = 86_400_000_000_000;

/// How the profit of one scope has moved. Day and peak are taken at every time step and fill.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Equity {
    day: Nanos,
    day_start: Money,
    peak: Money,
    drawdown_max: Money,
}

impl Equity {
    /// Takes in the profit at a time; a new day (UTC, by event time) starts at the profit that it
    /// finds, so that yesterday's loss does not stop today.
    pub fn update(&mut self, now_ns: Nanos, profit: Money) {
        let day = now_ns.div_euclid(DAY_NS);
        if day != self.day {
            (self.day, self.day_start) = (day, profit);
        }
        self.peak = self.peak.max(profit);
        self.drawdown_max = self.drawdown_max.max(self.drawdown(profit));
    }

    /// What was won since 00:00 UTC; a loss is negative.
    pub fn of_day(&self, profit: Money) -> Money {
        Money(profit.0.saturating_sub(self.day_start.0))
    }

    /// How far the profit is below its highest so far; the start counts as one.
    pub fn drawdown(&self, profit: Money) -> Money {
        Money(self.peak.0.saturating_sub(profit.0).max(0))
    }

    /// The largest such distance of the run.
    pub fn drawdown_max(&self) -> Money {
        self.drawdown_max
    }

    /// The highest profit so far; 0 before the first.
    pub fn peak(&self) -> Money {
        self.peak
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn day_rolls_at_midnight_utc_and_the_peak_does_not() {
        let mut equity = Equity::default();
        let noon = 20_000 * DAY_NS + DAY_NS / 2;
        equity.update(noon, Money(0));
        equity.update(noon + 1, Money(100));
        equity.update(noon + 2, Money(30));
        assert_eq!((equity.of_day(Money(30)), equity.drawdown(Money(30))), (Money(30), Money(70)));
        equity.update(20_001 * DAY_NS - 1, Money(20));
        assert_eq!(equity.of_day(Money(20)), Money(20));
        equity.update(20_001 * DAY_NS, Money(20));
        assert_eq!((equity.of_day(Money(5)), equity.drawdown(Money(5))), (Money(-15), Money(95)));
        assert_eq!((equity.drawdown_max(), equity.peak()), (Money(80), Money(100)));
    }
}
