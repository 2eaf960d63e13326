//! Exact TreeSHAP: what each feature gives to the margin of a target, so that the parts and the base add up to it.
//!
//! Reading order: [`game`] is the mathematics of one leaf; [`paths`] finds the leaves and cuts trees into units; [`terms`] is
//! the sum, as tables by which conditions a row meets. Per row it costs look-ups, whatever the background's size.

mod game;
mod paths;
mod terms;

use super::ensemble::{Aggregate, Ensemble, Node, Precision, Tree};
use super::error::TreeError;
use super::lanes::{Lanes, SoundTerms, Sums, Vectors};
use super::number::Number;
use super::questions::{BLOCK, Column};
use game::{Game, MAX_FEATURES, Shares};
use paths::{Leaf, Unit};
use terms::Gathering;

pub(super) use paths::MAX_BITS;
pub(super) use terms::{SLOTS, Step, Terms, table_len};

/// Branches on all paths from a root to a leaf.
pub const MAX_PATH_BRANCHES: usize = 1 << 26;
/// Memory of all tables; leaves beyond it are computed anew for every row.
pub const MAX_TABLE_BYTES: usize = 256 << 20;
/// Numbers of the games of leaves without a table.
const MAX_GAMES: usize = 1 << 26;
/// Covers are sums in f32 where they come from, so a child's may be this much more than its parent's; beyond it they are
/// covers of another tree.
const COVERS_ROUND: f64 = 1.001;
/// Tests of background rows at load.
const MAX_TESTS: usize = 1 << 32;
/// Fewer rows than this go one by one: a block streams every table through the cache.
const FEW: usize = 3;
/// Features that blocks may add to; their sums are 6 KiB each.
const MAX_COLUMNS: usize = 1 << 12;

/// Contributions to one target's margin; built once, shared by threads. The bits of a row's contributions do not depend on
/// the other rows or on the machine.
#[derive(Debug, Clone)]
pub struct TreeShap {
    ensemble: Ensemble,
    base: f64,
    form: Form,
    vectors: Vectors,
    shares: Shares,
    /// Leaves without a table.
    direct: Vec<Direct>,
}

#[derive(Debug, Clone)]
enum Form {
    Single(Sum<f32>),
    Double(Sum<f64>),
}

/// The trees with tables.
#[derive(Debug, Clone)]
struct Sum<T: Number> {
    groups: Vec<SoundTerms<T>>,
    /// Feature of each column.
    columns: Vec<u32>,
}

/// See [`TreeShap::direct`].
#[derive(Debug, Clone)]
struct Direct {
    tree: usize,
    leaf: Leaf,
    game: Game,
}

impl TreeShap {
    /// Against a background: exact Shapley values of the game in which absent features have a background row's values, averaged
    /// over the rows (N × width numbers, at least one row). Features are independent of each other, as Janzing et al. (2020)
    /// and Python's `shap` with `feature_perturbation="interventional"` mean it.
    ///
    /// # Errors
    /// [`TreeError`]: `target` is none, the background has no whole rows, `Min` or `Max` do not add up, a weight is not
    /// finite, or the ensemble is beyond the bounds of this module.
    pub fn interventional<N: Number>(ensemble: &Ensemble, target: usize, background: &[N]) -> Result<Self, TreeError> {
        let width = ensemble.get().width;
        if background.is_empty() || !background.len().is_multiple_of(width) {
            let needed = format!("a multiple of {width}, and not 0,");
            return Err(TreeError::Shape { what: "the background", found: background.len(), needed });
        }
        let branches = check(ensemble, target)?;
        if branches.saturating_mul(background.len() / width) > MAX_TESTS {
            return refuse(format!("has {branches} branches on its ways, too many for this background"));
        }
        let rows: Vec<&[N]> = background.chunks(width).collect();
        Self::new(ensemble, target, |tree, leaf| {
            let tree = &ensemble.get().trees[tree];
            Game::background(rows.iter().map(|row| pattern(tree, leaf, row)))
        })
    }

    /// By covers: exact path-dependent TreeSHAP, in which an absent feature goes both ways, by the share of covers. XGBoost's
    /// `pred_contribs` with its own covers. `covers` has, for each tree, one number for each node, which are not negative.
    /// Below a node of cover 0 both ways count alike.
    ///
    /// # Errors
    /// As [`TreeShap::interventional`], for covers in place of the background.
    pub fn path_dependent(ensemble: &Ensemble, target: usize, covers: &[Vec<f64>]) -> Result<Self, TreeError> {
        check(ensemble, target)?;
        check_covers(ensemble, covers)?;
        Self::new(ensemble, target, |tree, leaf| {
            let (tree, covers) = (&ensemble.get().trees[tree], &covers[tree]);
            let zero = |asked: &u32| {
                let steps = leaf.path.iter().filter(|(node, _)| paths::feature(tree, *node) == *asked);
                steps.map(|(node, yes)| share(tree, covers, *node, *yes)).product()
            };
            Game::Covers(leaf.features.iter().map(zero).collect())
        })
    }

