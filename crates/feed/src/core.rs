//! Journaled inputs in, outputs out: the decoders and the engine together, so that live trading,
//! restart and replay go through the very same lines.

use crate::binance::{Answer, Frame};
use crate::decoder::{MarketDecoder, Told};
use crate::input::{Commanded, Input, Promotion};
use engine::Engine;
use engine::config::CoreConfig;
use engine::event::{Channel, Event, Purpose, RequestFailure};
use engine::model::Model;
use engine::output::Output;
use engine::risk::Intent;
use values::{MarketId, Nanos, Price, Quantity, StrategyId, VenueId};

/// Engine and decoders.
pub struct Core {
    engine: Engine,
    decoders: Vec<MarketDecoder>,
    /// The venue's stamp on the last frame; 0 when it bore none.
    stamped_ns: Nanos,
    /// The public trade that the last frame told.
    traded: Option<Traded>,
    /// The last frame announced that the venue closes the connection.
    is_closing: bool,
    /// The last frame refused a request.
    is_refused: bool,
    wishes: Vec<(MarketId, Intent)>,
}

/// A public trade.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Traded {
    /// Where.
    pub market: MarketId,
    /// At what price.
    pub price: Price,
    /// How much.
    pub quantity: Quantity,
    /// Whether the seller took.
    pub seller_took: bool,
}

/// The input cannot come from this core's own journal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CoreError {
    /// A replayed state differs from the recorded one: the code or the journal is not what it was.
    #[error(
        "expected the state hash {expected}, found {found}: another version of \
             the core wrote this journal, or determinism is broken"
    )]
    Check {
        /// As recorded.
        expected: String,
        /// As computed.
        found: String,
    },
    /// Bytes that this version does not read.
    #[error("expected {0}")]
    Unreadable(&'static str),
}

impl Core {
    /// A core before its first input.
    ///
    /// # Errors
    /// The configuration cannot be traded with; the text says why.
    pub fn new(config: CoreConfig) -> Result<Core, String> {
        if let Some(problem) = config.problem() {
            return Err(problem);
        }
        Ok(Core::over(Engine::new(config)))
    }

    /// The core of a snapshot.
    ///
    /// # Errors
    /// The bytes are no state of this version.
    pub fn restore(state: &[u8]) -> Result<Core, CoreError> {
        Engine::decode(state).map(Core::over).map_err(|_| CoreError::Unreadable("a core's state"))
    }

    fn over(engine: Engine) -> Core {
        let decoders = (0..engine.config().venues.len())
            .map(|index| MarketDecoder::for_venue(engine.config(), VenueId(index as u8)))
            .collect();
        let wishes = Vec::with_capacity(64);
        Core {
            engine,
            decoders,
            stamped_ns: 0,
            traded: None,
            is_closing: false,
            is_refused: false,
            wishes,
        }
    }

    /// The engine's views.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Hands over the model of the promotion that comes next; see [`Engine::make_ready`].
    pub fn make_ready(&mut self, model: Box<Model>) {
        self.engine.make_ready(model);
    }

    /// Whether the last frame announced that the venue closes the connection.
    #[inline]
    pub fn is_closing(&self) -> bool {
        self.is_closing
    }

    /// Whether the last frame of market data refused a subscription.
    #[inline]
    pub fn is_refused(&self) -> bool {
        self.is_refused
    }

    /// The venue's stamp on the last frame; 0 when it bore none.
    #[inline]
    pub fn stamped_ns(&self) -> Nanos {
        self.stamped_ns
    }

    /// The public trade that the last frame told, if it told one.
    #[inline]
    pub fn traded(&self) -> Option<Traded> {
        self.traded
    }

    /// Takes in one input; what is to be done is appended to `outputs`.
    ///
    /// A frame that cannot be read is counted by the engine and treated as a gap.
    ///
    /// # Errors
    /// A check that differs, or a command or configuration of another version.
    #[inline]
    pub fn apply(
        &mut self,
        now_ns: Nanos,
        input: &Input<'_>,
        outputs: &mut Vec<Output>,
    ) -> Result<(), CoreError> {
        self.apply_probed(now_ns, input, outputs, || {})
    }

