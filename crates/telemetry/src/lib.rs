//! What other programs send by OpenTelemetry's protocol (OTLP) in; series with their last values out.
//!
//! Requests are walked where they lie: nothing is decoded into objects but the names of a series
//! that is seen for the first time. Of a series the last value is kept and handed out by
//! [`Intake::drain`], so that a program may send a million points a second and the plane behind sees
//! as many as it can use.
//!
//! Source: the schemas of opentelemetry-proto 1.x (`metrics.proto`, `logs.proto`, `trace.proto`).

mod intake;
mod name;
mod series;
mod walk;
mod wire;

pub use intake::{Intake, Taken};
pub use series::{Change, Label, Series};
pub use wire::Malformed;
