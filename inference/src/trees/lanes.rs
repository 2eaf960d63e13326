//! What a block kernel is given: groups whose positions are proven, working memory, and the choice of instructions. The
//! kernels are [`super::kernel`] (AVX-512) and [`super::plain`] (AVX2); where neither is, trees are walked.

use super::columns::Group;
use super::questions::{BLOCK, Column, Mask};
use super::rows::Rows;
use super::shap::Terms;
use super::walk::Number;
use std::cell::RefCell;

/// Vector instructions to use, where the machine has them. No answer depends on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Vectors {
    /// Trees are walked.
    None,
    /// AVX2.
    Avx2,
    /// AVX-512 F, BW and VL.
    Avx512,
}

impl Vectors {
    /// The best that this machine has.
    pub fn best() -> Self {
        [Self::Avx512, Self::Avx2].into_iter().find(|vectors| vectors.are_here()).unwrap_or(Self::None)
    }

    /// Whether this machine has them.
    pub fn are_here(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        {
            match self {
                Self::None => true,
                Self::Avx2 => is_x86_feature_detected!("avx2"),
                Self::Avx512 => {
                    is_x86_feature_detected!("avx512f")
                        && is_x86_feature_detected!("avx512bw")
                        && is_x86_feature_detected!("avx512vl")
                }
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            self == Self::None
        }
    }
}

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

    /// The group.
    pub fn group(&self) -> &Group<T> {
        &self.group
    }

    /// Its form for one row.
    pub fn rows(&self) -> Option<&Rows<T>> {
        self.rows.as_ref()
    }

    /// Whether its positions are in these columns and sums.
    pub fn fits(&self, columns: usize, targets: usize) -> bool {
        columns >= self.columns && targets >= self.targets
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

    /// The terms.
    pub fn terms(&self) -> &Terms<T> {
        &self.terms
    }

    /// Whether its positions are in so many columns.
    pub fn fits(&self, columns: usize) -> bool {
        columns >= self.columns
    }
}

/// Working memory.
#[derive(Debug, Default)]
pub(super) struct Masks(Vec<Mask>);

impl Masks {
    /// At least so many masks, of any content.
    pub fn at_least(&mut self, masks: usize) -> &mut [Mask] {
        if self.0.len() < masks {
            self.0.resize(masks, Mask::default());
        }
        &mut self.0
    }
}

/// Working memory for one row.
#[derive(Debug, Default)]
pub(super) struct Answers(Vec<u8>);

impl Answers {
    /// At least so many answers, of any content.
    pub fn at_least(&mut self, answers: usize) -> &mut [u8] {
        if self.0.len() < answers {
            self.0.resize(answers, 0);
        }
        &mut self.0
    }
}

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

/// A block's sums for one target.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub(super) struct Sums<T>(pub [T; BLOCK]);

/// A precision that may have kernels. Each says whether it did what it is for; a machine without the instructions does
/// nothing.
pub(super) trait Lanes: Number {
    /// Adds the weights of a group's trees to each row's sums. Only the first `rows` of the block are meant; the others may
    /// be added to or not.
    fn run(
        _vectors: Vectors,
        _group: &Sound<Self>,
        _columns: &[Column<Self::Key>],
        _rows: usize,
        _masks: &mut Masks,
        _sums: &mut [Sums<Self>],
    ) -> bool {
        false
    }

    /// Tells the weights of one row, whose keys stand by column, in order, if the group has the form for it.
    fn run_row(
        _group: &Sound<Self>,
        _keys: &[Self::Key],
        _answers: &mut Answers,
        _add: impl FnMut(usize, Self),
    ) -> bool {
        false
    }

    /// Adds the parts of a group's trees to each row's, as [`Lanes::run`] does. `tree` and `parts` stand by column; `tree` is
    /// all 0, before and after.
    fn explain(
        _vectors: Vectors,
        _group: &SoundTerms<Self>,
        _columns: &[Column<Self::Key>],
        _rows: usize,
        _masks: &mut Masks,
        _tree: &mut [Sums<f32>],
        _parts: &mut [Sums<f64>],
    ) -> bool {
        false
    }
}

#[cfg(not(target_arch = "x86_64"))]
impl Lanes for f32 {}
#[cfg(not(target_arch = "x86_64"))]
impl Lanes for f64 {}
