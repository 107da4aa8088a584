//! A played market and our orders in; fills, public trades and visible book changes out.
//!
//! Think of a queue at a counter. The market that is played to us is a crowd of strangers: at each
//! price we know only how many units they want in all. Whoever of ours joins stands behind the
//! units that were there. When strangers leave or are served, those ahead of us go first; when a
//! trade is larger than what is ahead, it serves us. A stranger who comes with a price that crosses
//! ours is served by us. What we take from strangers stays taken until the market tells that level
//! anew. Among our own orders (of several accounts) price comes first and time second.

mod money;
mod orders;
mod played;
mod wallets;

pub use wallets::{Holding, Wallets};

use std::collections::{BTreeMap, BTreeSet};

use values::{Price, Quantity};

use crate::event::{Level, Side};

/// How many publishers of changes there are: the fast and the slow depth stream.
pub const CURSORS: usize = 2;

/// Fees and first numbers.
#[derive(Clone, Debug)]
pub struct MatchingConfig {
    /// Fee of the resting side, parts per million.
    pub maker_fee_ppm: u32,
    /// Fee of the taking side, parts per million.
    pub taker_fee_ppm: u32,
    /// Fees are taken in the quote currency; otherwise in the asset that is received.
    pub fee_in_quote: bool,
    /// Smallest quantity step, for market orders by amount.
    pub lot: Quantity,
}

/// What an account has of both assets, raw 1e-9.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub struct Balances {
    /// Base, free.
    pub base_free: i128,
    /// Base, locked in resting sell orders.
    pub base_locked: i128,
    /// Quote, free.
    pub quote_free: i128,
    /// Quote, locked in resting buy orders.
    pub quote_locked: i128,
}

/// How an order wants to trade.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum OrderKind {
    /// `LIMIT`, rests until cancelled.
    GoodTillCancel,
    /// `LIMIT`, the rest expires.
    ImmediateOrCancel,
    /// `LIMIT`, all at once or nothing.
    FillOrKill,
    /// `LIMIT_MAKER`: refused when it would take.
    PostOnly,
    /// `MARKET` by quantity.
    Market,
}

/// An order as asked for; already within the market's filters.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct OrderRequest {
    /// Whose: the number that `open_account` gave.
    pub account: usize,
    /// Buy or sell.
    pub side: Side,
    /// How.
    pub kind: OrderKind,
    /// The limit; ignored for `Market`.
    pub price: Price,
    /// How much, positive.
    pub quantity: Quantity,
}

/// Why an order is not accepted.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The account cannot pay for it.
    Balance,
    /// A `PostOnly` order would take.
    WouldTake,
}

/// What happened, in order.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum MatchEvent {
    /// The order is in.
    Accepted {
        /// Which.
        order: u64,
    },
    /// Part of an order traded.
    Filled {
        /// Which.
        order: u64,
        /// The trade's number.
        trade: u64,
        /// At what price.
        price: Price,
        /// How much.
        quantity: Quantity,
        /// What it cost, in quote or in the received asset as configured; raw 1e-9.
        fee: i128,
        /// Whether the order was resting.
        is_maker: bool,
    },
    /// Taken out by its owner.
    Canceled {
        /// Which.
        order: u64,
    },
    /// Taken out by the rules of its kind, or (`in_match`) instead of trading with its own account.
    Expired {
        /// Which.
        order: u64,
        /// Self-trade prevention.
        in_match: bool,
    },
    /// A public trade.
    Printed {
        /// Its number.
        trade: u64,
        /// At what price.
        price: Price,
        /// How much.
        quantity: Quantity,
        /// Whether the seller took.
        buyer_is_maker: bool,
    },
}

/// Units of strangers at a price.
#[derive(Copy, Clone, Debug, Default)]
struct External {
    told: i64,
    /// Taken by our orders since the level was last told.
    consumed: i64,
}

impl External {
    fn left(self) -> i64 {
        self.told - self.consumed
    }
}

/// An order of ours in the book.
#[derive(Copy, Clone, Debug)]
struct Resting {
    id: u64,
    account: usize,
    side: Side,
    price: Price,
    remaining: i64,
    locked: i128,
    /// Strangers' units in front of it.
    ahead: i64,
    /// The same consumption is told twice: as a trade and as a smaller level, in either order.
    /// Positive: units ahead that left with a smaller level and whose trade may still be told;
    /// negative: units that left with a trade and whose smaller level will still be told.
    lead: i64,
}

