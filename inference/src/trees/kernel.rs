//! AVX-512 over the block form of [`super::columns`]. What it does is written there; here is how,
//! on 512 rows at once, and nothing but whole-vector loads and stores and unchecked positions needs `unsafe`.
//!
//! Why it is sound: a group proves its own positions when it is compiled ([`Sound::new`]), and every entry checks the lengths
//! of what it is given and that the machine has the instructions. Bits are those of [`super::Ensemble::answer`]: questions are
//! exact on integers, and each row's weights are added in the order of the trees, in the same precision.
#![allow(unsafe_code)] // Intrinsics on raw addresses and on instructions that the build does not assume.

use super::columns::{By, Group, MAX_SLOTS, Shape, Step};
use super::lanes::{Answers, Lanes, Masks, Sound, SoundTerms, Sums, Vectors};
use super::number::Number;
use super::plain;
use super::questions::{Asked, BLOCK, Column, Mask, Questions};
use super::shap::{MAX_BITS, SLOTS, Step as Term, Terms, table_len};
use row::{answer_row_u32, answer_row_u64, walk_row};
use std::arch::x86_64::*;

mod row;

/// Leaf numbers of a block.
#[repr(align(64))]
struct Numbers([u8; BLOCK]);

macro_rules! lanes {
    ($number:ty, $key:ty, $group:ident, $ask_all:ident, $ask:ident, $weights:ident, $answer_row:ident) => {
        impl Lanes for $number {
            fn run(
                vectors: Vectors,
                sound: &Sound<$number>,
                columns: &[Column<$key>],
                rows: usize,
                masks: &mut Masks,
                sums: &mut [Sums<$number>],
            ) -> bool {
                if !(vectors.are_here() && sound.fits(columns.len(), sums.len()) && rows <= BLOCK) {
                    return false;
                }
                let group = sound.group();
                let masks = masks.at_least(group.questions.asks.len());
                match vectors {
                    Vectors::None => return false,
                    // SAFETY: the instructions are there, and that is all it needs.
                    Vectors::Avx2 => unsafe {
                        plain::$ask_all(&group.questions, columns, rows, masks);
                        plain::add(group, rows, masks, sums);
                    },
                    // SAFETY: the instructions are there, `Sound` proved the group's positions for so many columns and
                    // targets, and the lengths were checked above.
                    Vectors::Avx512 => unsafe { $group(group, columns, rows, masks, sums) },
                }
                true
            }

            fn run_row(
                sound: &Sound<$number>,
                keys: &[$key],
                answers: &mut Answers,
                add: impl FnMut(usize, $number),
            ) -> bool {
                let Some(form) = sound.rows() else { return false };
                if !(Vectors::Avx512.are_here() && sound.fits(keys.len(), usize::MAX)) {
                    return false;
                }
                let answers = answers.at_least(form.from.len());
                // SAFETY: the instructions are there, `Sound` proved the positions for so many columns, and there is an
                // answer for each question.
                unsafe {
                    $answer_row(form, keys, answers);
                    walk_row(sound.group(), &form.levels, answers, add);
                }
                true
            }

            fn explain(
                vectors: Vectors,
                sound: &SoundTerms<$number>,
                columns: &[Column<$key>],
                rows: usize,
                masks: &mut Masks,
                tree: &mut [Sums<f32>],
                parts: &mut [Sums<f64>],
            ) -> bool {
                let fit = [columns.len(), tree.len(), parts.len()].into_iter().all(|columns| sound.fits(columns));
                if !(vectors.are_here() && fit && rows <= BLOCK) {
                    return false;
                }
                let terms = sound.terms();
                let masks = masks.at_least(terms.questions.asks.len() + SLOTS);
                match vectors {
                    Vectors::None => return false,
                    // SAFETY: the instructions are there, and that is all it needs.
                    Vectors::Avx2 => unsafe {
                        plain::$ask_all(&terms.questions, columns, rows, masks);
                        plain::explain(terms, rows, masks, tree, parts);
                    },
                    // SAFETY: the instructions are there, `SoundTerms` proved the positions for so many columns, and
                    // the lengths were checked above.
                    Vectors::Avx512 => unsafe {
                        $ask_all(&terms.questions, columns, rows, masks);
                        explain(terms, rows, masks, tree, parts);
                    },
                }
                true
            }
        }

        /// # Safety
        /// The group is sound for these columns and sums; there is a mask for each question.
        #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
        unsafe fn $group(
            group: &Group<$number>,
            columns: &[Column<$key>],
            rows: usize,
            masks: &mut [Mask],
            sums: &mut [Sums<$number>],
        ) {
            // SAFETY: as the caller promised.
            unsafe {
                $ask_all(&group.questions, columns, rows, masks);
                let mut numbers = Numbers([0; BLOCK]);
                for shape in &group.trees {
                    let bits = leaf_bits(group, shape, masks);
                    spread(&bits[..usize::from(shape.bits)], rows, &mut numbers);
                    for output in group.outputs.get_unchecked(shape.outputs.0 as usize..shape.outputs.1 as usize) {
                        let table = group.tables.as_ptr().add(output.table as usize);
                        let sums = sums.get_unchecked_mut(output.target as usize);
                        $weights(table, shape.bits, &numbers, &bits, rows, sums);
                    }
                }
            }
        }

        /// # Safety
        /// The questions are sound for these columns, and there is a mask for each.
        #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
        unsafe fn $ask_all(questions: &Questions<$number>, columns: &[Column<$key>], rows: usize, masks: &mut [Mask]) {
            // SAFETY: as the caller promised.
            unsafe {
                for (at, asked) in questions.asks.iter().enumerate() {
                    let column = columns.get_unchecked(asked.column as usize);
                    $ask::<false>(asked, column, rows, masks.get_unchecked_mut(at));
                }
                for (mask, asked) in &questions.more {
                    let column = columns.get_unchecked(asked.column as usize);
                    $ask::<true>(asked, column, rows, masks.get_unchecked_mut(*mask as usize));
                }
            }
        }
    };
}
lanes!(f32, u32, group_f32, ask_all_f32, ask_u32, add_f32, answer_row_u32);
lanes!(f64, u64, group_f64, ask_all_f64, ask_u64, add_f64, answer_row_u64);

