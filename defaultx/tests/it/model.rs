//! `defaultx model`, as it is called: graphs of stock exporters over CSV files, packages checked, explained and timed.

use inference::onnx::attribute_proto::AttributeType;
use inference::onnx::{AttributeProto, NodeProto, ValueInfoProto};
use inference::{ops, tap};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub fn graphs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/graphs")
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub fn model(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_defaultx")).arg("model").args(arguments).current_dir(root()).output().unwrap()
}

pub fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub fn words(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Header and rows of a CSV file.
pub fn table(bytes: &[u8]) -> (Vec<String>, Vec<Vec<String>>) {
    let mut reader = csv::Reader::from_reader(bytes);
    let cells = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect::<Vec<_>>();
    let header = cells(reader.headers().unwrap());
    (header, reader.records().map(|record| cells(&record.unwrap())).collect())
}

#[test]
fn stock_exports_run_over_files_as_onnxruntime_runs_them() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["xgboost", "lightgbm", "catboost", "pipeline"] {
        let file = |suffix: &str| graphs().join(format!("{name}{suffix}"));
        let out = dir.path().join(format!("{name}.csv"));
        let (graph, input) = (file(".onnx"), file(".csv"));
        let ran = model(&["run", words(&graph), "--input", words(&input), "--output", words(&out), "--keep", "id"]);
        assert!(ran.status.success(), "{name}: {}", said(&ran.stderr));

        let (header, found) = table(&std::fs::read(&out).unwrap());
        let (columns, expected) = table(&std::fs::read(file(".expected.csv")).unwrap());
        assert_eq!(header[0], "id", "{name}");
        assert_eq!(header[1..], columns, "{name}");
        assert_eq!(found.len(), expected.len(), "{name}");
        for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert_eq!(found[0], format!("loan-{at}"), "{name}");
            for (found, expected) in found[1..].iter().zip(expected) {
                let (found, expected): (f64, f64) = (found.parse().unwrap(), expected.parse().unwrap());
                let apart = (found - expected).abs() / expected.abs().max(1.0);
                assert!(apart <= 1e-6, "{name}, row {at}: {found}, not {expected}");
            }
        }
    }
}

/// An output that is the same for all rows is in no table of rows, and that is said.
#[test]
fn an_output_that_is_left_out_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut proto = ops::read(&std::fs::read(graphs().join("xgboost.onnx")).unwrap(), None).unwrap();
    let graph = proto.graph.as_mut().unwrap();
    let value = AttributeProto {
        name: "value_floats".into(),
        r#type: AttributeType::Floats as i32,
        floats: vec![3.0],
        ..AttributeProto::default()
    };
    graph.node.push(NodeProto {
        op_type: "Constant".into(),
        output: vec!["edition".into()],
        attribute: vec![value],
        ..NodeProto::default()
    });
    graph.output.push(ValueInfoProto { name: "edition".into(), ..ValueInfoProto::default() });
    let path = dir.path().join("graph.onnx");
    std::fs::write(&path, tap::bytes(&proto)).unwrap();
    let input = graphs().join("xgboost.csv");
    let ran = model(&["run", words(&path), "--input", words(&input), "--keep", "id"]);
    assert!(ran.status.success(), "{}", said(&ran.stderr));
    assert!(said(&ran.stderr).contains("left out, being the same for all rows: edition"), "{}", said(&ran.stderr));
    assert!(!said(&ran.stdout).contains("edition"));
}

#[test]
fn rows_come_in_blocks_and_from_packed_files() {
    let dir = tempfile::tempdir().unwrap();
    let (header, rows) = table(&std::fs::read(graphs().join("xgboost.csv")).unwrap());
    let count = 20_000;
    let packed = dir.path().join("rows.csv.gz");
    let file = std::fs::File::create(&packed).unwrap();
    let mut csv = csv::Writer::from_writer(flate2::write::GzEncoder::new(file, flate2::Compression::fast()));
    csv.write_record(&header).unwrap();
    rows.iter().cycle().take(count).for_each(|row| csv.write_record(row).unwrap());
    csv.into_inner().unwrap().finish().unwrap();

    let graph = graphs().join("xgboost.onnx");
    let ran = model(&["run", words(&graph), "--input", words(&packed), "--keep", "id", "--labels"]);
    assert!(ran.status.success(), "{}", said(&ran.stderr));
    let (header, found) = table(&ran.stdout);
    assert_eq!(header, ["id", "label", "probabilities_0", "probabilities_1"]);
    assert_eq!(found.len(), count);
    for (at, row) in found.iter().enumerate() {
        assert_eq!(*row, found[at % rows.len()], "row {at}");
    }
}

