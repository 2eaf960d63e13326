//! Our side: the tree engine and the plan of a dense net, given f32 rows laid one after the other, as any caller has them.

use crate::forest::{self, Listed};
use crate::rounds::Round;
use anyhow::{Context, Result, bail, ensure};
use inference::graph::{Column, Graph, Table, Values};
use inference::plan::{Plan, PlanState, Shape};
use inference::trees::{Compiled, TreeShap};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

const WIDTH: usize = 23;
/// Rows of a block, where a caller comes with blocks.
pub const BLOCK: usize = 256;
/// Rows of a round that go one by one.
pub const ONE_BY_ONE: usize = 20_000;
/// The shortest round, so that a clock's grain does not matter.
const SHORTEST_S: f64 = 0.2;
/// How far probabilities may be apart.
const NEAR: f64 = 1e-6;
/// How far contributions and margins may be apart, which both sides add up in other orders.
const NEAR_PARTS: f64 = 1e-5;

/// Models, rows, and the answers that the other side gave.
pub struct Engine {
    rows: Vec<f32>,
    standardised: Vec<f32>,
    trees: Compiled,
    shap: TreeShap,
    interventional: TreeShap,
    dense: Plan,
    dense_state: PlanState,
    export: Vec<u8>,
    expected: Expected,
}

struct Expected {
    margins: Vec<f32>,
    onnxruntime: Vec<f32>,
    contributions: Vec<f64>,
    interventional: Vec<f64>,
    dense: Vec<f32>,
}

impl Engine {
    /// Reads what the baseline wrote.
    pub fn load(folder: &Path) -> Result<Self> {
        let read = |name: &str| std::fs::read(folder.join(name)).with_context(|| format!("reading {name}"));
        let f32s = |name: &str| read(name).map(|bytes| floats(&bytes));
        let f64s = |name: &str| read(name).map(|bytes| doubles(&bytes));
        let listed: Vec<Listed> = serde_json::from_slice(&read("trees.json")?)?;
        let (ensemble, covers) = forest::forest(&listed, WIDTH)?;
        let shape = Shape { input: "features", width: WIDTH, margin: "probability", partials: None };
        let dense = Plan::new(&read("dense.onnx")?, shape)?;
        Ok(Self {
            rows: f32s("rows.f32")?,
            standardised: f32s("standardised.f32")?,
            shap: TreeShap::path_dependent(&ensemble, 0, &covers)?,
            interventional: TreeShap::interventional(&ensemble, 0, &f32s("background.f32")?)?,
            trees: Compiled::new(ensemble),
            dense_state: dense.state()?,
            dense,
            export: read("trees.onnx")?,
            expected: Expected {
                margins: f32s("margins.f32")?,
                onnxruntime: f32s("onnxruntime.f32")?,
                contributions: f64s("contributions.f64")?,
                interventional: f64s("interventional.f64")?,
                dense: f32s("dense.f32")?,
            },
        })
    }

    /// Compares every answer with the other side's; the greatest difference of each kind.
    pub fn prove(&mut self) -> Result<BTreeMap<&'static str, f64>> {
        let mut found = BTreeMap::new();
        let mut margins = vec![0f32; self.rows.len() / WIDTH];
        self.trees.run_f32(&self.rows, &mut margins)?;
        let margins: Vec<f64> = margins.into_iter().map(f64::from).collect();
        found.insert("margin_to_xgboost", near(&margins, &wide(&self.expected.margins), NEAR_PARTS)?);
        let probabilities = wide(&self.probabilities(&self.rows)?);
        found.insert("probability_to_onnxruntime", near(&probabilities, &wide(&self.expected.onnxruntime), NEAR)?);
        let whole = wide(&self.run_export()?);
        found.insert("export_to_onnxruntime", near(&whole, &wide(&self.expected.onnxruntime), NEAR)?);

        let explained = self.expected.contributions.len() / (WIDTH + 1);
        let parts = explain(&self.shap, &self.rows[..explained * WIDTH])?;
        let theirs: Vec<f64> =
            self.expected.contributions.chunks(WIDTH + 1).flat_map(|row| row[..WIDTH].to_vec()).collect();
        found.insert("contributions_to_xgboost", near(&parts, &theirs, NEAR_PARTS)?);
        let few = self.expected.interventional.len();
        let parts = explain(&self.interventional, &self.rows[..few])?;
        found.insert("interventional_to_shap", near(&parts, &self.expected.interventional, NEAR_PARTS)?);

