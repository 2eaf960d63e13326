//! The block form: a block of rows against every question at once, one bit a row, then whole trees by logic on bits.
//!
//! Trees are taken in groups. Each distinct question of a group is asked once of all rows of a block, which gives a mask of
//! [`super::questions::BLOCK`] bits; a tree's inner nodes are then such masks, and the number of the leaf that each row comes to is found bit by
//! bit by [`Shape`], with no memory access that depends on a row. Close to QuickScorer (Lucchese et al., SIGIR 2015) in
//! asking instead of walking, but by rows where that goes by leaves, and with no limit of 64 leaves.

use super::ensemble::{Node, Tree, Vote};
use super::number::Number;
use super::questions::{Asking, Columns, Questions};

/// Leaves of a tree that is met this way: a leaf's number fits a byte. Beyond it, walking is faster.
pub(super) const MAX_LEAVES: usize = 256;
/// Trees of at most this depth are padded to perfect ones, however few leaves they have: one row profits.
const LEVEL: usize = 6;
/// Rows may have to be remembered at so many unfinished nodes of a tree.
pub(super) const MAX_SLOTS: usize = 64;
/// Tables must be filled to at least one part in so many, or they cost more memory than they are worth.
const MAX_SPARSE: usize = 16;

/// Consecutive trees and the questions that they share.
#[derive(Debug, Clone)]
pub(super) struct Group<T: Number> {
    pub questions: Questions<T>,
    pub trees: Vec<Shape>,
    /// Masks of the inner nodes of [`Shape::Select`], level by level, position in a level by the answers so far.
    pub levels: Vec<u32>,
    /// Of [`Shape::Reach`].
    pub steps: Vec<Step>,
    pub outputs: Vec<Output>,
    /// Weights by number of the leaf, for each output.
    pub tables: Vec<T>,
}

/// How the number of a row's leaf is found, whose bits are `bits` masks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub bits: u8,
    pub by: By,
    /// First and last of [`Group::outputs`].
    pub outputs: (u32, u32),
}

/// See [`Shape`].
#[derive(Debug, Clone, Copy)]
pub(super) enum By {
    /// The tree padded to a perfect one of `bits` levels: each level's answer is selected by those above. The number is the
    /// answers from the root on, yes being 1. `2^bits − 1` masks from here in [`Group::levels`].
    Select(u32),
    /// Which rows reach each node, from the root on: first and last of [`Group::steps`].
    Reach(u32, u32),
}

/// One node in depth-first order, yes first. `slot` holds the mask of the rows that reach it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    /// Those who say yes go to the next slot, those who say no stay.
    Branch { mask: u32, slot: u8 },
    /// The number of the leaf.
    Leaf { number: u8, slot: u8 },
}

/// A table for one target.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output {
    pub target: u32,
    /// Start of [`Shape::table_len`] weights in [`Group::tables`].
    pub table: u32,
}

impl Shape {
    /// Weights of a table: all that its bits, or a vector's permutation, may pick.
    pub fn table_len(bits: u8) -> usize {
        (1 << bits).max(32)
    }
}

/// Fills groups, tree after tree.
#[derive(Debug)]
pub(super) struct Grouping<'a, T: Number> {
    columns: &'a mut Columns,
    asking: Asking<T>,
    group: Group<T>,
}

impl<'a, T: Number> Grouping<'a, T> {
    pub fn new(columns: &'a mut Columns) -> Self {
        Self { columns, asking: Asking::new(), group: Group::empty() }
    }

    /// Whether the group holds no tree.
    pub fn is_empty(&self) -> bool {
        self.group.trees.is_empty()
    }

    /// Whether another tree may need more questions than a group should ask.
    pub fn is_full(&self, tree: &Tree) -> bool {
        !self.is_empty() && self.asking.is_full(questions(tree))
    }

    /// The group so far; what follows goes into a new one.
    pub fn take(&mut self) -> Group<T> {
        let group = std::mem::replace(&mut self.group, Group::empty());
        Group { questions: self.asking.take(), ..group }
    }

