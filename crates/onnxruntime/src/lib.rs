//! An ONNX file and rows of features in; scores out, computed by ONNX Runtime's own C library.
//!
//! The second engine, for models that the core's evaluator does not know. The library is that of
//! the `onnxruntime` wheel, loaded when the first such model comes: nobody else needs it. One
//! thread, and memory of ours for the row and the scores, so that a call asks for none of ours.

mod library;
mod table;

use library::{Library, Owned};
use std::ffi::{CStr, CString, c_char, c_void};
use std::path::Path;
use std::ptr::{null, null_mut};
use table::{FLOAT, MAP, SEQUENCE, TENSOR};

/// Why a model cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuntimeError {
    /// The library.
    #[error("{path}: expected ONNX Runtime's library: {reason}")]
    Library {
        /// Where it was looked for.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// What the library said.
    #[error("ONNX Runtime: {0}")]
    Said(String),
    /// What goes in.
    #[error("expected one input of 32-bit floats with the shape [rows, features], found {0}")]
    Input(String),
    /// What comes out.
    #[error("expected an output of 32-bit floats or a map of probabilities, found {0}")]
    Output(String),
}

/// A model, ready to answer.
#[derive(Debug)]
pub struct Session {
    library: &'static Library,
    handle: Owned,
    /// Over `row`.
    input: Owned,
    /// Over `scores`; none for a map, which the library makes anew.
    output: Option<Owned>,
    row: Box<[f32]>,
    scores: Box<[f32]>,
    input_name: CString,
    output_name: CString,
}

// SAFETY: the library may be called from any thread; ours is called by one at a time (`&mut`).
unsafe impl Send for Session {}
// SAFETY: what is shared (`&`) calls nothing and only tells numbers that never change.
unsafe impl Sync for Session {}

impl Session {
    /// Loads a model, and the library with the first one.
    ///
    /// # Errors
    /// There is no such library, or the model is none that takes a row of 32-bit floats.
    pub fn load(library: &Path, onnx: &[u8]) -> Result<Session, RuntimeError> {
        let library = Library::load(library)?;
        let session = library.session(onnx)?;
        let features = features(library, &session)?;
        let (output_name, is_map) = scores_name(library, &session)?;
        let mut row = vec![0.0; features].into_boxed_slice();
        let input = library.tensor(&mut row)?;
        let mut made = Session {
            library,
            input_name: library.name(&session, |table| table.input_name, 0)?,
            handle: session,
            input,
            output: None,
            row,
            scores: Box::default(),
            output_name,
        };
        // The first answer tells how many scores there are.
        let first = made.call(null_mut())?;
        made.scores = made.read(&first)?.into_boxed_slice();
        if !is_map {
            made.output = Some(library.tensor(&mut made.scores)?);
        }
        Ok(made)
    }

    /// The library's name and version, such as `ONNX Runtime 1.20.1`.
    pub fn runtime(&self) -> String {
        format!("ONNX Runtime {}", self.library.version())
    }

    /// How many features it wants.
    pub fn features(&self) -> usize {
        self.row.len()
    }

    /// How many scores it gives.
    pub fn outputs(&self) -> usize {
        self.scores.len()
    }

    /// Scores of a row: one per target, or one probability per class.
    ///
    /// # Errors
    /// The library refuses.
    ///
    /// # Panics
    /// The row has another length than [`Session::features`].
    pub fn infer(&mut self, row: &[f32]) -> Result<&[f32], RuntimeError> {
        self.row.copy_from_slice(row);
        if let Some(output) = &self.output {
            // It stays ours: the library writes into it and hands the same one back.
            core::mem::forget(self.call(output.pointer())?);
        } else {
            let found = self.read(&self.call(null_mut())?)?;
            if found.len() != self.scores.len() {
                return Err(RuntimeError::Output(format!("{} scores", found.len())));
            }
            self.scores.copy_from_slice(&found);
        }
        Ok(&self.scores)
    }

    /// Runs the model over `row`, into `output` if there is one.
    fn call(&self, mut output: *mut c_void) -> Result<Owned, RuntimeError> {
        let is_ours = !output.is_null();
        let inputs = [self.input.pointer().cast_const()];
        let (input_names, output_names) = ([self.input_name.as_ptr()], [self.output_name.as_ptr()]);
        // SAFETY: one name and one value on each side, all of which outlive the call.
        let status = unsafe {
            (self.library.table().run)(
                self.handle.pointer(),
                null(),
                input_names.as_ptr(),
                inputs.as_ptr(),
                1,
                output_names.as_ptr(),
                1,
                &raw mut output,
            )
        };
        let made = Library::owned(output, self.library.table().release_value);
        if let Err(error) = self.library.check(status) {
            if is_ours {
                core::mem::forget(made);
            }
            return Err(error);
        }
        Ok(made)
    }

    /// The scores of an answer: a tensor, or the values of the only map in a sequence.
    fn read(&self, answer: &Owned) -> Result<Vec<f32>, RuntimeError> {
        let library = self.library;
        match library.kind_of_value(answer)? {
            TENSOR => library.floats(answer),
            SEQUENCE => self.read(&library.part(answer, 0)?),
            MAP => library.floats(&library.part(answer, 1)?),
            other => Err(RuntimeError::Output(format!("a value of kind {other}"))),
        }
    }
}

/// How many features go in.
fn features(library: &'static Library, session: &Owned) -> Result<usize, RuntimeError> {
    let count = library.count(session, library.table().input_count)?;
    if count != 1 {
        return Err(RuntimeError::Input(format!("{count} inputs")));
    }
    let kind = library.kind_of(session, library.table().input_type, 0)?;
    match kind.dims[..] {
        [_, features] if kind.element == FLOAT && (1..=65_536).contains(&features) => {
            Ok(features as usize)
        }
        _ => {
            let found = format!("shape {:?} of element type {}", kind.dims, kind.element);
            Err(RuntimeError::Input(found))
        }
    }
}

/// The output that holds scores, and whether it is a map: probabilities rather than labels.
fn scores_name(
    library: &'static Library,
    session: &Owned,
) -> Result<(CString, bool), RuntimeError> {
    for index in (0..library.count(session, library.table().output_count)?).rev() {
        let kind = library.kind_of(session, library.table().output_type, index)?;
        if kind.kind == SEQUENCE || kind.kind == TENSOR && kind.element == FLOAT {
            let name = library.name(session, |table| table.output_name, index)?;
            return Ok((name, kind.kind == SEQUENCE));
        }
    }
    Err(RuntimeError::Output("none".to_owned()))
}

fn text(pointer: *const c_char) -> String {
    // SAFETY: the library hands out null-terminated text.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}
