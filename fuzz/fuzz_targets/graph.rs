//! Bytes as a graph: refused, or run over rows with all that a table can hold.
#![no_main]

use defaultx_fuzz::{watch, wire};
use inference::graph::{Column, Graph, Kind, Table, Values};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Columns of the table, where the graph leaves that open.
const COLUMNS: usize = 4;

fuzz_target!(init: watch::begin(), |bytes: &[u8]| {
    watch::watched(|| {
        let Ok(graph) = Graph::load(bytes, Some(COLUMNS)) else { return };
        let width: usize = graph.inputs().iter().map(|input| input.width).sum();
        let header: Vec<String> = (0..width).map(|at| at.to_string()).collect();
        let Ok(kinds) = graph.kinds(&header) else { return };
        let columns = header.into_iter().zip(kinds).map(|(name, kind)| Column { name, values: cells(kind) }).collect();
        let _ = graph.run(&Table { columns });
    });
});

fn cells(kind: Kind) -> Values {
    match kind {
        Kind::F32 => Values::F32(vec![1.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, -0.0]),
        Kind::F64 => Values::F64(vec![1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, -0.0]),
        Kind::I64 => Values::I64(vec![1, 0, -1, i64::MAX, i64::MIN, 2]),
        Kind::I32 => Values::I64(vec![1, 0, -1, i64::from(i32::MAX), i64::from(i32::MIN), 2]),
        Kind::Bool => Values::I64(vec![1, 0, 1, 0, 1, 0]),
        Kind::Text => Values::Text(["a", "", "rent", "\u{1f600}", "nan", "1"].map(str::to_owned).to_vec()),
    }
}

fuzz_mutator!(|bytes: &mut [u8], size: usize, most: usize, seed: u32| {
    let mut rng = ChaCha8Rng::seed_from_u64(u64::from(seed));
    match wire::changed(&bytes[..size], &mut rng).filter(|changed| changed.len() <= most) {
        Some(changed) if rng.random_bool(0.8) => {
            bytes[..changed.len()].copy_from_slice(&changed);
            changed.len()
        }
        _ => fuzzer_mutate(bytes, size, most),
    }
});
