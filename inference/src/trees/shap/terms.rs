//! The sum that the contributions are, compiled: a group of trees as a straight program over masks, with tables.
//!
//! **Order of the sum, the same on every path:** a tree's units in their order, each feature's entry added in f32 to what the
//! tree has given the feature; then the tree's parts are added in f64 to the row's. Leaves without a table are added in f64
//! after all trees with tables.

use super::game::{Game, Shares};
use super::paths::{Leaf, MAX_BITS, Unit, feature, features};
use crate::trees::ensemble::{MAX_DEPTH, Tree};
use crate::trees::number::Number;
use crate::trees::questions::{Asking, Columns, Questions};

/// Consecutive trees and the questions that they share.
#[derive(Debug, Clone)]
pub(in crate::trees) struct Terms<T: Number> {
    pub questions: Questions<T>,
    pub steps: Vec<Step>,
    /// Bits of the units' patterns, the lowest first: a question's mask, or after them all a slot.
    pub places: Vec<u32>,
    /// Columns that units and trees add to.
    pub outputs: Vec<u32>,
    /// For each unit, for each of its outputs, [`table_len`] entries by pattern.
    pub tables: Vec<f32>,
}

/// A step of the program.
#[derive(Debug, Clone, Copy)]
pub(in crate::trees) enum Step {
    /// Slot `slot` := the answers to `mask`, turned round if `no`, and slot `and` if there is one: whether a row meets all
    /// that a path asks of one feature up to here.
    Path { mask: u32, no: bool, and: Option<u16>, slot: u16 },
    /// Adds the entries of a unit: its `bits` from `place` on, its outputs, and the start of its tables.
    Unit { place: u32, bits: u8, outputs: (u32, u32), table: u32 },
    /// Adds the tree's parts of these outputs to the row's, and starts them anew.
    Tree { outputs: (u32, u32) },
}

/// Entries of a table: all that its bits, or a vector's permutation, may pick.
pub(in crate::trees) fn table_len(bits: u8) -> usize {
    (1 << bits).max(32)
}

/// Marks a place as a slot until the number of questions is known.
const SLOT: u32 = 1 << 31;
/// Slots: one for each branch of a path.
pub(in crate::trees) const SLOTS: usize = MAX_DEPTH + 1;

/// Fills groups, tree after tree.
#[derive(Debug)]
pub(super) struct Gathering<T: Number> {
    pub columns: Columns,
    asking: Asking<T>,
    terms: Terms<T>,
}

impl<T: Number> Gathering<T> {
    pub fn new() -> Self {
        Self { columns: Columns::default(), asking: Asking::new(), terms: Terms::empty() }
    }

    /// Whether another tree may need more questions than a group should ask, or more entries than can be counted.
    pub fn is_full(&self, questions: usize) -> bool {
        !self.terms.steps.is_empty() && (self.asking.is_full(questions) || self.terms.tables.len() > 1 << 30)
    }

    /// The group so far, if it holds anything; what follows goes into a new one.
    pub fn take(&mut self) -> Option<Terms<T>> {
        let mut terms = std::mem::replace(&mut self.terms, Terms::empty());
        terms.questions = self.asking.take();
        let masks = terms.questions.asks.len() as u32;
        terms.places.iter_mut().filter(|place| **place >= SLOT).for_each(|place| *place = *place - SLOT + masks);
        (!terms.steps.is_empty()).then_some(terms)
    }

    /// Entries that the tables of these units have.
    pub fn entries(tree: &Tree, units: &[Unit]) -> usize {
        units.iter().map(|unit| unit.outputs(tree).len() * table_len(unit.bits(tree) as u8)).sum()
    }

