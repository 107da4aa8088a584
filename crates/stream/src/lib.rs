//! Telemetry in, how unusual it is out: online statistics and detectors, one sample at a time.
//!
//! Each detector keeps a fixed amount of memory, whatever the length of the series, and looks at
//! nothing but the past. A detector turns a value into a *size* (how far off, in its own units);
//! a [`Tail`] turns sizes into surprise, by the history of that very statistic, so that series of
//! any unit and any restlessness can be compared; [`Detector`] puts the surprise of all detectors
//! and metrics together.

mod detector;
mod forecast;
mod innovation;
mod level;
mod metric;
mod scatter;
mod season;
mod shift;
mod silence;
mod tail;
mod template;

pub use detector::{Detector, Refused, Verdict};
pub use forecast::{Forecast, Outlook};
pub use innovation::Innovation;
pub use level::Level;
pub use metric::{Evidence, Kind, Metric};
pub use scatter::Scatter;
pub use season::Season;
pub use shift::Shift;
pub use silence::Silence;
pub use tail::{Sides, Tail};
pub use template::Templates;
