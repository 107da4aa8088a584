//! Stand-in until the real indicators are merged.
use serde::{Deserialize, Serialize};
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ema {
    alpha: f64,
    value: Option<f64>,
}
impl Ema {
    pub fn new(n: u32) -> Self {
        Self { alpha: 1.0 - 0.5_f64.powf(1.0 / f64::from(n.max(1))), value: None }
    }
    pub fn update(&mut self, x: f64) -> f64 {
        let v = self.value.map_or(x, |v| v + self.alpha * (x - v));
        self.value = Some(v);
        v
    }
}
