//! A frame of any venue in, its events out: the one door to the decoders of market data.

use crate::batch::Symbols;
use crate::json::Malformed;
use crate::{binance, bitstamp, coinbase, kraken, okx};
use engine::config::CoreConfig;
use engine::event::Event;
use engine::protocol::Protocol;
use values::{MarketId, Nanos, VenueId};

/// What a well-formed frame was.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Events were told; the venue's time of the newest, 0 without.
    At(Nanos),
    /// A request on this socket was refused.
    Refused,
    /// The venue is about to close this stream: connect anew.
    Closing,
    /// Of no interest: another symbol, another kind of message, an acknowledgement.
    Other,
}

impl Told {
    pub(crate) fn parts(count: usize, ts_event_ns: Nanos) -> Self {
        if count == 0 { Self::Other } else { Self::At(ts_event_ns) }
    }

    /// The venue's time, 0 without one.
    pub fn ts_event_ns(self) -> Nanos {
        if let Self::At(ts_event_ns) = self { ts_event_ns } else { 0 }
    }
}

/// Reads one venue's market data.
#[derive(Debug)]
pub struct MarketDecoder(Kind);

#[derive(Debug)]
enum Kind {
    Binance(Box<binance::Decoder>),
    Coinbase(coinbase::Decoder),
    Kraken(kraken::Decoder),
    Okx(okx::Decoder),
    Bitstamp(bitstamp::Decoder),
}

impl MarketDecoder {
    /// A decoder for all markets that the configuration has at a venue.
    pub fn for_venue(config: &CoreConfig, venue: VenueId) -> Self {
        let protocol = config.venues[venue.index()].protocol;
        let markets = (0_u8..).zip(&config.markets).filter(|(_, market)| market.venue == venue.0);
        let known = markets.map(|(index, market)| (market.symbol.clone(), MarketId(index)));
        let symbols = Symbols::new(known.collect());
        Self::of(protocol, venue, symbols, || binance::Decoder::for_venue(config, venue))
    }

    /// A decoder that takes in every instrument that it sees, numbered in that order.
    pub fn discovering(protocol: Protocol) -> Self {
        let venue = VenueId(0);
        let binance = || binance::Decoder::new(venue, Vec::new());
        Self::of(protocol, venue, Symbols::discovering(), binance)
    }

    fn of(
        protocol: Protocol,
        venue: VenueId,
        symbols: Symbols,
        binance: impl FnOnce() -> binance::Decoder,
    ) -> Self {
        Self(match protocol {
            Protocol::BinanceSpot | Protocol::BinanceFutures => Kind::Binance(Box::new(binance())),
            Protocol::Coinbase => Kind::Coinbase(coinbase::Decoder::new(venue, symbols)),
            Protocol::Kraken => Kind::Kraken(kraken::Decoder::new(venue, symbols)),
            Protocol::Okx => Kind::Okx(okx::Decoder::new(venue, symbols)),
            Protocol::Bitstamp | Protocol::BitstampOrders => {
                Kind::Bitstamp(bitstamp::Decoder::new(venue, symbols))
            }
        })
    }

    /// Binance's own decoder, which also reads the user stream and replies.
    pub fn binance(&mut self) -> Option<&mut binance::Decoder> {
        if let Kind::Binance(decoder) = &mut self.0 { Some(decoder) } else { None }
    }

    /// The instruments' names at the venue.
    pub fn names(&self) -> Vec<String> {
        match &self.0 {
            Kind::Binance(decoder) => decoder.names().map(str::to_owned).collect(),
            Kind::Coinbase(decoder) => decoder.symbols.names().map(str::to_owned).collect(),
            Kind::Kraken(decoder) => decoder.symbols.names().map(str::to_owned).collect(),
            Kind::Okx(decoder) => decoder.symbols.names().map(str::to_owned).collect(),
            Kind::Bitstamp(decoder) => decoder.symbols.names().map(str::to_owned).collect(),
        }
    }

    /// The one instrument that a malformed frame was about, where a venue's messages are about
    /// one instrument each and this names exactly one that is known.
    #[cold]
    pub fn concerned(&self, bytes: &[u8]) -> Option<MarketId> {
        let mut only = None;
        for (name, market) in self.known() {
            if names(bytes, name.as_bytes()) && only.replace(market).is_some() {
                return None;
            }
        }
        only
    }

