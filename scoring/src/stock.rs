//! A stock graph of any shape: its features go to its inputs as numbers or words, and its margin is taken as exactly as the
//! graph allows. What a last sigmoid or softmax was given is the margin; else it is the log-odds of the probability.

use crate::contract::Contract;
use crate::error::LoadError;
use crate::manifest::{self, Explained, Link};
use crate::reference::Reference;
use domain::pd::sigmoid;
use inference::additive::{self, Additive};
use inference::graph::{Column, Graph, Kind, State, Table, Values};
use inference::onnx::ModelProto;
use inference::plan::{Plan, Shape};
use inference::walks::{Contributions, Shapley, Walks};
use inference::{EngineError, ops, tap};
use std::borrow::Cow;

/// Method of an additive graph: exact, from one change for each feature.
pub(crate) const ADDITIVE: &str = "additive_exact";
/// Half of what single precision tells below one: a probability counts as no nearer to 0 or 1, so that its log-odds are a number.
pub(crate) const HALF_STEP: f64 = 1.0 / (1 << 25) as f64;
/// Answers that the proof of additivity asks for, at most: golden rows beyond it are left out.
const MOST_CHANGES: usize = 1 << 18;

/// A graph that answers rows of features.
#[derive(Debug)]
pub struct Stock {
    graph: Graph,
    /// One for each feature.
    inputs: Vec<Input>,
    /// Its one input takes the features as they are.
    takes_rows: bool,
    /// Of each output.
    widths: Vec<usize>,
    /// Of a dense net: the same without the last sigmoid, where that is the margin; until it explains.
    net: Option<Box<Plan>>,
    column: usize,
    link: Link,
    /// The margin is read from the second output, which a sigmoid or softmax was given.
    is_tapped: bool,
}

/// Where a feature goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Input {
    /// The graph's column.
    pub name: String,
    /// Of an input of words: those of the codes.
    pub words: Option<Vec<String>>,
}

/// How its contributions are made.
#[derive(Debug)]
pub enum Explains {
    /// From one change for each feature.
    Additive(Additive),
    /// By fixed walks through the dense net that it is.
    Net(Box<Plan>, Shapley),
    /// By fixed walks from these rows.
    Walks(Walks, Vec<Vec<f32>>),
}

impl Stock {
    /// Compiles a graph. `words` are the categories of each feature, none of a number.
    ///
    /// # Errors
    /// [`LoadError`] says what the graph or the manifest lacks.
    pub fn new(bytes: &[u8], said: &manifest::Graph, words: &[&[String]]) -> Result<Self, LoadError> {
        let output = said.output.as_deref().unwrap_or_default();
        let tapped =
            said.before.as_ref().map(|place| tap::tapped(ops::read(bytes, None)?, output, place)).transpose()?;
        let graph = match &tapped {
            Some(proto) => Graph::load(&tap::bytes(proto), Some(words.len()))?,
            None => Graph::load(&tap::bytes(&tap::ending_in(ops::read(bytes, None)?, &[output])), Some(words.len()))?,
        };
        let inputs = inputs(&graph, words)?;
        let widths: Vec<usize> = graph.outputs().map(|(_, width)| width).collect();
        let (column, link) = (said.column.unwrap_or_default(), said.link.unwrap_or(Link::Logit));
        if widths.first().is_none_or(|width| column >= *width) {
            let width = widths.first().copied().unwrap_or_default();
            return Err(LoadError::Graph(format!("{output} has {width} columns, column {column} is asked for")));
        }
        let is_margin = link == Link::LogOdds && widths == [1, 1] && graph.dense().is_some();
        let net = tapped.as_ref().filter(|_| is_margin).and_then(|proto| net(proto, &graph));
        Ok(Self {
            net: net.map(Box::new),
            takes_rows: matches!(graph.inputs(), [input] if input.kind == Kind::F32),
            link,
            is_tapped: tapped.is_some(),
            graph,
            inputs,
            widths,
            column,
        })
    }

    /// Working memory for one thread.
    ///
    /// # Errors
    /// [`EngineError`] when the engine cannot set its operators up.
    pub fn state(&self) -> Result<State, EngineError> {
        self.graph.state()
    }

    /// How many features it takes.
    pub fn width(&self) -> usize {
        self.inputs.len()
    }

    /// Margins of rows laid one after the other. A row that the graph refuses, or gives no number for, has none.
    ///
    /// # Errors
    /// [`EngineError`] when the graph has not the columns that the manifest names.
    pub fn margins(&self, state: &mut State, rows: &[f32]) -> Result<Vec<f64>, EngineError> {
        Ok(self.answers(state, rows)?.into_iter().map(|(margin, _)| margin).collect())
    }