    fn new(ensemble: &Ensemble, target: usize, game: impl Fn(usize, &Leaf) -> Game) -> Result<Self, TreeError> {
        let mut built = Built::default();
        let form = match ensemble.get().precision {
            Precision::Single => Form::Single(built.sum(ensemble, target, game)?),
            Precision::Double => Form::Double(built.sum(ensemble, target, game)?),
        };
        let Built { base, direct } = built;
        let vectors = Vectors::best();
        Ok(Self { ensemble: ensemble.clone(), base, form, vectors, shares: Shares::new(MAX_FEATURES), direct })
    }

    /// The margin that is expected before anything is known of a row, the ensemble's base value in it.
    pub fn base(&self) -> f64 {
        self.base
    }

    /// Contributions of rows laid one after the other: `rows` and `parts` hold N × width numbers. A feature that no tree
    /// asks for has 0.
    ///
    /// # Errors
    /// [`TreeError::Shape`].
    pub fn explain_f32(&self, rows: &[f32], parts: &mut [f64]) -> Result<(), TreeError> {
        self.check(rows.len(), parts.len())?;
        match &self.form {
            Form::Single(sum) => self.run(sum, rows, parts),
            Form::Double(sum) => self.run(sum, &rows.iter().map(|value| f64::from(*value)).collect::<Vec<_>>(), parts),
        }
        Ok(())
    }

    /// As [`TreeShap::explain_f32`], for double rows, which an ensemble of single precision refuses.
    ///
    /// # Errors
    /// [`TreeError`].
    pub fn explain_f64(&self, rows: &[f64], parts: &mut [f64]) -> Result<(), TreeError> {
        self.check(rows.len(), parts.len())?;
        match &self.form {
            Form::Single(_) => return refuse("is of single precision and was given double rows".to_owned()),
            Form::Double(sum) => self.run(sum, rows, parts),
        }
        Ok(())
    }

    /// The same by these instructions, or none if the machine does not have them; for tests and comparisons.
    pub fn using(mut self, vectors: Vectors) -> Self {
        self.vectors = if vectors.are_here() { vectors } else { Vectors::None };
        self
    }

    fn check(&self, rows: usize, parts: usize) -> Result<(), TreeError> {
        let width = self.ensemble.get().width;
        if !rows.is_multiple_of(width) {
            return Err(TreeError::Shape { what: "rows", found: rows, needed: format!("a multiple of {width}") });
        }
        if parts != rows {
            return Err(TreeError::Shape { what: "parts", found: parts, needed: rows.to_string() });
        }
        Ok(())
    }

    fn run<T: Lanes>(&self, sum: &Sum<T>, rows: &[T], parts: &mut [f64]) {
        let width = self.ensemble.get().width;
        parts.fill(0.0);
        sum.add(self.vectors, rows, width, parts);
        if !self.direct.is_empty() {
            rows.chunks(width).zip(parts.chunks_mut(width)).for_each(|(row, parts)| self.add_direct(row, parts));
        }
    }

    fn add_direct<T: Number>(&self, row: &[T], parts: &mut [f64]) {
        let mut own = [0.0; MAX_FEATURES];
        for Direct { tree, leaf, game } in &self.direct {
            let own = &mut own[..leaf.features.len()];
            own.fill(0.0);
            game.add(&self.shares, leaf.weight, pattern(&self.ensemble.get().trees[*tree], leaf, row), own);
            leaf.features.iter().zip(own).for_each(|(feature, own)| parts[*feature as usize] += *own);
        }
    }
}

/// How often each node of each tree is met by these rows (N × width numbers): covers where a model brings none.
///
/// # Errors
/// [`TreeError::Shape`].
pub fn count_covers<N: Number>(ensemble: &Ensemble, rows: &[N]) -> Result<Vec<Vec<f64>>, TreeError> {
    let width = ensemble.get().width;
    if !rows.len().is_multiple_of(width) {
        return Err(TreeError::Shape { what: "rows", found: rows.len(), needed: format!("a multiple of {width}") });
    }
    let count = |tree: &Tree| {
        let mut covers = vec![0.0; tree.nodes.len()];
        for row in rows.chunks(width) {
            let mut at = tree.root as usize;
            covers[at] += 1.0;
            while let Some(next) = step(tree, at, row) {
                at = next;
                covers[at] += 1.0;
            }
        }
        covers
    };
    Ok(ensemble.get().trees.iter().map(count).collect())
}

