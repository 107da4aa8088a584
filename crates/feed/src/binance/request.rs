//! What we want of a venue in; the bytes of an HTTP/1.1 request, or of a WebSocket API call, out.
//!
//! Every request is written into a buffer that the caller reuses. The signature's key is prepared
//! once; placing and cancelling allocate nothing once the buffer has grown.

use engine::event::{Side, TimeInForce};
use engine::output::NewOrder;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::io::Write as _;
use thiserror::Error;
use values::{ClientOrderId, Nanos, SCALE};

/// Why requests cannot be made with what was given.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CredentialsError {
    /// A character that would end a header or the request line early.
    #[error(
        "{name}: expected visible ASCII characters only, found byte {found:#04x} at {position}"
    )]
    Character {
        /// Which setting.
        name: &'static str,
        /// What was found.
        found: u8,
        /// Where, from 0.
        position: usize,
    },
    /// Nothing.
    #[error("{name}: expected some text, found nothing")]
    Empty {
        /// Which setting.
        name: &'static str,
    },
}

/// Writes requests to one venue for one account.
pub struct Requests {
    host: String,
    api_key: String,
    key: Hmac<Sha256>,
    receive_window_ms: u64,
    /// The venue's clock minus ours, as far as it matters.
    correction_ns: Nanos,
}

impl core::fmt::Debug for Requests {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // The secret is never shown, and the key not either.
        out.debug_struct("Requests").field("host", &self.host).finish_non_exhaustive()
    }
}

impl Requests {
    /// Requests to `host` (with port if it is not the usual one) for the account of this key.
    ///
    /// The receive window is in nanoseconds: how long the venue may take to accept a request.
    ///
    /// # Errors
    /// A text is empty or holds a character that has no place in a request.
    pub fn new(
        host: &str,
        api_key: &str,
        secret: &str,
        receive_window: Nanos,
    ) -> Result<Self, CredentialsError> {
        for (name, text) in [("host", host), ("api_key", api_key), ("secret", secret)] {
            if text.is_empty() {
                return Err(CredentialsError::Empty { name });
            }
            if let Some(position) = text.bytes().position(|byte| !byte.is_ascii_graphic()) {
                let found = text.as_bytes()[position];
                return Err(CredentialsError::Character { name, found, position });
            }
        }
        let key = Hmac::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
        let receive_window_ms = (receive_window / 1_000_000).max(1) as u64;
        let (host, api_key) = (host.into(), api_key.into());
        Ok(Self { host, api_key, key, receive_window_ms, correction_ns: 0 })
    }

    /// Timestamps are this much later than the time that is given with each request.
    pub fn correct_clock(&mut self, correction_ns: Nanos) {
        self.correction_ns = correction_ns;
    }

    /// `POST /api/v3/order`, answered in full so that fills come with the reply.
    pub fn place(&self, out: &mut Vec<u8>, symbol: &str, order: &NewOrder, now_ns: Nanos) {
        let start = begin(out, "POST /api/v3/order?");
        push(out, "symbol=");
        push(out, symbol);
        push(
            out,
            match order.side {
                Side::Buy => "&side=BUY",
                Side::Sell => "&side=SELL",
            },
        );
        push(
            out,
            match order.time_in_force {
                TimeInForce::PostOnly => "&type=LIMIT_MAKER",
                TimeInForce::GoodTillCancel => "&type=LIMIT&timeInForce=GTC",
                TimeInForce::ImmediateOrCancel => "&type=LIMIT&timeInForce=IOC",
                TimeInForce::FillOrKill => "&type=LIMIT&timeInForce=FOK",
            },
        );
        push(out, "&quantity=");
        push_decimal(out, order.quantity.0);
        push(out, "&price=");
        push_decimal(out, order.price.0);
        push(out, "&newClientOrderId=");
        push_client_id(out, order.client_order_id);
        push(out, "&newOrderRespType=FULL");
        self.finish_signed(out, start, now_ns);
    }

    /// `DELETE /api/v3/order` by our id.
    pub fn cancel(&self, out: &mut Vec<u8>, symbol: &str, id: ClientOrderId, now_ns: Nanos) {
        self.by_client_id(out, "DELETE /api/v3/order?", symbol, id, now_ns);
    }

    /// `GET /api/v3/order` by our id.
    pub fn query(&self, out: &mut Vec<u8>, symbol: &str, id: ClientOrderId, now_ns: Nanos) {
        self.by_client_id(out, "GET /api/v3/order?", symbol, id, now_ns);
    }

    /// `GET /api/v3/openOrders` of a symbol.
    pub fn open_orders(&self, out: &mut Vec<u8>, symbol: &str, now_ns: Nanos) {
        let start = begin(out, "GET /api/v3/openOrders?");
        push(out, "symbol=");
        push(out, symbol);
        self.finish_signed(out, start, now_ns);
    }