    /// The same in single precision, as it is published.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn singles(&self, state: &mut State, rows: &[f32]) -> Result<Vec<f32>, EngineError> {
        Ok(self.margins(state, rows)?.into_iter().map(|margin| margin as f32).collect())
    }

    /// The numbers in the manifest's column, as the graph itself gives them.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn own(&self, state: &mut State, rows: &[f32]) -> Result<Vec<f64>, EngineError> {
        Ok(self.answers(state, rows)?.into_iter().map(|(_, own)| own).collect())
    }

    /// The probability that a margin means before calibration.
    pub fn probability(&self, margin: f64) -> f64 {
        match self.link {
            Link::Probability => margin.clamp(0.0, 1.0),
            Link::LogOdds | Link::Softmax | Link::Logit => sigmoid(margin),
        }
    }

    /// Whether the graph's own number is the probability that a margin stands for, and not the margin itself.
    pub(crate) fn gives_probability(&self) -> bool {
        self.is_tapped || self.link == Link::Logit
    }

    /// What explains it as the manifest says.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn explains(&mut self, said: Option<Explained>, reference: &Reference) -> Result<Explains, EngineError> {
        let (background, mut state) = (&reference.background, self.state()?);
        Ok(match said {
            Some(Explained::Additive) => {
                Explains::Additive(Additive::new(background, &mut |rows| self.margins(&mut state, rows))?)
            }
            Some(Explained::Permutations) | None => match self.net.take() {
                Some(net) => {
                    let shapley = Shapley::new(&net, background)?;
                    Explains::Net(net, shapley)
                }
                None => {
                    let margins = self.singles(&mut state, &background.concat())?;
                    Explains::Walks(Walks::new(&margins, self.width()), background.clone())
                }
            },
        })
    }

    /// Exact contributions of rows laid one after the other, in the same layout.
    ///
    /// # Errors
    /// [`EngineError`].
    pub(crate) fn explain_added(
        &self,
        additive: &Additive,
        state: &mut State,
        rows: &[f32],
        parts: &mut [f64],
    ) -> Result<(), EngineError> {
        additive.explain(rows, parts, &mut |rows| self.margins(state, rows))
    }

    /// Contributions of one row whose margin is known; `added` are its parts where those of a block are reckoned at once.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn explain(
        &self,
        explains: &Explains,
        state: &mut State,
        row: &[f32],
        margin: f32,
        added: &[f64],
    ) -> Result<Contributions, EngineError> {
        match explains {
            Explains::Additive(additive) => {
                Ok(Contributions { parts: added.to_vec(), base: additive.base(), error: None })
            }
            Explains::Net(net, shapley) => shapley.explain(net, state, row, margin),
            Explains::Walks(walks, starts) => walks.explain(starts, row, margin, |moves| {
                self.singles(state, &inference::dense::places(starts, row, moves))
            }),
        }
    }

    /// The greatest amount by which rows are no sum of their features' parts, from every row of the background.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn greatest_rest(&self, rows: &[Vec<f32>], background: &[Vec<f32>]) -> Result<f64, EngineError> {
        let most = MOST_CHANGES / (background.len() * self.width()).max(1);
        let (rows, mut state) = (&rows[..rows.len().min(most.max(1))], self.state()?);
        additive::greatest_rest(rows, background, &mut |rows| self.margins(&mut state, rows))
    }

    /// Margin and the graph's own number of each row. Rows beside one that the graph refuses are answered for themselves.
    fn answers(&self, state: &mut State, rows: &[f32]) -> Result<Vec<(f64, f64)>, EngineError> {
        match self.run(state, rows) {
            Ok(outputs) => self.read(&outputs),
            Err(_) if rows.len() == self.width() => Ok(vec![(f64::NAN, f64::NAN)]),
            Err(_) => {
                let (first, rest) = rows.split_at(rows.len() / self.width() / 2 * self.width());
                Ok([self.answers(state, first)?, self.answers(state, rest)?].concat())
            }
        }
    }

    /// The cells of each output.
    fn run(&self, state: &mut State, rows: &[f32]) -> Result<Vec<Values>, EngineError> {
        match self.takes_rows {
            true => self.graph.run_rows(state, rows),
            false => {
                let outputs = self.graph.run_in(state, &self.table(rows))?;
                Ok(outputs.into_iter().map(|output| output.values).collect())
            }
        }
    }

    fn read(&self, outputs: &[Values]) -> Result<Vec<(f64, f64)>, EngineError> {
        let (width, answer) = (self.widths[0], numbers(&outputs[0])?);
        let margins = match (outputs.get(1), self.widths.get(1)) {
            (Some(scores), Some(columns)) => self.of_scores(&numbers(scores)?, *columns, width)?,
            _ => self.of_scores(&answer, width, width)?,
        };
        let own = answer.chunks(width).map(|row| row[self.column]);
        Ok(margins.into_iter().zip(own).collect())
    }

    /// Margins of scores in rows of `width`, for an answer in rows of `classes`.
    fn of_scores(&self, scores: &[f64], width: usize, classes: usize) -> Result<Vec<f64>, EngineError> {
        // One score is enough for two classes, but not to weigh them against each other.
        if width != classes && (width != 1 || self.link == Link::Softmax) || (self.link == Link::Softmax && width < 2) {
            return Err(EngineError(format!("{width} scores stand for {classes} classes")));
        }
        let place = self.column;
        let margin = |row: &[f64]| match (self.link, width) {
            (Link::Logit, _) => log_odds(row[place]),
            (Link::Softmax, _) => row[place] - log_sum_exp(row, place),
            // One score for two classes is the second's, and the first's turned round.
            (_, 1) if classes == 2 && place == 0 => -row[0],
            (_, 1) => row[0],
            _ => row[place],
        };
        Ok(scores.chunks(width).map(margin).collect())
    }

    fn table(&self, rows: &[f32]) -> Table {
        let width = self.width();
        let column = |(at, input): (usize, &Input)| {
            let cells = rows.iter().skip(at).step_by(width);
            let values = match &input.words {
                None => Values::F32(cells.copied().collect()),
                Some(words) => Values::Text(cells.map(|code| word(words, *code)).collect()),
            };
            Column { name: input.name.clone(), values }
        };
        Table { columns: self.inputs.iter().enumerate().map(column).collect() }
    }
}