/// What grows while trees are taken in.
#[derive(Default)]
struct Built {
    base: f64,
    direct: Vec<Direct>,
}

impl Built {
    fn sum<T: Lanes>(
        &mut self,
        ensemble: &Ensemble,
        target: usize,
        game: impl Fn(usize, &Leaf) -> Game,
    ) -> Result<Sum<T>, TreeError> {
        let draft = ensemble.get();
        let scale = if draft.aggregate == Aggregate::Average { 1.0 / draft.trees.len().max(1) as f64 } else { 1.0 };
        let shares = Shares::new(paths::MAX_BITS);
        let mut gathering = Gathering::<T>::new();
        let (mut groups, mut entries, mut games_kept) = (Vec::new(), 0, 0);
        for (at, tree) in draft.trees.iter().enumerate() {
            let mut units = paths::units(tree, target as u32);
            units.iter_mut().flat_map(|unit| &mut unit.leaves).for_each(|leaf| leaf.weight *= scale);
            let (mut tabled, mut direct): (Vec<Unit>, Vec<Unit>) =
                units.into_iter().partition(|unit| unit.has_table(tree));
            let more = Gathering::<T>::entries(tree, &tabled);
            if (entries + more) * size_of::<f32>() > MAX_TABLE_BYTES {
                direct.append(&mut tabled);
            } else {
                entries += more;
            }
            if !tabled.is_empty() {
                if gathering.is_full(super::columns::questions(tree)) {
                    groups.extend(gathering.take());
                }
                let leaves = || tabled.iter().flat_map(|unit| &unit.leaves);
                let games: Vec<Game> = leaves().map(|leaf| game(at, leaf)).collect();
                self.base += leaves()
                    .zip(&games)
                    .map(|(leaf, game)| game.expected(leaf.weight, leaf.features.len()))
                    .sum::<f64>();
                gathering.add(tree, &tabled, &games, &shares);
            }
            for leaf in direct.into_iter().flat_map(|unit| unit.leaves) {
                if leaf.features.len() > MAX_FEATURES {
                    return refuse(format!("asks {} features on one way, at most {MAX_FEATURES}", leaf.features.len()));
                }
                let game = game(at, &leaf);
                self.base += game.expected(leaf.weight, leaf.features.len());
                games_kept += game.size() + leaf.path.len();
                self.direct.push(Direct { tree: at, leaf, game });
            }
            if games_kept > MAX_GAMES {
                return refuse("is too deep and too large for exact contributions against this background".to_owned());
            }
        }
        self.base += ensemble.base(target);
        groups.extend(gathering.take());
        let columns = gathering.columns.features;
        let sound = |terms| SoundTerms::new(terms, columns.len());
        let groups: Option<Vec<_>> = groups.into_iter().map(sound).collect();
        let groups = groups.ok_or_else(|| TreeError::Ensemble("was compiled wrongly".to_owned()))?;
        Ok(Sum { groups, columns })
    }
}

impl<T: Lanes> Sum<T> {
    /// Adds to each row's parts; both have `width` numbers a row.
    fn add(&self, vectors: Vectors, rows: &[T], width: usize, parts: &mut [f64]) {
        let blocks = vectors != Vectors::None && self.columns.len() <= MAX_COLUMNS;
        for (rows, parts) in rows.chunks(BLOCK * width).zip(parts.chunks_mut(BLOCK * width)) {
            if blocks && rows.len() / width >= FEW {
                self.add_block(vectors, rows, width, parts);
            } else {
                self.add_rows(rows, width, parts);
            }
        }
    }

    fn add_block(&self, vectors: Vectors, rows: &[T], width: usize, parts: &mut [f64]) {
        let mut columns = vec![Column([T::Key::default(); BLOCK]); self.columns.len()];
        for (column, feature) in columns.iter_mut().zip(&self.columns) {
            let values = rows.iter().skip(*feature as usize).step_by(width);
            column.0.iter_mut().zip(values).for_each(|(key, value)| *key = value.key());
        }
        let mut tree = vec![Sums([0.0f32; BLOCK]); columns.len()];
        let mut sums = vec![Sums([0.0f64; BLOCK]); columns.len()];
        let count = rows.len() / width;
        super::lanes::with_masks(|masks| {
            for group in &self.groups {
                T::explain(vectors, group, &columns, count, masks, &mut tree, &mut sums);
            }
        });
        for (sums, feature) in sums.iter().zip(&self.columns) {
            let parts = parts.iter_mut().skip(*feature as usize).step_by(width);
            parts.zip(&sums.0).for_each(|(part, sum)| *part = *sum);
        }
    }

