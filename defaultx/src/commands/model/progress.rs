//! What is shown on standard error while a file of rows is read.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use model_import::{Progress, Reporter};
use std::io::IsTerminal;

/// Lines and bars on standard error. Nobody sees the bar of a short file.
pub struct Terminal;

struct Bar(ProgressBar);

impl Reporter for Terminal {
    fn line(&self, text: &str) {
        eprintln!("{text}");
    }

    fn reading(&self, total: u64) -> Box<dyn Progress> {
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(5));
        if !std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {percent:>3} %  {msg}, {eta} left") {
            bar.set_style(style);
        }
        Box::new(Bar(bar))
    }
}

impl Progress for Bar {
    fn at(&self, place: u64, rows: u64) {
        self.0.set_message(format!("{rows} rows"));
        self.0.set_position(place);
    }

    fn end(&self) {
        self.0.finish_and_clear();
    }
}