    /// What can be told apart in a spoiled frame. A message of Coinbase may be about several
    /// instruments, and its number is lost with it.
    fn known(&self) -> Vec<(&str, MarketId)> {
        match &self.0 {
            Kind::Binance(decoder) => decoder.known().collect(),
            Kind::Coinbase(_) => Vec::new(),
            Kind::Kraken(decoder) => decoder.symbols.known().collect(),
            Kind::Okx(decoder) => decoder.symbols.known().collect(),
            Kind::Bitstamp(decoder) => decoder.symbols.known().collect(),
        }
    }

    /// Reads a frame and tells its events in order.
    ///
    /// # Errors
    /// The frame is malformed or lacks a field; nothing of it has been told.
    #[inline]
    pub fn market(
        &mut self,
        bytes: &[u8],
        mut tell: impl FnMut(&Event<'_>),
    ) -> Result<Told, Malformed> {
        match &mut self.0 {
            Kind::Binance(decoder) => match decoder.market(bytes)? {
                binance::Frame::Event(event) => {
                    tell(&event);
                    Ok(Told::At(time_of(&event)))
                }
                binance::Frame::Closing => Ok(Told::Closing),
                binance::Frame::Refused { .. } => Ok(Told::Refused),
                binance::Frame::Accepted { .. } | binance::Frame::Other => Ok(Told::Other),
            },
            Kind::Coinbase(decoder) => decoder.market(bytes, &mut tell),
            Kind::Kraken(decoder) => decoder.market(bytes, &mut tell),
            Kind::Okx(decoder) => decoder.market(bytes, &mut tell),
            Kind::Bitstamp(decoder) => decoder.market(bytes, &mut tell),
        }
    }

    /// Reads the answer to a request for the whole book of a market.
    ///
    /// # Errors
    /// The answer is malformed.
    pub fn snapshot(
        &mut self,
        market: MarketId,
        bytes: &[u8],
        mut tell: impl FnMut(&Event<'_>),
    ) -> Result<Told, Malformed> {
        match &mut self.0 {
            Kind::Binance(decoder) => {
                tell(&decoder.snapshot(market, bytes)?);
                Ok(Told::At(0))
            }
            Kind::Bitstamp(decoder) => decoder.snapshot(market, bytes, &mut tell),
            // These send their snapshots in the stream.
            Kind::Coinbase(_) | Kind::Kraken(_) | Kind::Okx(_) => Ok(Told::Other),
        }
    }
}

/// Whether a frame names an instrument: `"BTC-USDT"`, `"btcusdt@depth"`, `"live_trades_btcusd"`.
fn names(bytes: &[u8], name: &[u8]) -> bool {
    bytes.windows(name.len() + 2).any(|window| {
        let (first, rest) = (window[0], &window[1..]);
        let (inner, last) = (&rest[..name.len()], rest[name.len()]);
        matches!(first, b'"' | b'_')
            && matches!(last, b'"' | b'@')
            && inner.eq_ignore_ascii_case(name)
    })
}

#[inline]
fn time_of(event: &Event<'_>) -> Nanos {
    match *event {
        Event::DepthDiff { ts_event_ns, .. } | Event::Trade { ts_event_ns, .. } => ts_event_ns,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spoiled_frame_concerns_the_one_instrument_that_it_names() {
        let known = vec![("BTC-USDT".to_owned(), MarketId(3)), ("A".to_owned(), MarketId(4))];
        let decoder = |protocol| {
            let binance = || unreachable!("not asked for");
            MarketDecoder::of(protocol, VenueId(0), Symbols::new(known.clone()), binance)
        };
        let okx = decoder(Protocol::Okx);
        for (frame, expected) in [
            (r#"{"arg":{"instId":"BTC-USDT"},"data":[{"bids":[["#, Some(MarketId(3))),
            (r#"{"arg":{"instId":"BTC-USDT-SWAP"},"data":[{"bids":[["#, None),
            (r#"{"arg":{"instId":"BTC-USDT"},"data":["A"#, Some(MarketId(3))),
            (r#"{"arg":{"instId":"BTC-USDT"},"data":["A""#, None),
            (r#"{"channel":"live_trades_a","data""#, Some(MarketId(4))),
            (r#"{"stream":"btc-usdt@depth","da"#, Some(MarketId(3))),
            ("", None),
        ] {
            assert_eq!(okx.concerned(frame.as_bytes()), expected, "{frame}");
        }
        let coinbase = decoder(Protocol::Coinbase);
        assert_eq!(coinbase.concerned(br#""BTC-USDT""#), None, "others may be lost with it");
    }
}
