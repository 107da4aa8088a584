//! An order intent and the situation in; passed, or denied for one reason, out.
//!
//! The last gate before an order leaves. Every limit is read against the worst case: working orders
//! **and** those of unknown fate count as filled, before the venue has acknowledged anything, so no
//! order of acknowledgements, losses or restarts can add up to more than the limit. The check is a
//! pure function of one small record; a limit itself is allowed, one step beyond it is not (the
//! loss limit and the data age deny *at* and *past* their limit, as documented per reason).
//!
//! Rejected: netting working buys against working sells (a crash between two fills breaks it), and
//! counting exposure only from acknowledgement (a timed-out order may still fill).

use crate::config::MarketConfig;
use crate::event::{Side, TimeInForce};
use crate::limits::LimitsConfig;
use crate::reason::DenialReason;
use crate::schedule::ParentSpec;
use values::{ClientOrderId, Money, Price, Quantity, notional};

const MILLION: i128 = 1_000_000;

/// What a strategy wants to send.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct PlaceIntent {
    /// Buy or sell.
    pub side: Side,
    /// Limit price.
    pub price: Price,
    /// How much, positive.
    pub quantity: Quantity,
    /// How long.
    pub time_in_force: TimeInForce,
}

/// What a strategy wants.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Send this.
    Place(PlaceIntent),
    /// Cancel that.
    Cancel(ClientOrderId),
    /// Send this to whichever venue is best; only for orders that take at once.
    Route(PlaceIntent),
    /// Keep this and work it off.
    Work(ParentSpec),
    /// End what is kept.
    EndWork(u32),
}

/// Whether the core may trade.
#[derive(
    Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub enum TradingState {
    /// Everything.
    Active,
    /// Only orders that make a position smaller.
    Reducing,
    /// No new orders.
    Halted,
}

impl TradingState {
    /// The stable name, for status and records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Reducing => "reducing",
            Self::Halted => "halted",
        }
    }
}

/// Everything that a check looks at.
#[derive(Copy, Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one gate, named; nothing combines them")]
pub struct Situation<'a> {
    /// The market's limits.
    pub limits: &'a MarketConfig,
    /// Global state and the venue's own halt together.
    pub state: TradingState,
    /// Whether the venue's orders and position agree with ours.
    pub is_reconciled: bool,
    /// Whether the user stream is up.
    pub is_user_up: bool,
    /// Whether the book is in step and young enough.
    pub is_fresh: bool,
    /// Whether the breaker lets one more order pass.
    pub breaker_passes: bool,
    /// Whether the order rate lets one more order pass.
    pub rate_passes: bool,
    /// The microprice.
    pub reference: Option<Price>,
    /// All strategies together in this market.
    pub position: Quantity,
    /// Exposure of open buys, unknown ones included.
    pub buying: Quantity,
    /// Exposure of open sells, unknown ones included.
    pub selling: Quantity,
    /// How many orders are open, unknown ones included.
    pub orders_open: usize,
    /// Everything won since the start of the run; a loss is negative.
    pub profit: Money,
    /// Loss at which only reducing is allowed.
    pub loss_max: Money,
}

/// Passed, or why not.
///
/// # Errors
/// The first reason, in the order of the reference page.
pub fn check(intent: &PlaceIntent, at: &Situation<'_>) -> Result<(), DenialReason> {
    verdict(intent, at, &LimitsConfig::default(), |_| {})
}

/// The same with some checks in observe-only: they tell `observe` what they would have denied.
///
/// # Errors
/// The first reason that is not in observe-only.
pub fn verdict(
    intent: &PlaceIntent,
    at: &Situation<'_>,
    config: &LimitsConfig,
    mut observe: impl FnMut(DenialReason),
) -> Result<(), DenialReason> {
    let reduces = reduces(intent, at);
    let limits = at.limits;
    let mut deny = |denied: bool, reason: DenialReason| {
        if denied && config.observes(reason) {
            observe(reason);
        } else if denied {
            return Err(reason);
        }
        Ok(())
    };
    deny(at.state == TradingState::Halted, DenialReason::StateHalted)?;
    deny(at.state == TradingState::Reducing && !reduces, DenialReason::StateReducing)?;
    deny(!at.is_reconciled, DenialReason::StateNotReconciled)?;
    deny(!at.is_fresh, DenialReason::MarketStale)?;
    deny(!at.breaker_passes, DenialReason::BreakerOpen)?;
    deny(!at.is_user_up, DenialReason::ChannelUserDown)?;
    let reference = at.reference.ok_or(DenialReason::PriceNoReference)?;
    deny(is_outside(intent.price, reference, limits.collar_ppm), DenialReason::PriceCollar)?;
    deny(intent.price.0 <= 0 || intent.price.0 % limits.tick.0 != 0, DenialReason::PriceTick)?;
    let quantity = intent.quantity;
    deny(
        quantity < limits.quantity_min
            || quantity > limits.quantity_max
            || quantity.0 <= 0
            || quantity.0 % limits.lot.0 != 0,
        DenialReason::QuantityLimit,
    )?;
    let value = notional(intent.price, quantity);
    deny(value < limits.notional_min || value > limits.notional_max, DenialReason::NotionalLimit)?;
    deny(
        worst_position(intent, at) > i128::from(limits.position_max.0),
        DenialReason::PositionLimit,
    )?;
    deny(at.orders_open >= limits.orders_open_max as usize, DenialReason::OrdersOpenLimit)?;
    deny(at.profit.0 <= -at.loss_max.0 && !reduces, DenialReason::LossLimit)?;
    deny(!at.rate_passes, DenialReason::RateOrders)
}