    /// Adds a tree, unless walking it is better.
    pub fn add(&mut self, tree: &Tree) -> bool {
        let Some(plan) = Plan::of(tree) else { return false };
        let bits = plan.bits();
        let by = match plan.select {
            true => self.select(tree, bits),
            false => self.reach(tree),
        };
        let outputs = self.outputs(tree, &plan, bits);
        self.group.trees.push(Shape { bits, by, outputs });
        true
    }

    fn mask(&mut self, node: &Node) -> u32 {
        self.asking.mask(node, self.columns)
    }

    fn select(&mut self, tree: &Tree, bits: u8) -> By {
        let first = self.group.levels.len();
        // Below a leaf any mask will do: all its numbers have the leaf's weight.
        self.group.levels.resize(first + (1 << bits) - 1, 0);
        for (node, depth, position) in positions(tree) {
            if tree.children(node).is_some() {
                let mask = self.mask(&tree.nodes[node]);
                self.group.levels[first + (1 << depth) - 1 + position] = mask;
            }
        }
        By::Select(first as u32)
    }

    fn reach(&mut self, tree: &Tree) -> By {
        let first = self.group.steps.len() as u32;
        let mut number = 0;
        let mut open = vec![(tree.root as usize, 0)];
        while let Some((node, slot)) = open.pop() {
            match tree.children(node) {
                Some((yes, no)) => {
                    let mask = self.mask(&tree.nodes[node]);
                    self.group.steps.push(Step::Branch { mask, slot });
                    open.extend([(no, slot), (yes, slot + 1)]);
                }
                None => {
                    self.group.steps.push(Step::Leaf { number: number as u8, slot });
                    number += 1;
                }
            }
        }
        By::Reach(first, self.group.steps.len() as u32)
    }

    /// The tables. The votes of one leaf for one target go into as many tables as there are of them, so that they are added
    /// one after the other.
    fn outputs(&mut self, tree: &Tree, plan: &Plan, bits: u8) -> (u32, u32) {
        let first = self.group.outputs.len() as u32;
        for output in &plan.outputs {
            let table = self.group.tables.len();
            self.group.tables.resize(table + Shape::table_len(bits), T::default());
            self.group.outputs.push(Output { target: output.0, table: table as u32 });
            let weights = &mut self.group.tables[table..];
            let mut put = |numbers: std::ops::Range<usize>, node: usize| {
                if let Some(weight) = vote_of(&tree.nodes[node], *output) {
                    weights[numbers].fill(T::of(weight));
                }
            };
            match plan.select {
                true => {
                    positions(tree).filter(|at| tree.children(at.0).is_none()).for_each(|(node, depth, position)| {
                        let spread = usize::from(bits) - depth;
                        put(position << spread..(position + 1) << spread, node);
                    })
                }
                false => leaves(tree).enumerate().for_each(|(number, node)| put(number..number + 1, node)),
            }
        }
        (first, self.group.outputs.len() as u32)
    }
}

impl<T: Number> Group<T> {
    fn empty() -> Self {
        Self {
            questions: Asking::new().take(),
            trees: vec![],
            levels: vec![],
            steps: vec![],
            outputs: vec![],
            tables: vec![],
        }
    }

    /// Whether every position that the kernel goes to is there: of `columns` columns and `targets` targets.
    pub fn is_sound(&self, columns: usize, targets: usize) -> bool {
        self.questions.is_sound(columns) && self.trees.iter().all(|shape| self.is_sound_tree(shape, targets))
    }

    fn is_sound_tree(&self, shape: &Shape, targets: usize) -> bool {
        if shape.bits > 8 {
            return false;
        }
        let masks = self.questions.asks.len() as u32;
        let (first, last) = (shape.outputs.0 as usize, shape.outputs.1 as usize);
        let outputs = self.outputs.get(first..last).is_some_and(|outputs| {
            outputs.iter().all(|output| {
                let end = output.table as usize + Shape::table_len(shape.bits);
                (output.target as usize) < targets && end <= self.tables.len()
            })
        });
        let walk = match shape.by {
            By::Select(first) => {
                let levels = self.levels.get(first as usize..first as usize + (1 << shape.bits) - 1);
                levels.is_some_and(|levels| levels.iter().all(|mask| *mask < masks))
            }
            By::Reach(first, last) => self.steps.get(first as usize..last as usize).is_some_and(|steps| {
                steps.iter().all(|step| match step {
                    Step::Branch { mask, slot } => *mask < masks && usize::from(*slot) + 1 < MAX_SLOTS,
                    Step::Leaf { number, slot } => {
                        usize::from(*number) < 1 << shape.bits && usize::from(*slot) < MAX_SLOTS
                    }
                })
            }),
        };
        outputs && walk
    }
}

