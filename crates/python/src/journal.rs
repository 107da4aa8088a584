//! The journal and its Merkle tree for Python: `prunella.journal`.

use std::path::PathBuf;

use journal::merkle::{self, Hash, Tree};
use journal::retain::{self, Keep};
use journal::{Durability, JournalError, Options, Reader, SEGMENT_BYTES, TornTail, Writer};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

/// See `prunella.journal.log`.
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
        let options = Options::new(segment_bytes, durability);
        let opened = py.detach(|| Writer::open(&folder, options));
        let (writer, recovery) = opened.map_err(|error| refuse(py, &error))?;
        Ok(Self { writer: Some(writer), cut: recovery.cut.as_ref().map(describe) })
    }

    fn append(&mut self, py: Python<'_>, ts_ns: i64, kind: u16, payload: &[u8]) -> PyResult<u64> {
        self.open()?.append(ts_ns, kind, &[payload]).map_err(|error| refuse(py, &error))
    }

    /// Waits for the disk, without the interpreter's lock.
    fn sync(&mut self, py: Python<'_>) -> PyResult<()> {
        let writer = self.open()?;
        py.detach(|| writer.sync()).map_err(|error| refuse(py, &error))
    }

    #[getter]
    fn last_seq(&mut self) -> PyResult<u64> {
        Ok(self.open()?.last_seq())
    }

    #[getter]
    fn chain<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.open()?.chain()))
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

/// See `prunella.journal.log`.
#[pyclass(module = "prunella._core")]
pub struct JournalReader {
    reader: Reader,
}

#[pymethods]
impl JournalReader {
    #[new]
    #[pyo3(signature = (folder, from_seq = None))]
    #[allow(clippy::needless_pass_by_value)] // Python hands over a path of its own.
    fn new(py: Python<'_>, folder: PathBuf, from_seq: Option<u64>) -> PyResult<Self> {
        let opened = match from_seq {
            None => Reader::open(&folder),
            Some(seq) => Reader::from(&folder, seq),
        };
        Ok(Self { reader: opened.map_err(|error| refuse(py, &error))? })
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&mut self, py: Python<'py>) -> PyResult<Option<PyEntry<'py>>> {
        let entry = self.reader.next().map_err(|error| refuse(py, &error))?;
        Ok(entry.map(|entry| {
            let (payload, chain) =
                (PyBytes::new(py, entry.payload), PyBytes::new(py, &entry.chain));
            (entry.seq, entry.ts_ns, entry.kind, payload, chain)
        }))
    }

    fn check_end(&mut self, py: Python<'_>) -> PyResult<()> {
        self.reader.check_end().map_err(|error| refuse(py, &error))
    }

    #[getter]
    fn last_seq(&self) -> u64 {
        self.reader.last_seq()
    }

    #[getter]
    fn torn(&self) -> Option<String> {
        self.reader.torn().map(describe)
    }
}

/// See `prunella.journal.merkle`.
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

    #[pyo3(signature = (size = None))]
    fn root<'py>(&self, py: Python<'py>, size: Option<u64>) -> PyResult<Bound<'py, PyBytes>> {
        let size = size.unwrap_or(self.tree.size());
        let root = self.tree.root_at(size).ok_or_else(|| self.beyond(size))?;
        Ok(PyBytes::new(py, &root))
    }

    fn inclusion_proof<'py>(
        &self,
        py: Python<'py>,
        index: u64,
        size: u64,
    ) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let proof = self.tree.inclusion_proof(index, size).ok_or_else(|| {
            let leaves = self.tree.size();
            PyValueError::new_err(format!("no leaf {index} in {size} leaves of {leaves}"))
        })?;
        Ok(proof.iter().map(|hash| PyBytes::new(py, hash)).collect())
    }

    fn consistency_proof<'py>(
        &self,
        py: Python<'py>,
        old: u64,
        new: u64,
    ) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let proof = self.tree.consistency_proof(old, new).ok_or_else(|| {
            let leaves = self.tree.size();
            PyValueError::new_err(format!("no growth from {old} to {new} of {leaves} leaves"))
        })?;
        Ok(proof.iter().map(|hash| PyBytes::new(py, hash)).collect())
    }
}