impl Resting {
    fn level_shrank(&mut self, by: i64) {
        let told_before = by.min(self.lead.min(0).abs());
        self.lead += told_before;
        let left = (by - told_before).min(self.ahead);
        self.ahead -= left;
        self.lead += left;
    }

    /// Returns how much of the trade reaches this order.
    fn level_traded(&mut self, quantity: i64) -> i64 {
        let told_before = quantity.min(self.lead.max(0));
        self.lead -= told_before;
        let left = (quantity - told_before).min(self.ahead);
        self.ahead -= left;
        self.lead -= left;
        (quantity - told_before - left).min(self.remaining)
    }
}

/// What has changed since one publisher last asked.
#[derive(Debug, Default)]
struct Cursor {
    published_id: u64,
    changed: [BTreeSet<Price>; 2],
}

/// One market; its accounts' wallets may be shared with others. All quantities are raw 1e-9.
#[derive(Debug)]
pub struct Matching {
    config: MatchingConfig,
    external: [BTreeMap<Price, External>; 2],
    /// What a best-price frame replaced; undone when the next depth frame tells the truth.
    overlay: BTreeMap<(Side, Price), i64>,
    queues: [BTreeMap<Price, Vec<Resting>>; 2],
    places: BTreeMap<u64, (Side, Price)>,
    wallets: Wallets,
    base: usize,
    quote: usize,
    fees: Balances,
    shown: [BTreeMap<Price, i64>; 2],
    /// One cursor for each pace at which changes are published.
    cursors: [Cursor; CURSORS],
    touched: Vec<(Side, Price)>,
    update_id: u64,
    last_order: u64,
    last_trade: u64,
}

fn opposite(side: Side) -> Side {
    match side {
        Side::Buy => Side::Sell,
        Side::Sell => Side::Buy,
    }
}

/// Whether an order on `side` with `limit` may trade at `price`.
fn reaches(side: Side, limit: Price, price: Price) -> bool {
    match side {
        Side::Buy => price <= limit,
        Side::Sell => price >= limit,
    }
}

/// The better of two opposing prices for a taker on `side`.
fn better(side: Side, one: Option<Price>, other: Option<Price>) -> Option<Price> {
    match (one, other) {
        (Some(a), Some(b)) if side == Side::Buy => Some(a.min(b)),
        (Some(a), Some(b)) => Some(a.max(b)),
        (found, None) | (None, found) => found,
    }
}

impl Matching {
    /// An empty market with wallets of its own.
    pub fn new(config: MatchingConfig) -> Self {
        Self::sharing(config, &Wallets::default(), "base", "quote")
    }

    /// An empty market whose accounts may trade in others too.
    pub fn sharing(config: MatchingConfig, wallets: &Wallets, base: &str, quote: &str) -> Self {
        Self {
            config,
            external: [BTreeMap::new(), BTreeMap::new()],
            overlay: BTreeMap::new(),
            queues: [BTreeMap::new(), BTreeMap::new()],
            places: BTreeMap::new(),
            wallets: wallets.clone(),
            base: wallets.asset(base),
            quote: wallets.asset(quote),
            fees: Balances::default(),
            shown: [BTreeMap::new(), BTreeMap::new()],
            cursors: Default::default(),
            touched: Vec::new(),
            update_id: 0,
            last_order: 0,
            last_trade: 0,
        }
    }

    /// A new account with these free balances; its number.
    pub fn open_account(&mut self, base: i128, quote: i128) -> usize {
        let account = self.wallets.open_account();
        self.wallets.add(account, self.base, base, 0);
        self.wallets.add(account, self.quote, quote, 0);
        account
    }

    /// Continues the numbering of an earlier life: the next numbers are above these. To be called
    /// before the market is played.
    pub fn resume(&mut self, update_id: u64, last_order: u64, last_trade: u64) {
        self.update_id = update_id;
        self.last_order = last_order;
        self.last_trade = last_trade;
        for cursor in &mut self.cursors {
            cursor.published_id = update_id;
        }
    }

    /// The numbers given last: update, order and trade.
    pub fn numbers(&self) -> (u64, u64, u64) {
        (self.update_id, self.last_order, self.last_trade)
    }

    /// What an account has.
    pub fn balances(&self, account: usize) -> Balances {
        let (base, quote) =
            (self.wallets.holding(account, self.base), self.wallets.holding(account, self.quote));
        Balances {
            base_free: base.free,
            base_locked: base.locked,
            quote_free: quote.free,
            quote_locked: quote.locked,
        }
    }

