//! AVX-512 for one row: all questions of a group at once, in the form of [`Rows`], then one walk down each tree over the
//! answers. Why it is sound is said in [`super`].
#![allow(unsafe_code)] // Intrinsics on raw addresses and on instructions that the build does not assume.

use crate::trees::columns::{By, Group};
use crate::trees::number::Number;
use crate::trees::rows::{RUN, Rows};
use std::arch::x86_64::*;

/// Answers all questions for one row: a byte each, 1 for yes.
///
/// # Safety
/// The form is sound for these keys; there is an answer for each question.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) unsafe fn answer_row_u32(form: &Rows<f32>, keys: &[u32], answers: &mut [u8]) {
    // SAFETY: as the caller promised.
    unsafe {
        for (run, column) in form.columns.iter().enumerate() {
            let key = _mm512_set1_epi32(keys.get_unchecked(*column as usize).cast_signed());
            let from = _mm512_loadu_si512(form.from.as_ptr().add(run * RUN).cast());
            let length = _mm512_loadu_si512(form.length.as_ptr().add(run * RUN).cast());
            let yes = _mm512_cmplt_epu32_mask(_mm512_sub_epi32(key, from), length);
            let bytes = _mm_maskz_set1_epi8(yes, 1);
            _mm_storeu_si128(answers.as_mut_ptr().add(run * RUN).cast(), bytes);
        }
        for (place, column, ask) in &form.more {
            let yes = ask.holds(*keys.get_unchecked(*column as usize));
            *answers.get_unchecked_mut(usize::from(*place)) |= u8::from(yes);
        }
    }
}

/// As [`answer_row_u32`].
///
/// # Safety
/// As there.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) unsafe fn answer_row_u64(form: &Rows<f64>, keys: &[u64], answers: &mut [u8]) {
    // SAFETY: as the caller promised.
    unsafe {
        for (run, column) in form.columns.iter().enumerate() {
            let key = _mm512_set1_epi64(keys.get_unchecked(*column as usize).cast_signed());
            let half = |at: usize| {
                let from = _mm512_loadu_si512(form.from.as_ptr().add(at).cast());
                let length = _mm512_loadu_si512(form.length.as_ptr().add(at).cast());
                _mm512_cmplt_epu64_mask(_mm512_sub_epi64(key, from), length)
            };
            let yes = u16::from(half(run * RUN)) | u16::from(half(run * RUN + 8)) << 8;
            let bytes = _mm_maskz_set1_epi8(yes, 1);
            _mm_storeu_si128(answers.as_mut_ptr().add(run * RUN).cast(), bytes);
        }
        for (place, column, ask) in &form.more {
            let yes = ask.holds(*keys.get_unchecked(*column as usize));
            *answers.get_unchecked_mut(usize::from(*place)) |= u8::from(yes);
        }
    }
}

/// Walks each tree over the answers.
///
/// # Safety
/// The group and these levels are sound, there is an answer for each place, and all trees are perfect.
pub(super) unsafe fn walk_row<T: Number>(
    group: &Group<T>,
    levels: &[u16],
    answers: &[u8],
    mut add: impl FnMut(usize, T),
) {
    for shape in &group.trees {
        let By::Select(first) = shape.by else { continue };
        let mut at = 0;
        for level in 0..u32::from(shape.bits) {
            let node = first as usize + (1 << level) - 1 + at;
            // SAFETY: as the caller promised.
            let yes = unsafe { *answers.get_unchecked(usize::from(*levels.get_unchecked(node))) };
            at = 2 * at + usize::from(yes);
        }
        // SAFETY: as the caller promised.
        unsafe {
            for output in group.outputs.get_unchecked(shape.outputs.0 as usize..shape.outputs.1 as usize) {
                add(output.target as usize, *group.tables.get_unchecked(output.table as usize + at));
            }
        }
    }
}
