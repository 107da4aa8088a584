//! REST replies in; events out. What a status and a code mean for an order's fate is decided here.

use super::user::order_status;
use super::{Decoder, Instrument, charge};
use crate::json::{Malformed, Reader};
use engine::event::{
    Event, Execution, OrderReport, OwnTrade, Purpose, RequestFailure, Side, VenueOrderStatus,
};
use values::{ClientOrderId, MarketId, Money, Nanos, Price, Quantity};

/// How long to leave a venue alone that said "too many requests" without saying for how long.
const RETRY_AFTER_DEFAULT_NS: Nanos = 1_000_000_000;

/// A reply as it came over HTTP.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Answer<'b> {
    /// What had been asked.
    pub purpose: Purpose,
    /// HTTP status.
    pub status: u16,
    /// `Retry-After` in nanoseconds; 0 when there was none.
    pub retry_after_ns: Nanos,
    /// The body.
    pub bytes: &'b [u8],
}

/// One order as replies describe it.
#[derive(Default)]
struct Order<'b> {
    symbol: Option<&'b [u8]>,
    id: Option<u64>,
    client_id: Option<&'b [u8]>,
    original_client_id: Option<&'b [u8]>,
    executed: Option<i64>,
    status: Option<&'b [u8]>,
    /// Where the fills begin: they are read when the symbol, and so the fee's currency, is known.
    fills: Option<Reader<'b>>,
}

/// One execution as replies describe it.
#[derive(Default)]
struct Fill<'b> {
    trade_id: Option<u64>,
    order_id: Option<u64>,
    price: Option<i64>,
    quantity: Option<i64>,
    fee: i64,
    fee_asset: &'b [u8],
    is_buyer: bool,
    is_maker: bool,
}