    /// As `apply`; `on_decoded` is called between decoding and the step, to take the time.
    #[inline]
    pub fn apply_probed(
        &mut self,
        now_ns: Nanos,
        input: &Input<'_>,
        outputs: &mut Vec<Output>,
        on_decoded: impl FnOnce(),
    ) -> Result<(), CoreError> {
        match *input {
            Input::Frame { venue, channel, bytes } => {
                self.frame(now_ns, venue, channel, bytes, outputs, on_decoded);
            }
            Input::Reply { venue, purpose, status, retry_after_ns, bytes } => {
                let answer = Answer { purpose, status, retry_after_ns, bytes };
                self.reply(now_ns, venue, &answer, outputs);
            }
            Input::Lost { venue, purpose } => {
                let event = Event::Failed { venue, purpose, failure: RequestFailure::Unknown };
                self.engine.step(now_ns, &event, outputs);
            }
            Input::Withdrawn { venue, purpose } => {
                let event = Event::Failed { venue, purpose, failure: RequestFailure::Withdrawn };
                self.engine.step(now_ns, &event, outputs);
            }
            Input::ChannelUp { venue, channel } => {
                self.engine.step(now_ns, &Event::ChannelUp { venue, channel }, outputs);
            }
            Input::ChannelDown { venue, channel } => {
                self.engine.step(now_ns, &Event::ChannelDown { venue, channel }, outputs);
            }
            Input::Heartbeat { venue, channel } => {
                self.engine.step(now_ns, &Event::Heartbeat { venue, channel }, outputs);
            }
            Input::Command(bytes) => {
                let commanded: Commanded = serde_json::from_slice(bytes)
                    .map_err(|_| CoreError::Unreadable("a command of this version"))?;
                self.engine.step(now_ns, &Event::Command(&commanded.command), outputs);
            }
            Input::Strategy { strategy, bytes } => {
                let told = crate::strategy::read(bytes, &mut self.wishes)
                    .ok_or(CoreError::Unreadable("a strategy's message of this version"))?;
                self.engine.step(now_ns, &Event::Strategy { strategy, told }, outputs);
            }
            Input::Model(payload) => {
                let expected = CoreError::Unreadable("a model's promotion of this version");
                let (told, bytes) = Promotion::parse(payload).ok_or(expected)?;
                let mut names = self.engine.config().strategies.iter();
                let index = names.position(|each| each.name == told.strategy);
                let unknown = CoreError::Unreadable("a promotion for a strategy of this run");
                let strategy = StrategyId(index.ok_or(unknown)? as u8);
                let (name, is_outside) = (told.model.as_str(), !told.runtime.is_empty());
                let event = Event::Model { strategy, name, bytes, is_outside };
                self.engine.step(now_ns, &event, outputs);
            }
            Input::Score { strategy, market, bits } => {
                self.engine.step(now_ns, &Event::Score { strategy, market, bits }, outputs);
            }
            Input::Timer => self.engine.step(now_ns, &Event::Timer, outputs),
            Input::Started => self.engine.step(now_ns, &Event::Started, outputs),
            Input::Check { state_hash } => return self.check(&state_hash),
            Input::Config(bytes) => {
                if read_config(bytes)? != *self.engine.config() {
                    return Err(CoreError::Unreadable("the configuration that the run began with"));
                }
            }
        }
        Ok(())
    }

    #[inline]
    fn frame(
        &mut self,
        now_ns: Nanos,
        venue: VenueId,
        channel: Channel,
        bytes: &[u8],
        outputs: &mut Vec<Output>,
        on_decoded: impl FnOnce(),
    ) {
        let Some(decoder) = self.decoders.get_mut(venue.index()) else { return };
        (self.is_closing, self.is_refused) = (false, false);
        (self.stamped_ns, self.traded) = (0, None);
        let (engine, traded) = (&mut self.engine, &mut self.traded);
        if let (Channel::User, Some(decoder)) = (channel, decoder.binance()) {
            let frame = decoder.user(bytes);
            on_decoded();
            match frame {
                Ok(Frame::Event(event)) => engine.step(now_ns, &event, outputs),
                Ok(Frame::Closing) => self.is_closing = true,
                Ok(Frame::Accepted { .. } | Frame::Refused { .. } | Frame::Other) => {}
                Err(_) => engine.step(now_ns, &Event::Malformed { venue, channel }, outputs),
            }
            return;
        }
        let mut on_decoded = Some(on_decoded);
        let told = decoder.market(bytes, |event| {
            if let Some(on_decoded) = on_decoded.take() {
                on_decoded();
            }
            if let Event::Trade { market, price, quantity, buyer_is_maker, .. } = *event {
                *traded = Some(Traded { market, price, quantity, seller_took: buyer_is_maker });
            }
            engine.step(now_ns, event, outputs);
        });
        if let Some(on_decoded) = on_decoded {
            on_decoded();
        }
        match told {
            Ok(Told::At(ts_event_ns)) => self.stamped_ns = ts_event_ns,
            Ok(Told::Closing) => self.is_closing = true,
            Ok(Told::Refused) => self.is_refused = true,
            Ok(Told::Other) => {}
            Err(_) => {
                let event = match decoder.concerned(bytes) {
                    Some(market) => Event::MalformedOf { market },
                    None => Event::Malformed { venue, channel },
                };
                engine.step(now_ns, &event, outputs);
            }
        }
    }

    /// A malformed reply is handed on as "fate unknown", which is all it tells.
    fn reply(
        &mut self,
        now_ns: Nanos,
        venue: VenueId,
        answer: &Answer<'_>,
        outputs: &mut Vec<Output>,
    ) {
        let Some(decoder) = self.decoders.get_mut(venue.index()) else { return };
        let engine = &mut self.engine;
        if let Some(decoder) = decoder.binance() {
            let _ = decoder.reply(answer, |event| engine.step(now_ns, &event, outputs));
            return;
        }
        let told = match answer.purpose {
            Purpose::Snapshot(market) if answer.status == 200 => {
                decoder.snapshot(market, answer.bytes, |event| {
                    engine.step(now_ns, event, outputs);
                })
            }
            _ => Ok(Told::Other),
        };
        if !matches!(told, Ok(Told::At(_))) {
            let (purpose, failure) = (answer.purpose, RequestFailure::Unknown);
            engine.step(now_ns, &Event::Failed { venue, purpose, failure }, outputs);
        }
    }

    fn check(&self, expected: &[u8; 32]) -> Result<(), CoreError> {
        let found = self.engine.state_hash();
        if found == *expected {
            return Ok(());
        }
        Err(CoreError::Check { expected: hex(expected), found: hex(&found) })
    }
}

/// The configuration of a journal's first entry.
///
/// # Errors
/// The bytes are no configuration of this version.
pub fn read_config(bytes: &[u8]) -> Result<CoreConfig, CoreError> {
    serde_json::from_slice(bytes)
        .map_err(|_| CoreError::Unreadable("a configuration of this version"))
}

/// The hash of an encoded state.
pub(crate) fn hash_state(state: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(state).into()
}

/// Bytes as lower-case hexadecimal text.
pub fn hex(bytes: &[u8]) -> String {
    use core::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
