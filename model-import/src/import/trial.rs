//! What a bare graph is as a package: trees, a scorecard, a net or another graph, told by what it gives for the sample.

use super::engine::{Engine, NEAR, Runs, plain};
use super::repair::{self, Repaired};
use super::stock::{self, Risky};
use crate::error::{Context, Error, Result, ensure};
use inference::graph::{Column, Graph, Kind as Cell, Output, Table, Values};
use inference::onnx::ModelProto;
use inference::ops;
use inference::plan::{Plan, Shape};
use scoring::forest::Forest;
use scoring::manifest::{self, Kind, Link, ReferenceName};
use scoring::reference::Reference;

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

/// Tells what a graph is, by rows as they are if it is made of trees, else by the same with every value filled.
///
/// # Errors
/// What would make it a package.
pub fn engine(bytes: &[u8], proto: &ModelProto, graph: &Graph, trial: &Trial<'_>) -> Result<Engine> {
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
                Err(why) => not_trees = why.to_string(),
            },
            Ok(_) => not_trees = "the risky class is not its last".to_owned(),
            Err(error) => not_trees = error.told(),
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

/// The same with thresholds repaired by the library's own answers, and what was done; as it is where there is nothing to do.
pub fn repaired(engine: Engine, trial: &Trial<'_>, native: &[f64]) -> Result<(Engine, Option<String>)> {
    let Some(Repaired { bytes, said }) =
        repair::repaired(engine.bytes(), trial.rows, native, &|sum| engine.raw(sum as f32))
    else {
        return Ok((engine, None));
    };
    let (graph, proto) = (Graph::load(&bytes, Some(engine.width()))?, ops::read(&bytes, None)?);
    let engine = self::engine(&bytes, &proto, &graph, trial)?;
    ensure!(engine.kind == Kind::Trees, "its repaired trees are no trees");
    Ok((engine, Some(said)))
}

/// A graph of trees; inside, why it is none.
fn trees(bytes: &[u8], input: &str, width: usize, risky: &Risky, rows: &[Vec<f32>]) -> Result<Result<Engine>> {
    let background = vec![rows[0].clone()];
    let typical = vec![None; width];
    let name = ReferenceName::All;
    let reference = Reference { name, mean_partials: vec![], background, typical, covers: None };
    if risky.columns > 2 {
        return Ok(Err(Error::Refused(format!("it has {} classes", risky.columns))));
    }
    for link in [Link::LogOdds, Link::Probability] {
        let (input, probability) = (input.to_owned(), Some(risky.output.clone()));
        let said = manifest::Graph { input, probability, link: Some(link), ..manifest::Graph::default() };
        let forest = match Forest::new(bytes, &said, width, &reference).map_err(plain) {
            Ok(forest) => forest,
            Err(error) => return Ok(Err(error)),
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
    Ok(Err(Error::Refused("its probability is not what their sum means".to_owned())))
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
