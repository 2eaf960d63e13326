//! `defaultx model import`: a bare graph and rows with an outcome become a package, which serves once its reasons are filled in.

use crate::model::{graphs, model, root, said, table, words};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A sample of a stock export: its rows, with outcomes that its answers mostly tell.
fn sample_of_export(name: &str, dir: &Path) -> PathBuf {
    let (header, rows) = table(&std::fs::read(graphs().join(format!("{name}.csv"))).unwrap());
    let (_, answers) = table(&std::fs::read(graphs().join(format!("{name}.expected.csv"))).unwrap());
    let risks = answers.iter().map(|answer| answer.last().unwrap().parse().unwrap()).collect::<Vec<f64>>();
    written(dir, &header, &rows, &risks)
}

/// A sample of a package of the repository: the rows of its golden file. Its own graph is imported again.
fn sample_of_package(name: &str, dir: &Path) -> PathBuf {
    let package = root().join("models").join(name).join("1.0.0");
    let golden: Value = serde_json::from_slice(&std::fs::read(package.join("golden.json")).unwrap()).unwrap();
    let manifest: toml::Table = std::fs::read_to_string(package.join("manifest.toml")).unwrap().parse().unwrap();
    let header = manifest["feature"].as_array().unwrap().iter().map(|f| f["name"].as_str().unwrap().to_owned());
    let rows = golden["rows"].as_array().unwrap();
    let cell = |value: &Value| if value.is_null() { String::new() } else { value.to_string() };
    let cells: Vec<Vec<String>> =
        rows.iter().map(|row| row["features"].as_array().unwrap().iter().map(cell).collect()).collect();
    let risks: Vec<f64> = rows.iter().map(|row| row["margin"].as_f64().unwrap()).collect();
    written(dir, &header.collect::<Vec<_>>(), &cells, &risks)
}

/// Rows with an outcome: the riskier half defaulted, but for each fifth row.
fn written(dir: &Path, header: &[String], rows: &[Vec<String>], risks: &[f64]) -> PathBuf {
    let path = dir.join("sample.csv");
    let mut csv = csv::Writer::from_path(&path).unwrap();
    csv.write_record(header.iter().map(String::as_str).chain(["default"])).unwrap();
    let mut sorted = risks.to_vec();
    sorted.sort_by(f64::total_cmp);
    for (at, (row, risk)) in rows.iter().zip(risks).enumerate() {
        let defaulted = (*risk > sorted[sorted.len() / 2]) != (at % 5 == 0);
        csv.write_record(row.iter().map(String::as_str).chain([if defaulted { "1" } else { "0" }])).unwrap();
    }
    csv.flush().unwrap();
    path
}

#[test]
fn a_graph_becomes_a_package_once_its_reasons_are_filled_in() {
    let export = |name: &str| graphs().join(format!("{name}.onnx"));
    let package = |name: &str| root().join("models").join(name).join("1.0.0/model.onnx");
    type Sample = fn(&str, &Path) -> PathBuf;
    let rows: [(&str, PathBuf, Sample, &str); 5] = [
        ("xgboost", export("xgboost"), sample_of_export, "treeshap_interventional"),
        ("catboost", export("catboost"), sample_of_export, "treeshap_interventional"),
        ("taiwan-lightgbm", package("taiwan-lightgbm"), sample_of_package, "treeshap_interventional"),
        ("sba-net", package("sba-net"), sample_of_package, "shapley"),
        ("german-scorecard", package("german-scorecard"), sample_of_package, "scorecard_exact"),
    ];
    for (name, graph, sample, method) in rows {
        let dir = tempfile::tempdir().unwrap();
        let (sample, out) = (sample(name, dir.path()), dir.path().join("models"));
        let mut arguments = vec!["import", words(&graph), "--sample", words(&sample), "--label", "default"];
        arguments.extend(["--out", words(&out), "--name", name, "--product", "credit_card"]);
        if sample_has_id(&sample) {
            arguments.extend(["--without", "id"]);
        }
        let imported = model(&arguments);
        assert!(imported.status.success(), "{name}: {}", said(&imported.stderr));
        let package = out.join(name).join("1.0.0");
        assert_eq!(said(&imported.stdout).trim(), words(&package), "{name}");

        let open = model(&["check", words(&package)]);
        assert_eq!(open.status.code(), Some(1), "{name}");
        let why = said(&open.stdout);
        assert!(why.contains("reason_low is still FILL_IN: name what an applicant may be told"), "{name}: {why}");

        let manifest = std::fs::read_to_string(package.join("manifest.toml")).unwrap();
        std::fs::write(package.join("manifest.toml"), manifest.replace("FILL_IN", "income_insufficient")).unwrap();
        let checked = model(&["check", words(&package), "--json"]);
        assert!(checked.status.success(), "{name}: {}", said(&checked.stdout));
        let report: Value = serde_json::from_slice(&checked.stdout).unwrap();
        assert!(report["proven"]["method"].as_str().unwrap().starts_with(method), "{name}: {report}");
        assert!(report["proven"]["golden"]["rows"].as_u64().unwrap() >= 64, "{name}: {report}");
        assert!(report["proven"]["notes"].to_string().contains("golden answers are those of this engine"), "{report}");

        let card = std::fs::read_to_string(package.join("CARD.md")).unwrap();
        let auc = card.lines().find_map(|line| line.strip_prefix("| AUC | ")).unwrap();
        let auc: f64 = auc.trim_end_matches(" |").parse().unwrap();
        assert!((0.6..0.95).contains(&auc), "{name}: AUC {auc} of rows of which a fifth is turned round");
        let again = model(&arguments);
        assert!(said(&again.stderr).contains("is there already"), "{name}: {}", said(&again.stderr));
    }
}