impl MerkleTree {
    fn beyond(&self, size: u64) -> PyErr {
        let leaves = self.tree.size();
        PyValueError::new_err(format!("asked for a tree of {size} leaves, there are {leaves}"))
    }
}

/// Checks a whole journal; `progress` hears the last entry checked and may raise to end the check.
#[pyfunction]
#[pyo3(signature = (folder, *, progress))]
#[allow(clippy::needless_pass_by_value)] // Python hands over objects of its own.
pub fn check_journal(
    py: Python<'_>,
    folder: PathBuf,
    progress: Py<PyAny>,
) -> PyResult<Bound<'_, PyDict>> {
    let mut raised = None;
    let go_on = |seq: u64| {
        let told = Python::attach(|py| {
            py.check_signals()?;
            progress.call1(py, (seq,)).map(drop)
        });
        raised = told.err();
        raised.is_none()
    };
    let checked = py.detach(|| journal::verify(&folder, go_on));
    let found = PyDict::new(py);
    let Some(checked) = checked.map_err(|error| refuse(py, &error))? else {
        return Err(raised.unwrap_or_else(|| PyValueError::new_err("the check was ended")));
    };
    found.set_item("first_seq", checked.first_seq)?;
    found.set_item("last_seq", checked.last_seq)?;
    found.set_item("chain", PyBytes::new(py, &checked.chain))?;
    found.set_item("payload_bytes", checked.payload_bytes)?;
    found.set_item("snapshots", checked.snapshots)?;
    found.set_item("torn", checked.torn.as_ref().map(describe))?;
    found.set_item("problems", checked.problems)?;
    Ok(found)
}

/// The segments kept, oldest first: first entry, its time (`None` without entries), bytes.
#[pyfunction]
#[allow(clippy::needless_pass_by_value)] // Python hands over a path of its own.
pub fn list_segments(py: Python<'_>, folder: PathBuf) -> PyResult<Vec<(u64, Option<i64>, u64)>> {
    let listed = py.detach(|| retain::list(&folder)).map_err(|error| refuse(py, &error))?;
    Ok(listed.iter().map(|one| (one.first_seq, one.first_ns, one.bytes)).collect())
}

/// Removes old segments of a journal at rest: how many, their bytes, the first entry kept.
#[pyfunction]
#[pyo3(signature = (folder, *, keep_bytes, since_ns))]
#[allow(clippy::needless_pass_by_value)] // Python hands over a path of its own.
pub fn prune_segments(
    py: Python<'_>,
    folder: PathBuf,
    keep_bytes: Option<u64>,
    since_ns: Option<i64>,
) -> PyResult<(usize, u64, u64)> {
    let keep = Keep { bytes: keep_bytes, since_ns };
    let pruned = py.detach(|| retain::prune_at_rest(&folder, keep));
    let pruned = pruned.map_err(|error| refuse(py, &error))?;
    Ok((pruned.segments, pruned.bytes, pruned.first_seq))
}

/// The leaf hash of RFC 9162.
#[pyfunction]
pub fn merkle_leaf<'py>(py: Python<'py>, data: &[u8]) -> Bound<'py, PyBytes> {
    PyBytes::new(py, &merkle::leaf_hash(data))
}

/// Whether the leaf is at `index` of the tree with this size and root.
#[pyfunction]
#[allow(clippy::needless_pass_by_value)] // Python hands over a list of its own.
pub fn verify_inclusion(leaf: Hash, index: u64, size: u64, proof: Vec<Hash>, root: Hash) -> bool {
    merkle::verify_inclusion(&leaf, index, size, &proof, &root)
}

/// Whether the tree of `new` leaves begins with the tree of `old`.
#[pyfunction]
#[allow(clippy::needless_pass_by_value)] // Python hands over a list of its own.
pub fn verify_consistency(
    old: u64,
    new: u64,
    old_root: Hash,
    new_root: Hash,
    proof: Vec<Hash>,
) -> bool {
    merkle::verify_consistency(old, new, &old_root, &new_root, &proof)
}

fn describe(torn: &TornTail) -> String {
    let TornTail { segment, seq, offset, found, expected } = torn;
    let segment = segment.display();
    format!("{segment}: entry {seq} at byte {offset}: found {found}, expected {expected}")
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