        let dense = wide(&self.dense.run(&mut self.dense_state, &self.standardised)?.margins);
        found.insert("dense_to_onnxruntime", near(&dense, &wide(&self.expected.dense), NEAR)?);
        Ok(found)
    }

    /// One round of a measure.
    pub fn time(&mut self, name: &str) -> Result<Round> {
        let explained = self.expected.contributions.len() / (WIDTH + 1) * WIDTH;
        let few = self.expected.interventional.len();
        match name {
            "trees_batch" => timed(self.rows.len() / WIDTH, || self.probabilities(&self.rows)),
            "trees_one_row" => timed(ONE_BY_ONE, || {
                let rows = self.rows.chunks(WIDTH).take(ONE_BY_ONE);
                let mut answer = [0f32];
                for row in rows {
                    self.trees.run_f32(black_box(row), &mut answer)?;
                    black_box(probability(answer[0]));
                }
                Ok(())
            }),
            "treeshap" => timed(explained / WIDTH, || explain(&self.shap, &self.rows[..explained])),
            "treeshap_interventional" => timed(few / WIDTH, || explain(&self.interventional, &self.rows[..few])),
            "dense_batch" => timed(self.standardised.len() / WIDTH, || {
                Ok(self.dense.run(&mut self.dense_state, &self.standardised)?)
            }),
            "dense_batch_blocks" => timed(self.standardised.len() / WIDTH, || {
                for block in self.standardised.chunks(BLOCK * WIDTH) {
                    black_box(self.dense.run(&mut self.dense_state, block)?);
                }
                Ok(())
            }),
            other => bail!("there is no measure {other}"),
        }
    }

    /// What was measured.
    pub fn shape(&self) -> Value {
        let draft = self.trees.ensemble().get();
        let nodes: usize = draft.trees.iter().map(|tree| tree.nodes.len()).sum();
        json!({ "trees": draft.trees.len(), "nodes": nodes, "features": WIDTH, "rows": self.rows.len() / WIDTH })
    }

    /// Probabilities of default, as both baselines give them.
    fn probabilities(&self, rows: &[f32]) -> Result<Vec<f32>> {
        let mut answers = vec![0f32; rows.len() / WIDTH];
        self.trees.run_f32(rows, &mut answers)?;
        answers.iter_mut().for_each(|answer| *answer = probability(*answer));
        Ok(answers)
    }

    /// The stock export, unedited, through the graph engine.
    fn run_export(&self) -> Result<Vec<f32>> {
        let graph = Graph::load(&self.export, Some(WIDTH))?;
        let column = |at: usize| Column {
            name: format!("f{at}"),
            values: Values::F32(self.rows.chunks(WIDTH).map(|row| row[at]).collect()),
        };
        let outputs = graph.run(&Table { columns: (0..WIDTH).map(column).collect() })?;
        match outputs.last().map(|output| &output.values) {
            Some(Values::F32(cells)) => Ok(cells.chunks(2).map(|classes| classes[1]).collect()),
            _ => bail!("the export gives no probabilities"),
        }
    }
}

fn probability(margin: f32) -> f32 {
    domain::pd::sigmoid(f64::from(margin)) as f32
}

fn explain(shap: &TreeShap, rows: &[f32]) -> Result<Vec<f64>> {
    let mut parts = vec![0.0; rows.len()];
    shap.explain_f32(rows, &mut parts)?;
    Ok(parts)
}

/// Does the work until the clock has seen enough of it.
pub fn timed<T>(rows: usize, mut work: impl FnMut() -> Result<T>) -> Result<Round> {
    let started = Instant::now();
    let mut times = 0;
    loop {
        black_box(work()?);
        times += 1;
        let seconds = started.elapsed().as_secs_f64();
        if seconds >= SHORTEST_S {
            return Ok(Round { rows: rows * times, seconds });
        }
    }
}

/// The greatest difference: absolute below one, relative above.
fn near(ours: &[f64], theirs: &[f64], allowed: f64) -> Result<f64> {
    ensure!(ours.len() == theirs.len(), "{} answers against {}", ours.len(), theirs.len());
    let mut most = 0f64;
    for (at, (own, other)) in ours.iter().zip(theirs).enumerate() {
        let apart = (own - other).abs() / other.abs().max(1.0);
        ensure!(apart <= allowed, "answer {at} is {own}, the baseline says {other}");
        most = most.max(apart);
    }
    Ok(most)
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

/// Little-endian numbers.
pub fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

fn doubles(bytes: &[u8]) -> Vec<f64> {
    bytes.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()
}
