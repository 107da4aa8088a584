//! The blocks of a [`Recurrence`] in registers of four; loops of others compiled for such registers.
//!
//! The same operations in the same order as without, and so the same bits: no fused multiply-add.

use super::recurrence::{BLOCK, Blocks};

/// Runs a piece of work, compiled for wide registers where the processor has them.
#[inline]
pub fn wide<R>(work: impl FnOnce() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2")]
        fn compiled_wide<R>(work: impl FnOnce() -> R) -> R {
            work()
        }
        if is_wide() {
            // SAFETY: the processor has AVX2.
            return unsafe { compiled_wide(work) };
        }
    }
    work()
}

#[cfg(target_arch = "x86_64")]
fn is_wide() -> bool {
    std::arch::is_x86_feature_detected!("avx2")
}

/// Whole blocks from the beginning of one; `false`: nothing was done, the
/// processor has no such registers.
#[cfg(not(target_arch = "x86_64"))]
pub fn blocks(_: &mut Blocks<'_>, _: &[[f64; BLOCK]], _: &mut [[f64; BLOCK]]) -> bool {
    false
}

/// Whole blocks from the beginning of one; `false`: nothing was done, the
/// processor has no such registers.
#[cfg(target_arch = "x86_64")]
pub fn blocks(
    state: &mut Blocks<'_>,
    blocks: &[[f64; BLOCK]],
    values: &mut [[f64; BLOCK]],
) -> bool {
    if is_wide() {
        // SAFETY: the processor has AVX2.
        unsafe { x86::blocks(state, blocks, values) };
    }
    is_wide()
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{BLOCK, Blocks};
    use core::arch::x86_64::{
        __m256d, _mm256_add_pd, _mm256_cvtsd_f64, _mm256_mul_pd, _mm256_permute2f128_pd,
        _mm256_permute4x64_pd, _mm256_set1_pd, _mm256_setr_pd, _mm256_setzero_pd,
        _mm256_shuffle_pd, _mm256_storeu_pd, _mm256_sub_pd,
    };

    #[target_feature(enable = "avx2")]
    pub fn blocks(state: &mut Blocks<'_>, blocks: &[[f64; BLOCK]], values: &mut [[f64; BLOCK]]) {
        let weight = _mm256_set1_pd(state.weight);
        let [one, two, four] = state.reaches.map(|decay| _mm256_set1_pd(decay));
        let (low_powers, high_powers) = halves(state.powers);
        let mut anchor = _mm256_set1_pd(*state.anchor);
        for (block, values) in blocks.iter().zip(values) {
            let origin = _mm256_set1_pd(block[0]);
            let (low, high) = halves(block);
            let low = _mm256_mul_pd(weight, _mm256_sub_pd(low, origin));
            let high = _mm256_mul_pd(weight, _mm256_sub_pd(high, origin));
            // What lies two before: the two low ones of the first half have nothing there.
            let (low_two, high_two) = (
                _mm256_permute2f128_pd::<0x08>(low, low),
                _mm256_permute2f128_pd::<0x21>(low, high),
            );
            let (low_one, high_one) = (
                _mm256_shuffle_pd::<0b0101>(low_two, low),
                _mm256_shuffle_pd::<0b0101>(high_two, high),
            );
            let (low, high) = (add(low, one, low_one), add(high, one, high_one));
            let (low_two, high_two) = (
                _mm256_permute2f128_pd::<0x08>(low, low),
                _mm256_permute2f128_pd::<0x21>(low, high),
            );
            let (low, high) = (add(low, two, low_two), add(high, two, high_two));
            let (low, high) = (_mm256_add_pd(low, _mm256_setzero_pd()), add(high, four, low));
            let (low, high) = (_mm256_add_pd(low, origin), _mm256_add_pd(high, origin));
            let ahead = _mm256_sub_pd(anchor, origin);
            let high = _mm256_add_pd(_mm256_mul_pd(high_powers, ahead), high);
            let low = _mm256_add_pd(_mm256_mul_pd(low_powers, ahead), low);
            let (low_values, high_values) = values.split_at_mut(BLOCK / 2);
            // SAFETY: each half holds four.
            unsafe {
                _mm256_storeu_pd(low_values.as_mut_ptr(), low);
                _mm256_storeu_pd(high_values.as_mut_ptr(), high);
            }
            anchor = _mm256_permute4x64_pd::<0b1111_1111>(high);
        }
        *state.anchor = _mm256_cvtsd_f64(anchor);
    }

    #[target_feature(enable = "avx2")]
    fn add(values: __m256d, decay: __m256d, before: __m256d) -> __m256d {
        _mm256_add_pd(values, _mm256_mul_pd(decay, before))
    }

    #[target_feature(enable = "avx2")]
    fn halves(block: &[f64; BLOCK]) -> (__m256d, __m256d) {
        let four =
            |at: usize| _mm256_setr_pd(block[at], block[at + 1], block[at + 2], block[at + 3]);
        (four(0), four(4))
    }
}
