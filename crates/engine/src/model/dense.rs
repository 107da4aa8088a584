//! A row in; the same row through one fully connected layer out: `alpha · (x · W) + b`.
//!
//! The sum of an output goes over the inputs in order, each product and addition rounded once
//! (fused), and the bias comes last: that is how ONNX Runtime's kernels sum, so networks agree with
//! it to the last bit however large the inputs are. A fused multiplication is fixed by IEEE 754, so
//! every machine gives the same bits; processors without the instruction only take longer.
//!
//! Weights lie input by input, padded to whole registers, so that outputs are summed side by side.

/// Outputs that are summed up in registers at once.
const WIDTH: usize = 16;

/// One layer.
#[derive(Clone, Debug)]
pub struct Dense {
    inputs: usize,
    outputs: usize,
    alpha: f32,
    /// For each block of `WIDTH` outputs, for each input, `WIDTH` weights.
    weights: Vec<[f32; WIDTH]>,
    bias: Vec<[f32; WIDTH]>,
    is_fast: bool,
}

impl Dense {
    /// A layer from `weight(input, output)`, and one bias per output.
    pub fn new(
        inputs: usize,
        outputs: usize,
        weight: impl Fn(usize, usize) -> f32,
        alpha: f32,
        bias: &[f32],
    ) -> Self {
        let blocks = outputs.div_ceil(WIDTH);
        let mut weights = vec![[0.0; WIDTH]; blocks * inputs];
        for output in 0..outputs {
            let (block, lane) = (output / WIDTH, output % WIDTH);
            for input in 0..inputs {
                weights[block * inputs + input][lane] = weight(input, output);
            }
        }
        #[cfg(target_arch = "x86_64")]
        let is_fast = std::arch::is_x86_feature_detected!("avx2")
            && std::arch::is_x86_feature_detected!("fma");
        #[cfg(not(target_arch = "x86_64"))]
        let is_fast = false;
        let none = vec![[0.0; WIDTH]; blocks];
        let mut made = Self { inputs, outputs, alpha, weights, bias: none, is_fast };
        made.set_bias(bias);
        made
    }

    /// How many outputs it has.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Gives a layer without a bias one.
    pub fn set_bias(&mut self, bias: &[f32]) {
        for (output, value) in bias.iter().enumerate() {
            self.bias[output / WIDTH][output % WIDTH] = *value;
        }
    }

    /// Computes the layer.
    #[inline]
    pub fn run(&self, row: &[f32], out: &mut [f32]) {
        #[cfg(target_arch = "x86_64")]
        if self.is_fast {
            // SAFETY: the processor has been asked.
            unsafe { self.run_fast(row, out) };
            return;
        }
        self.run_plain(row, out);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn run_fast(&self, row: &[f32], out: &mut [f32]) {
        self.run_plain(row, out);
    }

    #[inline(always)]
    #[allow(clippy::inline_always, reason = "it is compiled into both callers, once per target")]
    fn run_plain(&self, row: &[f32], out: &mut [f32]) {
        let row = &row[..self.inputs];
        for (block, bias) in self.bias.iter().enumerate() {
            let weights = &self.weights[block * self.inputs..(block + 1) * self.inputs];
            let mut sums = [0.0_f32; WIDTH];
            for (x, weights) in row.iter().zip(weights) {
                for (sum, weight) in sums.iter_mut().zip(weights) {
                    *sum = x.mul_add(*weight, *sum);
                }
            }
            let start = block * WIDTH;
            let count = WIDTH.min(self.outputs - start);
            for (lane, value) in out[start..start + count].iter_mut().enumerate() {
                *value = sums[lane].mul_add(self.alpha, bias[lane]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_machine_gives_the_same_bits(
            weights in prop::collection::vec(-9.0..9.0_f32, 21 * 18),
            row in prop::collection::vec(-1e3..1e3_f32, 21),
        ) {
            let weight = |input: usize, output: usize| weights[input * 18 + output];
            let mut dense = Dense::new(21, 18, weight, 0.5, &[1.0; 18]);
            let (mut here, mut plain) = ([0.0; 18], [0.0; 18]);
            dense.run(&row, &mut here);
            dense.is_fast = false;
            dense.run(&row, &mut plain);
            prop_assert_eq!(here.map(f32::to_bits), plain.map(f32::to_bits));
        }
    }
}