/// Sixteen rows at a time.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn ask_u32<const OR: bool>(asked: &Asked<u32>, column: &Column<u32>, rows: usize, mask: &mut Mask) {
    let from = _mm512_set1_epi32(asked.ask.from.cast_signed());
    let length = _mm512_set1_epi32(asked.ask.length.cast_signed());
    for (keys, word) in column.0.as_chunks::<64>().0.iter().zip(&mut mask.0).take(rows.div_ceil(64)) {
        let mut bits = 0;
        for (quarter, keys) in keys.as_chunks::<16>().0.iter().enumerate() {
            // SAFETY: sixteen keys are there.
            let keys = unsafe { _mm512_loadu_si512(keys.as_ptr().cast()) };
            let yes = _mm512_cmplt_epu32_mask(_mm512_sub_epi32(keys, from), length);
            bits |= u64::from(yes) << (16 * quarter);
        }
        *word = if OR { *word | bits } else { bits };
    }
}

/// Eight rows at a time.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn ask_u64<const OR: bool>(asked: &Asked<u64>, column: &Column<u64>, rows: usize, mask: &mut Mask) {
    let from = _mm512_set1_epi64(asked.ask.from.cast_signed());
    let length = _mm512_set1_epi64(asked.ask.length.cast_signed());
    for (keys, word) in column.0.as_chunks::<64>().0.iter().zip(&mut mask.0).take(rows.div_ceil(64)) {
        let mut bits = 0;
        for (eighth, keys) in keys.as_chunks::<8>().0.iter().enumerate() {
            // SAFETY: eight keys are there.
            let keys = unsafe { _mm512_loadu_si512(keys.as_ptr().cast()) };
            let yes = _mm512_cmplt_epu64_mask(_mm512_sub_epi64(keys, from), length);
            bits |= u64::from(yes) << (8 * eighth);
        }
        *word = if OR { *word | bits } else { bits };
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn load(mask: &Mask) -> __m512i {
    // SAFETY: a mask is eight words.
    unsafe { _mm512_load_si512(mask.0.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn store(bits: __m512i) -> Mask {
    let mut mask = Mask::default();
    // SAFETY: a mask is eight words.
    unsafe { _mm512_store_si512(mask.0.as_mut_ptr().cast(), bits) };
    mask
}

/// `yes` where the bit is set, `no` elsewhere.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn choose(bits: __m512i, yes: __m512i, no: __m512i) -> __m512i {
    _mm512_ternarylogic_epi64::<0xCA>(bits, yes, no)
}

/// The bits of each row's leaf number, the highest first.
///
/// # Safety
/// The group is sound and there is a mask for each of its questions.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn leaf_bits<T: Number>(group: &Group<T>, shape: &Shape, masks: &[Mask]) -> [Mask; 8] {
    let mut found = [Mask::default(); 8];
    match shape.by {
        By::Select(first) => {
            let mut bits = [_mm512_setzero_si512(); 8];
            for level in 0..usize::from(shape.bits) {
                let first = first as usize + (1 << level) - 1;
                // SAFETY: a sound tree has all its levels, and all their masks.
                bits[level] = unsafe {
                    let nodes = group.levels.get_unchecked(first..first + (1 << level));
                    match level {
                        0 => select0(&bits, nodes, masks),
                        1 => select1(&bits, nodes, masks),
                        2 => select2(&bits, nodes, masks),
                        3 => select3(&bits, nodes, masks),
                        4 => select4(&bits, nodes, masks),
                        5 => select5(&bits, nodes, masks),
                        6 => select6(&bits, nodes, masks),
                        _ => select7(&bits, nodes, masks),
                    }
                };
                found[level] = store(bits[level]);
            }
        }
        By::Reach(first, last) => {
            // SAFETY: as above.
            let bits = unsafe {
                let steps = group.steps.get_unchecked(first as usize..last as usize);
                reach(steps, usize::from(shape.bits), masks)
            };
            found.iter_mut().zip(bits).for_each(|(found, bits)| *found = store(bits));
        }
    }
    found
}

/// The one answer of a level of one node.
///
/// # Safety
/// There is one node, and its mask.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn select0(_: &[__m512i], nodes: &[u32], masks: &[Mask]) -> __m512i {
    // SAFETY: as the caller promised.
    unsafe { load(masks.get_unchecked(*nodes.get_unchecked(0) as usize)) }
}

macro_rules! select {
    ($name:ident, $below:ident, $half:literal) => {
        /// Each row's answer at its node of a level, found by its answers at the levels above, the root's first.
        ///
        /// # Safety
        /// There are twice this half of nodes, their masks, and the bits of all levels above.
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
        unsafe fn $name(bits: &[__m512i], nodes: &[u32], masks: &[Mask]) -> __m512i {
            // SAFETY: as the caller promised.
            unsafe {
                let below = bits.get_unchecked(1..);
                let no = $below(below, nodes.get_unchecked(..$half), masks);
                let yes = $below(below, nodes.get_unchecked($half..), masks);
                choose(*bits.get_unchecked(0), yes, no)
            }
        }
    };
}
select!(select1, select0, 1);
select!(select2, select1, 2);
select!(select3, select2, 4);
select!(select4, select3, 8);
select!(select5, select4, 16);
select!(select6, select5, 32);
select!(select7, select6, 64);

/// Bits of the leaf numbers, the highest of `count` first, by the rows that reach each leaf.
///
/// # Safety
/// Slots, masks and numbers are in range.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn reach(steps: &[Step], count: usize, masks: &[Mask]) -> [__m512i; 8] {
    let mut bits = [_mm512_setzero_si512(); 8];
    let mut slots = [_mm512_set1_epi64(-1); MAX_SLOTS];
    for step in steps {
        match *step {
            // SAFETY: as the caller promised.
            Step::Branch { mask, slot } => unsafe {
                let slot = usize::from(slot);
                let answer = load(masks.get_unchecked(mask as usize));
                let here = *slots.get_unchecked(slot);
                *slots.get_unchecked_mut(slot + 1) = _mm512_and_si512(here, answer);
                *slots.get_unchecked_mut(slot) = _mm512_andnot_si512(answer, here);
            },
            Step::Leaf { number, slot } => {
                // SAFETY: as the caller promised.
                let here = unsafe { *slots.get_unchecked(usize::from(slot)) };
                for (place, bits) in bits[..count].iter_mut().rev().enumerate() {
                    if number >> place & 1 == 1 {
                        *bits = _mm512_or_si512(*bits, here);
                    }
                }
            }
        }
    }
    bits
}

