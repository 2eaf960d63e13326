//! The Python side: a process that trains, writes what both sides need, and times one round at a time when it is asked to.

use crate::rounds::{Round, rate};
use anyhow::{Context, Result, bail};
use e2e::stage::root;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A running baseline. It ends with this value.
pub struct Baseline {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    versions: Value,
}

/// The ways that the baseline has for a graph.
pub struct Measures {
    /// All rows at once, and in blocks.
    pub blocks: Vec<String>,
    /// One row at a time.
    pub one_row: Vec<String>,
}

impl Baseline {
    /// Installs it where it is not yet, starts it, and waits until it has written its models to a folder.
    pub fn start(folder: &Path) -> Result<Self> {
        let script = root().join("e2e/baselines/scoring/run");
        let prepared = Command::new(&script).arg("--prepare").status().context("e2e/baselines/scoring/run")?;
        if !prepared.success() {
            bail!("the baselines' environment could not be made");
        }
        let mut command = Command::new(&script);
        command.arg("--serve").arg(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let questions = child.stdin.take().context("no way to ask the baseline")?;
        let answers = BufReader::new(child.stdout.take().context("no way to hear the baseline")?);
        let mut baseline = Self { child, questions, answers, versions: Value::Null };
        baseline.versions = baseline.read::<Value>()?["versions"].take();
        Ok(baseline)
    }

    /// Versions of the libraries that it runs.
    pub fn versions(&self) -> &Value {
        &self.versions
    }

    /// One round of a measure.
    pub fn time(&mut self, question: &str) -> Result<Round> {
        writeln!(self.questions, "{question}")?;
        self.questions.flush()?;
        self.read().with_context(|| format!("the baseline was asked for {question}"))
    }

    /// Makes what is asked for ready, and says by which names it can be measured.
    pub fn ready(&mut self, question: &str) -> Result<Measures> {
        writeln!(self.questions, "{question}")?;
        self.questions.flush()?;
        let names: Vec<String> = self.read().with_context(|| format!("the baseline was asked for {question}"))?;
        let (one_row, blocks) = names.into_iter().partition(|name| name.contains("_one_row_"));
        Ok(Measures { blocks, one_row })
    }

    /// Rows a second of the fastest of several ways.
    pub fn fastest(&mut self, names: &[String]) -> Result<f64> {
        let rates = names.iter().map(|name| Ok(rate(self.time(name)?))).collect::<Result<Vec<_>>>()?;
        Ok(rates.into_iter().fold(0.0, f64::max))
    }

    fn read<T: serde::de::DeserializeOwned>(&mut self) -> Result<T> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            bail!("the baseline has ended; what it said stands above");
        }
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Baseline {
    fn drop(&mut self) {
        if self.child.kill().is_err() || self.child.wait().is_err() {
            eprintln!("the baseline could not be stopped");
        }
    }
}
