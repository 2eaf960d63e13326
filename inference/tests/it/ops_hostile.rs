//! Graphs that mean harm, or were cut short: each must be refused or run, never end the process.

use crate::ops_cases::written;
use inference::graph::{Column, Graph, Table, Values};

/// Changes tried on each graph.
const TRIES: u64 = 20;

#[test]
fn changed_bytes_neither_panic_nor_hang() {
    let cases = written("operators").into_iter().step_by(7).chain(written("exports").into_iter().step_by(5));
    let mut loaded = 0u32;
    for (number, case) in cases.enumerate() {
        let bytes = case.graph();
        for seed in 0..TRIES {
            let bytes = changed(&bytes, number as u64 * TRIES + seed);
            let Ok(graph) = Graph::load(&bytes, Some(5)) else { continue };
            loaded += 1;
            let column = |at: usize| Column { name: at.to_string(), values: Values::F32(vec![f32::NAN, 1.0]) };
            let width = graph.inputs().iter().map(|input| input.width).sum();
            let table = Table { columns: (0..width).map(column).collect() };
            drop(graph.run(&table));
        }
    }
    assert!(loaded > 50, "only {loaded} changed graphs loaded: the changes are too coarse to try anything");
}

/// Some bytes replaced, or the end cut off.
fn changed(bytes: &[u8], seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut changed = bytes.to_vec();
    if next() % 8 == 0 {
        changed.truncate(next() as usize % bytes.len());
        return changed;
    }
    for _ in 0..=next() % 3 {
        let at = next() as usize % changed.len();
        changed[at] = [0, 1, 0x7f, 0x80, 0xff, next() as u8][next() as usize % 6];
    }
    changed
}

#[test]
fn refusals_name_the_node_and_the_way_out() {
    let cases = written("refusals");
    assert!(cases.len() > 15, "only {} refusals were written", cases.len());
    for case in cases {
        let error = Graph::load(&case.graph(), None).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(case.says()), "{}: {error}\nmust say: {}", case.name, case.says());
    }
}
