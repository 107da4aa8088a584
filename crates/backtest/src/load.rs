//! Recordings or an engine's journal in; decoded events with the hash of their source out.

use crate::cache;
use crate::events::{Events, Kind};
use engine::config::CoreConfig;
use engine::event::{Channel, Event, Purpose};
use feed::binance::{Answer, Decoder, Frame};
use feed::input::Input;
use feed::recording::{Recording, RecordingError};
use journal::{JournalError, Reader};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use values::VenueId;

/// Why there is nothing to play; trying again cannot help.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A recording.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// A journal.
    #[error("{path}: {source}")]
    Journal {
        /// Its folder.
        path: String,
        /// What is wrong.
        source: JournalError,
    },
    /// A file cannot be read.
    #[error("{}: {reason}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        reason: io::Error,
    },
    /// Nothing in it is about the configured markets.
    #[error("{found}: expected frames of {wanted}, found {others} frames and none of them")]
    NoMarket {
        /// The files.
        found: String,
        /// The configured symbols.
        wanted: String,
        /// How many frames there were.
        others: u64,
    },
    /// There is no book to begin with.
    #[error(
        "{found}: expected a depth snapshot (`lastUpdateId`) of {symbol}, found none: give the file \
         in which the session begins first"
    )]
    NoSnapshot {
        /// The files.
        found: String,
        /// Which market.
        symbol: String,
    },
}

/// What was loaded.
#[derive(Debug)]
pub struct Loaded {
    /// The decoded frames.
    pub events: Events,
    /// SHA-256 of the source's bytes.
    pub source_hash: [u8; 32],
    /// Whether they came from the cache.
    pub is_cached: bool,
}

/// Decodes a venue's recordings, or reads what an earlier run has decoded.
///
/// # Errors
/// A file is missing, damaged, of another market, or has no snapshot.
pub fn recordings(
    config: &CoreConfig,
    venue: VenueId,
    paths: &[PathBuf],
    cache_dir: Option<&Path>,
) -> Result<Loaded, LoadError> {
    // First, because its messages are the better ones about files that are none.
    let mut recording = Recording::open(paths)?;
    let source_hash = hash_files(paths)?;
    let key = key(config, venue, &source_hash);
    if let Some(events) = cache_dir.and_then(|dir| cache::read(dir, &key)) {
        return Ok(Loaded { events, source_hash, is_cached: true });
    }
    let mut decoder = Decoder::for_venue(config, venue);
    let (mut events, mut frames) = (Events::default(), 0);
    while let Some(frame) = recording.next()? {
        frames += 1;
        match decoder.market(frame.bytes) {
            Ok(Frame::Event(event)) => events.push(frame.ts_ns, &event),
            Ok(_) => {}
            Err(_) => {
                let channel = Channel::Market;
                events.push(frame.ts_ns, &Event::Malformed { venue, channel });
            }
        }
    }
    check(config, venue, &events, frames, &names(paths))?;
    events.course();
    if let Some(dir) = cache_dir {
        // A cache that cannot be written costs time with the next run, nothing else.
        let _ = cache::write(dir, &key, &events);
    }
    Ok(Loaded { events, source_hash, is_cached: false })
}

/// The market data of one venue that a live engine journaled, connections included.
///
/// # Errors
/// The journal is damaged, or holds no market data of the venue.
pub fn journal(config: &CoreConfig, venue: VenueId, dir: &Path) -> Result<Loaded, LoadError> {
    let fail = |source| LoadError::Journal { path: dir.display().to_string(), source };
    let mut reader = Reader::open(dir).map_err(fail)?;
    let mut decoder = Decoder::for_venue(config, venue);
    let mut events = Events::default();
    let mut frames = 0;
    while let Some(entry) = reader.next().map_err(fail)? {
        let Ok(input) = Input::parse(entry.kind, entry.payload) else { continue };
        frames += 1;
        let channel = Channel::Market;
        match input {
            Input::Frame { venue: from, channel: Channel::Market, bytes } if from == venue => {
                match decoder.market(bytes) {
                    Ok(Frame::Event(event)) => events.push(entry.ts_ns, &event),
                    Ok(_) => {}
                    Err(_) => events.push(entry.ts_ns, &Event::Malformed { venue, channel }),
                }
            }
            Input::Reply { venue: from, purpose, status, retry_after_ns, bytes }
                if from == venue && matches!(purpose, Purpose::Snapshot(_)) =>
            {
                let answer = Answer { purpose, status, retry_after_ns, bytes };
                let _ = decoder.reply(&answer, |event| events.push(entry.ts_ns, &event));
            }
            Input::ChannelUp { venue: from, channel } if from == venue => {
                events.push(entry.ts_ns, &Event::ChannelUp { venue, channel });
            }
            Input::ChannelDown { venue: from, channel } if from == venue => {
                events.push(entry.ts_ns, &Event::ChannelDown { venue, channel });
            }
            // A new life has no connections until it says so.
            Input::Started => events.push(entry.ts_ns, &Event::ChannelDown { venue, channel }),
            _ => {}
        }
    }
    check(config, venue, &events, frames, &dir.display().to_string())?;
    events.course();
    Ok(Loaded { events, source_hash: reader.chain(), is_cached: false })
}

fn check(
    config: &CoreConfig,
    venue: VenueId,
    events: &Events,
    others: u64,
    found: &str,
) -> Result<(), LoadError> {
    let here = config.markets.iter().zip(0_u8..).filter(|(market, _)| market.venue == venue.0);
    let mut is_any = false;
    for (market, index) in here.clone() {
        let of = |kind| events.heads.iter().any(|h| h.kind == kind && h.market.0 == index);
        let is_there = of(Kind::Diff);
        is_any |= is_there;
        if is_there && !of(Kind::Snapshot) {
            let symbol = market.symbol.clone();
            return Err(LoadError::NoSnapshot { found: found.to_owned(), symbol });
        }
    }
    if is_any {
        return Ok(());
    }
    let wanted: Vec<&str> = here.map(|(market, _)| market.symbol.as_str()).collect();
    let (found, wanted) = (found.to_owned(), wanted.join(", "));
    Err(LoadError::NoMarket { found, wanted, others })
}

fn names(paths: &[PathBuf]) -> String {
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    names.join(", ")
}

fn hash_files(paths: &[PathBuf]) -> Result<[u8; 32], LoadError> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    for path in paths {
        let fail = |reason| LoadError::Read { path: path.clone(), reason };
        let mut file = File::open(path).map_err(fail)?;
        hash.update(file.metadata().map_err(fail)?.len().to_le_bytes());
        loop {
            match file.read(&mut buffer).map_err(fail)? {
                0 => break,
                read => hash.update(&buffer[..read]),
            }
        }
    }
    Ok(hash.finalize().into())
}

/// What the decoded events depend on: layout, source, and which market has which number.
fn key(config: &CoreConfig, venue: VenueId, source_hash: &[u8; 32]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(cache::VERSION.to_le_bytes());
    hash.update(source_hash);
    for (market, index) in config.markets.iter().zip(0_u8..) {
        if market.venue == venue.0 {
            hash.update([index, market.symbol.len() as u8]);
            hash.update(&market.symbol);
        }
    }
    hash.finalize().into()
}
