//! What a bare graph is as a package: trees, a scorecard, a net or another graph, told by what it gives for the sample; and its
//! margins.

use super::repair::{self, Repaired};
use super::stock::{self, Risky};
use anyhow::{Context, Error, Result, ensure};
use domain::pd::sigmoid;
use inference::graph::{Column, Graph, Kind as Cell, Output, Table, Values};
use inference::onnx::ModelProto;
use inference::ops;
use inference::plan::{Plan, Shape};
use inference::trees::Tree;
use scoring::LoadError;
use scoring::forest::Forest;
use scoring::manifest::{self, Explained, Kind, Link, ReferenceName};
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

/// What is known of the rows that a graph is tried on.
pub struct Trial<'a> {
    /// As the sample has them.
    pub rows: &'a [Vec<f32>],
    /// The same with every value filled.
    pub filled: &'a [Vec<f32>],
    /// Who defaulted.
    pub labels: &'a [bool],
    /// The words of each feature.
    pub words: &'a [Vec<String>],
    /// The risky class.
    pub bad: &'a str,
    /// What a graph's only number is, where somebody says so.
    pub answer: Option<&'a str>,
}

impl Engine {
    /// Tells what a graph is, by rows as they are if it is made of trees, else by the same with every value filled.
    ///
    /// # Errors
    /// What would make it a package.
    pub fn of(bytes: &[u8], proto: &ModelProto, graph: &Graph, trial: &Trial<'_>) -> Result<Self> {
        let outputs = graph.run(&table(graph, trial.words, trial.filled))?;
        let single = match graph.inputs() {
            [input] if matches!(input.kind, Cell::F32 | Cell::F64) => Some((input.name.as_str(), input.width)),
            _ => None,
        };
        let mut not_trees = "it takes other inputs than one of numbers".to_owned();
        if let Some((input, width)) = single {
            if let Some(engine) = scorecard(bytes, input, width, &outputs)? {
                return Ok(engine);
            }
            let raw = graph.run(&table(graph, trial.words, trial.rows)).unwrap_or_default();
            match Risky::of(&raw, trial.bad) {
                Ok(risky) if risky.is_last() => match trees(bytes, input, width, &risky, trial.rows)? {
                    Ok(engine) => return Ok(engine),
                    Err(why) => not_trees = why,
                },
                Ok(_) => not_trees = "the risky class is not its last".to_owned(),
                Err(error) => not_trees = format!("{error:#}"),
            }
        }
        let risky = Risky::of(&outputs, trial.bad)?;
        let only = stock::only_number(&risky.values(), trial.labels, trial.answer);
        if let (Some((input, width)), Link::LogOdds, 1, false) = (single, only, risky.columns, risky.is_probability())
            && let Ok(engine) = net(bytes, input, width, &risky.output)
        {
            return Ok(engine);
        }
        stock::engine(bytes, proto, &risky, trial.words, trial.filled, only)
            .with_context(|| format!("it is not made of trees ({not_trees}), and as another graph"))
    }

    /// What was found out.
    pub fn new(said: manifest::Graph, kind: Kind, bytes: &[u8], width: usize, runs: Runs) -> Self {
        Self { said, kind, bytes: bytes.to_vec(), width, runs }
    }

