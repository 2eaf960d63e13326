//! One way to say "drain": a token that SIGTERM or SIGINT cancels. A second signal ends the process at once.

use crate::task;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Exit code after the second signal, as shells report an interrupted program.
const IMPATIENT: i32 = 130;

/// A token that is cancelled by the first SIGTERM or SIGINT. Call it within a runtime.
///
/// # Errors
/// When the handlers cannot be installed.
pub fn on_signal() -> std::io::Result<CancellationToken> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let token = CancellationToken::new();
    let cancelled = token.clone();
    task::spawn("signals", async move {
        let mut first = true;
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if !first {
                std::process::exit(IMPATIENT);
            }
            first = false;
            tracing::info!("draining");
            cancelled.cancel();
        }
    });
    Ok(token)
}
