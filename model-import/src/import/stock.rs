//! A stock graph that is neither trees, scorecard nor net: which of its columns is the risky class, what its margin is, and
//! whether that adds up the features' parts. All of it is tried on the sample.

use super::engine::{Engine, NEAR, Runs, numbers, plain};
use super::spread::evenly;
use crate::error::{Context, Error, Result};
use domain::pd::sigmoid;
use inference::graph::Output;
use inference::onnx::ModelProto;
use inference::tap::{self, Squash};
use scoring::manifest::{self, Explained, Kind, Link};
use scoring::stock::Stock;

/// Rows, and rows that they start from, over which a graph must be additive.
const TRIED: (usize, usize) = (200, 8);
/// A regression on a default stays within these.
const NEARLY: (f64, f64) = (-1.0, 2.0);
/// Two scores are one and the same turned round within this.
const TURNED: f64 = 1e-6;

/// The column that says how risky a row is.
#[derive(Debug, Clone, PartialEq)]
pub struct Risky {
    /// The output's name.
    pub output: String,
    /// Its column.
    pub column: usize,
    /// How many it has.
    pub columns: usize,
    /// Row by row, all columns.
    pub cells: Vec<f64>,
}

impl Risky {
    /// Finds it: the column of the class `bad`, or the only one. An output of probabilities is taken before others.
    ///
    /// # Errors
    /// The classes that the graph has, where none is called so.
    pub fn of(outputs: &[Output], bad: &str) -> Result<Self> {
        let mut found: Vec<Self> = Vec::new();
        let mut classes: Option<Vec<&str>> = None;
        for output in outputs {
            let (columns, Some(cells)) = (output.columns.len(), numbers(&output.values)) else { continue };
            let class = |column: &'_ String| column.strip_prefix(&format!("{}_", output.name)).map(str::len);
            let named = output.columns.iter().map(|column| &column[column.len() - class(column).unwrap_or(0)..]);
            let named: Vec<&str> = named.collect();
            let column = if columns == 1 { Some(0) } else { named.iter().position(|name| *name == bad) };
            match column {
                Some(column) => found.push(Self { output: output.name.clone(), column, columns, cells }),
                None => classes = classes.or(Some(named)),
            }
        }
        found.sort_by_key(|risky| !risky.is_probability());
        found.into_iter().next().with_context(|| match classes {
            Some(classes) => format!(
                "none of its classes is {bad:?}; they are {}: say which is the risky one with --bad-label",
                classes.join(", ")
            ),
            None => "it has no output of numbers: export the model with its probabilities".to_owned(),
        })
    }

    /// Whether it is the last of its columns, as trees have the positive class.
    pub fn is_last(&self) -> bool {
        self.column + 1 == self.columns
    }

    /// Its numbers.
    pub fn values(&self) -> Vec<f64> {
        self.cells.chunks(self.columns).map(|row| row[self.column]).collect()
    }

    /// Whether all columns are numbers between 0 and 1, which add up to one where there are several.
    pub fn is_probability(&self) -> bool {
        let inside = |value: &f64| (-NEAR..=1.0 + NEAR).contains(value);
        let whole = |row: &[f64]| self.columns == 1 || (row.iter().sum::<f64>() - 1.0).abs() < 1e-3;
        self.cells.iter().all(inside) && self.cells.chunks(self.columns).all(whole)
    }

    /// Whether it is one score and the same turned round.
    fn is_turned(&self) -> bool {
        self.columns == 2 && self.cells.chunks(2).all(|row| (row[0] + row[1]).abs() <= TURNED * row[0].abs().max(1.0))
    }
}

/// What the only number of a graph is: as it is said, else a probability if it stays near 0 to 1 and fits the outcomes better so.
pub fn only_number(values: &[f64], labels: &[bool], said: Option<&str>) -> Link {
    let off = |probability: f64, label: &bool| (probability - f64::from(u8::from(*label))).powi(2);
    let brier = |of: &dyn Fn(f64) -> f64| values.iter().zip(labels).map(|(v, label)| off(of(*v), label)).sum::<f64>();
    match said {
        Some("probability") => Link::Probability,
        Some(_) => Link::LogOdds,
        None if values.iter().any(|value| !(NEARLY.0..=NEARLY.1).contains(value)) => Link::LogOdds,
        None if brier(&|v| v.clamp(0.0, 1.0)) < brier(&sigmoid) => Link::Probability,
        None => Link::LogOdds,
    }
}

