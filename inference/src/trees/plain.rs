//! The block kernel for AVX2: the same program as [`super::kernel`]'s in safe code, half as wide, table look-ups one by one.
//! Bits are the same.

use super::columns::{By, Group, MAX_SLOTS, Shape, Step};
use super::lanes::Sums;
use super::number::Number;
use super::questions::{Asked, BLOCK, Column, Mask, Questions};
use super::shap::{SLOTS, Step as Term, Terms, table_len};
use std::arch::x86_64::*;

/// Numbers of leaves, or patterns, of a block.
type Numbers = [u16; BLOCK];

macro_rules! ask {
    ($ask_all:ident, $number:ty, $key:ty, $ask:ident) => {
        /// Answers all questions.
        #[target_feature(enable = "avx2")]
        pub(super) fn $ask_all(
            questions: &Questions<$number>,
            columns: &[Column<$key>],
            rows: usize,
            masks: &mut [Mask],
        ) {
            let words = rows.div_ceil(64);
            let answer = |asked: &Asked<$key>, mask: &mut Mask, join: fn(u64, u64) -> u64| {
                let keys = columns[asked.column as usize].0.as_chunks::<64>().0;
                for (word, keys) in mask.0.iter_mut().zip(keys).take(words) {
                    *word = join(*word, $ask(asked, keys));
                }
            };
            for (asked, mask) in questions.asks.iter().zip(&mut *masks) {
                answer(asked, mask, |_, new| new);
            }
            for (mask, asked) in &questions.more {
                answer(asked, &mut masks[*mask as usize], |old, new| old | new);
            }
        }
    };
}
ask!(ask_all_f32, f32, u32, ask_u32);
ask!(ask_all_f64, f64, u64, ask_u64);

/// Unsigned order is signed order with the highest bit turned, which a subtraction may do as well as anything.
#[target_feature(enable = "avx2")]
fn ask_u32(asked: &Asked<u32>, keys: &[u32; 64]) -> u64 {
    let from = _mm256_set1_epi32((asked.ask.from ^ 1 << 31).cast_signed());
    let length = _mm256_set1_epi32((asked.ask.length ^ 1 << 31).cast_signed());
    let eight = |keys: &[u32]| {
        let key = |at: usize| keys[at].cast_signed();
        let keys = _mm256_setr_epi32(key(0), key(1), key(2), key(3), key(4), key(5), key(6), key(7));
        _mm256_cmpgt_epi32(length, _mm256_sub_epi32(keys, from))
    };
    let mut bits = 0;
    for (half, keys) in keys.as_chunks::<32>().0.iter().enumerate() {
        let low = _mm256_packs_epi32(eight(&keys[..8]), eight(&keys[8..16]));
        let high = _mm256_packs_epi32(eight(&keys[16..24]), eight(&keys[24..]));
        // Packing works within halves of a vector: put the fours in order.
        let order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
        let bytes = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high), order);
        bits |= u64::from(_mm256_movemask_epi8(bytes).cast_unsigned()) << (32 * half);
    }
    bits
}

/// As [`ask_u32`].
#[target_feature(enable = "avx2")]
fn ask_u64(asked: &Asked<u64>, keys: &[u64; 64]) -> u64 {
    let from = _mm256_set1_epi64x((asked.ask.from ^ 1 << 63).cast_signed());
    let length = _mm256_set1_epi64x((asked.ask.length ^ 1 << 63).cast_signed());
    let mut bits = 0;
    for (at, keys) in keys.as_chunks::<4>().0.iter().enumerate() {
        let keys = keys.map(u64::cast_signed);
        let keys = _mm256_setr_epi64x(keys[0], keys[1], keys[2], keys[3]);
        let yes = _mm256_cmpgt_epi64(length, _mm256_sub_epi64(keys, from));
        bits |= (_mm256_movemask_pd(_mm256_castsi256_pd(yes)) as u64) << (4 * at);
    }
    bits
}

/// Adds the weights of a group's trees, whose questions are answered, to each row's sums.
#[target_feature(enable = "avx2")]
pub(super) fn add<T: Number>(group: &Group<T>, rows: usize, masks: &[Mask], sums: &mut [Sums<T>]) {
    let mut numbers = [0; BLOCK];
    for shape in &group.trees {
        let bits = leaf_bits(group, shape, masks);
        spread(&bits[..usize::from(shape.bits)], rows, &mut numbers);
        for output in &group.outputs[shape.outputs.0 as usize..shape.outputs.1 as usize] {
            let table = &group.tables[output.table as usize..][..1 << shape.bits];
            look_up(table, &numbers[..rows], &mut sums[output.target as usize].0);
        }
    }
}