/// The dense net that gives the second of two outputs, where it is one.
fn net(proto: &ModelProto, graph: &Graph) -> Option<Plan> {
    let [input] = graph.inputs() else { return None };
    let margin = &proto.graph.as_ref()?.output.get(1)?.name;
    let bytes = tap::bytes(&tap::ending_in(proto.clone(), &[margin]));
    let plan = Plan::new(&bytes, Shape { input: &input.name, width: input.width, margin, partials: None });
    plan.ok().filter(|plan| plan.dense().is_some())
}

/// The categories of each feature of a contract, none of a number.
pub fn words(contract: &Contract) -> Vec<&[String]> {
    contract.features.iter().map(|feature| feature.categories()).collect()
}

/// Where features go, in the graph's order.
fn inputs(graph: &Graph, words: &[&[String]]) -> Result<Vec<Input>, LoadError> {
    let columns = graph.inputs().iter().flat_map(|input| input.columns().map(|name| (name, input.kind)));
    let total: usize = graph.inputs().iter().map(|input| input.width).sum();
    if total != words.len() {
        return Err(LoadError::Graph(format!("takes {total} features, the contract has {}", words.len())));
    }
    let input = |((name, kind), words): ((String, Kind), &&[String])| match (kind == Kind::Text, words.is_empty()) {
        (true, true) => Err(LoadError::Graph(format!("takes words in {name}: its feature must be a category"))),
        (true, false) => Ok(Input { name, words: Some(words.to_vec()) }),
        (false, _) => Ok(Input { name, words: None }),
    };
    columns.zip(words).map(input).collect()
}

/// The word of a code; none of a missing one.
fn word(words: &[String], code: f32) -> String {
    let known = (code >= 0.0).then(|| words.get(code as usize)).flatten();
    known.cloned().unwrap_or_default()
}

fn numbers(values: &Values) -> Result<Cow<'_, [f64]>, EngineError> {
    match values {
        Values::F32(cells) => Ok(cells.iter().map(|cell| f64::from(*cell)).collect()),
        Values::F64(cells) => Ok(Cow::Borrowed(cells)),
        _ => Err(EngineError("the graph's answers are no numbers".to_owned())),
    }
}

/// Log-odds of a probability that single precision rounded.
pub fn log_odds(probability: f64) -> f64 {
    match probability.is_nan() || !(-HALF_STEP..=1.0 + 4.0 * HALF_STEP).contains(&probability) {
        true => f64::NAN,
        false => {
            let inside = probability.clamp(HALF_STEP, 1.0 - HALF_STEP);
            libm::log(inside / (1.0 - inside))
        }
    }
}

/// Of all scores of a row but one.
fn log_sum_exp(row: &[f64], but: usize) -> f64 {
    let others = || row.iter().enumerate().filter(|(at, _)| *at != but).map(|(_, score)| *score);
    if let ([_, only], 0) | ([only, _], 1) = (row, but) {
        return *only; // as it is, also where it is no number
    }
    let most = others().fold(f64::NEG_INFINITY, f64::max);
    most + libm::log(others().map(|score| libm::exp(score - most)).sum::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_odds_are_bounded_and_of_probabilities_only() {
        let most = ((1.0 - HALF_STEP) / HALF_STEP).ln();
        for (probability, expected) in [(0.5, 0.0), (0.75, 3f64.ln()), (0.0, -most), (1.0, most), (1.0 + 1e-7, most)] {
            assert!((log_odds(probability) - expected).abs() < 1e-7, "{probability}: {}", log_odds(probability));
        }
        assert!([f64::NAN, 1.5, -0.1].into_iter().all(|probability| log_odds(probability).is_nan()));
    }

    #[test]
    fn a_class_stands_against_all_others() {
        assert_eq!(log_sum_exp(&[1.0, 5.0], 0), 5.0);
        assert!((log_sum_exp(&[0.0, 9.0, 0.0], 1) - 2f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn codes_are_words_and_a_missing_one_is_none() {
        let words = ["own".to_owned(), "rent".to_owned()];
        let found = [0.0, 1.0, 2.0, -1.0, f32::NAN].map(|code| word(&words, code));
        assert_eq!(found, ["own", "rent", "", "", ""]);
    }
}
