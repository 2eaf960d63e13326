//! A tree ensemble as plain data, and the one door through which it must go: [`Draft::check`]. What came through is a forest
//! of finite trees whose indices are in range, so nothing behind it can loop, panic or read astray.

use super::error::TreeError;
use std::hash::{Hash, Hasher};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// Features of a row.
pub const MAX_WIDTH: usize = 1 << 20;
/// Targets or classes.
pub const MAX_TARGETS: usize = 1 << 16;
/// Trees of an ensemble.
pub const MAX_TREES: usize = 1 << 20;
/// Nodes of an ensemble; also votes, and members of all sets.
pub const MAX_NODES: usize = 1 << 24;
/// Branches from a root to a leaf.
pub const MAX_DEPTH: usize = 512;

/// A number that is equal to itself and hashes: by its bits.
#[derive(Debug, Clone, Copy, Default)]
pub struct Real(pub f64);

impl PartialEq for Real {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for Real {}

impl Hash for Real {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

impl From<f64> for Real {
    fn from(value: f64) -> Self {
        Self(value)
    }
}

impl From<f32> for Real {
    fn from(value: f32) -> Self {
        Self(f64::from(value))
    }
}

/// In what arithmetic thresholds are compared and votes are added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Precision {
    /// f32 rows, thresholds and sums; every number of the ensemble is an f32.
    Single,
    /// f64 rows, thresholds and sums: the double tensors of opset 3 and 5, and f32 attributes met by double input.
    Double,
}

/// How the votes of all trees for one target become one number; `base` is added after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Aggregate {
    /// Their sum.
    Sum,
    /// Their sum divided by the number of trees, whether or not each tree votes.
    Average,
    /// The least; 0 where no tree votes.
    Min,
    /// The greatest; 0 where no tree votes.
    Max,
}

/// The comparison of a branch, the row's value on its left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Compare {
    /// `BRANCH_LEQ`.
    Leq,
    /// `BRANCH_LT`.
    Lt,
    /// `BRANCH_GTE`.
    Gte,
    /// `BRANCH_GT`.
    Gt,
    /// `BRANCH_EQ`.
    Eq,
    /// `BRANCH_NEQ`: NaN differs from every threshold.
    Neq,
}

/// What a branch asks of the row's value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Test {
    /// A comparison with a threshold, which is not NaN.
    Threshold(Compare, Real),
    /// `BRANCH_MEMBER`: is the value one of these? None of them is NaN.
    Member(Vec<Real>),
}

/// A leaf's part in one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Vote {
    /// Target or class, below the ensemble's number of targets.
    pub target: u32,
    /// What it adds; not NaN.
    pub weight: Real,
}

/// A node of a tree. Children are positions in [`Tree::nodes`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Node {
    /// An inner node.
    Branch {
        /// Position in the row.
        feature: u32,
        /// The question.
        test: Test,
        /// `missing_value_tracks_true`: NaN counts as yes. Without it NaN fails every test but `Neq`.
        missing_tracks_true: bool,
        /// Where yes leads.
        yes: u32,
        /// Where no leads.
        no: u32,
    },
    /// An end. It may vote for several targets, several times, or not at all.
    Leaf {
        /// Added in this order.
        votes: Vec<Vote>,
    },
}

/// One tree. Every node is reached from the root by exactly one path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tree {
    /// Position of the root in `nodes`.
    pub root: u32,
    /// In any order.
    pub nodes: Vec<Node>,
}

/// An ensemble as it was read, not yet to be trusted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Draft {
    /// Features of a row.
    pub width: usize,
    /// Targets or classes.
    pub targets: usize,
    /// Arithmetic of comparisons and sums.
    pub precision: Precision,
    /// How votes become a number.
    pub aggregate: Aggregate,
    /// Added to each target after aggregation: empty, or one for each target.
    pub base: Vec<Real>,
    /// In the order in which their votes are added.
    pub trees: Trees,
}

/// The trees of an ensemble. Clones share them until one is changed: a large forest is held once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Trees(Arc<Vec<Tree>>);

impl From<Vec<Tree>> for Trees {
    fn from(trees: Vec<Tree>) -> Self {
        Self(Arc::new(trees))
    }
}

impl Deref for Trees {
    type Target = Vec<Tree>;

    fn deref(&self) -> &Vec<Tree> {
        &self.0
    }
}

impl DerefMut for Trees {
    fn deref_mut(&mut self) -> &mut Vec<Tree> {
        Arc::make_mut(&mut self.0)
    }
}

/// An ensemble that holds what it promises. Plain data still: [`super::Compiled`] is its fast form.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ensemble(Draft);

impl Draft {
    /// Proves that this is a forest.
    ///
    /// # Errors
    /// [`TreeError`] that names the tree and node: children out of range, cycles, two parents, nodes that no path reaches,
    /// features and targets out of range, NaN, numbers that are no f32 in single precision, too deep, too large.
    pub fn check(self) -> Result<Ensemble, TreeError> {
        check_sizes(&self)?;
        for (at, tree) in self.trees.iter().enumerate() {
            check_nodes(&self, tree).and_then(|()| check_shape(tree)).map_err(|(node, why)| TreeError::Node {
                tree: at,
                node,
                why,
            })?;
        }
        Ok(Ensemble(self))
    }
}

impl Ensemble {
    /// The data, for whoever reads it; it cannot be changed back into something unproven.
    pub fn get(&self) -> &Draft {
        &self.0
    }