/// Leaf numbers, a byte for each row, from their bits, the highest first.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn spread(bits: &[Mask], rows: usize, numbers: &mut Numbers) {
    for (word, numbers) in numbers.0.as_chunks_mut::<64>().0.iter_mut().enumerate().take(rows.div_ceil(64)) {
        let mut sum = _mm512_setzero_si512();
        for (place, bits) in bits.iter().rev().enumerate() {
            sum = _mm512_mask_add_epi8(sum, bits.0[word], sum, _mm512_set1_epi8((1u8 << place).cast_signed()));
        }
        // SAFETY: sixty-four bytes are there.
        unsafe { _mm512_store_si512(numbers.as_mut_ptr().cast(), sum) };
    }
}

/// Adds each row's weight by its leaf's number.
///
/// # Safety
/// The table has the length for these bits, and the numbers are below it.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn add_f32(table: *const f32, bits: u8, numbers: &Numbers, top: &[Mask], rows: usize, sums: &mut Sums<f32>) {
    // SAFETY: as the caller promised.
    let part = |at: usize| unsafe { _mm512_loadu_ps(table.add(16 * at)) };
    let low = [part(0), part(1)];
    let pick = |pair: [__m512; 2], index| _mm512_permutex2var_ps(pair[0], index, pair[1]);
    match bits {
        0..=5 => add_each(numbers, rows, sums, |index, _| pick(low, index)),
        6 => {
            let high = [part(2), part(3)];
            add_each(numbers, rows, sums, |index, at| {
                _mm512_mask_blend_ps(sixteen(&top[0], at), pick(low, index), pick(high, index))
            });
        }
        7 => {
            let high = [[part(2), part(3)], [part(4), part(5)], [part(6), part(7)]];
            add_each(numbers, rows, sums, |index, at| {
                let second = sixteen(&top[1], at);
                let lower = _mm512_mask_blend_ps(second, pick(low, index), pick(high[0], index));
                let upper = _mm512_mask_blend_ps(second, pick(high[1], index), pick(high[2], index));
                _mm512_mask_blend_ps(sixteen(&top[0], at), lower, upper)
            });
        }
        // One by one: gathering costs more than it saves.
        _ => numbers.0.iter().zip(&mut sums.0).take(rows).for_each(|(number, sum)| {
            // SAFETY: as the caller promised.
            *sum += unsafe { *table.add(usize::from(*number)) };
        }),
    }
}