/// The engine of a stock graph.
///
/// # Errors
/// What is in the way.
pub fn engine(
    bytes: &[u8],
    proto: &ModelProto,
    risky: &Risky,
    words: &[Vec<String>],
    rows: &[Vec<f32>],
    only: Link,
) -> Result<Engine> {
    let words: Vec<&[String]> = words.iter().map(Vec::as_slice).collect();
    let mut why = None;
    for said in candidates(proto, risky, only) {
        let stock = match Stock::new(bytes, &said, &words).map_err(plain) {
            Ok(stock) => stock,
            Err(error) => {
                why = Some(error);
                continue;
            }
        };
        let margins = match stock.state().and_then(|mut state| stock.margins(&mut state, &rows.concat())) {
            Ok(margins) => margins,
            Err(error) => {
                why = Some(error.into());
                continue;
            }
        };
        let is_near = |(margin, own): (&f64, f64)| (sigmoid(*margin as f32 as f64) - own).abs() <= NEAR;
        if said.before.is_some() && !margins.iter().zip(risky.values()).all(is_near) {
            continue;
        }
        let is_additive = is_additive(&stock, rows)?;
        if said.link == Some(Link::Probability) && risky.is_probability() && !is_additive {
            continue; // a probability that is no sum is better told by its log-odds
        }
        let explained = if is_additive { Explained::Additive } else { Explained::Permutations };
        let said = manifest::Graph { explained: Some(explained), ..said };
        return Ok(Engine::new(said, Kind::Graph, bytes, words.len(), Runs::Stock(Box::new(stock))));
    }
    Err(why.unwrap_or_else(|| Error::Refused("no reading of its answers gives a margin".to_owned())))
}

/// What its margin may be, the most exact first.
fn candidates(proto: &ModelProto, risky: &Risky, only: Link) -> Vec<manifest::Graph> {
    let of = |link, before| manifest::Graph {
        output: Some(risky.output.clone()),
        column: Some(risky.column),
        link: Some(link),
        before,
        ..manifest::Graph::default()
    };
    if !risky.is_probability() {
        return match risky.columns {
            1 => vec![of(only, None)],
            _ if risky.is_turned() => vec![of(Link::LogOdds, None)],
            _ => vec![of(Link::Softmax, None)],
        };
    }
    let tapped = tap::places(proto, &risky.output).into_iter().map(|place| match place.squash {
        Squash::Sigmoid => of(Link::LogOdds, Some(place.name)),
        Squash::Softmax => of(Link::Softmax, Some(place.name)),
    });
    let regression = (risky.columns == 1).then(|| of(Link::Probability, None));
    tapped.chain(regression).chain([of(Link::Logit, None)]).collect()
}

fn is_additive(stock: &Stock, rows: &[Vec<f32>]) -> Result<bool> {
    let some = |most| evenly(rows.len(), most).map(|at| rows[at].clone()).collect::<Vec<_>>();
    let rest = stock.greatest_rest(&some(TRIED.0), &some(TRIED.1))?;
    Ok(rest <= inference::additive::TOLERANCE)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use inference::graph::Values;

    fn output(name: &str, columns: &[&str], cells: &[f32]) -> Output {
        let columns = columns.iter().map(|column| (*column).to_owned()).collect();
        Output { name: name.into(), columns, values: Values::F32(cells.to_vec()) }
    }

    #[test]
    fn the_risky_class_is_found_by_its_name() {
        let label = Output { name: "label".into(), columns: vec!["label".into()], values: Values::I64(vec![0, 1]) };
        let scores = output("p", &["p_bad", "p_good"], &[0.25, 0.75, 0.5, 0.5]);
        let found = Risky::of(&[label.clone(), scores.clone()], "bad").unwrap();
        assert_eq!((found.column, found.is_last(), found.values()), (0, false, vec![0.25, 0.5]));
        let why = Risky::of(&[label.clone(), scores], "1").unwrap_err().to_string();
        assert!(why.contains("they are bad, good: say which is the risky one with --bad-label"), "{why}");
        assert!(Risky::of(&[label], "1").unwrap_err().to_string().contains("no output of numbers"));
    }

    #[test]
    fn numbers_are_told_by_what_they_are() {
        let of = |columns: &[&str], cells: &[f32]| Risky::of(&[output("p", columns, cells)], "1").unwrap();
        assert!(of(&["p"], &[0.0, 1.0]).is_probability() && !of(&["p"], &[0.0, 1.5]).is_probability());
        assert!(of(&["p_0", "p_1"], &[0.25, 0.75]).is_probability());
        assert!(!of(&["p_0", "p_1"], &[0.25, 0.25]).is_probability());
        assert!(of(&["p_0", "p_1"], &[-2.0, 2.0]).is_turned() && !of(&["p_0", "p_1"], &[1.0, 2.0]).is_turned());
    }

    #[test]
    fn an_only_number_is_what_fits_the_outcomes() {
        let labels = [false, false, true];
        assert_eq!(only_number(&[0.1, -0.1, 1.1], &labels, None), Link::Probability);
        assert_eq!(only_number(&[-2.0, -3.0, 4.0], &labels, None), Link::LogOdds);
        assert_eq!(only_number(&[0.1, -0.1, 1.1], &labels, Some("log_odds")), Link::LogOdds);
    }
}
