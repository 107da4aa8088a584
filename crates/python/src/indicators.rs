//! `prunella._core`'s indicators: numbers, or arrays by the buffer protocol, in; figures out.
//!
//! Arrays are read and written where they lie. The Python face, with what each means, is
//! `prunella.indicators`.

use engine::indicator::{self, Indicator, RefusedAt};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

fn invalid(error: impl core::fmt::Display) -> PyErr {
    PyValueError::new_err(error.to_string())
}

/// Equally long arrays of float64, the last of them to be written.
struct Arrays {
    read: Vec<PyBuffer<f64>>,
    written: Vec<PyBuffer<f64>>,
    rows: usize,
}

impl Arrays {
    fn new(
        read: &[Bound<'_, PyAny>],
        written: &[Bound<'_, PyAny>],
        width: usize,
    ) -> PyResult<Self> {
        let open = |array: &Bound<'_, PyAny>| PyBuffer::<f64>::get(array);
        let read = read.iter().map(open).collect::<PyResult<Vec<_>>>()?;
        let written = written.iter().map(open).collect::<PyResult<Vec<_>>>()?;
        let rows = written.first().map_or(0, |array| array.item_count());
        let is_whole = |array: &PyBuffer<f64>| array.is_c_contiguous();
        let is_sound = read.iter().all(|a| is_whole(a) && a.item_count() == rows * width)
            && written.iter().all(|a| is_whole(a) && a.item_count() == rows && !a.readonly());
        if !is_sound {
            return Err(invalid("expected equally long contiguous arrays"));
        }
        let arrays = Self { read, written, rows };
        if arrays.overlap() {
            return Err(invalid("expected arrays to write that share no memory with others"));
        }
        Ok(arrays)
    }

    fn overlap(&self) -> bool {
        let span = |array: &PyBuffer<f64>| {
            let begin = array.buf_ptr() as usize;
            (begin, begin + array.len_bytes())
        };
        self.written.iter().enumerate().any(|(at, one)| {
            let (begin, end) = span(one);
            let others = self.read.iter().chain(&self.written[..at]);
            others.map(span).any(|(other_begin, other_end)| begin < other_end && other_begin < end)
        })
    }

    /// The arrays as slices. The interpreter is held and runs no Python meanwhile, so nobody else
    /// writes.
    fn slices(&mut self) -> (Vec<&[f64]>, Vec<&mut [f64]>) {
        if self.rows == 0 {
            return (self.read.iter().map(|_| [].as_slice()).collect(), Vec::new());
        }
        let read = self.read.iter().map(|array| {
            // SAFETY: contiguous float64 of this many items, kept alive by the buffer; see above.
            unsafe {
                core::slice::from_raw_parts(array.buf_ptr().cast::<f64>(), array.item_count())
            }
        });
        let written = self.written.iter().map(|array| {
            // SAFETY: as above; writable, and `overlap` found nothing else in this memory.
            unsafe { core::slice::from_raw_parts_mut(array.buf_ptr().cast::<f64>(), self.rows) }
        });
        (read.collect(), written.collect())
    }
}

/// Updates an indicator by whole arrays. Rows that begin with NaN are another indicator's warm-up
/// and are passed over.
fn fill<const IN: usize, const OUT: usize>(
    inner: &mut impl Indicator<IN, OUT>,
    read: &[Bound<'_, PyAny>],
    written: &[Bound<'_, PyAny>],
) -> PyResult<()> {
    let mut arrays = Arrays::new(read, written, 1)?;
    if arrays.rows == 0 {
        return Ok(());
    }
    let (read, written) = arrays.slices();
    let counts = |_| invalid(format!("expected {IN} arrays to read and {OUT} to write"));
    let read: [&[f64]; IN] = read.try_into().map_err(counts)?;
    let counts = |_| invalid(format!("expected {IN} arrays to read and {OUT} to write"));
    let written: [&mut [f64]; OUT] = written.try_into().map_err(counts)?;
    let empty = |column: &[f64]| column.iter().take_while(|x| x.is_nan()).count();
    let first = read.iter().map(|column| empty(column)).max().unwrap_or(0);
    let read = read.map(|column| &column[first..]);
    let written = written.map(|column| {
        let (warming, rest) = column.split_at_mut(first);
        warming.fill(f64::NAN);
        rest
    });
    inner
        .update_all(read, written)
        .map_err(|RefusedAt { index, reason }| invalid(RefusedAt { index: index + first, reason }))
}

/// A class around an indicator: its constructor's and its observation's parameters, its figures.
macro_rules! indicator_class {
    ($name:ident, ($($part:ident: $kind:ty),*), $signature:tt, $new:expr,
     ($($field:ident),+), $answer:ty, $pick:expr) => {
        /// See `prunella.indicators`.
        #[pyclass(module = "prunella._core")]
        pub struct $name(indicator::$name);

        #[pymethods]
        impl $name {
            #[new]
            #[pyo3(signature = $signature)]
            fn new($($part: $kind),*) -> PyResult<Self> {
                let made: Result<_, indicator::Refused> = $new;
                made.map(Self).map_err(invalid)
            }

            /// Takes in one observation; `None` while there were too few.
            fn update(&mut self, $($field: f64),+) -> PyResult<Option<$answer>> {
                let found = self.0.update([$($field),+]).map_err(invalid)?;
                Ok(found.map($pick))
            }

            /// Forgets every observation.
            fn reset(&mut self) {
                self.0.reset();
            }

            /// Takes in many observations by column and writes the figures after each.
            #[allow(clippy::needless_pass_by_value)] // Python hands over lists of its own.
            fn fill(
                &mut self,
                observations: Vec<Bound<'_, PyAny>>,
                figures: Vec<Bound<'_, PyAny>>,
            ) -> PyResult<()> {
                fill(&mut self.0, &observations, &figures)
            }
        }
    };
}

fn only([value]: [f64; 1]) -> f64 {
    value
}

type Three = (f64, f64, f64);

indicator_class!(Sma, (period: usize), (period), indicator::Sma::new(period), (value), f64, only);
indicator_class!(Ema, (period: usize), (period), indicator::Ema::new(period), (value), f64, only);
indicator_class!(
    Rsi, (period: usize), (period = 14), indicator::Rsi::new(period), (close), f64, only
);
indicator_class!(
    Macd, (fast: usize, slow: usize, signal: usize), (fast = 12, slow = 26, signal = 9),
    indicator::Macd::new(fast, slow, signal), (close), Three, Three::from
);
indicator_class!(
    Bollinger, (period: usize, width: f64), (period = 20, width = 2.0),
    indicator::Bollinger::new(period, width), (close), Three, Three::from
);
indicator_class!(
    Atr, (period: usize), (period = 14), indicator::Atr::new(period), (high, low, close), f64, only
);
indicator_class!(
    Vwap, (period: Option<usize>), (period = None),
    period.map_or_else(|| Ok(indicator::Vwap::session()), indicator::Vwap::rolling),
    (price, volume), f64, only
);
indicator_class!(
    RealisedVolatility, (period: usize, periods_per_year: f64),
    (period = 20, periods_per_year = 1.0),
    indicator::RealisedVolatility::new(period, periods_per_year), (close), f64, only
);
indicator_class!(
    Microprice,
    (),
    (),
    Ok(indicator::Microprice),
    (bid, bid_quantity, ask, ask_quantity),
    f64,
    only
);

/// Book imbalance of many rows of `width` levels each, of which the first `levels` count.
#[pyfunction]
pub fn fill_imbalance(
    bids: Bound<'_, PyAny>,
    asks: Bound<'_, PyAny>,
    width: usize,
    levels: usize,
    figures: Bound<'_, PyAny>,
) -> PyResult<()> {
    if levels == 0 || levels > width {
        return Err(invalid(format!("levels: expected 1 to {width}, found {levels}")));
    }
    let mut arrays = Arrays::new(&[bids, asks], &[figures], width)?;
    let (read, mut written) = arrays.slices();
    let Some(figures) = written.first_mut() else { return Ok(()) };
    indicator::imbalance_of_rows([read[0], read[1]], width, levels, figures).map_err(invalid)
}
