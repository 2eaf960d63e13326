//! The small graphs after public bug reports in `tests/cases`: each gives the right answer, which is the library's, or
//! onnxruntime's where the file itself is wrong or rounds.

use crate::rows::table_in;
use inference::graph::{Files, Graph, Options, Output, Values};
use std::path::{Path, PathBuf};

/// A case, whose answers are right, and how far from them this engine may be: absolute below one, relative above.
const RIGHT: [(&str, &str, f64); 18] = [
    ("01_rf_nan_routing", "expected", 1e-6),
    ("05_hgb_float64_thresholds", "expected", 1e-6),
    ("06_hgb_categorical", "expected", 1e-6),
    ("09_calibrated_sigmoid_pipeline", "expected", 1e-6),
    ("20_knn_distance_float", "expected", 1e-6),
    ("22c_multinomial_nb", "expected", 1e-6),
    ("33_rf_multi_output_int64", "native", 1e-6),
    ("34b_multioutput_classifier", "native", 1e-6),
    ("97_external_data", "native", 1e-6),
    // Each row is scaled for itself here, and by the greatest value of all rows there.
    ("99_mlp_quantised_dynamic", "expected", 1e-2),
    ("A4_hummingbird_lightgbm", "expected", 1e-6),
    ("B1c_gpr_rbf_300", "native", 1e-9),
    ("B3_softplus_torch", "native", 1e-6),
    ("B5_reduce_max_argmax_nan", "native", 0.0),
    ("B6_onehot_float_codes_nan", "native", 1e-6),
    ("B8_qda", "native", 1e-6),
    ("D3_torch_gru_history_script", "native", 1e-6),
    ("D4_torch_gru_flat_script", "native", 1e-6),
];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(name)
}

/// A graph with every file beside it.
fn load(folder: &Path, columns: usize) -> Graph {
    let bytes = std::fs::read(folder.join("model.onnx")).unwrap();
    let named = inference::files_of(&bytes).unwrap();
    let files: Files =
        named.into_iter().map(|name| (name.clone(), std::fs::read(folder.join(name)).unwrap())).collect();
    Graph::with(&bytes, &Options { columns: Some(columns), files: Some(&files), ..Options::default() }).unwrap()
}

/// Rows of numbers of a file; an empty cell is none.
fn numbers(path: &Path) -> Vec<Vec<f64>> {
    let mut file = csv::Reader::from_path(path).unwrap();
    let row = |record: csv::StringRecord| {
        record.iter().map(|cell| if cell.is_empty() { f64::NAN } else { cell.parse().unwrap() }).collect()
    };
    file.records().map(|record| row(record.unwrap())).collect()
}

fn cell(output: &Output, at: usize) -> f64 {
    match &output.values {
        Values::F32(cells) => f64::from(cells[at]),
        Values::F64(cells) => cells[at],
        Values::I64(cells) => cells[at] as f64,
        Values::Text(cells) => cells[at].parse().unwrap(),
    }
}

#[test]
fn graphs_of_public_reports_are_answered_right() {
    let mut failed = vec![];
    for (name, side, most) in RIGHT {
        let folder = folder(name);
        let header = csv::Reader::from_path(folder.join("input.csv")).unwrap().headers().unwrap().len();
        let graph = load(&folder, header);
        let outputs = graph.run(&table_in(&folder, &graph).unwrap()).unwrap();
        let right = numbers(&folder.join(format!("{side}.csv")));
        let width: usize = outputs.iter().map(|output| output.columns.len()).sum();
        // What the library says may leave the labels out, which come first.
        let skipped = width - right[0].len();
        for (row, right) in right.iter().enumerate() {
            let all = outputs.iter().flat_map(|output| {
                let columns = output.columns.len();
                (row * columns..(row + 1) * columns).map(|at| cell(output, at)).collect::<Vec<_>>()
            });
            for (found, right) in all.skip(skipped).zip(right) {
                let apart = (found - right).abs() / right.abs().max(1.0);
                if !(apart <= most || found.is_nan() && right.is_nan()) {
                    failed.push(format!("{name}, row {row}: {found}, not {right}"));
                }
            }
        }
    }
    assert!(failed.is_empty(), "{}:\n{}", failed.len(), failed[..failed.len().min(20)].join("\n"));
}

/// A name that leads out of the graph's folder, and one that is not there.
#[test]
fn a_tensor_in_another_file_is_read_from_beside_the_graph_alone() {
    let bytes = std::fs::read(folder("97_external_data").join("model.onnx")).unwrap();
    let why = Graph::load(&bytes, Some(6)).map(|_| ()).unwrap_err().to_string();
    assert!(why.contains("must stand beside the graph"), "{why}");
    let place = bytes.windows(10).position(|found| found == b"model.onnx").expect("the file's name is in the graph");
    let mut elsewhere = bytes.clone();
    elsewhere[place..place + 3].copy_from_slice(b"../");
    let why = inference::files_of(&elsewhere).unwrap_err().to_string();
    assert!(why.contains("must be in a file beside the graph"), "{why}");
}
