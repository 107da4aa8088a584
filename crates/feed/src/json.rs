//! JSON text in; keys, strings, numbers and decimals out, one after the other, without copying.
//!
//! A pull parser: the caller walks the text and says what it expects. Nothing is allocated, keys may
//! come in any order, and unknown values are skipped but still have to be well formed. Strings are
//! handed out as they stand, escapes included; their bytes are not checked to be UTF-8.

mod decimal;

use core::fmt;
use decimal::{quick_decimal, quick_pair};
use values::Price;

/// How deep values may nest: a frame that nests deeper is an attack or damage, not market data.
const DEPTH_MAX: u32 = 32;

/// What was wrong, and where.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Byte position in the text, from 0.
    pub position: usize,
    /// What should have been there.
    pub expected: &'static str,
}

impl fmt::Display for Malformed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "byte {}: expected {}", self.position, self.expected)
    }
}

impl std::error::Error for Malformed {}

type Result<T> = core::result::Result<T, Malformed>;

/// Checks that a text is one well-formed JSON value and nothing else.
///
/// # Errors
/// It is not; the position says where.
pub fn check(text: &[u8]) -> Result<()> {
    let mut reader = Reader::new(text);
    reader.skip()?;
    reader.end()
}

/// A position in a JSON text.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    /// Whether an object or array was just opened, so that no comma is due.
    opened: bool,
}