/// Runs the program of the contributions.
#[target_feature(enable = "avx2")]
pub(super) fn explain<T: Number>(
    terms: &Terms<T>,
    rows: usize,
    masks: &mut [Mask],
    tree: &mut [Sums<f32>],
    parts: &mut [Sums<f64>],
) {
    let slots = terms.questions.asks.len();
    let mut numbers = [0; BLOCK];
    debug_assert!(masks.len() >= slots + SLOTS);
    for step in &terms.steps {
        match *step {
            Term::Path { mask, no, and, slot } => {
                let all = Mask([u64::MAX; BLOCK / 64]);
                let above = and.map_or(all, |and| masks[slots + usize::from(and)]);
                let answer = masks[mask as usize];
                let turn = if no { u64::MAX } else { 0 };
                masks[slots + usize::from(slot)] = Mask(std::array::from_fn(|w| above.0[w] & (answer.0[w] ^ turn)));
            }
            Term::Unit { place, bits, outputs, table } => {
                let mut found = [Mask::default(); super::shap::MAX_BITS];
                let found = &mut found[..usize::from(bits)];
                let places = &terms.places[place as usize..][..usize::from(bits)];
                found.iter_mut().zip(places.iter().rev()).for_each(|(found, place)| *found = masks[*place as usize]);
                spread(found, rows, &mut numbers);
                let tables = terms.tables[table as usize..].chunks(table_len(bits));
                for (output, table) in terms.outputs[outputs.0 as usize..outputs.1 as usize].iter().zip(tables) {
                    look_up(table, &numbers[..rows], &mut tree[*output as usize].0);
                }
            }
            Term::Tree { outputs } => {
                for output in &terms.outputs[outputs.0 as usize..outputs.1 as usize] {
                    let sums = parts[*output as usize].0.iter_mut().zip(&mut tree[*output as usize].0);
                    sums.take(rows).for_each(|(part, sum)| *part += f64::from(std::mem::take(sum)));
                }
            }
        }
    }
}

/// The bits of each row's leaf number, the highest first.
#[target_feature(enable = "avx2")]
fn leaf_bits<T: Number>(group: &Group<T>, shape: &Shape, masks: &[Mask]) -> [Mask; 8] {
    let mut found = [Mask::default(); 8];
    match shape.by {
        By::Select(first) => {
            for level in 0..usize::from(shape.bits) {
                let nodes = &group.levels[first as usize + (1 << level) - 1..][..1 << level];
                let mut answers = [Mask::default(); 128];
                answers.iter_mut().zip(nodes).for_each(|(answer, node)| *answer = masks[*node as usize]);
                // Pairs by the last answer above, pairs of those by the one before, and so on.
                for above in (0..level).rev() {
                    for pair in 0..1 << above {
                        answers[pair] = choose(&found[above], &answers[2 * pair + 1], &answers[2 * pair]);
                    }
                }
                found[level] = answers[0];
            }
        }
        By::Reach(first, last) => {
            let mut slots = [Mask([u64::MAX; BLOCK / 64]); MAX_SLOTS];
            for step in &group.steps[first as usize..last as usize] {
                match *step {
                    Step::Branch { mask, slot } => {
                        let (slot, answer) = (usize::from(slot), &masks[mask as usize]);
                        let here = slots[slot];
                        slots[slot + 1] = Mask(std::array::from_fn(|w| here.0[w] & answer.0[w]));
                        slots[slot] = Mask(std::array::from_fn(|w| here.0[w] & !answer.0[w]));
                    }
                    Step::Leaf { number, slot } => {
                        let here = slots[usize::from(slot)];
                        for (place, bits) in found[..usize::from(shape.bits)].iter_mut().rev().enumerate() {
                            if number >> place & 1 == 1 {
                                bits.0.iter_mut().zip(here.0).for_each(|(bits, here)| *bits |= here);
                            }
                        }
                    }
                }
            }
        }
    }
    found
}

/// `yes` where the bit is set, `no` elsewhere.
#[inline]
#[target_feature(enable = "avx2")]
fn choose(bits: &Mask, yes: &Mask, no: &Mask) -> Mask {
    Mask(std::array::from_fn(|w| no.0[w] ^ (bits.0[w] & (yes.0[w] ^ no.0[w]))))
}

/// Numbers from their bits, the highest first.
#[target_feature(enable = "avx2")]
fn spread(bits: &[Mask], rows: usize, numbers: &mut Numbers) {
    // Each of sixteen numbers sees the sixteen bits and keeps its own.
    let own = _mm256_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, i16::MIN);
    for (at, numbers) in numbers.as_chunks_mut::<16>().0.iter_mut().enumerate().take(rows.div_ceil(16)) {
        let mut sum = _mm256_setzero_si256();
        for bits in bits {
            let sixteen = (bits.0[at / 4] >> (16 * (at % 4))) as i16;
            let yes = _mm256_cmpeq_epi16(_mm256_and_si256(_mm256_set1_epi16(sixteen), own), own);
            // Twice the sum and one more where the answer is yes, which is −1.
            sum = _mm256_sub_epi16(_mm256_add_epi16(sum, sum), yes);
        }
        let words = [_mm256_extract_epi64::<0>(sum), _mm256_extract_epi64::<1>(sum)];
        let words = words.into_iter().chain([_mm256_extract_epi64::<2>(sum), _mm256_extract_epi64::<3>(sum)]);
        for (numbers, word) in numbers.as_chunks_mut::<4>().0.iter_mut().zip(words) {
            let word = word.cast_unsigned();
            *numbers = [word as u16, (word >> 16) as u16, (word >> 32) as u16, (word >> 48) as u16];
        }
    }
}

/// Adds each row's entry.
#[inline]
#[target_feature(enable = "avx2")]
fn look_up<T: Number>(table: &[T], numbers: &[u16], sums: &mut [T; BLOCK]) {
    // A table's length is a power of two, so this changes no number; it spares a test.
    let most = table.len() - 1;
    for (sum, number) in sums.iter_mut().zip(numbers) {
        *sum = *sum + table[usize::from(*number) & most];
    }
}