fn sample_has_id(sample: &Path) -> bool {
    table(&std::fs::read(sample).unwrap()).0[0] == "id"
}

/// The package of an export of XGBoost, still to be filled in.
fn imported_xgboost(dir: &Path) -> PathBuf {
    let sample = sample_of_export("xgboost", dir);
    let (graph, out) = (graphs().join("xgboost.onnx"), dir.join("models"));
    let arguments = ["--label", "default", "--without", "id", "--product", "credit_card", "--out", words(&out)];
    let imported = model(&[&["import", words(&graph), "--sample", words(&sample)][..], &arguments[..]].concat());
    assert!(imported.status.success(), "{}", said(&imported.stderr));
    out.join("xgboost/1.0.0")
}

#[test]
fn covers_are_counted_on_the_sample() {
    let dir = tempfile::tempdir().unwrap();
    let package = imported_xgboost(dir.path());
    let reference = std::fs::read(package.join("reference.json")).unwrap();
    let reference: Value = serde_json::from_slice(&reference).unwrap();
    assert_eq!(reference["rows"], 40);
    for tree in reference["covers"].as_array().unwrap() {
        assert_eq!(tree[0], 40.0, "every row starts at the root");
    }
    let counted: u64 =
        reference["score_histogram"]["counts"].as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(counted, 40);
}

/// An import that was broken off leaves a folder that nobody takes for a package, and the next one begins anew.
#[test]
fn half_a_package_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let sample = sample_of_export("xgboost", dir.path());
    let (graph, out) = (graphs().join("xgboost.onnx"), dir.path().join("models"));
    let half = out.join("xgboost/.1.0.0.partial");
    std::fs::create_dir_all(&half).unwrap();
    std::fs::write(half.join("native.csv.gz"), "half").unwrap();
    std::fs::copy(root().join("models/scales.toml"), out.join("scales.toml")).unwrap();
    assert!(scorer::library::Library::read(&out).unwrap().models().is_empty());
    let arguments = ["--label", "default", "--without", "id", "--product", "credit_card", "--out", words(&out)];
    let imported = model(&[&["import", words(&graph), "--sample", words(&sample)][..], &arguments[..]].concat());
    assert!(imported.status.success(), "{}", said(&imported.stderr));
    let names = |folder: &Path| {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = entries.collect();
        names.sort();
        names
    };
    assert_eq!(names(&out.join("xgboost")), ["1.0.0"]);
    let files = ["CARD.md", "golden.json", "manifest.toml", "model.onnx", "reference.json"];
    assert_eq!(names(&out.join("xgboost/1.0.0")), files);
}

