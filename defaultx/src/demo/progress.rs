//! Shows on standard error how far the stream has come: bars on a terminal, a line every five seconds elsewhere.

use super::live::Seen;
use super::publish::Acks;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use runtime::task;
use std::io::IsTerminal;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

const TICK: Duration = Duration::from_millis(200);
/// Ticks between two lines where there is no terminal.
const LINE_EVERY: u32 = 25;

/// Says what is being done now.
pub fn phase(text: &str) {
    eprintln!("· {text}");
}

/// How long a wait lasts before it is said again, with what to look at.
const STILL: Duration = Duration::from_secs(10);

/// Says what is waited for and, for as long as it lasts, what to look at; gives what it was.
pub async fn wait<T>(what: &str, look_at: impl Fn() -> String, until: impl Future<Output = T>) -> T {
    wait_saying(what, look_at, until, STILL, |line| eprintln!("{line}")).await
}

async fn wait_saying<T>(
    what: &str,
    look_at: impl Fn() -> String,
    until: impl Future<Output = T>,
    still: Duration,
    say: impl Fn(String),
) -> T {
    say(format!("· waiting for {what}"));
    let (started, mut until) = (Instant::now(), pin!(until));
    loop {
        match tokio::time::timeout(still, &mut until).await {
            Ok(done) => return done,
            Err(_) => say(format!(
                "  still waiting for {what}, {} s so far: look at {}",
                started.elapsed().as_secs(),
                look_at()
            )),
        }
    }
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::sync::Mutex;
    use tokio::sync::Notify;

    #[tokio::test]
    async fn a_wait_that_lasts_says_what_to_look_at() {
        let (said, enough) = (Mutex::new(Vec::new()), Notify::new());
        let say = |line| {
            let mut said = said.lock().unwrap();
            said.push(line);
            if said.len() == 3 {
                enough.notify_one();
            }
        };
        let done = async {
            enough.notified().await;
            7
        };
        let still = Duration::from_millis(1);
        assert_eq!(wait_saying("webhooks", || "the page".to_owned(), done, still, say).await, 7);
        let said = said.into_inner().unwrap();
        assert_eq!(said[0], "· waiting for webhooks");
        assert!(
            said[1..].iter().all(|line| line.contains("waiting for webhooks") && line.ends_with("look at the page"))
        );
    }
}
