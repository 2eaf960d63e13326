//! Any record on any topic: whoever reads the topic answers it, and the log has an entry of it.
#![no_main]

use defaultx_fuzz::workers::{Workers, record};
use defaultx_fuzz::{parts, watch};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::cell::RefCell;

thread_local!(static WORKERS: RefCell<Workers> = RefCell::new(Workers::new()));

fuzz_target!(init: watch::begin(), |bytes: &[u8]| {
    watch::watched(|| WORKERS.with_borrow_mut(|workers| workers.take(&record(&parts::unpack(bytes)))));
});

fuzz_mutator!(|bytes: &mut [u8], size: usize, most: usize, seed: u32| {
    let mut rng = ChaCha8Rng::seed_from_u64(u64::from(seed));
    let changed = parts::changed(parts::unpack(&bytes[..size]), &mut rng).map(|changed| parts::pack(&changed));
    match changed.filter(|packed| packed.len() <= most) {
        Some(changed) if rng.random_bool(0.7) => {
            bytes[..changed.len()].copy_from_slice(&changed);
            changed.len()
        }
        _ => fuzzer_mutate(bytes, size, most),
    }
});