impl Decoder {
    /// Reads the reply to a request and hands on what the core is to be told: at least one event,
    /// except that a reply about an order that is not ours gives none.
    ///
    /// A reply of 5xx, or with a code by which the venue says that it does not know (-1000, -1001,
    /// -1006, -1007), or that cannot be read, means that the fate is **unknown**, never "failed".
    ///
    /// # Errors
    /// The reply is malformed. `Failed` with `Unknown` has been handed on; count the frame.
    pub fn reply(
        &mut self,
        answer: &Answer<'_>,
        mut emit: impl FnMut(Event<'_>),
    ) -> Result<(), Malformed> {
        let (venue, purpose) = (self.venue, answer.purpose);
        let mut fail = |failure| emit(Event::Failed { venue, purpose, failure });
        match answer.status {
            200..=299 => {
                let outcome = self.read_reply(answer, &mut emit);
                if outcome.is_err() {
                    let failure = RequestFailure::Unknown;
                    emit(Event::Failed { venue, purpose, failure });
                }
                outcome
            }
            418 | 429 => {
                let retry_after_ns = match answer.retry_after_ns {
                    0 => RETRY_AFTER_DEFAULT_NS,
                    given => given,
                };
                fail(RequestFailure::Throttled { retry_after_ns });
                Ok(())
            }
            400..=499 => {
                let mut reader = Reader::new(answer.bytes);
                let code = read_error_code(&mut reader);
                fail(match code {
                    Ok(-1000 | -1001 | -1006 | -1007) | Err(_) => RequestFailure::Unknown,
                    Ok(code) => RequestFailure::Refused { code },
                });
                code.map(|_| ())
            }
            _ => {
                fail(RequestFailure::Unknown);
                Ok(())
            }
        }
    }

    fn read_reply(
        &mut self,
        answer: &Answer<'_>,
        emit: &mut impl FnMut(Event<'_>),
    ) -> Result<(), Malformed> {
        match answer.purpose {
            Purpose::Snapshot(market) => self.snapshot(market, answer.bytes).map(emit),
            Purpose::Place(_) | Purpose::Cancel(_) | Purpose::QueryOrder(_) => {
                self.read_order_reply(answer.bytes, emit)
            }
            Purpose::OpenOrders(market) => self.read_open_orders(market, answer.bytes, emit),
            Purpose::MyTrades(market) => self.read_my_trades(market, answer.bytes, emit),
            Purpose::Account(_) => self.read_account(answer.bytes, emit),
        }
    }

    /// One order, with its fills if it traded at once: one report for each fill, the last of which
    /// tells the final state.
    fn read_order_reply(
        &mut self,
        bytes: &[u8],
        emit: &mut impl FnMut(Event<'_>),
    ) -> Result<(), Malformed> {
        let mut reader = Reader::new(bytes);
        let order = read_order(&mut reader)?;
        reader.end()?;
        let venue = self.venue;
        let Some(whole) = order.report(&reader)? else { return Ok(()) };
        let Some(mut fills) = order.fills else {
            emit(Event::Order { venue, report: whole });
            return Ok(());
        };
        let instrument = order.symbol.and_then(|symbol| self.position(symbol));
        let mut cumulative = Quantity::ZERO;
        fills.array()?;
        let mut more = fills.item()?;
        if !more {
            emit(Event::Order { venue, report: whole });
        }
        while more {
            let execution = self.execution(&read_fill(&mut fills)?, instrument, &fills)?;
            more = fills.item()?;
            cumulative.0 = cumulative.0.saturating_add(execution.quantity.0);
            let so_far = OrderReport {
                status: VenueOrderStatus::PartiallyFilled,
                cumulative_quantity: cumulative,
                ..whole
            };
            let report = if more { so_far } else { whole };
            emit(Event::Order {
                venue,
                report: OrderReport { execution: Some(execution), ..report },
            });
        }
        Ok(())
    }

    fn read_open_orders(
        &mut self,
        market: MarketId,
        bytes: &[u8],
        emit: &mut impl FnMut(Event<'_>),
    ) -> Result<(), Malformed> {
        let mut reader = Reader::new(bytes);
        self.reports.clear();
        reader.array()?;
        while reader.item()? {
            let order = read_order(&mut reader)?;
            self.reports.extend(order.report(&reader)?);
        }
        reader.end()?;
        emit(Event::OpenOrders { market, reports: &self.reports });
        Ok(())
    }

    fn read_my_trades(
        &mut self,
        market: MarketId,
        bytes: &[u8],
        emit: &mut impl FnMut(Event<'_>),
    ) -> Result<(), Malformed> {
        let instrument = self.instruments.iter().position(|known| known.market == market);
        let mut reader = Reader::new(bytes);
        self.trades.clear();
        reader.array()?;
        while reader.item()? {
            let fill = read_fill(&mut reader)?;
            let trade = OwnTrade {
                venue_order_id: fill.order_id.ok_or_else(|| reader.malformed("an 'orderId'"))?,
                execution: self.execution(&fill, instrument, &reader)?,
                side: if fill.is_buyer { Side::Buy } else { Side::Sell },
            };
            self.trades.push(trade);
        }
        reader.end()?;
        emit(Event::MyTrades { market, trades: &self.trades });
        Ok(())
    }

    /// Balances: one event for each market of the venue. An asset that is not listed is zero.
    fn read_account(
        &mut self,
        bytes: &[u8],
        emit: &mut impl FnMut(Event<'_>),
    ) -> Result<(), Malformed> {
        let mut listed = None;
        let mut reader = Reader::new(bytes);
        reader.object()?;
        while let Some(key) = reader.key()? {
            if key == b"balances" {
                listed = Some(reader.clone());
            }
            reader.skip()?;
        }
        reader.end()?;
        let listed = listed.ok_or_else(|| reader.malformed("'balances'"))?;
        for instrument in &self.instruments {
            let (base, quote) = read_balances(listed.clone(), instrument)?;
            let (venue, market) = (self.venue, instrument.market);
            emit(Event::Account {
                venue,
                market,
                base: Quantity(base),
                quote: Money(quote.into()),
            });
        }
        Ok(())
    }

    fn position(&self, symbol: &[u8]) -> Option<usize> {
        self.instruments.iter().position(|known| known.symbol.as_bytes() == symbol)
    }

    fn execution(
        &mut self,
        fill: &Fill<'_>,
        instrument: Option<usize>,
        reader: &Reader<'_>,
    ) -> Result<Execution, Malformed> {
        let (Some(trade_id), Some(price), Some(quantity)) =
            (fill.trade_id, fill.price, fill.quantity)
        else {
            return Err(reader.malformed("an execution with id, 'price' and 'qty'"));
        };
        let price = Price(price);
        let instrument = instrument.map(|index| &self.instruments[index]);
        let (fee, charge) = charge(instrument, Quantity(fill.fee), fill.fee_asset, price);
        Ok(Execution {
            trade_id,
            price,
            quantity: Quantity(quantity),
            fee,
            charge,
            is_maker: fill.is_maker,
        })
    }
}

impl Order<'_> {
    /// What the order says of itself; `None` when it is not one of ours.
    fn report(&self, reader: &Reader<'_>) -> Result<Option<OrderReport>, Malformed> {
        let missing = |name| reader.malformed(name);
        if self.client_id.is_none() {
            return Err(missing("a 'clientOrderId'"));
        }
        // A cancel's reply carries the cancel's own id, and the order's as the original one.
        let ours = [self.original_client_id, self.client_id];
        let Some(client_order_id) = ours.into_iter().flatten().find_map(ClientOrderId::parse)
        else {
            return Ok(None);
        };
        Ok(Some(OrderReport {
            client_order_id,
            venue_order_id: self.id.ok_or_else(|| missing("an 'orderId'"))?,
            status: self.status.and_then(order_status).ok_or_else(|| missing("a 'status'"))?,
            cumulative_quantity: self
                .executed
                .map(Quantity)
                .ok_or_else(|| missing("an 'executedQty'"))?,
            execution: None,
        }))
    }
}

fn read_order<'b>(reader: &mut Reader<'b>) -> Result<Order<'b>, Malformed> {
    let mut order = Order::default();
    reader.object()?;
    while let Some(key) = reader.key()? {
        match key {
            b"symbol" => order.symbol = Some(reader.string()?),
            b"orderId" => order.id = Some(reader.unsigned()?),
            b"clientOrderId" => order.client_id = Some(reader.string()?),
            b"origClientOrderId" => order.original_client_id = Some(reader.string()?),
            b"executedQty" => order.executed = Some(reader.decimal()?),
            b"status" => order.status = Some(reader.string()?),
            b"fills" => {
                order.fills = Some(reader.clone());
                reader.skip()?;
            }
            _ => reader.skip()?,
        }
    }
    Ok(order)
}

fn read_fill<'b>(reader: &mut Reader<'b>) -> Result<Fill<'b>, Malformed> {
    let mut fill = Fill::default();
    reader.object()?;
    while let Some(key) = reader.key()? {
        match key {
            b"tradeId" | b"id" => fill.trade_id = Some(reader.unsigned()?),
            b"orderId" => fill.order_id = Some(reader.unsigned()?),
            b"price" => fill.price = Some(reader.decimal()?),
            b"qty" => fill.quantity = Some(reader.decimal()?),
            b"commission" => fill.fee = reader.decimal()?,
            b"commissionAsset" => fill.fee_asset = reader.string()?,
            b"isBuyer" => fill.is_buyer = reader.boolean()?,
            b"isMaker" => fill.is_maker = reader.boolean()?,
            _ => reader.skip()?,
        }
    }
    Ok(fill)
}

/// Free and locked together, of an instrument's two assets.
fn read_balances(mut reader: Reader<'_>, instrument: &Instrument) -> Result<(i64, i64), Malformed> {
    let (mut base, mut quote) = (0, 0);
    reader.array()?;
    while reader.item()? {
        let (mut asset, mut total) = (&b""[..], 0_i64);
        reader.object()?;
        while let Some(key) = reader.key()? {
            match key {
                b"asset" => asset = reader.string()?,
                b"free" | b"locked" => {
                    let amount = reader.decimal()?;
                    total = total
                        .checked_add(amount)
                        .ok_or_else(|| reader.malformed("a balance within range"))?;
                }
                _ => reader.skip()?,
            }
        }
        if asset == instrument.base.as_bytes() {
            base = total;
        } else if asset == instrument.quote.as_bytes() {
            quote = total;
        }
    }
    Ok((base, quote))
}

/// Reads the code of an error body `{"code":-2010,"msg":"…"}`.
pub(super) fn read_error_code(reader: &mut Reader<'_>) -> Result<i32, Malformed> {
    let mut code = None;
    reader.object()?;
    while let Some(key) = reader.key()? {
        if key == b"code" {
            let text = reader.scalar()?;
            code = core::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
        } else {
            reader.skip()?;
        }
    }
    code.ok_or_else(|| reader.malformed("an error 'code'"))
}