/// Adds what `weight` says of sixteen leaf numbers, again and again.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn add_each(numbers: &Numbers, rows: usize, sums: &mut Sums<f32>, weight: impl Fn(__m512i, usize) -> __m512) {
    let numbers = numbers.0.as_chunks::<16>().0.iter();
    let sums = sums.0.as_chunks_mut::<16>().0.iter_mut();
    for (at, (numbers, sums)) in numbers.zip(sums).enumerate().take(rows.div_ceil(16)) {
        // SAFETY: sixteen numbers and sums are there.
        unsafe {
            let index = _mm512_cvtepu8_epi32(_mm_loadu_si128(numbers.as_ptr().cast()));
            let sum = _mm512_add_ps(_mm512_loadu_ps(sums.as_ptr()), weight(index, at));
            _mm512_storeu_ps(sums.as_mut_ptr(), sum);
        }
    }
}

/// As [`add_f32`], for numbers of more than eight bits.
///
/// # Safety
/// As there.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn add_wide(table: *const f32, low: &Numbers, high: &Numbers, rows: usize, sums: &mut Sums<f32>) {
    for ((low, high), sum) in low.0.iter().zip(&high.0).zip(&mut sums.0).take(rows) {
        // SAFETY: as the caller promised.
        *sum += unsafe { *table.add(usize::from(*low) | usize::from(*high) << 8) };
    }
}

