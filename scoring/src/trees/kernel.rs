//! The one file with `unsafe`: AVX-512 over the block form of [`super::planes`]. What it does is written there; here is how,
//! on 512 rows at once, and nothing but whole-vector loads and stores needs `unsafe`.
//!
//! Why it is sound: a [`Group`] proves its own positions when it is compiled ([`Sound::new`]), and [`run`] checks the lengths
//! of what it is given and that the machine has the instructions. Bits are those of [`super::Ensemble::answer`]: questions are
//! exact on integers, and each row's weights are added in the order of the trees, in the same precision.
#![allow(unsafe_code)] // Intrinsics on raw addresses and on instructions that the build does not assume.

use super::planes::Group;
use super::questions::{BLOCK, Column, Mask};
use super::rows::Rows;
use super::shap::Terms;
use super::walk::Number;
use std::cell::RefCell;

/// A group whose every position is in range.
#[derive(Debug, Clone)]
pub(super) struct Sound<T: Number> {
    group: Group<T>,
    columns: usize,
    targets: usize,
    rows: Option<Rows<T>>,
}

impl<T: Number> Sound<T> {
    /// `None` if a position is out of range, which would be a fault of the compiler.
    pub fn new(group: Group<T>, columns: usize, targets: usize) -> Option<Self> {
        if !group.is_sound(columns, targets) {
            return None;
        }
        let rows = Rows::new(&group).filter(|rows| rows.is_sound(&group, columns));
        Some(Self { group, columns, targets, rows })
    }

    /// Whether it has a form for one row.
    pub fn has_rows(&self) -> bool {
        self.rows.is_some()
    }
}

/// The same of contributions.
#[derive(Debug, Clone)]
pub(super) struct SoundTerms<T: Number> {
    terms: Terms<T>,
    columns: usize,
}

impl<T: Number> SoundTerms<T> {
    /// As [`Sound::new`].
    pub fn new(terms: Terms<T>, columns: usize) -> Option<Self> {
        terms.is_sound(columns).then_some(Self { terms, columns })
    }

    /// For the plain path.
    pub fn terms(&self) -> &Terms<T> {
        &self.terms
    }
}

/// Working memory.
#[derive(Debug, Default)]
pub(super) struct Masks(Vec<Mask>);

impl Masks {
    fn at_least(&mut self, masks: usize) -> &mut [Mask] {
        if self.0.len() < masks {
            self.0.resize(masks, Mask::default());
        }
        &mut self.0
    }
}

/// Working memory for one row.
#[derive(Debug, Default)]
pub(super) struct Answers(Vec<u8>);

/// Lends this thread's working memory, kept from call to call; no answer depends on what is in it.
pub(super) fn with_masks(run: impl FnOnce(&mut Masks)) {
    thread_local! {
        static MASKS: RefCell<Masks> = RefCell::default();
    }
    MASKS.with_borrow_mut(run);
}

/// The same for one row.
pub(super) fn with_answers(run: impl FnOnce(&mut Answers)) {
    thread_local! {
        static ANSWERS: RefCell<Answers> = RefCell::default();
    }
    ANSWERS.with_borrow_mut(run);
}

/// A precision that has a kernel.
pub(super) trait Lanes: Number {
    /// Adds the weights of a group's trees to each row's sums, if this machine can: otherwise nothing is done, and said so.
    /// Only the first `rows` of the block are meant; the others may be added to or not.
    fn run(
        group: &Sound<Self>,
        columns: &[Column<Self::Key>],
        rows: usize,
        masks: &mut Masks,
        sums: &mut [Sums<Self>],
    ) -> bool;

    /// Tells the weights of one row, whose keys stand by column, in order, if the machine and the group have the form.
    fn run_row(group: &Sound<Self>, keys: &[Self::Key], answers: &mut Answers, add: impl FnMut(usize, Self)) -> bool;

