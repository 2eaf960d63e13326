//! The scoring engine beside onnxruntime, XGBoost and shap: the same models, the same rows, one thread each, in turns. A side
//! that answers differently is an error before anything is timed.

mod baseline;
mod bench;
mod engine;
mod forest;
mod package;
mod rounds;
mod shape;

use anyhow::{Context, Result};
use baseline::Baseline;
use bench::{Bench, is_wanted};
use clap::Parser;
use engine::Engine;
use rounds::{median, rate};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Measure the scoring engine beside its Python baselines.
#[derive(Parser)]
struct Args {
    /// Rounds of both sides, in turns; medians are reported
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Only the contests, packages and shapes whose names hold one of these words
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// A folder of packages, and of their scales.toml where it has one; the shipped ones without it
    #[arg(long)]
    models: Option<PathBuf>,
    /// Where the result goes
    #[arg(long, default_value = "target/bench-scoring.json")]
    out: PathBuf,
}

/// A figure: what the engine does, and every way that a baseline has of doing the same.
struct Contest {
    key: &'static str,
    ours: &'static str,
    theirs: &'static [&'static str],
    /// What the issue asks for.
    target: f64,
}

const CONTESTS: &[Contest] = &[
    Contest {
        key: "trees_batch_vs_onnxruntime",
        ours: "trees_batch",
        theirs: &["trees_batch_onnxruntime", "trees_batch_onnxruntime_blocks"],
        target: 6.0,
    },
    Contest {
        key: "trees_batch_vs_xgboost",
        ours: "trees_batch",
        theirs: &["trees_batch_xgboost", "trees_batch_xgboost_matrix"],
        target: 2.5,
    },
    Contest {
        key: "trees_one_row_vs_onnxruntime",
        ours: "trees_one_row",
        theirs: &[
            "trees_one_row_onnxruntime",
            "trees_one_row_onnxruntime_ort_values",
            "trees_one_row_onnxruntime_bound",
        ],
        target: 3.0,
    },
    Contest { key: "treeshap_vs_xgboost", ours: "treeshap", theirs: &["treeshap_xgboost"], target: 50.0 },
    Contest {
        key: "treeshap_interventional_vs_shap",
        ours: "treeshap_interventional",
        theirs: &["treeshap_interventional_shap"],
        target: 50.0,
    },
    Contest {
        key: "dense_batch_vs_onnxruntime",
        ours: "dense_batch",
        theirs: &["dense_batch_onnxruntime", "dense_batch_onnxruntime_blocks"],
        target: 1.0,
    },
    Contest {
        key: "dense_blocks_vs_onnxruntime",
        ours: "dense_batch_blocks",
        theirs: &["dense_batch_onnxruntime_blocks"],
        target: 1.0,
    },
];

fn main() -> Result<()> {
    let args = Args::parse();
    let dir = tempfile::tempdir()?;
    eprintln!("training and writing the models…");
    let mut baseline = Baseline::start(dir.path())?;
    let mut engine = Engine::load(dir.path())?;
    let differences = engine.prove().context("the sides answer differently")?;

    let mut result = Map::new();
    let mut rates = Map::new();
    for contest in CONTESTS.iter().filter(|contest| is_wanted(contest.key, &args.only)) {
        let figure = contest.run(&mut engine, &mut baseline, args.rounds)?;
        eprintln!("{} {:.2} (asked for {})", contest.key, figure.ratio, contest.target);
        result.insert(contest.key.to_owned(), json!(figure.ratio));
        // By contest: what two contests share was timed in both, at another time.
        rates.insert(contest.key.to_owned(), json!(figure.rates));
    }
    let mut bench = Bench { scratch: dir.path(), baseline: &mut baseline, rounds: args.rounds, only: &args.only };
    let packages = package::run(args.models.as_deref(), &mut bench)?;
    let shapes = shape::run(&mut bench)?;
    result.insert("rates_per_s".to_owned(), Value::Object(rates));
    result.insert("packages".to_owned(), Value::Object(packages));
    result.insert("shapes".to_owned(), Value::Object(shapes));
    result.insert("greatest_differences".to_owned(), json!(differences));
    result.insert("model".to_owned(), json!(engine.shape()));
    result.insert("rounds".to_owned(), json!(args.rounds));
    result.insert("baselines".to_owned(), baseline.versions().clone());
    if let Some(folder) = args.out.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let result = Value::Object(result);
    std::fs::write(&args.out, serde_json::to_vec_pretty(&result)?)?;
    println!("{result:#}");
    Ok(())
}

/// A ratio and the medians that it is made of.
struct Figure {
    ratio: f64,
    rates: BTreeMap<&'static str, f64>,
}

impl Contest {
    fn run(&self, engine: &mut Engine, baseline: &mut Baseline, rounds: usize) -> Result<Figure> {
        let mut ours = Vec::new();
        let mut theirs = vec![Vec::new(); self.theirs.len()];
        // The first round warms both sides up and is not kept.
        for round in 0..=rounds {
            let own = engine.time(self.ours)?;
            let others = self.theirs.iter().map(|name| baseline.time(name)).collect::<Result<Vec<_>>>()?;
            if round > 0 {
                ours.push(rate(own));
                theirs.iter_mut().zip(others).for_each(|(rates, other)| rates.push(rate(other)));
            }
        }
        let ours = median(&mut ours);
        let theirs: Vec<f64> = theirs.iter_mut().map(|rates| median(rates)).collect();
        let fastest = theirs.iter().copied().fold(0.0, f64::max);
        let rates = [(self.ours, ours)].into_iter().chain(self.theirs.iter().copied().zip(theirs)).collect();
        Ok(Figure { ratio: ours / fastest, rates })
    }
}