    /// Adds a tree's units, all of which have tables. `games` are those of its leaves, unit after unit.
    pub fn add(&mut self, tree: &Tree, units: &[Unit], games: &[Game], shares: &Shares) {
        let first = self.terms.outputs.len() as u32;
        let mut touched: Vec<u32> = units.iter().flat_map(|unit| unit.outputs(tree)).collect();
        touched.sort_unstable();
        touched.dedup();
        let touched: Vec<u32> = touched.into_iter().map(|feature| self.columns.of(feature)).collect();
        self.terms.outputs.extend(touched);
        let tree_outputs = (first, self.terms.outputs.len() as u32);
        let mut games = games.iter();
        let mut path = Vec::new();
        for unit in units {
            self.lead(tree, &mut path, &unit.path);
            self.unit(tree, unit, &path, games.by_ref(), shares);
        }
        self.terms.steps.push(Step::Tree { outputs: tree_outputs });
    }

    /// Brings the slots from the path to one unit to the path to the next.
    fn lead(&mut self, tree: &Tree, path: &mut Vec<(usize, bool)>, next: &[(usize, bool)]) {
        let same = path.iter().zip(next).take_while(|(a, b)| a == b).count();
        path.truncate(same);
        for (node, yes) in &next[same..] {
            let mask = self.asking.mask(&tree.nodes[*node], &mut self.columns);
            let and = path.iter().rposition(|(above, _)| feature(tree, *above) == feature(tree, *node));
            let slot = path.len() as u16;
            self.terms.steps.push(Step::Path { mask, no: !yes, and: and.map(|and| and as u16), slot });
            path.push((*node, *yes));
        }
    }

    fn unit<'a>(
        &mut self,
        tree: &Tree,
        unit: &Unit,
        path: &[(usize, bool)],
        games: &mut impl Iterator<Item = &'a Game>,
        shares: &Shares,
    ) {
        let (place, table) = (self.terms.places.len() as u32, self.terms.tables.len() as u32);
        for known in features(tree, path) {
            let slot = path.iter().rposition(|(node, _)| feature(tree, *node) == known).unwrap_or_default();
            self.terms.places.push(SLOT + slot as u32);
        }
        for branch in &unit.branches {
            let mask = self.asking.mask(&tree.nodes[*branch], &mut self.columns);
            self.terms.places.push(mask);
        }
        let bits = (self.terms.places.len() - place as usize) as u8;
        let features = unit.outputs(tree);
        self.terms.tables.extend(tables(tree, unit, &features, bits, games, shares));
        let first = self.terms.outputs.len() as u32;
        for feature in features {
            let column = self.columns.of(feature);
            self.terms.outputs.push(column);
        }
        let outputs = (first, self.terms.outputs.len() as u32);
        self.terms.steps.push(Step::Unit { place, bits, outputs, table });
    }
}

/// The tables of a unit: by feature, then by pattern, the sum over its leaves.
fn tables<'a>(
    tree: &Tree,
    unit: &Unit,
    outputs: &[u32],
    bits: u8,
    games: &mut impl Iterator<Item = &'a Game>,
    shares: &Shares,
) -> Vec<f32> {
    let length = table_len(bits);
    let mut sums = vec![0.0; outputs.len() * length];
    let known = features(tree, &unit.path);
    for (leaf, game) in unit.leaves.iter().zip(games) {
        let parts = game.table(shares, leaf.weight, leaf.features.len());
        let asks: Vec<(usize, usize)> = leaf.features.iter().map(|ask| asks(tree, unit, &known, leaf, *ask)).collect();
        let places: Vec<usize> = leaf.features.iter().map(|f| place_of(outputs, f) * length).collect();
        for pattern in 0..1usize << bits {
            let met = asks.iter().enumerate().filter(|(_, (care, want))| pattern & care == *want);
            let own = met.fold(0, |own, (feature, _)| own | 1 << feature);
            let parts = &parts[own * leaf.features.len()..];
            places.iter().zip(parts).for_each(|(place, part)| sums[place + pattern] += part);
        }
    }
    sums.into_iter().map(|sum: f64| sum as f32).collect()
}