impl<'a> Reader<'a> {
    /// At the start of a text.
    pub fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, opened: false }
    }

    /// An error at this position.
    #[cold]
    pub fn malformed(&self, expected: &'static str) -> Malformed {
        Malformed { position: self.at.min(self.text.len()), expected }
    }

    /// The next byte that is not white space, still unread; 0 at the end.
    #[inline]
    pub fn peek(&mut self) -> u8 {
        let byte = self.byte();
        if byte <= b' ' { self.peek_after_space() } else { byte }
    }

    /// Enters an object.
    ///
    /// # Errors
    /// There is none here.
    #[inline]
    pub fn object(&mut self) -> Result<()> {
        self.take(b'{', "an object")?;
        self.opened = true;
        Ok(())
    }

    /// The next key of the object that was entered; `None` leaves it. The value is to be read next.
    ///
    /// # Errors
    /// Neither a key nor the end of the object is here.
    #[inline]
    pub fn key(&mut self) -> Result<Option<&'a [u8]>> {
        if self.leaves(b'}', "',' or '}'")? {
            return Ok(None);
        }
        let key = self.string()?;
        self.take(b':', "':' after a key")?;
        Ok(Some(key))
    }

    /// Enters an array.
    ///
    /// # Errors
    /// There is none here.
    #[inline]
    pub fn array(&mut self) -> Result<()> {
        self.take(b'[', "an array")?;
        self.opened = true;
        Ok(())
    }

    /// Whether the array that was entered has one more item, which is to be read next; `false`
    /// leaves it.
    ///
    /// # Errors
    /// Neither a comma nor the end of the array is here.
    #[inline]
    pub fn item(&mut self) -> Result<bool> {
        Ok(!self.leaves(b']', "',' or ']'")?)
    }

    /// A string's bytes between the quotes, as they stand.
    ///
    /// # Errors
    /// There is no string here, or it does not end.
    #[inline]
    pub fn string(&mut self) -> Result<&'a [u8]> {
        self.take(b'"', "a string")?;
        let start = self.at;
        loop {
            match self.byte() {
                b'"' => break,
                b'\\' => self.escape()?,
                0..=0x1f => return Err(self.malformed("the end of a string")),
                _ => self.at += 1,
            }
        }
        let text = &self.text[start..self.at];
        self.at += 1;
        Ok(text)
    }

    /// A whole number that is not negative.
    ///
    /// # Errors
    /// There is none here, or it is beyond 64 bits.
    #[inline]
    pub fn unsigned(&mut self) -> Result<u64> {
        self.peek();
        let start = self.at;
        let mut value: u64 = 0;
        loop {
            let digit = self.byte().wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            value = value
                .checked_mul(10)
                .and_then(|value| value.checked_add(u64::from(digit)))
                .ok_or_else(|| self.malformed("a number within 64 bits"))?;
            self.at += 1;
        }
        let digits = self.at - start;
        if digits == 0
            || (digits > 1 && self.text[start] == b'0')
            || matches!(self.byte(), b'.' | b'e' | b'E')
        {
            return Err(self.malformed("a whole number"));
        }
        Ok(value)
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// It is neither.
    #[inline]
    pub fn boolean(&mut self) -> Result<bool> {
        let (word, value): (&[u8], bool) =
            if self.peek() == b't' { (b"true", true) } else { (b"false", false) };
        if !self.text[self.at..].starts_with(word) {
            return Err(self.malformed("true or false"));
        }
        self.at += word.len();
        Ok(value)
    }

    /// A decimal in raw units of 1e-9, from a string (`"61837.63000000"`) or a number.
    ///
    /// # Errors
    /// It is no decimal, or not one that fits exactly.
    #[inline]
    pub fn decimal(&mut self) -> Result<i64> {
        if self.peek() == b'"'
            && let Some((raw, at)) = quick_decimal(self.text, self.at + 1)
        {
            self.at = at;
            return Ok(raw);
        }
        self.decimal_slowly()
    }

    /// The pair of decimals `["price","quantity"]` in exactly that form, which venues write; `None`
    /// leaves the position alone and every other form to be read piece by piece.
    #[inline]
    pub fn decimal_pair(&mut self) -> Option<(i64, i64)> {
        let (first, second, at) = quick_pair(self.text, self.at)?;
        self.at = at;
        Some((first, second))
    }

    /// A string's content, or a number or word as it is written.
    ///
    /// # Errors
    /// There is an object or array here, or nothing that is JSON.
    pub fn scalar(&mut self) -> Result<&'a [u8]> {
        match self.peek() {
            b'"' => self.string(),
            b'{' | b'[' => Err(self.malformed("a string, a number or a word")),
            _ => {
                let start = self.at;
                self.skip()?;
                Ok(&self.text[start..self.at])
            }
        }
    }

    /// Passes over one value of any kind.
    ///
    /// # Errors
    /// It is not well formed, or nests too deep.
    pub fn skip(&mut self) -> Result<()> {
        self.skip_nested(0)
    }

    /// The end of the text.
    ///
    /// # Errors
    /// There is more.
    #[inline]
    pub fn end(&mut self) -> Result<()> {
        self.peek();
        if self.at == self.text.len() { Ok(()) } else { Err(self.malformed("the end")) }
    }

    #[inline]
    fn byte(&self) -> u8 {
        self.text.get(self.at).copied().unwrap_or(0)
    }

    #[cold]
    fn peek_after_space(&mut self) -> u8 {
        while matches!(self.byte(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        self.byte()
    }

    #[inline]
    fn take(&mut self, byte: u8, expected: &'static str) -> Result<()> {
        if self.peek() != byte {
            return Err(self.malformed(expected));
        }
        self.at += 1;
        Ok(())
    }

    /// Whether the closing byte is here, which is then passed; otherwise passes the comma if due.
    #[inline]
    fn leaves(&mut self, closing: u8, expected: &'static str) -> Result<bool> {
        let opened = core::mem::replace(&mut self.opened, false);
        let byte = self.peek();
        if byte == closing {
            self.at += 1;
            return Ok(true);
        }
        if !opened {
            if byte != b',' {
                return Err(self.malformed(expected));
            }
            self.at += 1;
        }
        Ok(false)
    }

    #[cold]
    fn escape(&mut self) -> Result<()> {
        let rest = &self.text[self.at + 1..];
        let length = match rest.first() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
            Some(b'u') if rest.len() > 4 && rest[1..5].iter().all(u8::is_ascii_hexdigit) => 6,
            _ => return Err(self.malformed("an escape that JSON knows")),
        };
        self.at += length;
        Ok(())
    }

    #[cold]
    fn decimal_slowly(&mut self) -> Result<i64> {
        let position = self.at;
        let text = match self.byte() {
            b'"' => self.string()?,
            b'-' | b'0'..=b'9' => self.scalar()?,
            _ => return Err(self.malformed("a decimal")),
        };
        Price::parse(text)
            .map(|price| price.0)
            .map_err(|_| Malformed {
                position, expected: "a decimal within ±9223372036.854775807"
            })
    }

    fn skip_nested(&mut self, depth: u32) -> Result<()> {
        if depth == DEPTH_MAX {
            return Err(self.malformed("less nesting"));
        }
        match self.peek() {
            b'{' => {
                self.object()?;
                while self.key()?.is_some() {
                    self.skip_nested(depth + 1)?;
                }
                Ok(())
            }
            b'[' => {
                self.array()?;
                while self.item()? {
                    self.skip_nested(depth + 1)?;
                }
                Ok(())
            }
            b'"' => self.string().map(|_| ()),
            b't' | b'f' => self.boolean().map(|_| ()),
            b'n' if self.text[self.at..].starts_with(b"null") => {
                self.at += 4;
                Ok(())
            }
            _ => self.skip_number(),
        }
    }

    fn skip_number(&mut self) -> Result<()> {
        if self.byte() == b'-' {
            self.at += 1;
        }
        let first = self.byte();
        if self.skip_digits()? > 1 && first == b'0' {
            return Err(self.malformed("a number without leading zeros"));
        }
        if self.byte() == b'.' {
            self.at += 1;
            self.skip_digits()?;
        }
        if matches!(self.byte(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.byte(), b'+' | b'-') {
                self.at += 1;
            }
            self.skip_digits()?;
        }
        Ok(())
    }

    fn skip_digits(&mut self) -> Result<usize> {
        let start = self.at;
        while self.byte().is_ascii_digit() {
            self.at += 1;
        }
        if self.at == start { Err(self.malformed("a value")) } else { Ok(self.at - start) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn walks_an_object_in_any_order() {
        let text =
            br#" {"b": [1, 22], "s":"x\"y", "t" :true, "n":null, "d":"0.5","o":{"k":-1.5e+3}} "#;
        let mut reader = Reader::new(text);
        let mut seen = Vec::new();
        reader.object().unwrap();
        while let Some(key) = reader.key().unwrap() {
            match key {
                b"b" => {
                    reader.array().unwrap();
                    while reader.item().unwrap() {
                        seen.push(reader.unsigned().unwrap().to_string());
                    }
                }
                b"s" => seen.push(String::from_utf8_lossy(reader.string().unwrap()).into_owned()),
                b"t" => seen.push(reader.boolean().unwrap().to_string()),
                b"d" => seen.push(reader.decimal().unwrap().to_string()),
                _ => reader.skip().unwrap(),
            }
        }
        reader.end().unwrap();
        assert_eq!(seen, ["1", "22", "x\\\"y", "true", "500000000"]);
    }

    #[test]
    fn malformed_text_is_refused_with_its_position() {
        for (text, position) in [
            ("", 0),
            ("{", 1),
            ("[1,]", 3),
            ("[,1]", 1),
            (r#"{"a":1,}"#, 7),
            (r#"{"a" 1}"#, 5),
            (r#"{"a":1 "b":2}"#, 7),
            (r#"{"a":tru}"#, 5),
            ("[01]", 3),
            ("[1.]", 3),
            ("[--1]", 2),
            ("\"abc", 4),
            (r#""\x""#, 1),
            (r#""\u12g4""#, 1),
            ("[1] 2", 4),
            ("nul", 0),
            ("[1", 2),
            ("\"a\nb\"", 2),
        ] {
            assert_eq!(check(text.as_bytes()).map_err(|e| e.position), Err(position), "{text:?}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(check(deep.as_bytes()).map_err(|e| e.expected), Err("less nesting"));
    }

    proptest! {
        #[test]
        fn decimals_agree_with_the_plain_parser(text in r"-?[0-9]{0,12}(\.[0-9]{0,11})?") {
            for padding in ["", ",\"more text after it\""] {
                let quoted = format!("\"{text}\"{padding}");
                let read = Reader::new(quoted.as_bytes()).decimal().ok();
                prop_assert_eq!(read, Price::parse(text.as_bytes()).ok().map(|p| p.0));
            }
        }

        #[test]
        fn pairs_agree_with_the_plain_parser(
            first in r"[0-9]{0,8}\.?[0-9]{0,10}",
            second in r"[0-9]{0,8}\.?[0-9]{0,10}",
            damage in prop::option::of((0..48_usize, prop::sample::select(&b"0.\",]a"[..]))),
            padding in prop::sample::select(&["", ",[\"0.1\",\"2.0\"]]]]]]]]]]]]]]]]]]]]]]]]]]]]"][..]),
        ) {
            let mut text = format!("[\"{first}\",\"{second}\"]{padding}").into_bytes();
            if let Some((at, byte)) = damage && let Some(place) = text.get_mut(at) {
                *place = byte;
            }
            let mut reader = Reader::new(&text);
            let mut plain = Reader::new(&text);
            if let Some((price, quantity)) = reader.decimal_pair() {
                plain.array().unwrap();
                for expected in [price, quantity] {
                    prop_assert_eq!(plain.item(), Ok(true));
                    let quoted = plain.string().unwrap();
                    prop_assert_eq!(Price::parse(quoted).map(|p| p.0), Ok(expected));
                }
                prop_assert_eq!(plain.item(), Ok(false));
            }
            prop_assert_eq!(reader.at, plain.at);
        }

        #[test]
        fn whole_numbers_read_back(value in any::<u64>()) {
            prop_assert_eq!(Reader::new(value.to_string().as_bytes()).unsigned(), Ok(value));
        }

        #[test]
        fn agrees_with_a_full_parser_on_arbitrary_text(
            text in r#"[\[\]{}:,"0-9a-e.\\ntrufls -]{0,24}"#,
        ) {
            let full = serde_json::from_str::<serde_json::Value>(&text);
            // A full parser also refuses numbers beyond f64, which the pattern cannot make here
            // except by long exponents.
            let ours = check(text.as_bytes());
            if !text.contains('e') {
                prop_assert_eq!(ours.is_ok(), full.is_ok(), "{:?}", ours);
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = check(&bytes);
            let _ = Reader::new(&bytes).decimal();
            let _ = Reader::new(&bytes).scalar();
        }
    }
}