#[test]
fn what_cannot_be_run_says_where_and_leaves_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let rows: &[(&str, &str, &[&str], &str)] = &[
        (
            "xgboost",
            "income,debt,months,age_of_file\n1,2,3,4\n1,two,3,4\n",
            &[],
            "line 3, column debt: \"two\" is no number",
        ),
        ("xgboost", "income,debt,months\n1,2,3\n", &[], "takes 4 columns, the table has 3"),
        ("xgboost", "income,debt,months,age_of_file\n1,2,3\n", &[], "line: 2"),
        (
            "xgboost",
            "id,income,debt,months,age_of_file\nloan-0,1,2,3,4\n",
            &[],
            "has the columns id, income, debt, months, age_of_file; copy an id or a label to the output with --keep",
        ),
        ("xgboost", "a,b\n1,2\n", &["--keep", "id"], "there is no column id; there are a, b"),
        (
            "pipeline",
            "home,dependants,age_of_file,months,debt,income\nrent,1.5,1,1,1,1\n",
            &[],
            "line 2, column dependants: \"1.5\" is no whole number",
        ),
    ];
    for (name, text, more, expected) in rows {
        let (input, out) = (dir.path().join("in.csv"), dir.path().join("out.csv"));
        std::fs::write(&input, text).unwrap();
        let graph = graphs().join(format!("{name}.onnx"));
        let arguments = ["run", words(&graph), "--input", words(&input), "--output", words(&out)];
        let ran = model(&[&arguments, *more].concat());
        assert!(!ran.status.success(), "{expected}");
        assert!(said(&ran.stderr).contains(expected), "{} does not say {expected}", said(&ran.stderr));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "{expected}");
    }
}

#[test]
fn packages_are_checked() {
    let good = model(&["check", "models/taiwan-scorecard/1.0.0", "models/taiwan-net/1.0.0", "--json"]);
    assert!(good.status.success(), "{}", said(&good.stdout));
    let text = said(&good.stdout);
    let reports: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(reports.len(), 2);
    for report in &reports {
        assert_eq!(report["faults"], serde_json::json!([]), "{report}");
        let golden = &report["proven"]["golden"];
        assert!(golden["greatest_margin_difference"].as_f64().unwrap() <= 1e-6, "{golden}");
        let features = report["proven"]["features"].as_array().unwrap();
        let outcome = |feature: &str| {
            let known = features.iter().find(|known| known["feature"] == feature).unwrap();
            known["when_missing"]["outcome"].clone()
        };
        assert_eq!(outcome("limit"), "unscorable");
        assert_eq!(outcome("repayment_status_2"), "scored");
        let proofs = features.iter().filter(|known| known["direction"] == "golden_values").count();
        assert_eq!(proofs > 0, report["proven"]["name"] == "taiwan-scorecard", "{report}");
    }

    let dir = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(root().join("models/taiwan-net/1.0.0")).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), dir.path().join(file.file_name())).unwrap();
    }
    let mut graph = std::fs::read(dir.path().join("model.onnx")).unwrap();
    *graph.last_mut().unwrap() ^= 1;
    std::fs::write(dir.path().join("model.onnx"), graph).unwrap();
    let broken = model(&["check", "models/taiwan-scorecard/1.0.0", words(dir.path())]);
    assert_eq!(broken.status.code(), Some(1));
    let text = said(&broken.stdout);
    assert!(text.contains("taiwan-scorecard 1.0.0: proven; "), "{text}");
    assert!(text.contains("may not serve") && text.contains("model.onnx: the manifest names digest"), "{text}");
}

#[test]
fn an_application_is_explained() {
    let package = root().join("models/taiwan-scorecard/1.0.0");
    let golden: Value = serde_json::from_slice(&std::fs::read(package.join("golden.json")).unwrap()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("one.json");
    // An event is opened, its data is taken.
    let event = serde_json::json!({ "specversion": "1.0", "data": golden["applications"][0]["data"] });
    std::fs::write(&input, event.to_string()).unwrap();

    let explained = model(&["explain", words(&package), "--input", words(&input), "--json"]);
    assert!(explained.status.success(), "{}", said(&explained.stderr));
    let found: Value = serde_json::from_slice(&explained.stdout).unwrap();
    assert_eq!(found["score"], golden["applications"][0]["score"]);
    let parts: Vec<f64> =
        found["contributions"].as_array().unwrap().iter().map(|part| part["contribution"].as_f64().unwrap()).collect();
    assert!(parts.windows(2).all(|pair| pair[0].abs() >= pair[1].abs()), "{parts:?}");
    let sum = found["base"].as_f64().unwrap() + parts.iter().sum::<f64>();
    assert!((sum - found["margin"].as_f64().unwrap()).abs() < 2e-5, "{found}");

    let chart = model(&["explain", words(&package), "--input", words(&input)]);
    let chart = said(&chart.stdout);
    assert!(chart.starts_with("taiwan-scorecard 1.0.0, scorecard_exact\npd "), "{chart}");
    assert_eq!(chart.lines().filter(|line| line.contains('│')).count(), parts.len(), "{chart}");

    std::fs::write(&input, "{}").unwrap();
    let refused = model(&["explain", words(&package), "--input", words(&input)]);
    assert!(!refused.status.success());
    assert!(said(&refused.stderr).contains("cannot be scored: missing:limit"), "{}", said(&refused.stderr));
}

#[test]
fn a_package_is_timed() {
    let timed = model(&["bench", "models/german-scorecard/1.0.0", "--seconds", "0.02", "--json"]);
    assert!(timed.status.success(), "{}", said(&timed.stderr));
    let found: Value = serde_json::from_slice(&timed.stdout).unwrap();
    for figure in ["map", "margin_one", "margin_block", "scored_one", "scored_block"] {
        assert!(found["rows_per_s"][figure].as_f64().unwrap() > 0.0, "{found}");
    }
}