/// Which bits of a unit's pattern a leaf asks of a feature, and what they must be.
fn asks(tree: &Tree, unit: &Unit, known: &[u32], leaf: &Leaf, asked: u32) -> (usize, usize) {
    let above = known.iter().position(|known| *known == asked).map_or(0, |bit| 1 << bit);
    let (mut care, mut want) = (above, above);
    for (node, yes) in &leaf.path[unit.path.len()..] {
        if feature(tree, *node) == asked {
            let branch = unit.branches.iter().position(|branch| branch == node).unwrap_or_default();
            let bit = 1 << (known.len() + branch);
            care |= bit;
            want |= if *yes { bit } else { 0 };
        }
    }
    (care, want)
}

fn place_of(outputs: &[u32], feature: &u32) -> usize {
    outputs.iter().position(|output| output == feature).unwrap_or_default()
}

impl Unit {
    /// Whether it is a leaf that asks too much for a table.
    pub fn has_table(&self, tree: &Tree) -> bool {
        self.bits(tree) <= MAX_BITS
    }

    fn bits(&self, tree: &Tree) -> usize {
        features(tree, &self.path).len() + self.branches.len()
    }

    /// Features of its leaves, in order of first use.
    fn outputs(&self, tree: &Tree) -> Vec<u32> {
        let steps = self.path.iter().copied().chain(self.branches.iter().map(|branch| (*branch, true)));
        features(tree, &steps.collect::<Vec<_>>())
    }
}

impl<T: Number> Terms<T> {
    fn empty() -> Self {
        Self { questions: Asking::new().take(), steps: vec![], places: vec![], outputs: vec![], tables: vec![] }
    }

    /// Whether every position that a run goes to is there: of `columns` columns.
    pub fn is_sound(&self, columns: usize) -> bool {
        let masks = self.questions.asks.len();
        let outputs = |(first, last): (u32, u32)| {
            let outputs = self.outputs.get(first as usize..last as usize);
            outputs.filter(|outputs| outputs.iter().all(|output| (*output as usize) < columns)).map(<[u32]>::len)
        };
        self.questions.is_sound(columns)
            && self.steps.iter().all(|step| match *step {
                Step::Path { mask, and, slot, .. } => {
                    (mask as usize) < masks && usize::from(slot.max(and.unwrap_or_default())) < SLOTS
                }
                Step::Unit { place, bits, outputs: range, table } => {
                    let places = self.places.get(place as usize..place as usize + usize::from(bits));
                    let within = |outputs: usize| table as usize + outputs * table_len(bits) <= self.tables.len();
                    usize::from(bits) <= MAX_BITS
                        && places.is_some_and(|all| all.iter().all(|place| (*place as usize) < masks + SLOTS))
                        && outputs(range).is_some_and(within)
                }
                Step::Tree { outputs: range } => outputs(range).is_some(),
            })
    }