    /// The same with thresholds repaired by the library's own answers, and what was done; as it is where there is nothing to do.
    pub fn repaired(self, trial: &Trial<'_>, native: &[f64]) -> Result<(Self, Option<String>)> {
        let Some(Repaired { bytes, said }) =
            repair::repaired(&self.bytes, trial.rows, native, &|sum| self.raw(sum as f32))
        else {
            return Ok((self, None));
        };
        let (graph, proto) = (Graph::load(&bytes, Some(self.width))?, ops::read(&bytes, None)?);
        let engine = Self::of(&bytes, &proto, &graph, trial)?;
        ensure!(engine.kind == Kind::Trees, "its repaired trees are no trees");
        Ok((engine, Some(said)))
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

/// A graph of trees; inside, why it is none.
fn trees(
    bytes: &[u8],
    input: &str,
    width: usize,
    risky: &Risky,
    rows: &[Vec<f32>],
) -> Result<std::result::Result<Engine, String>> {
    let background = vec![rows[0].clone()];
    let typical = vec![None; width];
    let name = ReferenceName::All;
    let reference = Reference { name, mean_partials: vec![], background, typical, covers: None };
    if risky.columns > 2 {
        return Ok(Err(format!("it has {} classes", risky.columns)));
    }
    for link in [Link::LogOdds, Link::Probability] {
        let (input, probability) = (input.to_owned(), Some(risky.output.clone()));
        let said = manifest::Graph { input, probability, link: Some(link), ..manifest::Graph::default() };
        let forest = match Forest::new(bytes, &said, width, &reference).map_err(plain) {
            Ok(forest) => forest,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let margins = forest.run(&rows.concat())?.margins;
        let is_near = |(margin, own): (&f32, f64)| (forest.probability(f64::from(*margin)) - own).abs() <= NEAR;
        if margins.iter().zip(risky.values()).all(is_near) {
            return Ok(Ok(Engine::new(said, Kind::Trees, bytes, width, Runs::Trees(Box::new(forest)))));
        }
    }
    ensure!(
        risky.is_probability(),
        "no output is the probability that its trees' sum means, be the sum log-odds or the probability itself: a \
         regression is no probability of default; export a classifier of two classes"
    );
    Ok(Err("its probability is not what their sum means".to_owned()))
}

/// A scorecard, where one output is the parts of another.
fn scorecard(bytes: &[u8], input: &str, width: usize, outputs: &[Output]) -> Result<Option<Engine>> {
    let of_width = |columns: usize| outputs.iter().filter(move |output| output.columns.len() == columns);
    let margin = of_width(1).find_map(|output| Some((output, singles(&output.values)?)));
    let Some((margin, values)) = margin.filter(|_| width > 1) else { return Ok(None) };
    let parts = of_width(width).find_map(|output| {
        let intercept = intercept(values, singles(&output.values)?, width)?;
        Some((output.name.clone(), intercept))
    });
    let Some((partials, intercept)) = parts else { return Ok(None) };
    let plan = Plan::new(bytes, Shape { input, width, margin: &margin.name, partials: Some(&partials) })?;
    let said = manifest::Graph {
        input: input.to_owned(),
        margin: Some(margin.name.clone()),
        partials: Some(partials),
        intercept: Some(intercept),
        ..manifest::Graph::default()
    };
    Ok(Some(Engine::new(said, Kind::Scorecard, bytes, width, Runs::Plan(Box::new(plan)))))
}

/// A net whose one output is log-odds.
fn net(bytes: &[u8], input: &str, width: usize, margin: &str) -> Result<Engine> {
    let plan = Plan::new(bytes, Shape { input, width, margin, partials: None })?;
    ensure!(plan.dense().is_some(), "it is no dense net");
    let (input, margin) = (input.to_owned(), Some(margin.to_owned()));
    let said = manifest::Graph { input, margin, ..manifest::Graph::default() };
    Ok(Engine::new(said, Kind::Net, bytes, width, Runs::Plan(Box::new(plan))))
}

/// What is wrong with a graph, without the name that its file has in a package.
pub fn plain(error: LoadError) -> Error {
    match error {
        LoadError::Graph(why) => Error::msg(why),
        other => Error::from(other),
    }
}

/// What the margin is beyond its parts, if that is the same in every row.
fn intercept(margins: &[f32], parts: &[f32], width: usize) -> Option<f64> {
    let sum = |parts: &[f32]| parts.iter().map(|part| f64::from(*part)).sum::<f64>();
    let rests: Vec<f64> = margins.iter().zip(parts.chunks(width)).map(|(m, p)| f64::from(*m) - sum(p)).collect();
    let first = *rests.first()?;
    rests.iter().all(|rest| (rest - first).abs() <= NEAR).then_some(first)
}

fn singles(values: &Values) -> Option<&[f32]> {
    match values {
        Values::F32(cells) => Some(cells),
        _ => None,
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

/// Rows as the graph's table has them.
fn table(graph: &Graph, words: &[Vec<String>], rows: &[Vec<f32>]) -> Table {
    let names = graph.inputs().iter().flat_map(|input| input.columns().map(|name| (name, input.kind)));
    let column = |(at, ((name, kind), words)): (usize, ((String, Cell), &Vec<String>))| {
        let word =
            |row: &Vec<f32>| Some(row[at]).filter(|code| !code.is_nan()).and_then(|code| words.get(code as usize));
        let values = match kind {
            Cell::Text => Values::Text(rows.iter().map(|row| word(row).cloned().unwrap_or_default()).collect()),
            _ => Values::F32(rows.iter().map(|row| row[at]).collect()),
        };
        Column { name, values }
    };
    Table { columns: names.zip(words).enumerate().map(column).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_by_a_constant_rest() {
        let rows: [(&[f32], &[f32], Option<f64>); 3] = [
            (&[3.5, 1.5], &[1.0, 2.0, 0.5, 0.5], Some(0.5)),
            (&[3.5, 1.75], &[1.0, 2.0, 0.5, 0.5], None),
            (&[], &[], None),
        ];
        for (margins, parts, expected) in rows {
            assert_eq!(intercept(margins, parts, 2), expected);
        }
    }
}