#[test]
fn what_cannot_be_imported_says_what_would_help() {
    let dir = tempfile::tempdir().unwrap();
    let fine = "a,b,c,d,default\n1,2,3,4,1\n-4,3,2,1,0\n";
    let rows: &[(&str, &str, &[&str], &str)] = &[
        ("xgboost", "a,b,c,d\n1,2,3,4\n", &[], "the label, --label: there is no column default; there are a, b, c, d"),
        (
            "xgboost",
            "a,b,c,d,default\n1,2,3,4,2\n",
            &[],
            "line 2, column default: \"2\" is neither 1 (defaulted) nor 0",
        ),
        ("xgboost", "a,b,c,d,default\n1,2,3,4,1\n", &[], "column default: is 1 in every row"),
        ("xgboost", "a,b,c,d,default\n", &[], "holds no rows"),
        ("xgboost", "a,b,c,d,default\n1,2,3,4,1\n1,x,3,4,0\n", &[], "line 3, column b: \"x\" is no number"),
        ("xgboost", "id,a,b,c,d,default\n1,1,2,3,4,1\n", &[], "leave others out with --without"),
        ("xgboost", fine, &["--product", "mortgage"], "no scale is of product mortgage"),
        ("xgboost", fine, &["--name", "a/b"], "is no name for a package"),
        ("xgboost", "a,b,b,d,default\n1,2,3,4,1\n", &[], "two columns are called b"),
        ("xgboost", fine, &["--bad-label", "7"], "column default: no row is of class \"7\"; there are 0, 1"),
        (
            "xgboost",
            fine,
            &["--native", "n.csv", "--accept-deviation", "inf"],
            "--accept-deviation inf: must be a difference of probabilities, above 0 and up to 1",
        ),
        ("xgboost", fine, &["--threshold", "1"], "--threshold must lie between 0 and 1"),
        ("xgboost", fine, &["--columns", "a,b,c,default"], "the label default cannot be a feature"),
        ("lightgbm", fine, &[], "a regression is no probability of default; export a classifier"),
        ("pipeline", "home,dependants,age_of_file,months,debt,income,default\n", &[], "holds no rows"),
        (
            "xgboost",
            "a,b,c,d,default\n1,2,3,4,0.35\n",
            &[],
            "is no probability of default, which is what a package holds",
        ),
        ("xgboost", "a,b,c,d,default\n1,2,3,4,bad\n", &[], "name the risky class with --bad-label"),
        (
            "xgboost",
            "a,b,c,d,default\n1,2,3,4,bad\n-4,3,2,1,good\n",
            &["--bad-label", "bad"],
            "none of its classes is \"bad\"; they are 0, 1: say which is the risky one with --bad-label",
        ),
    ];
    for (name, text, more, expected) in rows {
        let (sample, out) = (dir.path().join("in.csv"), dir.path().join("models"));
        std::fs::write(&sample, text).unwrap();
        let graph = graphs().join(format!("{name}.onnx"));
        let mut arguments = vec!["import", words(&graph), "--sample", words(&sample), "--label", "default"];
        arguments.extend(["--out", words(&out)]);
        if !more.contains(&"--product") {
            arguments.extend(["--product", "credit_card"]);
        }
        arguments.extend(*more);
        let ran = model(&arguments);
        assert!(!ran.status.success(), "{expected}");
        assert!(said(&ran.stderr).contains(expected), "{} does not say {expected}", said(&ran.stderr));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "{expected}");
    }
}

/// Where an application has a feature elsewhere, its manifest says so, and the golden applications are written anew.
#[test]
fn a_feature_may_be_read_elsewhere_once_the_golden_file_is_written_anew() {
    let dir = tempfile::tempdir().unwrap();
    let package = imported_xgboost(dir.path());
    let file = package.join("manifest.toml");
    let manifest = std::fs::read_to_string(&file).unwrap().replace("FILL_IN", "income_insufficient");
    let pointers: Vec<&str> =
        manifest.lines().filter(|line| line.starts_with("pointer = \"/attributes/")).take(2).collect();
    let [first, second] = pointers[..] else { panic!("two features: {manifest}") };
    let edited = manifest.replacen(first, "pointer = \"/requested/term_months\"", 1).replacen(
        second,
        "expr = \"debt_to_income\"",
        1,
    );
    std::fs::write(&file, edited).unwrap();
    let checked = model(&["check", words(&package)]);
    let why = said(&checked.stdout);
    assert!(
        !checked.status.success() && why.contains("`defaultx model golden PACKAGE` writes its applications anew"),
        "{why}"
    );

    let golden = model(&["golden", words(&package)]);
    assert!(golden.status.success(), "{}", said(&golden.stderr));
    let checked = model(&["check", words(&package)]);
    assert!(checked.status.success(), "{}", said(&checked.stdout));
    let golden: Value = serde_json::from_slice(&std::fs::read(package.join("golden.json")).unwrap()).unwrap();
    let terms = golden["applications"].as_array().unwrap().iter();
    assert!(terms.filter(|one| one["data"]["requested"]["term_months"].is_number()).count() > 3, "{golden}");

    // Of applications that somebody brings, with an income and debts.
    let one = |at: u64| {
        let money = |minor: u64| serde_json::json!({"amount_minor": minor, "currency": "EUR"});
        let mut data = golden["applications"][0]["data"].clone();
        data["requested"]["amount"] = money(100_000);
        data["applicants"] = serde_json::json!([{"role": "primary", "facts": {
            "income": [{"amount": money(200_000), "period": "month", "basis": "net", "evidence": "stated"}],
            "debts": [{"kind": "car", "payment": money(1_000 * at), "period": "month", "evidence": "stated"}],
        }}]);
        serde_json::json!({ "data": data }).to_string()
    };
    let brought = dir.path().join("some.jsonl");
    std::fs::write(&brought, (1..=6).map(one).collect::<Vec<_>>().join("\n")).unwrap();
    let renewed = model(&["golden", words(&package), "--applications", words(&brought)]);
    assert!(renewed.status.success(), "{}", said(&renewed.stderr));
    let golden: Value = serde_json::from_slice(&std::fs::read(package.join("golden.json")).unwrap()).unwrap();
    assert_eq!(golden["applications"].as_array().unwrap().len(), 6);
    assert!(golden["applications"][5]["features"][1].as_f64().is_some(), "the ratio is a number: {golden}");
    assert!(model(&["check", words(&package)]).status.success());
}