    /// Adds one row's parts, by column, in the plainest code. `keys`, `tree` and `parts` stand by column; `tree` is all 0.
    pub fn add_row(&self, keys: &[T::Key], answers: &mut Vec<bool>, tree: &mut [f32], parts: &mut [f64]) {
        self.questions.answer(keys, answers);
        let masks = answers.len();
        answers.resize(masks + SLOTS, false);
        for step in &self.steps {
            match *step {
                Step::Path { mask, no, and, slot } => {
                    let above = and.is_none_or(|and| answers[masks + usize::from(and)]);
                    answers[masks + usize::from(slot)] = above && (answers[mask as usize] != no);
                }
                Step::Unit { place, bits, outputs, table } => {
                    let places = self.places[place as usize..].iter().take(usize::from(bits)).enumerate();
                    let pattern =
                        places.fold(0, |sum, (bit, place)| sum | usize::from(answers[*place as usize]) << bit);
                    let tables = self.tables[table as usize..].chunks(table_len(bits));
                    for (output, table) in self.outputs[outputs.0 as usize..outputs.1 as usize].iter().zip(tables) {
                        tree[*output as usize] += table[pattern];
                    }
                }
                Step::Tree { outputs } => {
                    for output in &self.outputs[outputs.0 as usize..outputs.1 as usize] {
                        parts[*output as usize] += f64::from(std::mem::take(&mut tree[*output as usize]));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::trees::shap::paths;
    use crate::trees::tests::forests::{BOOSTED, Kind, forest};

    /// The trees of a forest whose units all have tables, by covers that halve at every branch.
    fn gathered(seed: u64, kind: Kind) -> (Terms<f32>, usize) {
        let (mut gathering, shares) = (Gathering::<f32>::new(), Shares::new(MAX_BITS));
        for tree in forest(seed, kind).get().trees.iter() {
            let units: Vec<Unit> = paths::units(tree, 0).into_iter().filter(|unit| unit.has_table(tree)).collect();
            let leaves = units.iter().flat_map(|unit| &unit.leaves);
            let games: Vec<Game> = leaves.map(|leaf| Game::Covers(vec![0.5; leaf.features.len()])).collect();
            let before = gathering.terms.tables.len();
            let entries = Gathering::<f32>::entries(tree, &units);
            gathering.add(tree, &units, &games, &shares);
            assert_eq!(gathering.terms.tables.len() - before, entries, "as many entries as were foretold");
        }
        (gathering.take().unwrap(), gathering.columns.features.len())
    }

    #[test]
    fn a_position_that_is_not_there_is_no_sound_program() {
        let (terms, columns) = gathered(3, Kind { branches: 60, ..BOOSTED });
        assert!(terms.is_sound(columns) && !terms.is_sound(columns - 1));
        let change = |of: fn(&mut Terms<f32>)| {
            let mut changed = terms.clone();
            of(&mut changed);
            changed.is_sound(columns)
        };
        let each =
            |terms: &mut Terms<f32>, of: fn(Step) -> Step| terms.steps.iter_mut().for_each(|step| *step = of(*step));
        type Change = fn(&mut Terms<f32>);
        let rows: [(&str, Change); 6] = [
            ("a place too few", |terms| _ = terms.places.pop()),
            ("a place beyond all slots", |terms| terms.places[0] = u32::MAX),
            ("an output that is no column", |terms| terms.outputs[0] = u32::MAX),
            ("an entry too few", |terms| _ = terms.tables.pop()),
            ("a question's column", |terms| terms.questions.asks[0].column = u32::MAX),
            ("more bits than a table has, and room for all of them", |terms| {
                terms.places.resize(terms.places.len() + MAX_BITS + 1, 0);
                terms.tables.resize(terms.tables.len() + (1 << 18), 0.0);
                if let Some(Step::Unit { bits, .. }) =
                    terms.steps.iter_mut().find(|step| matches!(step, Step::Unit { .. }))
                {
                    *bits = MAX_BITS as u8 + 1;
                }
            }),
        ];
        for (name, of) in rows {
            assert!(!change(of), "{name}");
        }
        let turns: [(&str, fn(Step) -> Step); 3] = [
            ("a mask", |step| match step {
                Step::Path { no, and, slot, .. } => Step::Path { mask: u32::MAX, no, and, slot },
                other => other,
            }),
            ("a slot", |step| match step {
                Step::Path { mask, no, and, .. } => Step::Path { mask, no, and, slot: SLOTS as u16 },
                other => other,
            }),
            ("a tree's outputs", |step| match step {
                Step::Tree { outputs } => Step::Tree { outputs: (outputs.0, u32::MAX) },
                other => other,
            }),
        ];
        for (name, of) in turns {
            let mut changed = terms.clone();
            each(&mut changed, of);
            assert!(!changed.is_sound(columns), "{name}");
        }
    }

    #[test]
    fn nothing_is_taken_of_nothing_and_a_table_has_room_for_a_permutation() {
        let mut gathering = Gathering::<f64>::new();
        assert!(gathering.take().is_none() && !gathering.is_full(usize::MAX >> 1), "an empty group takes any tree");
        for (bits, expected) in [(0, 32), (4, 32), (5, 32), (6, 64), (14, 1 << 14)] {
            assert_eq!(table_len(bits), expected, "{bits} bits");
        }
        let (_, columns) = gathered(1, BOOSTED);
        assert!((1..=BOOSTED.width).contains(&columns), "each feature has one column");
    }
}
