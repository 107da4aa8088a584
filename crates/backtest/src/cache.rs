//! Decoded events in; a file of columns beside a key out, and back, checked.
//!
//! Layout, little-endian: magic, version, key, two counts; then the columns of the heads, of what
//! each leaves of the venue's book, and of the levels, each followed by its CRC-32C. A file of another version, key or length, or with one bit
//! wrong, is not used: the recording is decoded again.

use crate::course::After;
use crate::events::{Events, Head, Kind};
use engine::event::Level;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use values::{MarketId, Price, Quantity};

const MAGIC: &[u8; 8] = b"PRUNEVTS";
/// Raised with every change of the layout or of what is decoded.
pub const VERSION: u32 = 2;
const HEADER: usize = 8 + 4 + 32 + 8 + 8;

/// Where the events of a key are kept.
pub fn path(dir: &Path, key: &[u8; 32]) -> PathBuf {
    dir.join(format!("{}.events", feed::core::hex(&key[..16])))
}

/// Writes events, whole or not at all.
///
/// # Errors
/// The folder cannot be written.
pub fn write(dir: &Path, key: &[u8; 32], events: &Events) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let target = path(dir, key);
    // A name of this process, so that two runs at once do not write into one another's file.
    let fresh = target.with_extension(format!("new{}", std::process::id()));
    let mut file = io::BufWriter::with_capacity(1 << 20, fs::File::create(&fresh)?);
    file.write_all(MAGIC)?;
    file.write_all(&VERSION.to_le_bytes())?;
    file.write_all(key)?;
    file.write_all(&(events.heads.len() as u64).to_le_bytes())?;
    file.write_all(&(events.levels.len() as u64).to_le_bytes())?;
    let heads = &events.heads;
    column(&mut file, heads.iter().map(|head| head.ts_ns.to_le_bytes()))?;
    column(&mut file, heads.iter().map(|head| head.ts_event_ns.to_le_bytes()))?;
    column(&mut file, heads.iter().map(|head| head.first.to_le_bytes()))?;
    column(&mut file, heads.iter().map(|head| head.last.to_le_bytes()))?;
    column(&mut file, heads.iter().map(|head| head.previous.to_le_bytes()))?;
    column(&mut file, heads.iter().map(|head| head.bids.to_le_bytes()))?;
    column(&mut file, heads.iter().map(|head| head.asks.to_le_bytes()))?;
    column(
        &mut file,
        heads.iter().map(|head| [head.kind as u8, head.market.0, u8::from(head.buyer_is_maker)]),
    )?;
    column(&mut file, events.course().iter().map(After::to_bytes))?;
    column(&mut file, events.levels.iter().map(|level| level.price.0.to_le_bytes()))?;
    column(&mut file, events.levels.iter().map(|level| level.quantity.0.to_le_bytes()))?;
    file.into_inner()?.sync_all()?;
    fs::rename(fresh, target)
}

fn column<const N: usize>(
    file: &mut impl io::Write,
    cells: impl Iterator<Item = [u8; N]>,
) -> io::Result<()> {
    let bytes: Vec<u8> = cells.flatten().collect();
    file.write_all(&bytes)?;
    file.write_all(&crc32c::crc32c(&bytes).to_le_bytes())
}

/// The events of a key; `None` when there are none, or none that can be trusted.
pub fn read(dir: &Path, key: &[u8; 32]) -> Option<Events> {
    let bytes = fs::read(path(dir, key)).ok()?;
    let (header, rest) = bytes.split_at_checked(HEADER)?;
    if &header[..8] != MAGIC || header[8..12] != VERSION.to_le_bytes() || &header[12..44] != key {
        return None;
    }
    let count = |at: usize| {
        let bytes: [u8; 8] = header[at..at + 8].try_into().ok()?;
        usize::try_from(u64::from_le_bytes(bytes)).ok()
    };
    let (heads, levels) = (count(44)?, count(52)?);
    let mut columns = Columns { rest };
    let (ts_ns, ts_event_ns) = (columns.take::<8>(heads)?, columns.take::<8>(heads)?);
    let (first, last) = (columns.take::<8>(heads)?, columns.take::<8>(heads)?);
    let previous = columns.take::<8>(heads)?;
    let (bids, asks) = (columns.take::<4>(heads)?, columns.take::<4>(heads)?);
    let small = columns.take::<3>(heads)?;
    let course = columns.take::<{ After::BYTES }>(heads)?;
    let (prices, quantities) = (columns.take::<8>(levels)?, columns.take::<8>(levels)?);
    if !columns.rest.is_empty() {
        return None;
    }
    let mut found = Vec::with_capacity(heads);
    let mut start: u32 = 0;
    for index in 0..heads {
        let head = Head {
            ts_ns: i64::from_le_bytes(ts_ns[index]),
            ts_event_ns: i64::from_le_bytes(ts_event_ns[index]),
            first: u64::from_le_bytes(first[index]),
            last: u64::from_le_bytes(last[index]),
            previous: u64::from_le_bytes(previous[index]),
            start,
            bids: u32::from_le_bytes(bids[index]),
            asks: u32::from_le_bytes(asks[index]),
            kind: Kind::of(small[index][0])?,
            market: MarketId(small[index][1]),
            buyer_is_maker: small[index][2] != 0,
        };
        start = start.checked_add(head.bids)?.checked_add(head.asks)?;
        found.push(head);
    }
    let told = prices.iter().zip(quantities).map(|(price, quantity)| Level {
        price: Price(i64::from_le_bytes(*price)),
        quantity: Quantity(i64::from_le_bytes(*quantity)),
    });
    (start as usize == levels).then(|| {
        let course = course.iter().map(After::from_bytes).collect();
        Events::followed(found, told.collect(), course)
    })
}

struct Columns<'a> {
    rest: &'a [u8],
}

impl<'a> Columns<'a> {
    fn take<const N: usize>(&mut self, count: usize) -> Option<&'a [[u8; N]]> {
        let (bytes, rest) = self.rest.split_at_checked(count.checked_mul(N)?)?;
        let (sum, rest) = rest.split_at_checked(4)?;
        self.rest = rest;
        (sum == crc32c::crc32c(bytes).to_le_bytes()).then_some(bytes.as_chunks::<N>().0)
    }
}
