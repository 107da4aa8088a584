//! `prunella._core.Book`: levels as integers of 1e-9, one by one or as arrays, in; the book out.

use engine::book::Book as Levels;
use engine::event::{Level, Side};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use values::{Price, Quantity};

/// Levels that are read from an array before they are applied together.
const BATCH: usize = 64;

/// One market's book; see `prunella.trading.market`.
#[pyclass(module = "prunella._core")]
pub struct Book(Levels);

/// A price and a quantity that a book can hold.
fn level(price: i64, quantity: i64) -> Result<Level, String> {
    if price <= 0 || quantity < 0 {
        return Err(format!(
            "expected a positive price and a quantity of zero or more, found {price} and {quantity}"
        ));
    }
    Ok(Level { price: Price(price), quantity: Quantity(quantity) })
}

/// An array of rows: price, quantity.
fn rows(name: &str, array: &Bound<'_, PyAny>) -> PyResult<PyBuffer<i64>> {
    let expected =
        || format!("{name}: expected a contiguous array of int64 rows (price, quantity)");
    let buffer = PyBuffer::<i64>::get(array).map_err(|_| PyTypeError::new_err(expected()))?;
    let is_sound = buffer.is_c_contiguous() && buffer.shape().len() == 2 && buffer.shape()[1] == 2;
    if !is_sound {
        return Err(PyValueError::new_err(format!(
            "{}, found shape {:?}",
            expected(),
            buffer.shape()
        )));
    }
    Ok(buffer)
}

impl Book {
    fn apply_side(&mut self, name: &str, side: Side, array: &Bound<'_, PyAny>) -> PyResult<()> {
        let buffer = rows(name, array)?;
        if buffer.item_count() == 0 {
            return Ok(());
        }
        // SAFETY: contiguous int64 of this many items, kept alive by the buffer; the interpreter is
        // held and runs no Python meanwhile, so nobody writes.
        let numbers = unsafe {
            core::slice::from_raw_parts(buffer.buf_ptr().cast::<i64>(), buffer.item_count())
        };
        let mut batch = [Level { price: Price(0), quantity: Quantity(0) }; BATCH];
        for (number, chunk) in numbers.chunks(2 * BATCH).enumerate() {
            let (pairs, _) = chunk.as_chunks::<2>();
            for (at, (slot, pair)) in batch.iter_mut().zip(pairs).enumerate() {
                *slot = level(pair[0], pair[1]).map_err(|text| {
                    let row = number * BATCH + at;
                    PyValueError::new_err(format!("{name}, row {row}: {text}"))
                })?;
            }
            match side {
                Side::Buy => self.0.apply(&batch[..pairs.len()], &[]),
                Side::Sell => self.0.apply(&[], &batch[..pairs.len()]),
            }
        }
        Ok(())
    }

    fn side(&self, side: Side, limit: usize) -> Vec<(i64, i64)> {
        self.0.levels(side).take(limit).map(|level| (level.price.0, level.quantity.0)).collect()
    }

    fn best(&self, side: Side) -> Option<(i64, i64)> {
        self.0.best(side).map(|level| (level.price.0, level.quantity.0))
    }
}

#[pymethods]
impl Book {
    #[new]
    fn new() -> Self {
        Self(Levels::new())
    }

    /// Sets the quantity at a price; zero removes the level.
    fn set(&mut self, buy: bool, price: i64, quantity: i64) -> PyResult<()> {
        let level = level(price, quantity).map_err(PyValueError::new_err)?;
        self.0.set(if buy { Side::Buy } else { Side::Sell }, level);
        Ok(())
    }

    /// Sets many levels of both sides, in order.
    fn apply(&mut self, bids: &Bound<'_, PyAny>, asks: &Bound<'_, PyAny>) -> PyResult<()> {
        self.apply_side("bids", Side::Buy, bids)?;
        self.apply_side("asks", Side::Sell, asks)
    }

    /// Forgets every level.
    fn clear(&mut self) {
        self.0.clear();
    }

    #[getter]
    fn best_bid(&self) -> Option<(i64, i64)> {
        self.best(Side::Buy)
    }

    #[getter]
    fn best_ask(&self) -> Option<(i64, i64)> {
        self.best(Side::Sell)
    }

    #[getter]
    fn is_crossed(&self) -> bool {
        self.0.is_crossed()
    }

    #[getter]
    fn microprice(&self) -> Option<i64> {
        self.0.microprice().map(|price| price.0)
    }

    /// `(bids − asks) / (bids + asks)` over the best levels, in parts per million.
    fn imbalance_ppm(&self, levels: usize) -> Option<i64> {
        self.0.imbalance_ppm(levels)
    }

    /// The best bids, best first.
    fn bids(&self, limit: usize) -> Vec<(i64, i64)> {
        self.side(Side::Buy, limit)
    }

    /// The best asks, best first.
    fn asks(&self, limit: usize) -> Vec<(i64, i64)> {
        self.side(Side::Sell, limit)
    }

    /// How many levels each side has.
    fn depth(&self) -> (usize, usize) {
        (self.0.depth(Side::Buy), self.0.depth(Side::Sell))
    }

    /// SHA-256 of the book's lines; two books are the same exactly when their digests are.
    fn digest(&self) -> [u8; 32] {
        self.0.digest()
    }
}
