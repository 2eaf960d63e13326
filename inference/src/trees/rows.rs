//! The form for one row alone: all questions of a group answered side by side, then each tree walked over the answers, two
//! small loads a level, with nothing between one tree and the next to wait for.

use super::columns::{By, Group};
use super::keys::Interval;
use super::walk::Number;

/// Questions of one column that one vector answers; runs are filled up with questions that nothing meets.
pub(super) const RUN: usize = 16;

/// A group of trees that are all padded to perfect ones, which is what makes this form fast.
#[derive(Debug, Clone)]
pub(super) struct Rows<T: Number> {
    /// Column of each run of [`RUN`] questions.
    pub columns: Vec<u32>,
    pub from: Vec<T::Key>,
    pub length: Vec<T::Key>,
    /// Further intervals of an answer: its place, the column and the interval.
    pub more: Vec<(u16, u32, Interval<T::Key>)>,
    /// As [`Group::levels`], by place of the answer.
    pub levels: Vec<u16>,
}

impl<T: Number> Rows<T> {
    /// `None` where the form does not fit.
    pub fn new(group: &Group<T>) -> Option<Self> {
        if group.trees.iter().any(|tree| matches!(tree.by, By::Reach(..))) {
            return None;
        }
        let mut order: Vec<usize> = (0..group.questions.asks.len()).collect();
        order.sort_by_key(|mask| group.questions.asks[*mask]);
        let mut rows = Self { columns: vec![], from: vec![], length: vec![], more: vec![], levels: vec![] };
        let mut places = vec![0; order.len()];
        for mask in order {
            let asked = group.questions.asks[mask];
            if rows.columns.last() != Some(&asked.column) || rows.from.len().is_multiple_of(RUN) {
                rows.fill();
                rows.columns.push(asked.column);
            }
            places[mask] = u16::try_from(rows.from.len()).ok()?;
            rows.from.push(asked.ask.from);
            rows.length.push(asked.ask.length);
        }
        rows.fill();
        let more = group.questions.more.iter();
        rows.more = more.map(|(mask, asked)| (places[*mask as usize], asked.column, asked.ask)).collect();
        rows.levels = group.levels.iter().map(|mask| places.get(*mask as usize).copied().unwrap_or_default()).collect();
        Some(rows)
    }

    fn fill(&mut self) {
        let none = Interval::none();
        self.from.resize(self.from.len().next_multiple_of(RUN), none.from);
        self.length.resize(self.from.len(), none.length);
    }

    /// Whether every place is there, for a group that is itself sound.
    pub fn is_sound(&self, group: &Group<T>, columns: usize) -> bool {
        let answers = self.columns.len() * RUN;
        let more = self.more.iter().map(|(place, column, _)| (usize::from(*place), *column as usize));
        self.columns.iter().all(|column| (*column as usize) < columns)
            && self.from.len() == answers
            && self.length.len() == answers
            && more.clone().all(|(place, column)| place < answers && column < columns)
            && self.levels.len() == group.levels.len()
            && self.levels.iter().all(|place| usize::from(*place) < answers)
    }
}
