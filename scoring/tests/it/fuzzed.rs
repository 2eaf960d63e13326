//! What the fuzz targets try, without their eye on coverage: the same changes of the same seeds, the same in every run. Each
//! changed graph or package is refused, or runs; it never panics, hangs or takes the memory.

#[path = "../../../fuzz/src/document.rs"]
mod document;
#[path = "../../../fuzz/src/parcel.rs"]
mod parcel;
#[path = "../../../fuzz/src/wire.rs"]
mod wire;

use crate::packages::{named, scales};
use inference::graph::{Column, Graph, Kind, Table, Values};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use scoring::{FeatureVector, Model, PackageFiles};
use std::path::{Path, PathBuf};

/// Changes tried on each graph.
const GRAPH_TRIES: u64 = 60;
/// Changes tried on each package.
const PACKAGE_TRIES: u64 = 40;
/// Columns of a table, where a graph leaves that open.
const COLUMNS: usize = 4;

/// Graphs of stock exporters, sorted.
fn graphs() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let below = |folder: &str| std::fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let all = below("../inference/tests/conformance/fixtures").chain(below("../defaultx/tests/it/graphs"));
    let mut graphs: Vec<PathBuf> = all.filter(|path| path.extension().is_some_and(|e| e == "onnx")).collect();
    graphs.sort();
    assert!(graphs.len() >= 9, "{graphs:?}");
    graphs
}

#[test]
fn changed_graphs_are_refused_or_run() {
    let (mut loaded, mut refused) = (0, 0);
    for (number, path) in graphs().iter().enumerate() {
        let bytes = std::fs::read(path).unwrap();
        for seed in 0..GRAPH_TRIES {
            let mut rng = ChaCha8Rng::seed_from_u64(number as u64 * GRAPH_TRIES + seed);
            match Graph::load(&wire::changed(&bytes, &mut rng).unwrap(), Some(COLUMNS)) {
                Ok(graph) => {
                    loaded += 1;
                    drop(graph.run(&table(&graph)));
                }
                Err(_) => refused += 1,
            }
        }
    }
    assert!(loaded > 100 && refused > 100, "{loaded} loaded and {refused} did not: the changes are of one kind");
}

/// Rows with all that cells can be.
fn table(graph: &Graph) -> Table {
    let width: usize = graph.inputs().iter().map(|input| input.width).sum();
    let header: Vec<String> = (0..width).map(|at| at.to_string()).collect();
    let cells = |kind: Kind| match kind {
        Kind::F32 => Values::F32(vec![1.0, f32::NAN, f32::INFINITY, f32::MIN]),
        Kind::F64 => Values::F64(vec![1.0, f64::NAN, f64::INFINITY, f64::MIN]),
        Kind::I64 => Values::I64(vec![1, 0, i64::MAX, i64::MIN]),
        Kind::I32 => Values::I64(vec![1, 0, i64::from(i32::MAX), i64::from(i32::MIN)]),
        Kind::Bool => Values::I64(vec![1, 0, 1, 0]),
        Kind::Text => Values::Text(["a", "", "rent", "1"].map(str::to_owned).to_vec()),
    };
    let kinds = graph.kinds(&header).unwrap();
    Table { columns: header.into_iter().zip(kinds).map(|(name, kind)| Column { name, values: cells(kind) }).collect() }
}

#[test]
fn changed_packages_do_not_serve_or_they_score() {
    let (mut serve, mut refused) = (0, 0);
    for (number, name) in ["german-scorecard", "sba-net", "sba-xgboost"].into_iter().enumerate() {
        let files = named(name);
        assert_eq!(parcel::unpack(&parcel::pack(&files)), files);
        for seed in 0..PACKAGE_TRIES {
            let mut rng = ChaCha8Rng::seed_from_u64(number as u64 * PACKAGE_TRIES + seed);
            let Some(changed) = parcel::changed(&files, &mut rng) else { continue };
            match scored(&parcel::sealed(changed)) {
                true => serve += 1,
                false => refused += 1,
            }
        }
    }
    assert!(serve > 5 && refused > 50, "{serve} serve and {refused} do not: the changes are of one kind");
}

/// Whether a package serves; if it does, it scores what no applicant has.
fn scored(files: &PackageFiles) -> bool {
    let Ok(model) = Model::load(files, &scales()) else { return false };
    let row = |value: f32| FeatureVector::plain(vec![value; model.features().len()]);
    let rows = [0.0, -1e9, f32::MAX, f32::NAN, f32::INFINITY].map(row);
    drop(model.score_block(&mut model.state().unwrap(), &rows));
    true
}
