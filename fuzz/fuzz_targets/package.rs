//! Bytes as a package whose digests are right: it does not serve, or it scores and explains.
#![no_main]

use defaultx_fuzz::{parcel, watch};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use scoring::{FeatureVector, Model, Scales};
use serde_json::Value;
use std::sync::LazyLock;

static SCALES: LazyLock<Scales> = LazyLock::new(|| {
    Scales::parse(include_bytes!("../../models/scales.toml")).expect("the scales are the repository's")
});

fuzz_target!(init: watch::begin(), |bytes: &[u8]| {
    watch::watched(|| {
        let files = parcel::sealed(parcel::unpack(bytes));
        let Ok(model) = Model::load(&files, &SCALES) else { return };
        let golden: Value = serde_json::from_slice(&files.golden).unwrap_or_default();
        let data = &golden["applications"][0]["data"];
        let mut rows: Vec<FeatureVector> = model.map(data).into_iter().collect();
        let width = model.features().len();
        rows.extend([0.0, -1e9, f32::MAX, f32::NAN, f32::INFINITY].map(|value| FeatureVector::plain(vec![value; width])));
        let Ok(mut state) = model.state() else { return };
        let _ = model.score_block(&mut state, &rows);
    });
});

fuzz_mutator!(|bytes: &mut [u8], size: usize, most: usize, seed: u32| {
    let mut rng = ChaCha8Rng::seed_from_u64(u64::from(seed));
    let files = parcel::unpack(&bytes[..size]);
    match parcel::changed(&files, &mut rng).map(|changed| parcel::pack(&changed)).filter(|packed| packed.len() <= most)
    {
        Some(changed) if rng.random_bool(0.9) => {
            bytes[..changed.len()].copy_from_slice(&changed);
            changed.len()
        }
        _ => fuzzer_mutate(bytes, size, most),
    }
});
