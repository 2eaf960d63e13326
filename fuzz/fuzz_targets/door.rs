//! Any request at the door: parts are its body, then name and value of each header. It is taken or refused.
#![no_main]

use defaultx_fuzz::ways_in::Door;
use defaultx_fuzz::{parts, watch};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::LazyLock;

static DOOR: LazyLock<Door> = LazyLock::new(Door::new);

fuzz_target!(init: watch::begin(), |bytes: &[u8]| {
    watch::watched(|| DOOR.take(&parts::unpack(bytes)));
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
