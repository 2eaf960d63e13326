//! Shows a person what is being waited for: spinners on a terminal, one plain line a step elsewhere, nothing when not
//! asked. Writes to standard error only; never decides anything.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// How often a spinner turns, in milliseconds.
const TICK_MS: u64 = 100;

/// Hands out the steps of one start; they share the terminal.
#[derive(Clone)]
pub(crate) struct Progress {
    look: Look,
}

#[derive(Clone)]
enum Look {
    Silent,
    Lines,
    Spinners(MultiProgress),
}

/// One thing being waited for.
pub(crate) struct Step {
    name: &'static str,
    started: Instant,
    bar: Option<ProgressBar>,
    lines: bool,
}

impl Progress {
    pub(crate) fn new(shown: bool) -> Progress {
        let look = match (shown, std::io::stderr().is_terminal()) {
            (false, _) => Look::Silent,
            (true, false) => Look::Lines,
            (true, true) => Look::Spinners(MultiProgress::new()),
        };
        Progress { look }
    }

    pub(crate) fn step(&self, name: &'static str) -> Step {
        let bar = match &self.look {
            Look::Spinners(all) => Some(spinner(all, name)),
            Look::Silent | Look::Lines => None,
        };
        Step { name, started: Instant::now(), bar, lines: matches!(self.look, Look::Lines) }
    }
}

impl Step {
    /// What is being done now.
    pub(crate) fn now(&self, doing: &str) {
        tracing::debug!(step = self.name, doing, "local stack");
        match &self.bar {
            Some(bar) => bar.set_message(doing.to_owned()),
            None => self.line(doing),
        }
    }

    /// Something the person should still see afterwards.
    pub(crate) fn note(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(format!("  {}: {text}", self.name)),
            None => self.line(text),
        }
    }

    /// The step is over; `result` stays on the screen with the time it took.
    pub(crate) fn done(self, result: &str) {
        let seconds = self.started.elapsed().as_secs_f32();
        let text = format!("{result} ({seconds:.1} s)");
        match &self.bar {
            Some(bar) => bar.finish_with_message(text),
            None => self.line(&text),
        }
    }

    fn line(&self, text: &str) {
        if self.lines {
            drop(writeln!(std::io::stderr(), "{}: {text}", self.name)); // nobody may read it
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.take().filter(|bar| !bar.is_finished()) {
            bar.abandon(); // a failed step stays visible with what it was doing
        }
    }
}

fn spinner(all: &MultiProgress, name: &'static str) -> ProgressBar {
    let bar = all.add(ProgressBar::new_spinner()).with_prefix(name);
    if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix:<11} {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(TICK_MS));
    bar
}
