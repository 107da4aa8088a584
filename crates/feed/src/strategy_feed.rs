//! An engine's journal in, while it is being written; what one strategy is told of it out.
//!
//! A strategy's own process follows the journal with a replica of the core, so that telling it costs
//! the engine nothing, and a strategy that is slow loses nothing but time: it is told each market as
//! it stands when it looks, never a queue of what it missed. Its fills are told one by one. It is
//! told nothing between an answer of its own and the entry that holds that answer, so that it always
//! sees the orders that it has asked for: otherwise it would ask for them twice.

use crate::core::{Core, Traded};
use crate::hot_loop::LoopError;
use crate::input::Input;
use crate::replica::{Replica, Step};
use crate::strategy::{OwnFill, Teller, is_answer};
use engine::Engine;
use engine::event::Channel;
use engine::output::Output;
use engine::strategy::breaker::Gate;
use std::collections::VecDeque;
use std::path::Path;
use values::{MarketId, Nanos, StrategyId};

/// Entries taken in between two looks at the markets.
const ENTRIES_MAX: usize = 4_096;
/// Public trades told in one go; of more, the oldest are left out.
const TRADES_MAX: usize = 256;
/// Time is told at least this often.
const TIMER_NS: Nanos = 10_000_000;

/// What happened since the last look.
#[derive(Default)]
struct News {
    now_ns: Nanos,
    trades: VecDeque<(Nanos, Traded)>,
    fills: Vec<(Nanos, OwnFill)>,
}

/// One strategy's view of an engine.
pub struct Follower {
    replica: Replica,
    teller: Teller,
    news: News,
    timer_ns: Nanos,
    trades_left_out: u64,
    /// Answers of the strategy that the journal does not hold yet.
    answers_on_the_way: u32,
}

impl Follower {
    /// Follows the journal in `dir` from its end; `None` while it has no configuration yet.
    ///
    /// # Errors
    /// The journal is damaged, or none of its strategies has this name and a process of its own.
    pub fn open(dir: &Path, name: &str) -> Result<Option<Follower>, LoopError> {
        let mut replica = Replica::open(dir)?;
        let mut now_ns = 0;
        while replica.follow(ENTRIES_MAX, |step| now_ns = step.ts_ns)? == ENTRIES_MAX {}
        let Some(engine) = replica.core().map(Core::engine) else { return Ok(None) };
        let mut names = (0_u8..).zip(&engine.config().strategies);
        let Some((number, _)) = names.find(|(number, strategy)| {
            strategy.name == name && engine.strategy_breaker(StrategyId(*number)).is_some()
        }) else {
            let text = format!("the engine's journal knows no strategy {name:?} of kind python");
            return Err(LoopError::Config(text));
        };
        let teller = Teller::new(StrategyId(number), engine.config().markets.len());
        let news = News { now_ns, ..News::default() };
        let (timer_ns, trades_left_out, answers_on_the_way) = (now_ns, 0, 0);
        Ok(Some(Follower { replica, teller, news, timer_ns, trades_left_out, answers_on_the_way }))
    }

    /// The core's time as far as it has been followed.
    pub fn now_ns(&self) -> Nanos {
        self.news.now_ns
    }

    /// Public trades that were left out because too many came at once.
    pub fn trades_left_out(&self) -> u64 {
        self.trades_left_out
    }

    /// The strategy has answered: the next news wait until the journal holds the answer.
    pub fn answered(&mut self) {
        self.answers_on_the_way += 1;
    }

    /// The way to the engine is new; what went over the old one may never arrive.
    pub fn reconnected(&mut self) {
        self.answers_on_the_way = 0;
    }

    /// What the engine lets through.
    pub fn gate(&self) -> Gate {
        let breaker = self.engine().and_then(|e| e.strategy_breaker(self.teller.strategy()));
        breaker.map_or(Gate::Waiting, engine::strategy::breaker::StrategyBreaker::gate)
    }

    fn engine(&self) -> Option<&Engine> {
        self.replica.core().map(Core::engine)
    }

    /// Takes in what was written since and hands each message to `tell`: trades, fills, then the
    /// markets that changed, then the time.
    ///
    /// # Errors
    /// The journal is damaged.
    pub fn look(&mut self, mut tell: impl FnMut(&[u8])) -> Result<(), LoopError> {
        let Follower { replica, teller, news, timer_ns, trades_left_out, answers_on_the_way } =
            self;
        let strategy = teller.strategy();
        let followed = replica.follow(ENTRIES_MAX, |step| {
            *trades_left_out += news.take(strategy, step);
            let arrived = u32::from(is_answer_of(strategy, step.input));
            *answers_on_the_way = answers_on_the_way.saturating_sub(arrived);
        })?;
        if followed == 0 || *answers_on_the_way > 0 {
            return Ok(());
        }
        let Some(engine) = replica.core().map(Core::engine) else { return Ok(()) };
        for (ts_ns, traded) in news.trades.drain(..) {
            tell(teller.trade(ts_ns, &traded));
        }
        for (ts_ns, fill) in news.fills.drain(..) {
            tell(teller.fill(engine, ts_ns, &fill));
        }
        for market in 0..engine.config().markets.len() {
            if let Some(message) = teller.book(engine, MarketId(market as u8), news.now_ns) {
                tell(message);
            }
        }
        if news.now_ns - *timer_ns >= TIMER_NS {
            *timer_ns = news.now_ns;
            tell(teller.timer(news.now_ns));
        }
        Ok(())
    }
}

fn is_answer_of(strategy: StrategyId, input: &Input<'_>) -> bool {
    matches!(input, Input::Strategy { strategy: whose, bytes } if *whose == strategy && is_answer(bytes))
}

impl News {
    /// Notes what a step tells the strategy; how many trades had to be left out.
    fn take(&mut self, strategy: StrategyId, step: &Step<'_>) -> u64 {
        self.now_ns = step.ts_ns;
        let engine = step.core.engine();
        for output in step.outputs {
            if let Output::Filled { market, client_order_id: id, side, price, quantity, fee } =
                *output
                && engine.orders().get(id).is_some_and(|order| order.new.strategy == strategy)
            {
                let (price, quantity, fee) = (price.0, quantity.0, fee.0 as i64);
                let fill = OwnFill { market, id, side, price, quantity, fee };
                self.fills.push((step.ts_ns, fill));
            }
        }
        let is_market = matches!(step.input, Input::Frame { channel: Channel::Market, .. });
        let Some(traded) = step.core.traded().filter(|_| is_market) else { return 0 };
        let left_out = self.trades.len() >= TRADES_MAX;
        if left_out {
            self.trades.pop_front();
        }
        self.trades.push_back((step.ts_ns, traded));
        u64::from(left_out)
    }
}
