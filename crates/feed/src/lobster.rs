//! A LOBSTER sample (messages and ten levels after each) in; how far our book agrees with it out.
//!
//! Each message is put onto the book that the rows before it showed, and the result is compared with
//! the next row. Orders that rested before the first message are not announced and what happens beyond
//! the tenth level is not told, so prices are compared that were within the known levels already.

use engine::event::Level;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use values::{Nanos, Price, Quantity};

/// How many levels of each side a row may hold.
const FIELDS_OF_LEVEL: usize = 4;
/// What LOBSTER writes for a level that is not there.
const NO_PRICE: i64 = 9_999_999_999;

/// What came of a sample.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// The instrument, from the file's name.
    pub symbol: String,
    /// Messages read.
    pub messages: u64,
    /// Messages after which all comparable levels agree.
    pub equal: u64,
    /// Messages after which one differs.
    pub differs: u64,
    /// Levels compared in all.
    pub levels: u64,
    /// Times that ran backwards.
    pub backwards: u64,
    /// Executions of orders that nobody sees.
    pub hidden: u64,
    /// The first row that differs, from 1.
    pub first_difference: Option<u64>,
    /// Best bid and ask at the end.
    pub top: Option<(Level, Level)>,
}

/// Whether a file is the messages of such a sample.
pub fn is_sample(path: &Path) -> bool {
    let is_table = path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv"));
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    is_table && name.is_some_and(|name| name.contains("_message_"))
}

/// Where the rows of a sample are.
pub fn rows_of(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(name.replace("_message_", "_orderbook_"))
}

/// Plays the messages and compares the book with the rows.
///
/// # Errors
/// A file cannot be read or is not of this form; the text names file, line, expected and found.
pub fn check(path: &Path) -> Result<Sample, String> {
    let read = |path: &Path| {
        fs::read_to_string(path)
            .map_err(|reason| format!("{}: expected a LOBSTER file: {reason}", path.display()))
    };
    let rows_path = rows_of(path);
    let (messages, rows) = (read(path)?, read(&rows_path)?);
    let (message_lines, row_lines) = (messages.lines().count(), rows.lines().count());
    if message_lines != row_lines {
        return Err(format!(
            "{}: expected {message_lines} rows, one for each message, found {row_lines}",
            rows_path.display()
        ));
    }
    let mut player = Player::default();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.strip_prefix("lobster_").unwrap_or(&name).to_owned();
    name.split('_').next().unwrap_or_default().clone_into(&mut player.told.symbol);
    for (index, (message, row)) in messages.lines().zip(rows.lines()).enumerate() {
        let place =
            |path: &Path, text: String| format!("{}: line {}: {text}", path.display(), index + 1);
        let message = Message::parse(message).map_err(|text| place(path, text))?;
        let row = parse_row(row).map_err(|text| place(&rows_path, text))?;
        player.step(&message, &row);
    }
    Ok(player.told)
}

struct Message {
    time_ns: Nanos,
    kind: u8,
    size: i64,
    price: i64,
    is_bid: bool,
}

impl Message {
    fn parse(line: &str) -> Result<Self, String> {
        let wrong = || format!("expected TIME,TYPE,ORDER,SIZE,PRICE,DIRECTION, found {line:?}");
        let fields: Vec<&str> = line.trim().split(',').collect();
        let [time, kind, _order, size, price, direction] = fields[..] else { return Err(wrong()) };
        let number = |text: &str| text.parse::<i64>().map_err(|_| wrong());
        let kind = number(kind)?;
        if !(1..=7).contains(&kind) {
            return Err(format!("expected a type from 1 to 7, found {kind}"));
        }
        Ok(Self {
            time_ns: Price::parse(time.as_bytes()).map_err(|_| wrong())?.0,
            kind: kind as u8,
            size: number(size)?,
            price: number(price)?,
            is_bid: number(direction)? == 1,
        })
    }
}

/// Asks and bids, best first: price and size.
type Row = [Vec<(i64, i64)>; 2];

fn parse_row(line: &str) -> Result<Row, String> {
    let numbers: Result<Vec<i64>, _> = line.trim().split(',').map(str::parse).collect();
    let numbers = numbers.ok().filter(|numbers| numbers.len() % FIELDS_OF_LEVEL == 0);
    let numbers = numbers.ok_or_else(|| {
        format!(
            "expected ASK,SIZE,BID,SIZE for each level, found {:?}",
            &line[..line.len().min(40)]
        )
    })?;
    let side = |at: usize| {
        let levels = numbers.chunks(FIELDS_OF_LEVEL).map(move |level| (level[at], level[at + 1]));
        levels.filter(|level| level.0.abs() != NO_PRICE).collect()
    };
    Ok([side(0), side(2)])
}

#[derive(Default)]
struct Player {
    /// By price; asks and bids.
    levels: [BTreeMap<i64, i64>; 2],
    /// The furthest price that was known after the last row; asks and bids.
    known: Option<[i64; 2]>,
    last_ns: Nanos,
    told: Sample,
}

impl Player {
    fn step(&mut self, message: &Message, row: &Row) {
        self.told.messages += 1;
        self.told.backwards += u64::from(message.time_ns < self.last_ns);
        self.last_ns = message.time_ns;
        self.apply(message);
        if let Some(known) = self.known {
            if self.compare(row, known) {
                self.told.equal += 1;
            } else {
                self.told.differs += 1;
                self.told.first_difference.get_or_insert(self.told.messages);
            }
        } else {
            self.told.equal += 1; // The first row is what everything begins with.
        }
        self.adopt(row);
    }

    fn apply(&mut self, message: &Message) {
        let change = match message.kind {
            1 => message.size,
            2..=4 => -message.size,
            5 => {
                self.told.hidden += 1;
                0
            }
            _ => 0,
        };
        // The first message is in the first row already.
        if self.known.is_some() && change != 0 {
            let side = &mut self.levels[usize::from(message.is_bid)];
            let level = side.entry(message.price).or_default();
            *level += change;
            if *level == 0 {
                side.remove(&message.price);
            }
        }
    }

    /// Whether every price within what was known is as the row says, and none is there besides.
    fn compare(&mut self, row: &Row, known: [i64; 2]) -> bool {
        let mut agrees = true;
        for (side, levels) in row.iter().enumerate() {
            let within = |price: i64| if side == 0 { price <= known[0] } else { price >= known[1] };
            let shown = levels.iter().copied().filter(|level| within(level.0));
            let shown: Vec<_> = shown.collect();
            // A row ends at its tenth level, though ours may go on within what was known.
            let ours = self.levels[side].iter().map(|(&price, &size)| (price, size));
            let ours: Vec<_> = if side == 0 { ours.collect() } else { ours.rev().collect() };
            let ours = ours.into_iter().filter(|level| within(level.0)).take(levels.len());
            let ours: Vec<_> = ours.take(shown.len().max(1)).collect();
            self.told.levels += shown.len() as u64;
            agrees &= ours == shown || shown.is_empty() && ours.is_empty();
        }
        agrees
    }

    /// Levels beyond what was known come from the row; what left the row is no longer known.
    fn adopt(&mut self, row: &Row) {
        for (side, levels) in row.iter().enumerate() {
            self.levels[side] = levels.iter().copied().collect();
        }
        let furthest = |side: usize| row[side].last().map_or(0, |level| level.0);
        self.known = Some([furthest(0), furthest(1)]);
        let level = |side: usize| {
            row[side].first().map(|&(price, size)| Level {
                price: Price(price * 100_000),
                quantity: Quantity(size * 1_000_000_000),
            })
        };
        self.told.top = level(1).zip(level(0));
    }
}
