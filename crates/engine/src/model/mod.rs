//! The bytes of an ONNX file in; a model that answers one row in well under a microsecond out.
//!
//! A library call costs five to ten microseconds before the first multiplication. Here the graph is
//! turned once into a short list of steps over one fixed piece of memory: no allocation, no lookup,
//! no other thread. What is not known is refused by name, never approximated. Such a model can still be
//! traded with: its scores are then computed outside and come in as events.

mod compile;
mod dense;
mod ensemble;
pub mod features;
mod math;
mod onnx;
mod tree;

use compile::Program;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// Largest file that is taken: it goes through the journal, into every snapshot and its hash.
pub const MODEL_BYTES_MAX: usize = 8 << 20;

/// Why a model is not taken; trying again cannot help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// The bytes.
    #[error(transparent)]
    Wire(#[from] onnx::WireError),
    /// Too many bytes.
    #[error("expected a model of at most {MODEL_BYTES_MAX} bytes, found {0}")]
    TooLarge(usize),
    /// What goes in.
    #[error("expected one input of 32-bit floats with the shape [rows, features], found {0}")]
    Input(String),
    /// What comes out.
    #[error("expected an output of 32-bit floats or a map of probabilities, found none")]
    Output,
    /// An operation that the compiled evaluator does not know.
    #[error("the operator {operator} is not supported by the compiled evaluator: {what}")]
    Unsupported {
        /// Its name in the graph.
        operator: String,
        /// What of it.
        what: String,
    },
}

fn unsupported(node: &onnx::Node, what: &str) -> ModelError {
    ModelError::Unsupported { operator: node.kind.clone(), what: what.to_owned() }
}

/// A model, ready to answer. It is stored as its file's bytes: the rest follows from them.
#[derive(Clone, Debug)]
pub struct Model {
    bytes: Vec<u8>,
    sha256: [u8; 32],
    evaluator: Evaluator,
}

/// Who computes the scores.
#[derive(Clone, Debug)]
enum Evaluator {
    Compiled(Box<Program>),
    /// Somebody else, from so many features.
    Outside(usize),
}

impl Model {
    /// Compiles a model.
    ///
    /// # Errors
    /// The bytes are no model, or one with an operator that is not supported, which is named.
    pub fn compile(bytes: &[u8]) -> Result<Self, ModelError> {
        let program = compile::compile(&Self::graph(bytes)?)?;
        Ok(Self::over(bytes, Evaluator::Compiled(Box::new(program))))
    }

    /// A model whose scores are computed outside of the core and come in as events.
    ///
    /// # Errors
    /// The bytes are no model of one row of 32-bit floats.
    pub fn outside(bytes: &[u8]) -> Result<Self, ModelError> {
        let features = compile::features(&Self::graph(bytes)?)?;
        Ok(Self::over(bytes, Evaluator::Outside(features)))
    }

    fn graph(bytes: &[u8]) -> Result<onnx::Graph, ModelError> {
        if bytes.len() > MODEL_BYTES_MAX {
            return Err(ModelError::TooLarge(bytes.len()));
        }
        Ok(onnx::read(bytes)?)
    }

    fn over(bytes: &[u8], evaluator: Evaluator) -> Self {
        Self { bytes: bytes.to_vec(), sha256: Sha256::digest(bytes).into(), evaluator }
    }

    /// Whether its scores are computed outside.
    pub fn is_outside(&self) -> bool {
        matches!(self.evaluator, Evaluator::Outside(_))
    }

    /// The ONNX file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many features it wants.
    pub fn features(&self) -> usize {
        match &self.evaluator {
            Evaluator::Compiled(program) => program.features,
            Evaluator::Outside(features) => *features,
        }
    }

    /// How many scores it gives; 0 when they are computed outside.
    pub fn outputs(&self) -> usize {
        match &self.evaluator {
            Evaluator::Compiled(program) => program.output.len(),
            Evaluator::Outside(_) => 0,
        }
    }

    /// SHA-256 of the file.
    pub fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// Scores of a row: one per target, or one probability per class; none when they are computed
    /// outside.
    ///
    /// # Panics
    /// The row has another length than [`Model::features`].
    #[inline]
    pub fn infer(&mut self, row: &[f32]) -> &[f32] {
        let Evaluator::Compiled(program) = &mut self.evaluator else { return &[] };
        program.memory[..program.features].copy_from_slice(row);
        program.run();
        &program.memory[program.output.clone()]
    }
}

impl PartialEq for Model {
    fn eq(&self, other: &Self) -> bool {
        self.is_outside() == other.is_outside() && self.bytes == other.bytes
    }
}

/// Bytes that are written as one piece.
struct Piece<B>(B);

impl Serialize for Piece<&[u8]> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl<'de> Deserialize<'de> for Piece<Vec<u8>> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl serde::de::Visitor<'_> for Bytes {
            type Value = Piece<Vec<u8>>;

            fn expecting(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                formatter.write_str("the bytes of an ONNX model")
            }

            fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
                Ok(Piece(bytes.to_vec()))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

impl Serialize for Model {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.is_outside(), Piece(self.bytes())).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Model {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (is_outside, Piece(bytes)) = <(bool, Piece<Vec<u8>>)>::deserialize(deserializer)?;
        let read = if is_outside { Model::outside } else { Model::compile };
        read(&bytes).map_err(serde::de::Error::custom)
    }
}
