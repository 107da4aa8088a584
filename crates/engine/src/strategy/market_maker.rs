//! A market and our inventory in; one resting quote per side out.
//!
//! Quotes half a spread to each side of a fair price, which is the microprice moved against our
//! inventory: long moves both quotes down, so that we are sold out of rather than bought further
//! in. The microprice, not the middle: with a thin offer the next trade is up, and a quote around
//! the middle would be run over. Prices are rounded away from the fair price, never take (post-only)
//! and never cross our own orders. A quote stays until it is off by more than `requote_ppm`: each
//! replacement loses our place in the queue and spends order rate.
//!
//! Source: M. Avellaneda, S. Stoikov, "High-frequency trading in a limit order book",
//! Quantitative Finance 8(3), 2008: reservation price shifted linearly with inventory. The
//! volatility and horizon terms were rejected here: they need an estimate that a first quote lacks.

use super::{View, parts_per_million, tick_down, tick_up};
use crate::event::{Side, TimeInForce};
use crate::risk::{Intent, PlaceIntent};
use values::{Price, Quantity};

/// Venues other than the active one get this fraction of the size: present enough to trade on at
/// once when we must switch, small enough not to matter when that venue fails.
const PASSIVE_FRACTION: i64 = 4;

/// The strategy's parameters; see `StrategyKind::MarketMaker`.
#[derive(Copy, Clone, Debug)]
pub struct Settings {
    /// Half the spread.
    pub half_spread_ppm: u32,
    /// Size on the active venue.
    pub quantity: Quantity,
    /// How far a full position moves the quotes.
    pub skew_ppm: u32,
    /// How far off a quote may be.
    pub requote_ppm: u32,
}

/// Appends what brings our two quotes to where they should be.
pub fn quote(settings: &Settings, view: &View<'_>, intents: &mut Vec<Intent>) {
    let (bid, ask) = prices(settings, view);
    let full = settings.quantity;
    let target = if view.is_active { full } else { Quantity(full.0 / PASSIVE_FRACTION) };
    one_side(settings, view, Side::Buy, bid, target, intents);
    one_side(settings, view, Side::Sell, ask, target, intents);
}

/// Where our bid and offer should be.
fn prices(settings: &Settings, view: &View<'_>) -> (Price, Price) {
    let step = view.limits.tick;
    let most = view.limits.position_max.0.max(1);
    let held = view.position_market.0.clamp(-most, most);
    let shift = i128::from(parts_per_million(view.microprice.0, i64::from(settings.skew_ppm)))
        * i128::from(held)
        / i128::from(most);
    let fair = view.microprice.0 - shift as i64;
    let half = parts_per_million(view.microprice.0, i64::from(settings.half_spread_ppm));
    let mut bid = tick_down(fair - half, step).min(view.ask.price.0 - step.0);
    let mut ask = tick_up(fair + half, step).max(view.bid.price.0 + step.0);
    if let Some(own_ask) = view.own_best(Side::Sell) {
        bid = bid.min(own_ask.0 - step.0);
    }
    if let Some(own_bid) = view.own_best(Side::Buy) {
        ask = ask.max(own_bid.0 + step.0);
    }
    (Price(bid), Price(ask.max(bid + step.0)))
}

fn one_side(
    settings: &Settings,
    view: &View<'_>,
    side: Side,
    price: Price,
    target: Quantity,
    intents: &mut Vec<Intent>,
) {
    let mut is_quoted = false;
    for order in view.own().filter(|order| order.new.side == side) {
        // An order of unknown fate counts as the quote: a second one could double it.
        is_quoted = true;
        let distance = (order.new.price.0 - price.0).abs();
        let allowed = parts_per_million(price.0, i64::from(settings.requote_ppm));
        let is_off = distance > allowed || order.exposure() > target;
        if is_off && !order.cancel.is_wanted() {
            intents.push(Intent::Cancel(order.new.client_order_id));
        }
    }
    if is_quoted {
        return;
    }
    let quantity = view.sized(side, target);
    if quantity > Quantity::ZERO {
        intents.push(Intent::Place(PlaceIntent {
            side,
            price,
            quantity,
            time_in_force: TimeInForce::PostOnly,
        }));
    }
}
