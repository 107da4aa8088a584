//! A promotion's command with the model's bytes in; a model ready to answer, or the refusal, out.
//!
//! All that takes long is done here, on the thread that asks: hashing, compiling, loading ONNX
//! Runtime. The hot thread journals the entry and puts the ready model in its place.

use super::command::{self, Reply};
use crate::core::{hash_state, hex};
use crate::input::Promotion;
use engine::Engine;
use engine::model::{MODEL_BYTES_MAX, Model, ModelError};
use onnxruntime::Session;
use std::path::{Path, PathBuf};
use values::Nanos;

/// A model that waits for the hot thread.
pub(super) struct Promoted {
    pub strategy: String,
    /// Of the journal's entry.
    pub payload: Vec<u8>,
    pub model: Box<Model>,
    /// What computes it, if the core does not.
    pub session: Option<Session>,
}

/// What models are made ready with.
pub(super) struct Workshop {
    /// ONNX Runtime's library, for models that the core does not compute.
    pub library: Option<PathBuf>,
    /// An entry has to fit into a segment, with room for its header.
    pub bytes_max: usize,
}

impl Workshop {
    pub(super) fn new(library: Option<&Path>, segment_bytes: usize) -> Workshop {
        let bytes_max = (segment_bytes / 2).min(MODEL_BYTES_MAX);
        Workshop { library: library.map(Path::to_path_buf), bytes_max }
    }

    /// Makes a promotion ready; `None` for all other commands.
    ///
    /// # Errors
    /// The model cannot be taken: the refusal.
    pub(super) fn prepare(
        &self,
        json: &str,
        bytes: &[u8],
        now_ns: Nanos,
    ) -> Result<Option<Box<Promoted>>, Reply> {
        let refuse = |code, text| Err(Reply::refused(code, text, now_ns));
        let Ok(order) = command::parse(json) else { return Ok(None) };
        let Some((strategy, name, sha256)) = order.promotion() else { return Ok(None) };
        if bytes.is_empty() {
            return refuse("MODEL_MISSING", "a promotion comes with the model's bytes".to_owned());
        }
        let found = hex(&hash_state(bytes));
        if found != *sha256 {
            return refuse("MODEL_HASH", format!("expected the SHA-256 {sha256}, found {found}"));
        }
        if bytes.len() > self.bytes_max {
            let text = format!("expected at most {} bytes, found {}", self.bytes_max, bytes.len());
            return refuse("MODEL_TOO_LARGE", text);
        }
        let (model, session) = match self.read(bytes) {
            Ok(found) => found,
            Err(text) => return refuse("MODEL_UNREADABLE", text),
        };
        let runtime = session.as_ref().map_or_else(String::new, Session::runtime);
        let told = Promotion {
            strategy: strategy.to_owned(),
            model: name.to_owned(),
            sha256: found,
            runtime,
            actor: order.actor.clone(),
            reason: order.reason.clone(),
        };
        let payload = told.payload(bytes);
        let (strategy, model) = (told.strategy, Box::new(model));
        Ok(Some(Box::new(Promoted { strategy, payload, model, session })))
    }

    /// Compiles a model; one that the core does not know goes to ONNX Runtime, if there is one.
    fn read(&self, bytes: &[u8]) -> Result<(Model, Option<Session>), String> {
        match (Model::compile(bytes), &self.library) {
            (Ok(model), _) => Ok((model, None)),
            (Err(ModelError::Unsupported { .. }), Some(library)) => {
                let session = Session::load(library, bytes).map_err(|error| error.to_string())?;
                let model = Model::outside(bytes).map_err(|error| error.to_string())?;
                Ok((model, Some(session)))
            }
            (Err(error), _) => Err(error.to_string()),
        }
    }

    /// What computes the models that a recovered core does not, by strategy; `tell` hears of those
    /// that cannot be loaded: their strategies stop.
    pub(super) fn sessions(
        &self,
        engine: &Engine,
        mut tell: impl FnMut(String),
    ) -> Vec<Option<Session>> {
        let mut sessions: Vec<Option<Session>> = Vec::new();
        sessions.resize_with(engine.config().strategies.len(), || None);
        for (strategy, memory) in engine.models() {
            let Some(model) = memory.model().filter(|model| model.is_outside()) else { continue };
            let place = engine.config().strategies.iter().position(|each| each.name == strategy);
            let loaded = match &self.library {
                Some(library) => {
                    Session::load(library, model.bytes()).map_err(|error| error.to_string())
                }
                None => Err("ONNX Runtime is not installed".to_owned()),
            };
            match (loaded, place) {
                (Ok(session), Some(place)) => sessions[place] = Some(session),
                (Err(error), _) => tell(format!("{strategy}: model {}: {error}", memory.name)),
                (Ok(_), None) => {}
            }
        }
        sessions
    }
}