    /// `GET /api/v3/myTrades` of a symbol from a trade id on, at most 1,000.
    pub fn my_trades(&self, out: &mut Vec<u8>, symbol: &str, from_id: u64, now_ns: Nanos) {
        let start = begin(out, "GET /api/v3/myTrades?");
        push(out, "symbol=");
        push(out, symbol);
        push(out, "&limit=1000&fromId=");
        push_number(out, from_id);
        self.finish_signed(out, start, now_ns);
    }

    /// `GET /api/v3/account`.
    pub fn account(&self, out: &mut Vec<u8>, now_ns: Nanos) {
        let start = begin(out, "GET /api/v3/account?");
        push(out, "omitZeroBalances=true");
        self.finish_signed(out, start, now_ns);
    }

    /// `GET /api/v3/depth` of a symbol; 1,000 levels a side cost a fifth of what 5,000 do.
    pub fn depth(&self, out: &mut Vec<u8>, symbol: &str) {
        begin(out, "GET /api/v3/depth?");
        push(out, "limit=1000&symbol=");
        push(out, symbol);
        self.finish_head(out);
    }

    /// The WebSocket API call that subscribes this connection to the account's events.
    pub fn subscribe_user(&self, out: &mut Vec<u8>, id: u64, now_ns: Nanos) {
        out.clear();
        // The signature covers the parameters in alphabetical order.
        push(out, "apiKey=");
        push(out, &self.api_key);
        push(out, "&recvWindow=");
        push_number(out, self.receive_window_ms);
        push(out, "&timestamp=");
        push_number(out, milliseconds(now_ns + self.correction_ns));
        let signature = self.sign(out);
        out.clear();
        // Writing into a vector cannot fail.
        let _ = write!(
            out,
            r#"{{"id":{id},"method":"userDataStream.subscribe.signature","params":{{"apiKey":"{}","recvWindow":{},"timestamp":{},"signature":""#,
            self.api_key,
            self.receive_window_ms,
            milliseconds(now_ns + self.correction_ns),
        );
        out.extend_from_slice(&signature);
        push(out, r#""}}"#);
    }

    fn by_client_id(
        &self,
        out: &mut Vec<u8>,
        line: &str,
        symbol: &str,
        id: ClientOrderId,
        now_ns: Nanos,
    ) {
        let start = begin(out, line);
        push(out, "symbol=");
        push(out, symbol);
        push(out, "&origClientOrderId=");
        push_client_id(out, id);
        self.finish_signed(out, start, now_ns);
    }

    /// Adds time, receive window and the signature over everything since `start`.
    fn finish_signed(&self, out: &mut Vec<u8>, start: usize, now_ns: Nanos) {
        push(out, "&recvWindow=");
        push_number(out, self.receive_window_ms);
        push(out, "&timestamp=");
        push_number(out, milliseconds(now_ns + self.correction_ns));
        let signature = self.sign(&out[start..]);
        push(out, "&signature=");
        out.extend_from_slice(&signature);
        self.finish_head(out);
    }

    fn finish_head(&self, out: &mut Vec<u8>) {
        push(out, " HTTP/1.1\r\nHost: ");
        push(out, &self.host);
        push(out, "\r\nX-MBX-APIKEY: ");
        push(out, &self.api_key);
        push(out, "\r\nContent-Length: 0\r\n\r\n");
    }

    /// HMAC-SHA256 in hexadecimal.
    fn sign(&self, text: &[u8]) -> [u8; 64] {
        let mut mac = self.key.clone();
        mac.update(text);
        let mut hex = [0; 64];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(mac.finalize().into_bytes()) {
            pair[0] = HEX[usize::from(byte >> 4)];
            pair[1] = HEX[usize::from(byte & 15)];
        }
        hex
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Starts a request over what the buffer held; gives where the parameters begin.
fn begin(out: &mut Vec<u8>, line: &str) -> usize {
    out.clear();
    push(out, line);
    out.len()
}

fn push(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

fn milliseconds(now_ns: Nanos) -> u64 {
    (now_ns.max(0) / 1_000_000) as u64
}

fn push_client_id(out: &mut Vec<u8>, id: ClientOrderId) {
    push(out, "PRN-");
    push_number(out, id.run.into());
    out.push(b'-');
    push_number(out, id.number.into());
}

fn push_number(out: &mut Vec<u8>, mut number: u64) {
    let (mut digits, mut at) = ([0; 20], 20);
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Raw units of 1e-9 in plain notation without trailing zeros.
fn push_decimal(out: &mut Vec<u8>, raw: i64) {
    if raw < 0 {
        out.push(b'-');
    }
    let (raw, scale) = (raw.unsigned_abs(), SCALE.unsigned_abs());
    push_number(out, raw / scale);
    let mut fraction = raw % scale;
    if fraction == 0 {
        return;
    }
    let mut digits = [b'0'; 9];
    for digit in digits.iter_mut().rev() {
        *digit += (fraction % 10) as u8;
        fraction /= 10;
    }
    let used = digits.iter().rposition(|&digit| digit != b'0').map_or(0, |last| last + 1);
    out.push(b'.');
    out.extend_from_slice(&digits[..used]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use values::{MarketId, Price, Quantity, StrategyId};

    /// The key pair and the signature of Binance's own documentation.
    const API_KEY: &str = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A";
    const SECRET: &str = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";

    fn requests() -> Requests {
        Requests::new("127.0.0.1:9001", API_KEY, SECRET, 5_000_000_000).unwrap()
    }

    fn order() -> NewOrder {
        NewOrder {
            client_order_id: ClientOrderId { run: 17, number: 42 },
            market: MarketId(0),
            strategy: StrategyId(0),
            side: Side::Sell,
            price: Price(61_837_630_000_000),
            quantity: Quantity(10_000_000),
            time_in_force: TimeInForce::PostOnly,
        }
    }

    #[test]
    fn signature_is_the_one_that_the_venue_documents() {
        let text = b"symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559";
        assert_eq!(
            &requests().sign(text),
            b"c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71",
        );
    }

    #[test]
    fn placing_writes_a_whole_signed_request() {
        let mut out = b"left over".to_vec();
        requests().place(&mut out, "BTCUSDT", &order(), 1_723_161_253_937_085_768);
        let text = String::from_utf8(out).unwrap();
        let (head, signed) = text.split_once("&signature=").unwrap();
        assert_eq!(
            head,
            "POST /api/v3/order?symbol=BTCUSDT&side=SELL&type=LIMIT_MAKER&quantity=0.01\
             &price=61837.63&newClientOrderId=PRN-17-42&newOrderRespType=FULL&recvWindow=5000\
             &timestamp=1723161253937"
        );
        let query = head.split_once('?').unwrap().1;
        assert_eq!(&signed.as_bytes()[..64], requests().sign(query.as_bytes()));
        assert_eq!(
            &signed[64..],
            format!(
                " HTTP/1.1\r\nHost: 127.0.0.1:9001\r\nX-MBX-APIKEY: {API_KEY}\r\n\
                 Content-Length: 0\r\n\r\n"
            )
        );
    }

    #[test]
    fn each_request_names_its_method_path_and_parameters() {
        let (requests, id) = (requests(), ClientOrderId { run: 1, number: 2 });
        let lines = |write: &dyn Fn(&mut Vec<u8>)| {
            let mut out = Vec::new();
            write(&mut out);
            let text = String::from_utf8(out).unwrap();
            text.split(['&', ' ']).take(3).collect::<Vec<_>>().join(" ")
        };
        for (found, expected) in [
            (
                lines(&|out| requests.cancel(out, "BTCUSDT", id, 1)),
                "DELETE /api/v3/order?symbol=BTCUSDT origClientOrderId=PRN-1-2",
            ),
            (
                lines(&|out| requests.query(out, "BTCUSDT", id, 1)),
                "GET /api/v3/order?symbol=BTCUSDT origClientOrderId=PRN-1-2",
            ),
            (
                lines(&|out| requests.open_orders(out, "BTCUSDT", 1)),
                "GET /api/v3/openOrders?symbol=BTCUSDT recvWindow=5000",
            ),
            (
                lines(&|out| requests.my_trades(out, "BTCUSDT", 7, 1)),
                "GET /api/v3/myTrades?symbol=BTCUSDT limit=1000",
            ),
            (
                lines(&|out| requests.account(out, 1)),
                "GET /api/v3/account?omitZeroBalances=true recvWindow=5000",
            ),
            (
                lines(&|out| requests.depth(out, "BTCUSDT")),
                "GET /api/v3/depth?limit=1000 symbol=BTCUSDT",
            ),
        ] {
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn user_stream_subscription_is_signed_json() {
        let mut out = Vec::new();
        requests().subscribe_user(&mut out, 3, 1_723_161_253_937_085_768);
        let call: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(call["method"], "userDataStream.subscribe.signature");
        let signed = format!("apiKey={API_KEY}&recvWindow=5000&timestamp=1723161253937");
        let signature = requests().sign(signed.as_bytes());
        assert_eq!(call["params"]["signature"].as_str().map(str::as_bytes), Some(&signature[..]));
    }

    #[test]
    fn writing_again_into_the_same_buffer_does_not_grow_it() {
        let mut out = Vec::new();
        requests().place(&mut out, "BTCUSDT", &order(), 1_723_161_253_937_085_768);
        let capacity = out.capacity();
        requests().place(&mut out, "BTCUSDT", &order(), 1_723_161_253_937_085_769);
        assert_eq!(out.capacity(), capacity);
    }

    #[test]
    fn text_that_would_break_a_request_is_refused_by_name() {
        let error = Requests::new("host", "key\r\nX: y", "secret", 1).unwrap_err();
        assert_eq!(
            error.to_string(),
            "api_key: expected visible ASCII characters only, found byte 0x0d at 3"
        );
        assert_eq!(
            Requests::new("host", "key", "", 1).unwrap_err(),
            CredentialsError::Empty { name: "secret" }
        );
    }

    proptest! {
        #[test]
        fn decimals_are_written_as_they_are_displayed(raw in any::<i64>()) {
            let mut out = Vec::new();
            push_decimal(&mut out, raw);
            prop_assert_eq!(String::from_utf8(out).unwrap(), Price(raw).to_string());
        }
    }
}
