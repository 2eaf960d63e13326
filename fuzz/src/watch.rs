//! Which panics count. A panic inside the graph library is allowed where the engine turns it into a refusal; one of our own
//! is a defect wherever it is, and so is any that leaves the engine.

use std::panic::AssertUnwindSafe;
use std::sync::{Mutex, PoisonError};

/// Where no panic may come from.
const OURS: [&str; 5] = ["expressions/src", "policy/src", "inference/src", "scorer/src", "scoring/src"];

static LAST: Mutex<String> = Mutex::new(String::new());

/// Takes the place of the loop's own hook, which ends the process at every panic.
pub fn begin() {
    std::panic::set_hook(Box::new(|panic| {
        let ours = |file: &str| OURS.iter().any(|folder| file.contains(folder));
        if panic.location().is_some_and(|at| ours(at.file())) {
            eprintln!("{panic}");
            std::process::abort();
        }
        *LAST.lock().unwrap_or_else(PoisonError::into_inner) = panic.to_string();
    }));
}

/// Ends the process if `work` panics, for the loop to note its input.
pub fn watched(work: impl FnOnce()) {
    if std::panic::catch_unwind(AssertUnwindSafe(work)).is_err() {
        eprintln!("{}", LAST.lock().unwrap_or_else(PoisonError::into_inner));
        std::process::abort();
    }
}