    /// The same trees for rows of so many features, met in a precision. What is proven of fewer features and of single precision
    /// is not proven again.
    ///
    /// # Errors
    /// As [`Draft::check`].
    pub fn for_rows(&self, width: usize, precision: Precision) -> Result<Self, TreeError> {
        let proven =
            (self.0.width..=MAX_WIDTH).contains(&width) && [self.0.precision, Precision::Double].contains(&precision);
        let draft = Draft { width, precision, ..self.0.clone() };
        if proven { Ok(Self(draft)) } else { draft.check() }
    }

    /// The data, to be changed and checked again.
    pub fn into_draft(self) -> Draft {
        self.0
    }

    /// Added to a target after aggregation.
    pub fn base(&self, target: usize) -> f64 {
        self.0.base.get(target).map_or(0.0, |base| base.0)
    }
}

impl Tree {
    /// Children of a node, yes first; none of a leaf.
    pub fn children(&self, node: usize) -> Option<(usize, usize)> {
        match &self.nodes[node] {
            Node::Branch { yes, no, .. } => Some((*yes as usize, *no as usize)),
            Node::Leaf { .. } => None,
        }
    }
}

fn check_sizes(draft: &Draft) -> Result<(), TreeError> {
    let refuse = |why: String| Err(TreeError::Ensemble(why));
    let nodes: usize = draft.trees.iter().map(|tree| tree.nodes.len()).sum();
    let payload: usize = draft.trees.iter().flat_map(|tree| &tree.nodes).map(payload).sum();
    for (what, found, least, most) in [
        ("features", draft.width, 1, MAX_WIDTH),
        ("targets", draft.targets, 1, MAX_TARGETS),
        ("trees", draft.trees.len(), 0, MAX_TREES),
        ("nodes", nodes, 0, MAX_NODES),
        ("votes and set members", payload, 0, MAX_NODES),
    ] {
        if found < least || found > most {
            return refuse(format!("has {found} {what}, must have {least} to {most}"));
        }
    }
    if !draft.base.is_empty() && draft.base.len() != draft.targets {
        return refuse(format!("has {} base values for {} targets", draft.base.len(), draft.targets));
    }
    match draft.base.iter().find(|base| !fits(draft.precision, base.0)) {
        Some(base) => refuse(format!("has a base value {}", unfit(base.0))),
        None => Ok(()),
    }
}

/// Votes or set members.
fn payload(node: &Node) -> usize {
    match node {
        Node::Branch { test: Test::Member(set), .. } => set.len(),
        Node::Branch { .. } => 0,
        Node::Leaf { votes } => votes.len(),
    }
}

/// Each node for itself.
fn check_nodes(draft: &Draft, tree: &Tree) -> Result<(), (usize, String)> {
    for (at, node) in tree.nodes.iter().enumerate() {
        check_node(draft, tree.nodes.len(), node).map_err(|why| (at, why))?;
    }
    Ok(())
}

fn check_node(draft: &Draft, nodes: usize, node: &Node) -> Result<(), String> {
    let number = |what: &str, value: &Real| match fits(draft.precision, value.0) {
        true => Ok(()),
        false => Err(format!("{what} {}", unfit(value.0))),
    };
    match node {
        Node::Branch { feature, test, yes, no, .. } => {
            if *feature as usize >= draft.width {
                return Err(format!("asks for feature {feature} of {}", draft.width));
            }
            if let Some(child) = [yes, no].into_iter().find(|child| **child as usize >= nodes) {
                return Err(format!("has the child {child}, the tree has {nodes} nodes"));
            }
            match test {
                Test::Threshold(_, threshold) => number("its threshold", threshold),
                Test::Member(set) => set.iter().try_for_each(|member| number("its member", member)),
            }
        }
        Node::Leaf { votes } => votes.iter().try_for_each(|vote| match (vote.target as usize) < draft.targets {
            true => number("its weight", &vote.weight),
            false => Err(format!("votes for target {} of {}", vote.target, draft.targets)),
        }),
    }
}

fn fits(precision: Precision, value: f64) -> bool {
    match precision {
        Precision::Single => f64::from(value as f32).to_bits() == value.to_bits() && !value.is_nan(),
        Precision::Double => !value.is_nan(),
    }
}

fn unfit(value: f64) -> String {
    match value.is_nan() {
        true => "is NaN".to_owned(),
        false => format!("{value} is no f32"),
    }
}

/// One path from the root to every node, none too long. Children are known to be in range.
fn check_shape(tree: &Tree) -> Result<(), (usize, String)> {
    let root = tree.root as usize;
    if root >= tree.nodes.len() {
        return Err((root, format!("is the root of a tree of {} nodes", tree.nodes.len())));
    }
    let mut seen = vec![false; tree.nodes.len()];
    seen[root] = true;
    let mut open = vec![(root, 0)];
    while let Some((node, depth)) = open.pop() {
        let Some((yes, no)) = tree.children(node) else { continue };
        if depth == MAX_DEPTH {
            return Err((node, format!("is the start of branch {}, a way may have {MAX_DEPTH}", depth + 1)));
        }
        for child in [yes, no] {
            if std::mem::replace(&mut seen[child], true) {
                return Err((child, "is reached by two ways".to_owned()));
            }
            open.push((child, depth + 1));
        }
    }
    match seen.iter().position(|seen| !seen) {
        Some(node) => Err((node, "is reached by no way".to_owned())),
        None => Ok(()),
    }
}
