//! Shows on standard error how far the stream has come: bars on a terminal, a line every five seconds elsewhere.

use super::live::Seen;
use super::publish::Acks;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use runtime::task;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const TICK: Duration = Duration::from_millis(200);
/// Ticks between two lines where there is no terminal.
const LINE_EVERY: u32 = 25;

/// Says what is being done now.
pub fn phase(text: &str) {
    eprintln!("· {text}");
}

/// Shows counts until it is dropped.
pub struct Show {
    stop: CancellationToken,
}

impl Show {
    /// Starts to show.
    pub fn start(acks: Arc<Acks>, seen: Arc<Seen>, total: u64) -> Self {
        let stop = CancellationToken::new();
        let until = stop.clone();
        let is_terminal = std::io::stderr().is_terminal();
        task::spawn("progress", async move {
            if is_terminal {
                bars(&acks, &seen, total, &until).await;
            } else {
                lines(&acks, &seen, total, &until).await;
            }
        });
        Self { stop }
    }
}

impl Drop for Show {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn bars(acks: &Acks, seen: &Seen, total: u64, stop: &CancellationToken) {
    let all = MultiProgress::new();
    let bar = |name: &'static str| {
        let bar = all.add(ProgressBar::new(total)).with_prefix(name);
        if let Ok(style) = ProgressStyle::with_template("  {prefix:<10} {bar:40} {human_pos:>7} of {human_len} {msg}") {
            bar.set_style(style);
        }
        bar
    };
    let (published, answered, decided) = (bar("published"), bar("answered"), bar("decided"));
    loop {
        published.set_position(acks.count());
        answered.set_position(seen.replies());
        if acks.count() >= total && seen.replies() >= total {
            decided.set_length(seen.accepted());
        }
        decided.set_position(seen.decided());
        if stop.is_cancelled() {
            return [published, answered, decided].iter().for_each(ProgressBar::abandon);
        }
        tokio::time::sleep(TICK).await;
    }
}

async fn lines(acks: &Acks, seen: &Seen, total: u64, stop: &CancellationToken) {
    let mut tick = 0;
    while !stop.is_cancelled() {
        tokio::time::sleep(TICK).await;
        tick += 1;
        if tick % LINE_EVERY == 0 {
            let (published, answered, decided) = (acks.count(), seen.replies(), seen.decided());
            eprintln!("  published {published} of {total}, answered {answered}, decided {decided}");
        }
    }
}