/// The position on the intent's side, should it and everything open there fill.
pub(crate) fn worst_position(intent: &PlaceIntent, at: &Situation<'_>) -> i128 {
    let quantity = i128::from(intent.quantity.0);
    match intent.side {
        Side::Buy => i128::from(at.position.0) + i128::from(at.buying.0) + quantity,
        Side::Sell => -i128::from(at.position.0) + i128::from(at.selling.0) + quantity,
    }
}

/// Whether the intent can only make the position smaller, whatever else fills on its side.
pub(crate) fn reduces(intent: &PlaceIntent, at: &Situation<'_>) -> bool {
    worst_position(intent, at) <= 0
}

pub(crate) fn is_outside(price: Price, reference: Price, collar_ppm: u32) -> bool {
    let distance = (i128::from(price.0) - i128::from(reference.0)).abs();
    distance * MILLION > i128::from(reference.0) * i128::from(collar_ppm)
}

#[cfg(test)]
mod tests {
    use super::*;
    use values::SCALE;

    fn limits() -> MarketConfig {
        MarketConfig {
            venue: 0,
            symbol: "BTCUSDT".into(),
            base: "BTC".into(),
            quote: "USDT".into(),
            tick: Price(SCALE / 100),
            lot: Quantity(SCALE / 1000),
            quantity_min: Quantity(SCALE / 100),
            quantity_max: Quantity(SCALE),
            notional_min: Money(5 * i128::from(SCALE)),
            notional_max: Money(100_000 * i128::from(SCALE)),
            position_max: Quantity(3 * SCALE),
            collar_ppm: 10_000,
            orders_open_max: 4,
            ..MarketConfig::default()
        }
    }

