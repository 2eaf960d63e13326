//! The Python baseline, on topics of its own, with one way of explaining after the other.

use crate::load;
use crate::workers::Workers;
use anyhow::{Result, bail};
use e2e::stage::{Stage, root};
use e2e::traffic::Traffic;
use std::process::Command;

const SCRIPT: &str = "e2e/baselines/run";

/// What the baseline scores with and how it explains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Scorecards under onnxruntime.
    Scorecards,
    /// XGBoost, exact contributions against the reference by woodelf.
    Woodelf,
    /// XGBoost, exact contributions against the reference by shap.
    Shap,
    /// XGBoost and its own contributions, which have another baseline than the product's.
    PathDependent,
}

/// All of them, in the order in which they are measured.
pub const WAYS: &[Way] = &[Way::Scorecards, Way::Woodelf, Way::Shap, Way::PathDependent];

impl Way {
    /// A word for keys and topics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scorecards => "python_scorecards",
            Self::Woodelf => "python_xgboost_woodelf",
            Self::Shap => "python_xgboost_shap",
            Self::PathDependent => "python_xgboost_path_dependent",
        }
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Scorecards => &[],
            Self::Woodelf => &["--trees", "woodelf"],
            Self::Shap => &["--trees", "shap"],
            Self::PathDependent => &["--trees", "path-dependent"],
        }
    }
}

/// Makes the baseline's environment where it is not made yet.
pub fn prepare() -> Result<()> {
    if !Command::new(root().join(SCRIPT)).arg("--prepare").status()?.success() {
        bail!("the baseline's environment could not be made");
    }
    Ok(())
}

/// Its applications a second, on the topics that the stage speaks of.
pub fn throughput(stage: &Stage, traffic: &Traffic, way: Way, count: usize) -> Result<f64> {
    let log = stage.dir().join("baseline.log");
    let mut command = Command::new(root().join(SCRIPT));
    command.args(["--bootstrap", &stage.kafka.bootstrap, "--prefix", &stage.kafka.topic_prefix]);
    command.args(way.arguments());
    let mut workers = Workers::start(command, &log)?;
    let taken = load::throughput(stage, traffic, count, &workers);
    if taken.is_err() {
        eprintln!("{}", std::fs::read_to_string(log)?);
    }
    workers.stop()?;
    Ok(taken?.rate)
}
