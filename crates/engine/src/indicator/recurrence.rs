//! Observations in; `y ← decay · y + weight · x` out, eight at a time without waiting for each other.
//!
//! Written plainly, each value waits for the one before it: a multiplication and an addition, eight
//! cycles. A block of eight is computed from its inputs alone instead, by doubling (each value takes
//! in what lies one, then two, then four before it), and the value before the block enters once, by
//! the powers of `decay`. So the chain from block to block is one multiplication and two additions
//! for eight values, and a block is two SIMD registers.
//!
//! One at a time gives the same bits as many at once: both do these operations in this order.
//! Inputs are taken relative to the first of their block, so that a constant series stays exactly
//! what it is, when `decay + weight` is one.

use super::wide;
use serde::{Deserialize, Serialize};

/// Values in a block.
pub const BLOCK: usize = 8;
/// How far each step of the doubling reaches back.
const REACHES: [usize; 3] = [1, 2, 4];

/// A first-order linear recurrence that has begun.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recurrence {
    weight: f64,
    /// `decay` to the power of each of [`REACHES`].
    reaches: [f64; 3],
    /// `decay` to the powers 1 to 8.
    powers: [f64; BLOCK],
    /// The value before the present block.
    anchor: f64,
    /// The first input of the present block.
    origin: f64,
    /// What the steps of the doubling gave so far in the present block.
    seen: [[f64; BLOCK]; 3],
    /// How many of the block are done.
    done: usize,
}

impl Recurrence {
    /// A mean that follows its input by `weight`, a share of 0 to 1, from `value` on.
    pub fn new(weight: f64, value: f64) -> Self {
        let decay = 1.0 - weight;
        let mut powers = [decay; BLOCK];
        for at in 1..BLOCK {
            powers[at] = powers[at - 1] * decay;
        }
        Self {
            weight,
            reaches: [powers[0], powers[1], powers[3]],
            powers,
            anchor: value,
            origin: 0.0,
            seen: [[0.0; BLOCK]; 3],
            done: 0,
        }
    }

    /// Takes in one observation and gives the new value.
    #[inline]
    pub fn update(&mut self, observation: f64) -> f64 {
        let at = self.done;
        if at == 0 {
            self.origin = observation;
        }
        let mut value = self.weight * (observation - self.origin);
        for ((seen, reach), decay) in self.seen.iter_mut().zip(REACHES).zip(self.reaches) {
            seen[at] = value;
            value += decay * if at >= reach { seen[at - reach] } else { 0.0 };
        }
        let value = self.powers[at] * (self.anchor - self.origin) + (value + self.origin);
        self.done = (at + 1) % BLOCK;
        if self.done == 0 {
            self.anchor = value;
        }
        value
    }

    /// Takes in many observations and writes the value after each.
    ///
    /// # Panics
    /// The slices differ in length.
    pub fn update_all(&mut self, observations: &[f64], values: &mut [f64]) {
        assert_eq!(observations.len(), values.len());
        let begun = ((BLOCK - self.done) % BLOCK).min(observations.len());
        let (first, observations) = observations.split_at(begun);
        let (first_values, values) = values.split_at_mut(begun);
        for (&observation, value) in first.iter().zip(first_values) {
            *value = self.update(observation);
        }
        let (whole, rest) = observations.as_chunks::<BLOCK>();
        let (block_values, rest_values) = values.as_chunks_mut::<BLOCK>();
        let mut state = Blocks {
            weight: self.weight,
            reaches: self.reaches,
            powers: &self.powers,
            anchor: &mut self.anchor,
        };
        if !wide::blocks(&mut state, whole, block_values) {
            blocks_in_order(&mut state, whole, block_values);
        }
        for (&observation, value) in rest.iter().zip(rest_values) {
            *value = self.update(observation);
        }
    }
}

/// What whole blocks need of a recurrence.
pub struct Blocks<'a> {
    pub weight: f64,
    pub reaches: [f64; 3],
    pub powers: &'a [f64; BLOCK],
    pub anchor: &'a mut f64,
}

fn blocks_in_order(state: &mut Blocks<'_>, blocks: &[[f64; BLOCK]], values: &mut [[f64; BLOCK]]) {
    for (block, values) in blocks.iter().zip(values) {
        let origin = block[0];
        let relative = block.map(|observation| state.weight * (observation - origin));
        let ones = reach::<1>(&relative, state.reaches[0]);
        let twos = reach::<2>(&ones, state.reaches[1]);
        let fours = reach::<4>(&twos, state.reaches[2]);
        let ahead = *state.anchor - origin;
        for at in 0..BLOCK {
            values[at] = state.powers[at] * ahead + (fours[at] + origin);
        }
        *state.anchor = values[BLOCK - 1];
    }
}

/// Adds to each value `decay` times the one that stands `REACH` before it in the block.
fn reach<const REACH: usize>(values: &[f64; BLOCK], decay: f64) -> [f64; BLOCK] {
    let mut before = [0.0; BLOCK];
    before[REACH..].copy_from_slice(&values[..BLOCK - REACH]);
    core::array::from_fn(|at| values[at] + decay * before[at])
}

#[cfg(test)]
#[allow(clippy::float_cmp)] // The bits are what is tested.
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn many_at_once_give_the_bits_of_one_at_a_time(
            weight in 0.0..=1.0_f64,
            cuts in prop::collection::vec(0..40_usize, 1..6),
            seed in prop::collection::vec(-1e6..1e6_f64, 200),
        ) {
            let (mut one, mut many) = (Recurrence::new(weight, 5.0), Recurrence::new(weight, 5.0));
            let mut plain = 5.0;
            let mut rest = seed.as_slice();
            for cut in cuts {
                let (now, later) = rest.split_at(cut.min(rest.len()));
                rest = later;
                let mut values = vec![0.0; now.len()];
                many.update_all(now, &mut values);
                for (&observation, value) in now.iter().zip(values) {
                    plain += weight * (observation - plain);
                    prop_assert_eq!(one.update(observation).to_bits(), value.to_bits());
                    prop_assert!((value - plain).abs() <= 1e-8, "{} {}", value, plain);
                }
                prop_assert_eq!(&one.anchor, &many.anchor);
            }
        }

        #[test]
        fn wide_registers_give_the_bits_of_narrow_ones(
            weight in 0.0..=1.0_f64,
            blocks in prop::collection::vec(prop::array::uniform8(-1e6..1e6_f64), 1..20),
        ) {
            let recurrence = Recurrence::new(weight, 5.0);
            let run = |is_wide: bool| {
                let mut anchor = 5.0;
                let mut state = Blocks {
                    weight,
                    reaches: recurrence.reaches,
                    powers: &recurrence.powers,
                    anchor: &mut anchor,
                };
                let mut values = vec![[0.0; BLOCK]; blocks.len()];
                if !(is_wide && wide::blocks(&mut state, &blocks, &mut values)) {
                    blocks_in_order(&mut state, &blocks, &mut values);
                }
                (anchor.to_bits(), values.concat().into_iter().map(f64::to_bits).collect::<Vec<_>>())
            };
            prop_assert_eq!(run(true), run(false));
        }

        #[test]
        fn a_constant_stays_exactly_what_it_is(weight in 0.0..=1.0_f64, value in -1e9..1e9_f64) {
            let mut mean = Recurrence::new(weight, value);
            let mut values = [0.0; 100];
            mean.update_all(&[value; 100], &mut values);
            prop_assert_eq!(values, [value; 100]);
        }
    }
}