    fn situation(limits: &MarketConfig) -> Situation<'_> {
        Situation {
            limits,
            state: TradingState::Active,
            is_reconciled: true,
            is_user_up: true,
            is_fresh: true,
            breaker_passes: true,
            rate_passes: true,
            reference: Some(Price(1_000 * SCALE)),
            position: Quantity::ZERO,
            buying: Quantity::ZERO,
            selling: Quantity::ZERO,
            orders_open: 0,
            profit: Money::ZERO,
            loss_max: Money(100 * i128::from(SCALE)),
        }
    }

    fn intent(side: Side, price: i64, quantity: i64) -> PlaceIntent {
        PlaceIntent {
            side,
            price: Price(price),
            quantity: Quantity(quantity),
            time_in_force: TimeInForce::PostOnly,
        }
    }

    #[test]
    fn price_and_size_pass_at_the_limit_and_are_denied_one_step_beyond() {
        use DenialReason::{NotionalLimit, PriceCollar, PriceTick, QuantityLimit};
        let tick = SCALE / 100;
        let lot = SCALE / 1000;
        let mut limits = limits();
        for (price, quantity, expected) in [
            (1_010 * SCALE - tick, SCALE, Ok(())),
            (1_010 * SCALE, SCALE, Ok(())),
            (1_010 * SCALE + tick, SCALE, Err(PriceCollar)),
            (990 * SCALE + tick, SCALE, Ok(())),
            (990 * SCALE, SCALE, Ok(())),
            (990 * SCALE - tick, SCALE, Err(PriceCollar)),
            (1_000 * SCALE + 1, SCALE, Err(PriceTick)),
            (1_000 * SCALE, SCALE - lot, Ok(())),
            (1_000 * SCALE, SCALE + lot, Err(QuantityLimit)),
            (1_000 * SCALE, SCALE / 100 - lot, Err(QuantityLimit)),
            (1_000 * SCALE, SCALE / 100, Ok(())),
            (1_000 * SCALE, SCALE / 100 + lot, Ok(())),
            (1_000 * SCALE, SCALE / 100 + 1, Err(QuantityLimit)),
            (1_000 * SCALE, 0, Err(QuantityLimit)),
            (1_000 * SCALE, -SCALE, Err(QuantityLimit)),
        ] {
            let found = check(&intent(Side::Buy, price, quantity), &situation(&limits));
            assert_eq!(found, expected, "{price} {quantity}");
        }
        limits.notional_min = Money(500 * i128::from(SCALE));
        limits.notional_max = Money(900 * i128::from(SCALE));
        for (quantity, expected) in [
            (500 * lot - lot, Err(NotionalLimit)),
            (500 * lot, Ok(())),
            (900 * lot, Ok(())),
            (900 * lot + lot, Err(NotionalLimit)),
        ] {
            let found = check(&intent(Side::Buy, 1_000 * SCALE, quantity), &situation(&limits));
            assert_eq!(found, expected, "{quantity}");
        }
    }

    #[test]
    fn exposure_of_open_orders_counts_as_if_filled() {
        let lot = SCALE / 1000;
        let limits = limits();
        for (side, position, buying, selling, expected) in [
            (Side::Buy, SCALE, SCALE - lot, 0, Ok(())),
            (Side::Buy, SCALE, SCALE, 0, Ok(())),
            (Side::Buy, SCALE, SCALE + lot, 0, Err(DenialReason::PositionLimit)),
            (Side::Buy, SCALE, SCALE + lot, 3 * SCALE, Err(DenialReason::PositionLimit)),
            (Side::Sell, -SCALE, 0, SCALE - lot, Ok(())),
            (Side::Sell, -SCALE, 0, SCALE, Ok(())),
            (Side::Sell, -SCALE, 0, SCALE + lot, Err(DenialReason::PositionLimit)),
            (Side::Sell, 3 * SCALE, 0, 0, Ok(())),
        ] {
            let at = Situation {
                position: Quantity(position),
                buying: Quantity(buying),
                selling: Quantity(selling),
                ..situation(&limits)
            };
            assert_eq!(check(&intent(side, 1_000 * SCALE, SCALE), &at), expected);
        }
    }

    #[test]
    fn reducing_allows_only_what_cannot_pass_zero() {
        let limits = limits();
        let base = Situation {
            state: TradingState::Reducing,
            position: Quantity(SCALE),
            ..situation(&limits)
        };
        let half = SCALE / 2;
        for (side, quantity, selling, expected) in [
            (Side::Buy, half, 0, Err(DenialReason::StateReducing)),
            (Side::Sell, half, 0, Ok(())),
            (Side::Sell, half, half, Ok(())),
            (Side::Sell, half, half + 1, Err(DenialReason::StateReducing)),
            (Side::Sell, SCALE, 0, Ok(())),
        ] {
            let at = Situation { selling: Quantity(selling), ..base };
            assert_eq!(check(&intent(side, 1_000 * SCALE, quantity), &at), expected);
        }
    }

    #[test]
    fn loss_at_its_limit_leaves_only_reducing() {
        let limits = limits();
        let at_limit = -100 * i128::from(SCALE);
        for (profit, side, expected) in [
            (at_limit + 1, Side::Buy, Ok(())),
            (at_limit, Side::Buy, Err(DenialReason::LossLimit)),
            (at_limit - 1, Side::Buy, Err(DenialReason::LossLimit)),
            (at_limit - 1, Side::Sell, Ok(())),
        ] {
            let at = Situation {
                profit: Money(profit),
                position: Quantity(SCALE),
                ..situation(&limits)
            };
            assert_eq!(check(&intent(side, 1_000 * SCALE, SCALE), &at), expected);
        }
    }

    #[test]
    fn each_closed_gate_denies_with_its_own_reason() {
        let limits = limits();
        let open = situation(&limits);
        for (at, expected) in [
            (Situation { state: TradingState::Halted, ..open }, DenialReason::StateHalted),
            (Situation { state: TradingState::Reducing, ..open }, DenialReason::StateReducing),
            (Situation { is_reconciled: false, ..open }, DenialReason::StateNotReconciled),
            (Situation { is_fresh: false, ..open }, DenialReason::MarketStale),
            (Situation { breaker_passes: false, ..open }, DenialReason::BreakerOpen),
            (Situation { is_user_up: false, ..open }, DenialReason::ChannelUserDown),
            (Situation { reference: None, ..open }, DenialReason::PriceNoReference),
            (Situation { orders_open: 4, ..open }, DenialReason::OrdersOpenLimit),
            (Situation { rate_passes: false, ..open }, DenialReason::RateOrders),
        ] {
            assert_eq!(check(&intent(Side::Buy, 1_000 * SCALE, SCALE), &at), Err(expected));
        }
        assert_eq!(
            check(&intent(Side::Buy, 1_000 * SCALE, SCALE), &Situation { orders_open: 3, ..open }),
            Ok(())
        );
    }
}