    fn add_rows(&self, rows: &[T], width: usize, parts: &mut [f64]) {
        let mut answers = Vec::new();
        let mut tree = vec![0.0; self.columns.len()];
        let mut sums = vec![0.0; self.columns.len()];
        for (row, parts) in rows.chunks(width).zip(parts.chunks_mut(width)) {
            let keys: Vec<T::Key> = self.columns.iter().map(|feature| row[*feature as usize].key()).collect();
            sums.fill(0.0);
            for group in &self.groups {
                group.terms().add_row(&keys, &mut answers, &mut tree, &mut sums);
            }
            self.columns.iter().zip(&sums).for_each(|(feature, sum)| parts[*feature as usize] = *sum);
        }
    }
}

/// Refuses what has no contributions; otherwise the number of branches on all paths.
fn check(ensemble: &Ensemble, target: usize) -> Result<usize, TreeError> {
    let draft = ensemble.get();
    if target >= draft.targets {
        return refuse(format!("has {} targets, not target {target}", draft.targets));
    }
    if matches!(draft.aggregate, Aggregate::Min | Aggregate::Max) {
        return refuse("takes the least or greatest vote, which is no sum of contributions".to_owned());
    }
    let votes = draft.trees.iter().flat_map(|tree| &tree.nodes).filter_map(|node| match node {
        Node::Leaf { votes } => Some(votes),
        Node::Branch { .. } => None,
    });
    if votes.flatten().any(|vote| !vote.weight.0.is_finite()) {
        return refuse("has a weight that is not finite".to_owned());
    }
    let branches = draft.trees.iter().map(path_branches).sum();
    if branches > MAX_PATH_BRANCHES {
        return refuse(format!("has {branches} branches on its ways, at most {MAX_PATH_BRANCHES} can be explained"));
    }
    Ok(branches)
}

fn refuse<A>(why: String) -> Result<A, TreeError> {
    Err(TreeError::Ensemble(why))
}

/// Branches on the paths to all leaves.
fn path_branches(tree: &Tree) -> usize {
    let mut sum = 0;
    let mut open = vec![(tree.root as usize, 0)];
    while let Some((node, depth)) = open.pop() {
        match tree.children(node) {
            Some((yes, no)) => open.extend([(no, depth + 1), (yes, depth + 1)]),
            None => sum += depth,
        }
    }
    sum
}

fn check_covers(ensemble: &Ensemble, covers: &[Vec<f64>]) -> Result<(), TreeError> {
    let trees = &ensemble.get().trees;
    if covers.len() != trees.len() {
        let needed = format!("{} (one list a tree)", trees.len());
        return Err(TreeError::Shape { what: "covers", found: covers.len(), needed });
    }
    for (at, (tree, covers)) in trees.iter().zip(covers).enumerate() {
        if covers.len() != tree.nodes.len() {
            let needed = format!("{} (tree {at})", tree.nodes.len());
            return Err(TreeError::Shape { what: "covers", found: covers.len(), needed });
        }
        for (node, cover) in covers.iter().enumerate() {
            if !(cover.is_finite() && *cover >= 0.0) {
                return Err(TreeError::Node { tree: at, node, why: format!("has cover {cover}") });
            }
            if let Some((yes, no)) = tree.children(node)
                && covers[yes].max(covers[no]) > cover * COVERS_ROUND
            {
                return Err(TreeError::Node {
                    tree: at,
                    node,
                    why: format!("has cover {cover}, a child of it has more"),
                });
            }
        }
    }
    Ok(())
}

/// The share of a branch's cover that goes one way.
fn share(tree: &Tree, covers: &[f64], node: usize, yes: bool) -> f64 {
    let child = tree.children(node).map_or(node, |(on_yes, on_no)| if yes { on_yes } else { on_no });
    if covers[node] == 0.0 { 0.5 } else { covers[child] / covers[node] }
}

/// Which features of a leaf's path a row satisfies.
fn pattern<N: Number>(tree: &Tree, leaf: &Leaf, row: &[N]) -> u128 {
    let mut unmet = 0;
    for (node, yes) in &leaf.path {
        let place =
            leaf.features.iter().position(|feature| *feature == paths::feature(tree, *node)).unwrap_or_default();
        if step(tree, *node, row) != tree.children(*node).map(|(on_yes, on_no)| if *yes { on_yes } else { on_no }) {
            unmet |= 1 << place;
        }
    }
    game::all(leaf.features.len()) & !unmet
}

/// The child that a row goes to.
fn step<N: Number>(tree: &Tree, node: usize, row: &[N]) -> Option<usize> {
    let Node::Branch { feature, test, missing_tracks_true, yes, no } = &tree.nodes[node] else { return None };
    let holds = test.holds(*missing_tracks_true, row[*feature as usize].wide());
    Some(if holds { *yes } else { *no } as usize)
}

#[cfg(test)]
mod tests;
