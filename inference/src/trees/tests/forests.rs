//! Forests and rows by seed: every mode, precision and shape, values equal to thresholds, missing and infinite ones.

use crate::trees::{Aggregate, Compare, Draft, Ensemble, Node, Precision, Real, Test, Tree, Vote};

/// SplitMix64, by its published constants.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub(crate) fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    /// Of few values, so that they meet thresholds often; some are no f32.
    pub(crate) fn number(&mut self) -> f64 {
        match self.below(24) {
            0 => f64::INFINITY,
            1 => f64::NEG_INFINITY,
            2 => 0.0,
            3 => -0.0,
            4 => 1e-40,
            _ => (self.below(33) as f64 - 16.0) / 10.0,
        }
    }
}

/// What a forest is like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    pub(crate) width: usize,
    pub(crate) targets: usize,
    pub(crate) trees: usize,
    /// Branches of a tree, at most.
    pub(crate) branches: usize,
    /// Whether branches grow one below the other.
    pub(crate) chains: bool,
    /// One mode for all branches, or all modes mixed.
    pub(crate) compare: Option<Compare>,
    pub(crate) precision: Precision,
    pub(crate) aggregate: Aggregate,
    /// Votes of a leaf, at most.
    pub(crate) votes: usize,
}

/// Small trees of one mode and target, as boosting makes them.
pub(crate) const BOOSTED: Kind = Kind {
    width: 5,
    targets: 1,
    trees: 13,
    branches: 20,
    chains: false,
    compare: Some(Compare::Lt),
    precision: Precision::Single,
    aggregate: Aggregate::Sum,
    votes: 1,
};

pub(crate) fn forest(seed: u64, kind: Kind) -> Ensemble {
    let mut dice = Dice(seed);
    let trees: Vec<Tree> = (0..kind.trees).map(|_| tree(&mut dice, kind)).collect();
    let base = if dice.one_in(2) { Vec::new() } else { (0..kind.targets).map(|_| real(&mut dice, kind)).collect() };
    let Kind { width, targets, precision, aggregate, .. } = kind;
    Draft { width, targets, precision, aggregate, base, trees: trees.into() }.check().expect("a forest")
}

/// A finite number of the precision.
fn real(dice: &mut Dice, kind: Kind) -> Real {
    let value = dice.below(2001) as f64 / 1000.0 - 1.0;
    if kind.precision == Precision::Single { Real::from(value as f32) } else { Real(value) }
}

fn tree(dice: &mut Dice, kind: Kind) -> Tree {
    let branches = dice.below(kind.branches + 1);
    let mut nodes = vec![None];
    let mut open = vec![0];
    for _ in 0..branches {
        let at = if kind.chains { open.len() - 1 } else { dice.below(open.len()) };
        let (yes, no) = (nodes.len() as u32, nodes.len() as u32 + 1);
        nodes[open.swap_remove(at)] = Some(branch(dice, kind, yes, no));
        nodes.extend([None, None]);
        open.extend([yes as usize, no as usize]);
    }
    let mut leaf = || {
        let count = if kind.votes == 1 { 1 } else { dice.below(kind.votes + 1) };
        let vote = |_| Vote { target: dice.below(kind.targets) as u32, weight: real(dice, kind) };
        Node::Leaf { votes: (0..count).map(vote).collect() }
    };
    Tree { root: 0, nodes: nodes.into_iter().map(|node| node.unwrap_or_else(&mut leaf)).collect() }
}

fn branch(dice: &mut Dice, kind: Kind, yes: u32, no: u32) -> Node {
    use Compare::{Eq, Gt, Gte, Leq, Lt, Neq};
    let number = |dice: &mut Dice| match kind.precision {
        Precision::Single => Real::from(dice.number() as f32),
        Precision::Double => Real(dice.number()),
    };
    let test = match kind.compare {
        Some(compare) => Test::Threshold(compare, number(dice)),
        None if dice.one_in(6) => Test::Member((0..dice.below(4)).map(|_| number(dice)).collect()),
        None => Test::Threshold([Leq, Lt, Gte, Gt, Eq, Neq][dice.below(6)], number(dice)),
    };
    Node::Branch { feature: dice.below(kind.width) as u32, test, missing_tracks_true: dice.one_in(2), yes, no }
}

pub(crate) fn rows(seed: u64, width: usize, count: usize) -> Vec<f64> {
    let mut dice = Dice(seed ^ 0xABCD);
    (0..width * count).map(|_| if dice.one_in(9) { f64::NAN } else { dice.number() }).collect()
}