    /// What the exchange has earned.
    pub fn fees(&self) -> Balances {
        self.fees
    }

    /// The number of the last visible change.
    pub fn update_id(&self) -> u64 {
        self.update_id
    }

    /// Resting orders of all accounts.
    pub fn orders_open(&self) -> usize {
        self.places.len()
    }

    /// The best visible bid and offer.
    pub fn top(&self) -> (Option<Level>, Option<Level>) {
        let level = |(price, quantity): (&Price, &i64)| Level {
            price: *price,
            quantity: Quantity(*quantity),
        };
        (self.shown[0].last_key_value().map(level), self.shown[1].first_key_value().map(level))
    }

    /// Visible levels of a side, best first.
    pub fn levels(&self, side: Side) -> Box<dyn Iterator<Item = Level> + '_> {
        let levels = self.shown[side as usize]
            .iter()
            .map(|(price, quantity)| Level { price: *price, quantity: Quantity(*quantity) });
        match side {
            Side::Buy => Box::new(levels.rev()),
            Side::Sell => Box::new(levels),
        }
    }

    /// Levels of the played market alone, as its depth frames told them, best first.
    pub fn external_levels(&self, side: Side) -> Vec<Level> {
        let mut told: BTreeMap<Price, i64> = self.external[side as usize]
            .iter()
            .map(|(price, level)| (*price, level.told))
            .collect();
        for (&(_, price), &quantity) in self.overlay.iter().filter(|((of, _), _)| *of == side) {
            if quantity == 0 {
                told.remove(&price)
            } else {
                told.insert(price, quantity)
            };
        }
        let levels =
            told.into_iter().map(|(price, quantity)| Level { price, quantity: Quantity(quantity) });
        match side {
            Side::Buy => levels.rev().collect(),
            Side::Sell => levels.collect(),
        }
    }

    /// Visible changes since this publisher's last call: first and last number, changed bids and asks.
    pub fn take_changes(&mut self, publisher: usize) -> Option<(u64, u64, Vec<Level>, Vec<Level>)> {
        let cursor = &mut self.cursors[publisher];
        if cursor.published_id == self.update_id {
            return None;
        }
        let first = cursor.published_id + 1;
        cursor.published_id = self.update_id;
        let mut sides = [Vec::new(), Vec::new()];
        for (index, side) in sides.iter_mut().enumerate() {
            for price in std::mem::take(&mut cursor.changed[index]) {
                let quantity = self.shown[index].get(&price).copied().unwrap_or(0);
                side.push(Level { price, quantity: Quantity(quantity) });
            }
        }
        let [mut bids, asks] = sides;
        bids.reverse();
        Some((first, self.update_id, bids, asks))
    }

    fn next_trade(&mut self) -> u64 {
        self.last_trade += 1;
        self.last_trade
    }

    fn queue_best(&self, side: Side) -> Option<Price> {
        let queues = &self.queues[side as usize];
        match side {
            Side::Buy => queues.last_key_value().map(|(price, _)| *price),
            Side::Sell => queues.first_key_value().map(|(price, _)| *price),
        }
    }

    fn external_best(&self, side: Side) -> Option<Price> {
        let left = |(_, level): &(&Price, &External)| level.left() > 0;
        let mut levels = self.external[side as usize].iter();
        match side {
            Side::Buy => levels.rev().find(left).map(|(price, _)| *price),
            Side::Sell => levels.find(left).map(|(price, _)| *price),
        }
    }

    fn visible_best(&self, side: Side) -> Option<Price> {
        better(opposite(side), self.external_best(side), self.queue_best(side))
    }

    /// Numbers every visible change.
    fn refresh(&mut self) {
        for (side, price) in std::mem::take(&mut self.touched) {
            let index = side as usize;
            let strangers = self.external[index].get(&price).map_or(0, |level| level.left());
            let ours: i64 = self.queues[index]
                .get(&price)
                .map_or(0, |queue| queue.iter().map(|order| order.remaining).sum());
            let now = strangers + ours;
            let before = if now > 0 {
                self.shown[index].insert(price, now).unwrap_or(0)
            } else {
                self.shown[index].remove(&price).unwrap_or(0)
            };
            if before != now {
                self.update_id += 1;
                for cursor in &mut self.cursors {
                    cursor.changed[index].insert(price);
                }
            }
        }
    }
}