/// How a tree is to be met.
struct Plan {
    select: bool,
    depth: usize,
    leaves: usize,
    /// Target, and the how manieth vote of a leaf for it.
    outputs: Vec<(u32, usize)>,
}

impl Plan {
    /// `None` where walking is better.
    fn of(tree: &Tree) -> Option<Self> {
        let leaves = tree.nodes.len() / 2 + 1;
        if leaves > MAX_LEAVES {
            return None;
        }
        let depth = positions(tree).map(|(_, depth, _)| depth).max().unwrap_or_default();
        let width = leaves.next_power_of_two().ilog2() as usize;
        let select = depth <= LEVEL || (depth <= 8 && 2 << depth <= (leaves - 1) * 5 + leaves * width / 2);
        let votes: usize = tree.nodes.iter().map(|node| votes(node).len()).sum();
        let outputs = outputs(tree);
        let plan = Self { select, depth, leaves, outputs };
        let weights = plan.outputs.len() * Shape::table_len(plan.bits());
        let fits = weights <= (votes + 4) * MAX_SPARSE && (select || slots(tree) < MAX_SLOTS);
        fits.then_some(plan)
    }

    fn bits(&self) -> u8 {
        if self.select { self.depth as u8 } else { self.leaves.next_power_of_two().ilog2() as u8 }
    }
}

fn votes(node: &Node) -> &[Vote] {
    match node {
        Node::Leaf { votes } => votes,
        Node::Branch { .. } => &[],
    }
}

/// At most so many questions.
pub(super) fn questions(tree: &Tree) -> usize {
    let of = |node: &Node| if let Node::Branch { test: super::Test::Member(set), .. } = node { set.len() } else { 1 };
    tree.nodes.iter().map(of).sum()
}

fn outputs(tree: &Tree) -> Vec<(u32, usize)> {
    let mut most: std::collections::BTreeMap<u32, usize> = std::collections::BTreeMap::new();
    for node in &tree.nodes {
        let mut targets: Vec<u32> = votes(node).iter().map(|vote| vote.target).collect();
        targets.sort_unstable();
        for same in targets.chunk_by(|a, b| a == b) {
            let most = most.entry(same[0]).or_default();
            *most = same.len().max(*most);
        }
    }
    most.into_iter().flat_map(|(target, count)| (0..count).map(move |nth| (target, nth))).collect()
}

fn vote_of(node: &Node, (target, nth): (u32, usize)) -> Option<f64> {
    votes(node).iter().filter(|vote| vote.target == target).nth(nth).map(|vote| vote.weight.0)
}

/// Nodes in depth-first order, yes first, with their depth and their position among the nodes of a perfect tree's level
/// (which means nothing below depth 64).
fn positions(tree: &Tree) -> impl Iterator<Item = (usize, usize, usize)> {
    let mut open = vec![(tree.root as usize, 0, 0usize)];
    std::iter::from_fn(move || {
        let (node, depth, position) = open.pop()?;
        if let Some((yes, no)) = tree.children(node) {
            let below = position.wrapping_mul(2);
            open.extend([(no, depth + 1, below), (yes, depth + 1, below.wrapping_add(1))]);
        }
        Some((node, depth, position))
    })
}

fn leaves(tree: &Tree) -> impl Iterator<Item = usize> {
    positions(tree).map(|(node, ..)| node).filter(|node| tree.children(*node).is_none())
}

/// Most slots that a walk by [`By::Reach`] uses.
fn slots(tree: &Tree) -> usize {
    let mut most = 0;
    let mut open = vec![(tree.root as usize, 0)];
    while let Some((node, slot)) = open.pop() {
        most = most.max(slot + 1);
        if let Some((yes, no)) = tree.children(node) {
            open.extend([(no, slot), (yes, slot + 1)]);
        }
    }
    most
}

#[cfg(test)]
mod tests;