/// The bits of the `at`-th sixteen rows.
fn sixteen(mask: &Mask, at: usize) -> u16 {
    (mask.0[at / 4] >> (16 * (at % 4))) as u16
}

/// As [`add_f32`], one by one.
///
/// # Safety
/// As there.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn add_f64(table: *const f64, _: u8, numbers: &Numbers, _: &[Mask], rows: usize, sums: &mut Sums<f64>) {
    for (number, sum) in numbers.0.iter().zip(&mut sums.0).take(rows) {
        // SAFETY: as the caller promised.
        *sum += unsafe { *table.add(usize::from(*number)) };
    }
}

/// Runs the program of the contributions.
///
/// # Safety
/// The terms are sound for these sums; there is a mask for each question, and the slots after them.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
unsafe fn explain<T: Number>(
    terms: &Terms<T>,
    rows: usize,
    masks: &mut [Mask],
    tree: &mut [Sums<f32>],
    parts: &mut [Sums<f64>],
) {
    let slots = terms.questions.asks.len();
    // Patterns: the part below 256, and the part above, where there is one.
    let (mut numbers, mut numbers_256) = (Numbers([0; BLOCK]), Numbers([0; BLOCK]));
    // SAFETY: as the caller promised.
    unsafe {
        for step in &terms.steps {
            match *step {
                Term::Path { mask, no, and, slot } => {
                    let turn = _mm512_set1_epi64(if no { -1 } else { 0 });
                    let mut met = _mm512_xor_si512(load(masks.get_unchecked(mask as usize)), turn);
                    if let Some(and) = and {
                        met = _mm512_and_si512(met, load(masks.get_unchecked(slots + usize::from(and))));
                    }
                    *masks.get_unchecked_mut(slots + usize::from(slot)) = store(met);
                }
                Term::Unit { place, bits, outputs, table } => {
                    let mut found = [Mask::default(); MAX_BITS];
                    let places = terms.places.get_unchecked(place as usize..place as usize + usize::from(bits));
                    // The highest first, as of leaf numbers.
                    for (found, place) in found.iter_mut().zip(places.iter().rev()) {
                        *found = *masks.get_unchecked(*place as usize);
                    }
                    let (upper, lower) = found[..usize::from(bits)].split_at(usize::from(bits.saturating_sub(8)));
                    spread(lower, rows, &mut numbers);
                    if bits > 8 {
                        spread(upper, rows, &mut numbers_256);
                    }
                    let outputs = terms.outputs.get_unchecked(outputs.0 as usize..outputs.1 as usize);
                    for (at, output) in outputs.iter().enumerate() {
                        let table = terms.tables.as_ptr().add(table as usize + at * table_len(bits));
                        let tree = tree.get_unchecked_mut(*output as usize);
                        match bits {
                            0..=8 => add_f32(table, bits, &numbers, &found, rows, tree),
                            _ => add_wide(table, &numbers, &numbers_256, rows, tree),
                        }
                    }
                }
                Term::Tree { outputs } => {
                    for output in terms.outputs.get_unchecked(outputs.0 as usize..outputs.1 as usize) {
                        let tree = tree.get_unchecked_mut(*output as usize);
                        let parts = parts.get_unchecked_mut(*output as usize);
                        for (part, sum) in parts.0.iter_mut().zip(&mut tree.0).take(rows.next_multiple_of(16)) {
                            *part += f64::from(std::mem::take(sum));
                        }
                    }
                }
            }
        }
    }
}
