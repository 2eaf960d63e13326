//! What a bare graph is as a package: trees, a scorecard or a net, told by what it gives for the sample; and its margins.

use anyhow::{Context, Result, bail, ensure};
use domain::pd::sigmoid;
use inference::graph::{Column, Graph, Kind as Cell, Output, Table, Values};
use inference::plan::{Plan, Shape};
use scoring::forest::Forest;
use scoring::manifest::{self, Kind, Link, ReferenceName};
use scoring::reference::Reference;

/// How far the trees' own probability may be from what the graph says, as loading demands it.
const NEAR: f64 = 1e-6;

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

#[derive(Debug)]
enum Runs {
    Trees(Box<Forest>),
    Plan(Box<Plan>),
}

impl Engine {
    /// Tells what a graph is, by rows as they are if it is made of trees, else by the same with every value `filled`.
    ///
    /// # Errors
    /// What would make it a package.
    pub fn of(bytes: &[u8], graph: &Graph, rows: &[Vec<f32>], filled: &[Vec<f32>]) -> Result<Self> {
        let [input] = graph.inputs() else {
            let names: Vec<&str> = graph.inputs().iter().map(|input| input.name.as_str()).collect();
            bail!(
                "it has {} inputs ({}); a package has one, of all features as numbers: export the model after its \
                 encoders, one float tensor in, and let the feature contract turn words into numbers",
                names.len(),
                names.join(", ")
            );
        };
        ensure!(
            matches!(input.kind, Cell::F32 | Cell::F64),
            "its input {} takes {:?}; a package gives floats: export it with a float input",
            input.name,
            input.kind
        );
        let outputs = graph.run(&table(rows, input.width))?;
        let not_trees = match trees(bytes, &input.name, input.width, &outputs, rows)? {
            Ok(engine) => return Ok(engine),
            Err(why) => why,
        };
        let outputs = graph.run(&table(filled, input.width))?;
        let plan = sums(bytes, &input.name, input.width, &outputs);
        plan.with_context(|| format!("it is not made of trees ({not_trees}), and as a scorecard or a net"))
    }

    /// One margin for each row, and of a scorecard its parts.
    pub fn margins(&self, rows: &[Vec<f32>]) -> Result<(Vec<f32>, Vec<f32>)> {
        let flat = rows.concat();
        let answers = match &self.runs {
            Runs::Trees(forest) => forest.run(&flat)?,
            Runs::Plan(plan) => plan.run(&mut plan.state()?, &flat)?,
        };
        Ok((answers.margins, answers.partials))
    }

    /// The probability that a margin is before calibration.
    pub fn raw(&self, margin: f32) -> f64 {
        match &self.runs {
            Runs::Trees(forest) => forest.probability(f64::from(margin)),
            Runs::Plan(_) => sigmoid(f64::from(margin)),
        }
    }

    /// Of trees: the mean margin of a reference.
    pub fn base(&self, reference: &Reference) -> Result<Option<f64>> {
        match &self.runs {
            Runs::Trees(_) => Ok(Some(Forest::new(&self.bytes, &self.said, self.width, reference)?.base())),
            Runs::Plan(_) => Ok(None),
        }
    }

    /// Of trees: how many rows met each node.
    pub fn covers(&self, rows: &[Vec<f32>]) -> Option<Vec<Vec<f64>>> {
        let Runs::Trees(forest) = &self.runs else { return None };
        Some(forest.ensemble().get().trees.iter().map(|tree| counted(tree, rows)).collect())
    }
}

fn counted(tree: &inference::trees::Tree, rows: &[Vec<f32>]) -> Vec<f64> {
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
    outputs: &[Output],
    rows: &[Vec<f32>],
) -> Result<std::result::Result<Engine, String>> {
    let background = vec![rows[0].clone()];
    let typical = vec![None; width];
    let name = ReferenceName::All;
    let reference = Reference { name, mean_partials: vec![], background, typical, covers: None };
    let (mut why, mut is_forest) = ("it has no output of one or two columns of numbers".to_owned(), false);
    for output in outputs.iter().filter(|output| (1..=2).contains(&output.columns.len())) {
        let Some(said_probabilities) = numbers(&output.values) else { continue };
        let step = output.columns.len();
        let probabilities: Vec<f64> = said_probabilities.into_iter().skip(step - 1).step_by(step).collect();
        for link in [Link::LogOdds, Link::Probability] {
            let said = manifest::Graph {
                input: input.to_owned(),
                margin: None,
                probability: Some(output.name.clone()),
                link: Some(link),
                partials: None,
                intercept: None,
            };
            let forest = match Forest::new(bytes, &said, width, &reference) {
                Ok(forest) => forest,
                Err(error) => {
                    why = error.to_string();
                    continue;
                }
            };
            is_forest = true;
            let margins = forest.run(&rows.concat())?.margins;
            let is_near = |(margin, said): (&f32, &f64)| (forest.probability(f64::from(*margin)) - said).abs() <= NEAR;
            if margins.iter().zip(&probabilities).all(is_near) {
                let runs = Runs::Trees(Box::new(forest));
                return Ok(Ok(Engine { said, kind: Kind::Trees, bytes: bytes.to_vec(), width, runs }));
            }
        }
    }
    ensure!(
        !is_forest,
        "no output is the probability that its trees' sum means, be the sum log-odds or the probability itself: a \
         regression is no probability of default; export a classifier of two classes, uncalibrated"
    );
    Ok(Err(why))
}

/// A scorecard, where one output is the parts of another; else a net.
fn sums(bytes: &[u8], input: &str, width: usize, outputs: &[Output]) -> Result<Engine> {
    let of_width = |columns: usize| outputs.iter().filter(move |output| output.columns.len() == columns);
    let margin = of_width(1).find_map(|output| Some((output, singles(&output.values)?)));
    let (margin, values) = margin.context(
        "it has no output of one float column, which would be its log-odds of default: export the score before the \
         sigmoid or softmax, one output [N, 1]",
    )?;
    let parts = of_width(width).filter(|_| width > 1).find_map(|output| {
        let intercept = intercept(values, singles(&output.values)?, width)?;
        Some((output.name.clone(), intercept))
    });
    ensure!(
        parts.is_some() || values.iter().any(|value| !(0.0..=1.0).contains(value)),
        "its output {} lies between 0 and 1 in every row, as a probability does: export the score before the sigmoid, \
         which is the log-odds",
        margin.name
    );
    let (partials, intercept) = parts.unzip();
    let shape = Shape { input, width, margin: &margin.name, partials: partials.as_deref() };
    let runs = Runs::Plan(Box::new(Plan::new(bytes, shape)?));
    let kind = if partials.is_some() { Kind::Scorecard } else { Kind::Net };
    let (input, margin) = (input.to_owned(), Some(margin.name.clone()));
    let said = manifest::Graph { input, margin, probability: None, link: None, partials, intercept };
    Ok(Engine { said, kind, bytes: bytes.to_vec(), width, runs })
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

fn numbers(values: &Values) -> Option<Vec<f64>> {
    match values {
        Values::F32(cells) => Some(cells.iter().map(|cell| f64::from(*cell)).collect()),
        Values::F64(cells) => Some(cells.clone()),
        Values::I64(_) | Values::Text(_) => None,
    }
}

fn table(rows: &[Vec<f32>], width: usize) -> Table {
    let cells = |at: usize| Values::F32(rows.iter().map(|row| row[at]).collect());
    Table { columns: (0..width).map(|at| Column { name: at.to_string(), values: cells(at) }).collect() }
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
