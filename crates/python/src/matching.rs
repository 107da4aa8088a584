//! `prunella._core.Matching`: decimal text and integers in, match events and book text out.

use std::fmt::Write;

use engine::event::{Level, Side};
use engine::matching::{
    CURSORS, MatchEvent, Matching as Market, MatchingConfig, OrderKind, OrderRequest, Refusal,
    Wallets as Owned,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use values::{Price, Quantity};

/// A hundred-millionth: the last digit that Binance writes, in raw units.
const RAW_PER_DIGIT: i64 = 10;
const DIGITS_PER_UNIT: i64 = 100_000_000;

type TextLevels = Vec<(PyBackedStr, PyBackedStr)>;

/// One thing that happened; see `prunella.exchange.matching`.
#[pyclass(frozen, get_all, module = "prunella._core")]
pub struct Match {
    /// `accepted`, `filled`, `canceled`, `expired`, `expired_in_match` or `printed`.
    kind: &'static str,
    order: u64,
    trade: u64,
    price: i64,
    quantity: i64,
    fee: i128,
    /// `filled`: whether the order was resting; `printed`: whether the buyer was.
    maker: bool,
}

impl Match {
    fn of_order(kind: &'static str, order: u64) -> Self {
        Self { kind, order, trade: 0, price: 0, quantity: 0, fee: 0, maker: false }
    }
}

impl From<MatchEvent> for Match {
    fn from(event: MatchEvent) -> Self {
        match event {
            MatchEvent::Accepted { order } => Self::of_order("accepted", order),
            MatchEvent::Canceled { order } => Self::of_order("canceled", order),
            MatchEvent::Expired { order, in_match: false } => Self::of_order("expired", order),
            MatchEvent::Expired { order, in_match: true } => {
                Self::of_order("expired_in_match", order)
            }
            MatchEvent::Filled { order, trade, price, quantity, fee, is_maker } => Self {
                kind: "filled",
                order,
                trade,
                price: price.0,
                quantity: quantity.0,
                fee,
                maker: is_maker,
            },
            MatchEvent::Printed { trade, price, quantity, buyer_is_maker } => Self {
                kind: "printed",
                order: 0,
                trade,
                price: price.0,
                quantity: quantity.0,
                fee: 0,
                maker: buyer_is_maker,
            },
        }
    }
}

/// What accounts own; see `prunella.exchange.matching`.
#[pyclass(frozen, module = "prunella._core")]
#[derive(Default)]
pub struct Wallets {
    owned: Owned,
}

#[pymethods]
impl Wallets {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// A new account's number; it owns nothing yet.
    fn open_account(&self) -> usize {
        self.owned.open_account()
    }

    fn deposit(&self, account: usize, asset: &str, amount: i128) {
        self.owned.add(account, self.owned.asset(asset), amount, 0);
    }

    /// Free and locked.
    fn holding(&self, account: usize, asset: &str) -> (i128, i128) {
        let holding = self.owned.holding(account, self.owned.asset(asset));
        (holding.free, holding.locked)
    }
}

/// One market; see `prunella.exchange.matching`.
#[pyclass(module = "prunella._core")]
pub struct Matching {
    market: Market,
    events: Vec<MatchEvent>,
}

fn invalid(error: impl std::fmt::Display) -> PyErr {
    PyValueError::new_err(error.to_string())
}

fn levels(text: &TextLevels) -> PyResult<Vec<Level>> {
    text.iter().map(|(price, quantity)| level(price, quantity)).collect()
}

fn level(price: &PyBackedStr, quantity: &PyBackedStr) -> PyResult<Level> {
    let price = Price::parse(price.as_bytes())
        .map_err(|error| invalid(format!("price {:?}: {error}", &**price)))?;
    let quantity = Quantity::parse(quantity.as_bytes())
        .map_err(|error| invalid(format!("quantity {:?}: {error}", &**quantity)))?;
    if price.0 <= 0 || quantity.0 < 0 {
        return Err(invalid(format!(
            "expected a positive price and a quantity of zero or more, found {price} and {quantity}"
        )));
    }
    Ok(Level { price, quantity })
}

fn side_of(buy: bool) -> Side {
    if buy { Side::Buy } else { Side::Sell }
}

fn write_decimal(raw: i64, out: &mut String) {
    let digits = raw / RAW_PER_DIGIT;
    let _ = write!(out, "{}.{:08}", digits / DIGITS_PER_UNIT, digits % DIGITS_PER_UNIT);
}

fn write_levels(levels: impl Iterator<Item = Level>, out: &mut String) {
    out.push('[');
    for (index, level) in levels.enumerate() {
        out.push_str(if index == 0 { "[\"" } else { ",[\"" });
        write_decimal(level.price.0, out);
        out.push_str("\",\"");
        write_decimal(level.quantity.0, out);
        out.push_str("\"]");
    }
    out.push(']');
}

impl Matching {
    fn drain(&mut self) -> Vec<Match> {
        self.events.drain(..).map(Match::from).collect()
    }
}

#[pymethods]
impl Matching {
    #[new]
    #[pyo3(signature = (wallets, base, quote, *, maker_fee_ppm, taker_fee_ppm, fee_in_quote, lot))]
    fn new(
        wallets: &Wallets,
        base: &str,
        quote: &str,
        maker_fee_ppm: u32,
        taker_fee_ppm: u32,
        fee_in_quote: bool,
        lot: i64,
    ) -> PyResult<Self> {
        if lot <= 0 {
            return Err(invalid(format!("expected a positive lot, found {lot}")));
        }
        let lot = Quantity(lot);
        let config = MatchingConfig { maker_fee_ppm, taker_fee_ppm, fee_in_quote, lot };
        let market = Market::sharing(config, &wallets.owned, base, quote);
        Ok(Self { market, events: Vec::new() })
    }

    #[getter]
    fn update_id(&self) -> u64 {
        self.market.update_id()
    }

    #[getter]
    fn orders_open(&self) -> usize {
        self.market.orders_open()
    }

    /// The numbers given last: update, order and trade.
    fn numbers(&self) -> (u64, u64, u64) {
        self.market.numbers()
    }

    #[pyo3(signature = (*, update_id, last_order, last_trade))]
    fn resume(&mut self, update_id: u64, last_order: u64, last_trade: u64) {
        self.market.resume(update_id, last_order, last_trade);
    }

    #[expect(clippy::needless_pass_by_value, reason = "PyO3 hands lists over by value")]
    fn load(&mut self, bids: TextLevels, asks: TextLevels) -> PyResult<Vec<Match>> {
        self.market.load(&levels(&bids)?, &levels(&asks)?, &mut self.events);
        Ok(self.drain())
    }

    #[expect(clippy::needless_pass_by_value, reason = "PyO3 hands lists over by value")]
    fn diff(&mut self, bids: TextLevels, asks: TextLevels) -> PyResult<Vec<Match>> {
        self.market.diff(&levels(&bids)?, &levels(&asks)?, &mut self.events);
        Ok(self.drain())
    }

    #[expect(clippy::needless_pass_by_value, reason = "PyO3 hands text over by value")]
    fn ticker(
        &mut self,
        bid: PyBackedStr,
        bid_quantity: PyBackedStr,
        ask: PyBackedStr,
        ask_quantity: PyBackedStr,
    ) -> PyResult<Vec<Match>> {
        let (bid, ask) = (level(&bid, &bid_quantity)?, level(&ask, &ask_quantity)?);
        self.market.ticker(bid, ask, &mut self.events);
        Ok(self.drain())
    }

    #[expect(clippy::needless_pass_by_value, reason = "PyO3 hands text over by value")]
    fn trade(
        &mut self,
        price: PyBackedStr,
        quantity: PyBackedStr,
        buyer_is_maker: bool,
    ) -> PyResult<Vec<Match>> {
        let Level { price, quantity } = level(&price, &quantity)?;
        self.market.trade(price, quantity, buyer_is_maker, &mut self.events);
        Ok(self.drain())
    }

    /// Number and events, or the refusal: `balance` or `would_take`.
    #[pyo3(signature = (*, account, buy, kind, price, quantity))]
    fn place(
        &mut self,
        account: usize,
        buy: bool,
        kind: &str,
        price: i64,
        quantity: i64,
    ) -> PyResult<(u64, Vec<Match>, Option<&'static str>)> {
        let kind = match kind {
            "GTC" => OrderKind::GoodTillCancel,
            "IOC" => OrderKind::ImmediateOrCancel,
            "FOK" => OrderKind::FillOrKill,
            "LIMIT_MAKER" => OrderKind::PostOnly,
            "MARKET" => OrderKind::Market,
            _ => return Err(invalid(format!("unknown order kind {kind:?}"))),
        };
        if quantity <= 0 || (price <= 0 && kind != OrderKind::Market) {
            return Err(invalid("expected a positive price and quantity"));
        }
        let request = OrderRequest {
            account,
            side: side_of(buy),
            kind,
            price: Price(price),
            quantity: Quantity(quantity),
        };
        Ok(match self.market.place(request, &mut self.events) {
            Ok(order) => (order, self.drain(), None),
            Err(Refusal::Balance) => (0, Vec::new(), Some("balance")),
            Err(Refusal::WouldTake) => (0, Vec::new(), Some("would_take")),
        })
    }

    fn cancel(&mut self, order: u64) -> Vec<Match> {
        self.market.cancel(order, &mut self.events);
        self.drain()
    }

    #[pyo3(signature = (*, account, buy, quote))]
    fn quantity_for(&self, account: usize, buy: bool, quote: i128) -> i64 {
        self.market.quantity_for(account, side_of(buy), quote).0
    }

    fn top(&self) -> Option<(i64, i64, i64, i64)> {
        let (bid, ask) = self.market.top();
        let (bid, ask) = (bid?, ask?);
        Some((bid.price.0, bid.quantity.0, ask.price.0, ask.quantity.0))
    }

    /// `"bids":[...],"asks":[...]` of at most `limit` levels a side, best first.
    fn depth(&self, limit: usize) -> String {
        let mut text = String::with_capacity(64 * limit.min(5_000));
        text.push_str("\"bids\":");
        write_levels(self.market.levels(Side::Buy).take(limit), &mut text);
        text.push_str(",\"asks\":");
        write_levels(self.market.levels(Side::Sell).take(limit), &mut text);
        text
    }

    /// First number, last number and `"b":[...],"a":[...]` of what changed since the last call
    /// of this publisher.
    fn take_changes(&mut self, publisher: usize) -> PyResult<Option<(u64, u64, String)>> {
        if publisher >= CURSORS {
            return Err(invalid(format!(
                "expected a publisher below {CURSORS}, found {publisher}"
            )));
        }
        let Some((first, last, bids, asks)) = self.market.take_changes(publisher) else {
            return Ok(None);
        };
        let mut text = String::with_capacity(64 * (bids.len() + asks.len()) + 16);
        text.push_str("\"b\":");
        write_levels(bids.into_iter(), &mut text);
        text.push_str(",\"a\":");
        write_levels(asks.into_iter(), &mut text);
        Ok(Some((first, last, text)))
    }

    /// The played market alone, best first, raw: for comparison with the recording.
    #[allow(clippy::type_complexity, reason = "two lists of pairs read plainly in Python")]
    fn external_levels(&self) -> (Vec<(i64, i64)>, Vec<(i64, i64)>) {
        let side = |side| {
            let levels = self.market.external_levels(side);
            levels.into_iter().map(|level| (level.price.0, level.quantity.0)).collect()
        };
        (side(Side::Buy), side(Side::Sell))
    }
}