    /// Adds the parts of a group's trees to each row's, if this machine can, as [`Lanes::run`] does. `tree` and `parts` stand
    /// by column; `tree` is all 0, before and after.
    fn explain(
        group: &SoundTerms<Self>,
        columns: &[Column<Self::Key>],
        rows: usize,
        masks: &mut Masks,
        tree: &mut [Sums<f32>],
        parts: &mut [Sums<f64>],
    ) -> bool;
}

/// A block's sums for one target.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(super) struct Sums<T>(pub [T; BLOCK]);

/// Whether this machine has the instructions.
pub(super) fn available() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vl")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod lanes {
    use super::{Answers, Column, Lanes, Masks, Sound, SoundTerms, Sums};

    impl Lanes for f32 {
        fn run(_: &Sound<f32>, _: &[Column<u32>], _: usize, _: &mut Masks, _: &mut [Sums<f32>]) -> bool {
            false
        }

        fn run_row(_: &Sound<f32>, _: &[u32], _: &mut Answers, _: impl FnMut(usize, f32)) -> bool {
            false
        }

        fn explain(
            _: &SoundTerms<f32>,
            _: &[Column<u32>],
            _: usize,
            _: &mut Masks,
            _: &mut [Sums<f32>],
            _: &mut [Sums<f64>],
        ) -> bool {
            false
        }
    }

    impl Lanes for f64 {
        fn run(_: &Sound<f64>, _: &[Column<u64>], _: usize, _: &mut Masks, _: &mut [Sums<f64>]) -> bool {
            false
        }

        fn run_row(_: &Sound<f64>, _: &[u64], _: &mut Answers, _: impl FnMut(usize, f64)) -> bool {
            false
        }

        fn explain(
            _: &SoundTerms<f64>,
            _: &[Column<u64>],
            _: usize,
            _: &mut Masks,
            _: &mut [Sums<f32>],
            _: &mut [Sums<f64>],
        ) -> bool {
            false
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod lanes {
    use super::super::planes::{By, Group, MAX_SLOTS, Shape, Step};
    use super::super::questions::{Asked, Questions};
    use super::super::rows::{RUN, Rows};
    use super::super::shap::{MAX_BITS, SLOTS, Step as Term, Terms, table_len};
    use super::{Answers, BLOCK, Column, Lanes, Mask, Masks, Number, Sound, SoundTerms, Sums, available};
    use std::arch::x86_64::*;

    /// Leaf numbers of a block.
    #[repr(align(64))]
    struct Numbers([u8; BLOCK]);

    macro_rules! lanes {
        ($number:ty, $key:ty, $group:ident, $ask_all:ident, $ask:ident, $weights:ident, $answer_row:ident) => {
            impl Lanes for $number {
                fn run(
                    sound: &Sound<$number>,
                    columns: &[Column<$key>],
                    rows: usize,
                    masks: &mut Masks,
                    sums: &mut [Sums<$number>],
                ) -> bool {
                    let fits = columns.len() >= sound.columns && sums.len() >= sound.targets && rows <= BLOCK;
                    if !(available() && fits) {
                        return false;
                    }
                    let masks = masks.at_least(sound.group.questions.asks.len());
                    // SAFETY: the instructions are there, `Sound` proved the group's positions for so many columns and
                    // targets, and the lengths were checked above.
                    unsafe { $group(&sound.group, columns, rows, masks, sums) };
                    true
                }

                fn run_row(
                    sound: &Sound<$number>,
                    keys: &[$key],
                    answers: &mut Answers,
                    add: impl FnMut(usize, $number),
                ) -> bool {
                    let Some(form) = &sound.rows else { return false };
                    if !(available() && keys.len() >= sound.columns) {
                        return false;
                    }
                    if answers.0.len() < form.from.len() {
                        answers.0.resize(form.from.len(), 0);
                    }
                    // SAFETY: the instructions are there, `Sound` proved the positions for so many columns, and there is an
                    // answer for each question.
                    unsafe {
                        $answer_row(form, keys, &mut answers.0);
                        walk_row(&sound.group, &form.levels, &answers.0, add);
                    }
                    true
                }

                fn explain(
                    sound: &SoundTerms<$number>,
                    columns: &[Column<$key>],
                    rows: usize,
                    masks: &mut Masks,
                    tree: &mut [Sums<f32>],
                    parts: &mut [Sums<f64>],
                ) -> bool {
                    let columns_are_there =
                        [columns.len(), tree.len(), parts.len()].iter().all(|n| *n >= sound.columns);
                    if !(available() && columns_are_there && rows <= BLOCK) {
                        return false;
                    }
                    let masks = masks.at_least(sound.terms.questions.asks.len() + SLOTS);
                    // SAFETY: the instructions are there, `SoundTerms` proved the positions for so many columns, and the
                    // lengths were checked above.
                    unsafe {
                        $ask_all(&sound.terms.questions, columns, rows, masks);
                        explain(&sound.terms, rows, masks, tree, parts);
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
            unsafe fn $ask_all(
                questions: &Questions<$number>,
                columns: &[Column<$key>],
                rows: usize,
                masks: &mut [Mask],
            ) {
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
            // SAFETY: as the caller promised.
            _ => add_each(numbers, rows, sums, |index, _| unsafe { _mm512_i32gather_ps::<4>(index, table) }),
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
        let numbers = low.0.as_chunks::<16>().0.iter().zip(high.0.as_chunks::<16>().0);
        for ((low, high), sums) in numbers.zip(sums.0.as_chunks_mut::<16>().0).take(rows.div_ceil(16)) {
            // SAFETY: sixteen numbers and sums are there, and as the caller promised.
            unsafe {
                let low = _mm512_cvtepu8_epi32(_mm_loadu_si128(low.as_ptr().cast()));
                let high = _mm512_cvtepu8_epi32(_mm_loadu_si128(high.as_ptr().cast()));
                let index = _mm512_or_si512(low, _mm512_slli_epi32::<8>(high));
                let weights = _mm512_i32gather_ps::<4>(index, table);
                _mm512_storeu_ps(sums.as_mut_ptr(), _mm512_add_ps(_mm512_loadu_ps(sums.as_ptr()), weights));
            }
        }
    }

    /// The bits of the `at`-th sixteen rows.
    fn sixteen(mask: &Mask, at: usize) -> u16 {
        (mask.0[at / 4] >> (16 * (at % 4))) as u16
    }

    /// As [`add_f32`], eight rows at a time.
    ///
    /// # Safety
    /// As there.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn add_f64(table: *const f64, _: u8, numbers: &Numbers, _: &[Mask], rows: usize, sums: &mut Sums<f64>) {
        let numbers = numbers.0.as_chunks::<8>().0.iter();
        for (numbers, sums) in numbers.zip(sums.0.as_chunks_mut::<8>().0).take(rows.div_ceil(8)) {
            // SAFETY: eight numbers and sums are there, and as the caller promised.
            unsafe {
                let index = _mm512_cvtepu8_epi64(_mm_loadl_epi64(numbers.as_ptr().cast()));
                let weights = _mm512_i64gather_pd::<8>(index, table);
                _mm512_storeu_pd(sums.as_mut_ptr(), _mm512_add_pd(_mm512_loadu_pd(sums.as_ptr()), weights));
            }
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
                    Term::Way { mask, no, and, slot } => {
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

    /// Answers all questions for one row: a byte each, 1 for yes.
    ///
    /// # Safety
    /// The form is sound for these keys; there is an answer for each question.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn answer_row_u32(form: &Rows<f32>, keys: &[u32], answers: &mut [u8]) {
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
    unsafe fn answer_row_u64(form: &Rows<f64>, keys: &[u64], answers: &mut [u8]) {
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
    unsafe fn walk_row<T: Number>(group: &Group<T>, levels: &[u16], answers: &[u8], mut add: impl FnMut(usize, T)) {
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
}
