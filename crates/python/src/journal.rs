//! The journal and its Merkle tree for Python: `prunella.journal`.

use journal::merkle::{self, Tree};
use journal::{Durability, JournalError, Options, Reader, SEGMENT_BYTES, Writer};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::path::PathBuf;

/// See `prunella.journal`.
#[pyclass(module = "prunella._core")]
pub struct JournalWriter {
    /// `None` once closed.
    writer: Option<Writer>,
    #[pyo3(get)]
    cut: Option<String>,
}

#[pymethods]
impl JournalWriter {
    #[new]
    #[pyo3(signature = (folder, *, power = false, segment_bytes = SEGMENT_BYTES))]
    #[allow(clippy::needless_pass_by_value)] // Python hands over a path of its own.
    fn new(py: Python<'_>, folder: PathBuf, power: bool, segment_bytes: usize) -> PyResult<Self> {
        let durability = if power { Durability::Power } else { Durability::Process };
        let options = Options { segment_bytes, durability };
        let (writer, recovery) = Writer::open(&folder, options).map_err(|e| refuse(py, &e))?;
        let cut = recovery.cut.map(|torn| {
            format!(
                "{}: entry {} at byte {}: found {}",
                torn.segment.display(),
                torn.seq,
                torn.offset,
                torn.found
            )
        });
        Ok(Self { writer: Some(writer), cut })
    }

    fn append(&mut self, py: Python<'_>, ts_ns: i64, kind: u16, payload: &[u8]) -> PyResult<u64> {
        self.open()?.append(ts_ns, kind, &[payload]).map_err(|e| refuse(py, &e))
    }

    fn sync(&mut self, py: Python<'_>) -> PyResult<()> {
        self.open()?.sync().map_err(|e| refuse(py, &e))
    }

    #[getter]
    fn last_seq(&mut self) -> PyResult<u64> {
        Ok(self.open()?.last_seq())
    }

    fn close(&mut self) {
        self.writer = None;
    }
}

impl JournalWriter {
    fn open(&mut self) -> PyResult<&mut Writer> {
        self.writer.as_mut().ok_or_else(|| PyValueError::new_err("the journal is closed"))
    }
}

type PyEntry<'py> = (u64, i64, u16, Bound<'py, PyBytes>, Bound<'py, PyBytes>);

/// See `prunella.journal`.
#[pyclass(module = "prunella._core")]
pub struct JournalReader {
    reader: Reader,
}

#[pymethods]
impl JournalReader {
    #[new]
    #[pyo3(signature = (folder, from_seq = 1))]
    #[allow(clippy::needless_pass_by_value)] // Python hands over a path of its own.
    fn new(py: Python<'_>, folder: PathBuf, from_seq: u64) -> PyResult<Self> {
        let reader = Reader::from(&folder, from_seq).map_err(|e| refuse(py, &e))?;
        Ok(Self { reader })
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&mut self, py: Python<'py>) -> PyResult<Option<PyEntry<'py>>> {
        let entry = self.reader.next().map_err(|e| refuse(py, &e))?;
        Ok(entry.map(|e| {
            let (payload, chain) = (PyBytes::new(py, e.payload), PyBytes::new(py, &e.chain));
            (e.seq, e.ts_ns, e.kind, payload, chain)
        }))
    }

    /// Refuses a tail that is damage rather than torn.
    fn check_end(&mut self, py: Python<'_>) -> PyResult<()> {
        self.reader.check_end().map_err(|e| refuse(py, &e))
    }
}

/// See `prunella.journal`.
#[pyclass(module = "prunella._core")]
pub struct MerkleTree {
    tree: Tree,
}

#[pymethods]
impl MerkleTree {
    #[new]
    fn new() -> Self {
        Self { tree: Tree::new() }
    }

    fn append(&mut self, data: &[u8]) -> u64 {
        self.tree.append(merkle::leaf_hash(data))
    }

    fn __len__(&self) -> usize {
        self.tree.size() as usize
    }

    fn root<'py>(&self, py: Python<'py>, size: u64) -> PyResult<Bound<'py, PyBytes>> {
        let root = self.tree.root_at(size).ok_or_else(|| beyond(size, self.tree.size()))?;
        Ok(PyBytes::new(py, &root))
    }

    fn inclusion_proof(&self, index: u64, size: u64) -> PyResult<Vec<[u8; 32]>> {
        self.tree.inclusion_proof(index, size).ok_or_else(|| beyond(size, self.tree.size()))
    }

    fn consistency_proof(&self, old: u64, new: u64) -> PyResult<Vec<[u8; 32]>> {
        self.tree.consistency_proof(old, new).ok_or_else(|| beyond(new, self.tree.size()))
    }
}

/// The leaf hash of RFC 9162.
#[pyfunction]
pub fn merkle_leaf<'py>(py: Python<'py>, data: &[u8]) -> Bound<'py, PyBytes> {
    PyBytes::new(py, &merkle::leaf_hash(data))
}

/// Whether the leaf is at `index` of the tree with this size and root.
#[pyfunction]
#[allow(clippy::needless_pass_by_value)] // Python hands over a list of its own.
pub fn verify_inclusion(
    leaf: [u8; 32],
    index: u64,
    size: u64,
    proof: Vec<[u8; 32]>,
    root: [u8; 32],
) -> bool {
    merkle::verify_inclusion(&leaf, index, size, &proof, &root)
}

fn beyond(asked: u64, size: u64) -> PyErr {
    PyValueError::new_err(format!("asked for a tree of {asked} leaves, there are {size}"))
}

/// Makes `prunella.errors.JournalError` of a journal's error.
pub fn refuse(py: Python<'_>, error: &JournalError) -> PyErr {
    let made = py
        .import("prunella.errors")
        .and_then(|errors| errors.getattr("JournalError"))
        .and_then(|class| class.call1((error.to_string(),)));
    match made {
        Ok(value) => PyErr::from_value(value),
        Err(missing) => missing,
    }
}
