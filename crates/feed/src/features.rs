//! Recorded frames in; the figures that a model would have seen, with what the price did next, out.
//!
//! The frames go through decoder and core as they do live, with an ONNX strategy that has no model:
//! its figures are read off after each frame. So training cannot see another market than trading.

use crate::core::{Core, CoreError};
use crate::input::Input;
use crate::recording::{Recording, RecordingError};
use engine::config::CoreConfig;
use engine::event::Channel;
use engine::model::features::FEATURES;
use std::path::Path;
use values::{MarketId, Nanos, VenueId};

/// Rows of figures, oldest first.
#[derive(Debug, Default)]
pub struct Rows {
    /// When each was seen.
    pub ts_ns: Vec<Nanos>,
    /// The figures, row after row.
    pub figures: Vec<f32>,
    /// The mid price of each row.
    pub mids: Vec<f64>,
    /// For each horizon, the mid price that much later; not a number where the recording ends before.
    pub later: Vec<Vec<f64>>,
}

/// Why there are no rows.
#[derive(Debug, thiserror::Error)]
pub enum FeatureError {
    /// The recording.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// The core.
    #[error(transparent)]
    Core(#[from] CoreError),
    /// The configuration has no ONNX strategy or cannot be traded with.
    #[error("{0}")]
    Config(String),
}

/// Plays a recording at market 0 of `config`; one row at most every `stride_ns`.
///
/// # Errors
/// The recording cannot be read, or the configuration has no ONNX strategy.
pub fn play<P: AsRef<Path>>(
    paths: &[P],
    config: CoreConfig,
    stride_ns: Nanos,
    horizons_ns: &[Nanos],
) -> Result<Rows, FeatureError> {
    let mut core = Core::new(config).map_err(FeatureError::Config)?;
    let mut outputs = Vec::with_capacity(256);
    let (venue, channel) = (VenueId(0), Channel::Market);
    let mut recording = Recording::open(paths)?;
    let (mut rows, mut path) = (Rows::default(), Vec::new());
    let (mut updates, mut next_ns, mut is_begun) = (0, Nanos::MIN, false);
    while let Some(frame) = recording.next()? {
        if !is_begun {
            core.apply(frame.ts_ns, &Input::Started, &mut outputs)?;
            core.apply(frame.ts_ns, &Input::ChannelUp { venue, channel }, &mut outputs)?;
            is_begun = true;
        }
        let input = Input::Frame { venue, channel, bytes: frame.bytes };
        core.apply(frame.ts_ns, &input, &mut outputs)?;
        outputs.clear();
        let Some((_, memory)) = core.engine().models().next() else {
            return Err(FeatureError::Config("expected a strategy of the kind onnx".to_owned()));
        };
        let features = memory.features(MarketId(0));
        if features.updates() == updates {
            continue;
        }
        updates = features.updates();
        path.push((frame.ts_ns, features.mid()));
        if let (Some(row), true) = (features.row(), frame.ts_ns >= next_ns) {
            rows.ts_ns.push(frame.ts_ns);
            rows.figures.extend_from_slice(row);
            rows.mids.push(features.mid());
            next_ns = frame.ts_ns + stride_ns;
        }
    }
    debug_assert_eq!(rows.figures.len(), rows.ts_ns.len() * FEATURES);
    rows.later = horizons_ns.iter().map(|horizon| later(&rows.ts_ns, &path, *horizon)).collect();
    Ok(rows)
}

/// The last price at or before each time plus the horizon.
fn later(times: &[Nanos], path: &[(Nanos, f64)], horizon_ns: Nanos) -> Vec<f64> {
    let end_ns = path.last().map_or(Nanos::MIN, |last| last.0);
    let mut at = 0;
    let mut found = Vec::with_capacity(times.len());
    for time in times {
        let wanted = time + horizon_ns;
        while at + 1 < path.len() && path[at + 1].0 <= wanted {
            at += 1;
        }
        found.push(if wanted > end_ns { f64::NAN } else { path[at].1 });
    }
    found
}
