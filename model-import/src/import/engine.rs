//! A graph that can be a package, and its margins.

use crate::error::{Error, Result};
use domain::pd::sigmoid;
use inference::graph::Values;
use inference::plan::Plan;
use inference::trees::Tree;
use scoring::LoadError;
use scoring::forest::Forest;
use scoring::manifest::{self, Explained, Kind, Link};
use scoring::reference::Reference;
use scoring::stock::Stock;

/// How far the trees' own probability may be from what the graph says, as loading demands it.
pub const NEAR: f64 = 1e-6;

/// A graph that can be a package.
#[derive(Debug)]
pub struct Engine {
    /// What the manifest says of it.
    pub said: manifest::Graph,
    /// What it is.
    pub kind: Kind,
    bytes: Vec<u8>,
    width: usize,
    runs: Runs,
}

/// What answers.
#[derive(Debug)]
pub enum Runs {
    Trees(Box<Forest>),
    Plan(Box<Plan>),
    Stock(Box<Stock>),
}

impl Engine {
    /// What was found out.
    pub fn new(said: manifest::Graph, kind: Kind, bytes: &[u8], width: usize, runs: Runs) -> Self {
        Self { said, kind, bytes: bytes.to_vec(), width, runs }
    }

    /// What it is and how it is explained, in words.
    pub fn title(&self) -> String {
        let link = self.said.link.map(Link::as_str).unwrap_or("log_odds");
        match (self.kind, self.said.explained) {
            (Kind::Trees, _) => format!("trees (link {link}), explained exactly"),
            (Kind::Scorecard, _) => "a scorecard, explained exactly".to_owned(),
            (Kind::Net, _) => "a net, explained by permutations".to_owned(),
            (Kind::Graph, Some(Explained::Additive)) => {
                format!("a graph (link {link}) that adds up, explained exactly")
            }
            (Kind::Graph, _) => format!("a graph (link {link}), explained by permutations"),
        }
    }

    /// How many features it takes.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The graph's file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Of trees: the thresholds of each feature, rising.
    pub fn thresholds(&self) -> Vec<Vec<f32>> {
        use inference::trees::{Node, Test};
        let mut found = vec![vec![]; self.width];
        let Runs::Trees(forest) = &self.runs else { return found };
        for node in forest.ensemble().get().trees.iter().flat_map(|tree| &tree.nodes) {
            if let Node::Branch { feature, test: Test::Threshold(_, threshold), .. } = node {
                found[*feature as usize].push(threshold.0 as f32);
            }
        }
        for thresholds in &mut found {
            thresholds.retain(|threshold| threshold.is_finite());
            thresholds.sort_by(f32::total_cmp);
            thresholds.dedup();
        }
        found
    }

    /// Of trees: rows of `sample` that come to leaves which neither `rows` nor those before them come to.
    pub fn to_new_leaves(&self, rows: &[Vec<f32>], sample: &[Vec<f32>], most: usize) -> Vec<Vec<f32>> {
        let Runs::Trees(forest) = &self.runs else { return vec![] };
        let trees = &forest.ensemble().get().trees;
        let mut seen: Vec<Vec<bool>> = trees.iter().map(|tree| vec![false; tree.nodes.len()]).collect();
        let mut is_new = |row: &Vec<f32>| {
            let mut new = false;
            for (tree, seen) in trees.iter().zip(&mut seen) {
                new |= !std::mem::replace(&mut seen[tree.leaf(row)], true);
            }
            new
        };
        rows.iter().for_each(|row| _ = is_new(row));
        sample.iter().filter(|row| is_new(row)).take(most).cloned().collect()
    }

    /// By feature, whether rows that lack it have a margin; of what is not a stock graph they are not asked.
    pub fn takes_nan(&self, rows: &[Vec<f32>]) -> Result<Vec<bool>> {
        let Runs::Stock(stock) = &self.runs else { return Ok(vec![matches!(self.runs, Runs::Trees(_)); self.width]) };
        let (mut takes, mut state) = (Vec::with_capacity(self.width), stock.state()?);
        for at in 0..self.width {
            let mut lacking = rows[..rows.len().min(4)].to_vec();
            lacking.iter_mut().for_each(|row| row[at] = f32::NAN);
            takes.push(stock.margins(&mut state, &lacking.concat())?.iter().all(|margin| margin.is_finite()));
        }
        Ok(takes)
    }

    /// One margin for each row, and of a scorecard its parts.
    pub fn margins(&self, rows: &[Vec<f32>]) -> Result<(Vec<f32>, Vec<f32>)> {
        let flat = rows.concat();
        let answers = match &self.runs {
            Runs::Trees(forest) => forest.run(&flat)?,
            Runs::Plan(plan) => plan.run(&mut plan.state()?, &flat)?,
            Runs::Stock(stock) => return Ok((stock.singles(&mut stock.state()?, &flat)?, vec![])),
        };
        Ok((answers.margins, answers.partials))
    }

    /// The probability that a margin is before calibration.
    pub fn raw(&self, margin: f32) -> f64 {
        match &self.runs {
            Runs::Trees(forest) => forest.probability(f64::from(margin)),
            Runs::Plan(_) => sigmoid(f64::from(margin)),
            Runs::Stock(stock) => stock.probability(f64::from(margin)),
        }
    }

    /// Of trees: the mean margin of a reference.
    pub fn base(&self, reference: &Reference) -> Result<Option<f64>> {
        match &self.runs {
            Runs::Trees(_) => Ok(Some(Forest::new(&self.bytes, &self.said, self.width, reference)?.base())),
            Runs::Plan(_) | Runs::Stock(_) => Ok(None),
        }
    }

    /// Of trees: how many rows met each node.
    pub fn covers(&self, rows: &[Vec<f32>]) -> Option<Vec<Vec<f64>>> {
        let Runs::Trees(forest) = &self.runs else { return None };
        Some(forest.ensemble().get().trees.iter().map(|tree| counted(tree, rows)).collect())
    }
}

fn counted(tree: &Tree, rows: &[Vec<f32>]) -> Vec<f64> {
    use inference::trees::Node;
    let mut counts = vec![0.0; tree.nodes.len()];
    for row in rows {
        let mut at = tree.root as usize;
        counts[at] += 1.0;
        while let Node::Branch { feature, test, missing_tracks_true, yes, no } = &tree.nodes[at] {
            let holds = test.holds(*missing_tracks_true, f64::from(row[*feature as usize]));
            at = if holds { *yes } else { *no } as usize;
            counts[at] += 1.0;
        }
    }
    counts
}

/// What is wrong with a graph, without the name that its file has in a package.
pub fn plain(error: LoadError) -> Error {
    match error {
        LoadError::Graph(why) => Error::Refused(why),
        other => Error::from(other),
    }
}

/// Of an output that holds numbers.
pub fn numbers(values: &Values) -> Option<Vec<f64>> {
    match values {
        Values::F32(cells) => Some(cells.iter().map(|cell| f64::from(*cell)).collect()),
        Values::F64(cells) => Some(cells.clone()),
        Values::I64(_) | Values::Text(_) => None,
    }
}
