//! Any file of a batch: the first byte says its format, the rest is the file. Every row is taken or refused.
#![no_main]

use defaultx_fuzz::watch;
use defaultx_fuzz::ways_in::Files;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static FILES: LazyLock<Files> =
    LazyLock::new(|| Files::new(&std::env::temp_dir().join(format!("fuzz-batch-{}", std::process::id()))));

fuzz_target!(init: watch::begin(), |bytes: &[u8]| {
    watch::watched(|| FILES.take(bytes));
});
