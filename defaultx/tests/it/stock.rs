//! Twenty stock models from the command line alone: `model import`, reasons filled in, `model check`, `model explain`; and what a
//! check says of a package of which something is off by 1e-4.

use crate::model::{model, root, said, words};
use domain::Digest;
use inference::onnx::{AttributeProto, ModelProto};
use inference::{ops, tap};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// How much is broken.
const OFF: f64 = 1e-4;

/// Graphs, samples and answers of stock exporters.
static STOCK: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("stock");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stock/run");
    let output = Command::new(script).arg(&folder).output().unwrap();
    assert!(output.status.success(), "{}", said(&output.stderr));
    folder
});

/// A package of a stock model, its reasons filled in.
pub fn imported(name: &str, options: &[&str], dir: &Path) -> PathBuf {
    let file = |suffix: &str| STOCK.join(format!("{name}{suffix}"));
    let (graph, sample, native) = (file(".onnx"), file(".csv"), file(".native.csv"));
    let mut arguments = vec!["import", words(&graph), "--sample", words(&sample), "--native", words(&native)];
    arguments.extend(["--label", "default", "--product", "small_business_term", "--out", words(dir)]);
    arguments.extend(options);
    let imported = model(&arguments);
    assert!(imported.status.success(), "{name}: {}", said(&imported.stderr));
    let package = dir.join(name).join("1.0.0");
    fill_in(&package);
    package
}

fn fill_in(package: &Path) {
    let manifest = std::fs::read_to_string(package.join("manifest.toml")).unwrap();
    std::fs::write(package.join("manifest.toml"), manifest.replace("FILL_IN", "income_insufficient")).unwrap();
}

pub fn document(package: &Path, name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(package.join(name)).unwrap()).unwrap()
}

/// The rows of the table in `docs/import.md`, by model: converter, kind, contributions, greatest difference.
fn documented() -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(root().join("docs/import.md")).unwrap();
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect();
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    rows.map(cells).filter(|cells: &Vec<String>| cells.len() == 5).collect()
}

#[test]
fn stock_models_are_imported_checked_and_explained() {
    let listed: Vec<Value> = serde_json::from_slice(&std::fs::read(STOCK.join("models.json")).unwrap()).unwrap();
    assert!(listed.len() >= 20, "{}", listed.len());
    let documented = documented();
    for stock in &listed {
        let (name, dir) = (stock["name"].as_str().unwrap(), tempfile::tempdir().unwrap());
        let options: Vec<&str> = stock["options"].as_array().unwrap().iter().map(|o| o.as_str().unwrap()).collect();
        let package = imported(name, &options, dir.path());
        let checked = model(&["check", words(&package), "--json"]);
        assert!(checked.status.success(), "{name}: {}", said(&checked.stdout));
        let report: Value = serde_json::from_slice(&checked.stdout).unwrap();
        let proven = &report["proven"];
        assert!(proven["golden"]["rows"].as_u64().unwrap() >= 300, "{name}: {report}");

        let explained = explained(&package, 0);
        assert!(explained["residual"].as_f64().unwrap().abs() <= 1e-5, "{name}: {explained}");

        let manifest: toml::Table = std::fs::read_to_string(package.join("manifest.toml")).unwrap().parse().unwrap();
        let greatest = [&proven["native"]["greatest_change"], &proven["native"]["greatest_difference"]];
        let greatest = greatest.into_iter().map(|found| found.as_f64().unwrap()).fold(0.0, f64::max);
        let kind = manifest["kind"].as_str().unwrap();
        let method = proven["method"].as_str().unwrap();
        let line =
            format!("| `{name}` | {} | {kind} | `{method}` | {greatest:.0e} |", stock["library"].as_str().unwrap());
        let row = documented.iter().find(|row| row[0] == name);
        let row = row.unwrap_or_else(|| panic!("docs/import.md lacks {line}"));
        assert_eq!((&*row[1], &*row[2], &*row[3]), (stock["library"].as_str().unwrap(), kind, method), "{line}");
        assert!(greatest <= row[4].parse().unwrap(), "docs/import.md should say {line}");
    }
    assert_eq!(documented.len(), listed.len(), "docs/import.md has other models");
}

/// What `model explain` says of a golden application.
fn explained(package: &Path, application: usize) -> Value {
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("application.json");
    let golden = document(package, "golden.json");
    std::fs::write(&input, golden["applications"][application]["data"].to_string()).unwrap();
    let explained = model(&["explain", words(package), "--input", words(&input), "--json"]);
    assert!(explained.status.success(), "{}", said(&explained.stderr));
    serde_json::from_slice(&explained.stdout).unwrap()
}

/// A net over twelve months of four figures: what its 48 features do together is one reason, or one for each group that the
/// manifest names.
#[test]
fn a_payment_history_speaks_as_one() {
    let dir = tempfile::tempdir().unwrap();
    let package = imported("gru", &[], dir.path());
    let number = |value: &Value| value["contribution"].as_f64().unwrap();
    let told = |explained: &Value| {
        let reasons = explained["reasons"].as_array().unwrap();
        reasons.iter().map(|reason| (reason["code"].as_str().unwrap().to_owned(), number(reason))).collect::<Vec<_>>()
    };
    let mut sides = [0, 0];
    for application in 0..6 {
        let explained = explained(&package, application);
        let groups = explained["groups"].as_array().unwrap();
        assert_eq!(groups.len(), 1, "{explained}");
        assert_eq!(groups[0]["group"], "history");
        assert_eq!(groups[0]["features"].as_array().unwrap().len(), 48);
        let sum: f64 = explained["contributions"].as_array().unwrap().iter().map(number).sum();
        assert!((number(&groups[0]) - sum).abs() < 1e-6, "{explained}");
        match told(&explained).as_slice() {
            [] => assert!(sum <= 0.0, "{explained}"),
            [(_, contribution)] => assert!(sum > 0.0 && (contribution - sum).abs() < 1e-6, "{explained}"),
            _ => panic!("{explained}"),
        }
        sides[usize::from(sum > 0.0)] += 1;
    }
    assert!(sides.iter().all(|count| *count > 0), "{sides:?}");

    // Days past due, the fourth figure of each month, as a group of their own.
    let path = package.join("manifest.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut at = 0..;
    let grouped = text.split_inclusive("\n[[feature]]\n").map(|part| match at.next().unwrap() {
        feature if feature > 0 && feature % 4 == 0 => part
            .replace("group = \"history\"", "group = \"days_past_due\"")
            .replace("income_insufficient", "delinquent_obligations"),
        _ => part.to_owned(),
    });
    std::fs::write(&path, grouped.collect::<String>()).unwrap();
    assert!(model(&["check", words(&package)]).status.success());
    let riskiest = explained(&package, 5);
    let of = |group: &str, code: &str| {
        let groups = riskiest["groups"].as_array().unwrap();
        (code.to_owned(), number(groups.iter().find(|found| found["group"] == group).unwrap()))
    };
    let mut expected = vec![of("history", "income_insufficient"), of("days_past_due", "delinquent_obligations")];
    expected.retain(|(_, contribution)| *contribution > 0.0);
    expected.sort_by(|a, b| b.1.total_cmp(&a.1));
    assert_eq!(told(&riskiest), expected, "{riskiest}");
    assert!(expected.iter().any(|(code, _)| code == "delinquent_obligations"), "{riskiest}");
}

/// A package once more.
pub fn copied(package: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(package).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

/// A file of a package, changed.
fn changed(package: &Path, name: &str, change: impl FnOnce(&mut Value)) {
    let mut found = document(package, name);
    change(&mut found);
    std::fs::write(package.join(name), found.to_string()).unwrap();
}

fn add(value: &mut Value) {
    *value = json!(value.as_f64().unwrap() + OFF);
}

/// A number of a table of the manifest, changed.
fn shifted(package: &Path, key: &str) {
    let path = package.join("manifest.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let shift = |line: &str| match line.strip_prefix(key) {
        Some(number) => format!("{key}{:?}", number.parse::<f64>().unwrap() + OFF),
        None => line.to_owned(),
    };
    std::fs::write(path, text.lines().map(shift).collect::<Vec<_>>().join("\n")).unwrap();
}

/// A number in a list of the graph's last model, changed.
fn bent(package: &Path, list: &str, place: usize) {
    let path = package.join("model.onnx");
    let mut proto: ModelProto = ops::read(&std::fs::read(&path).unwrap(), None).unwrap();
    let attributes = proto.graph.as_mut().unwrap().node.iter_mut().flat_map(|node| &mut node.attribute);
    let found: &mut AttributeProto = attributes.filter(|attribute| attribute.name == list).last().unwrap();
    found.floats[place] += OFF as f32;
    std::fs::write(path, tap::bytes(&proto)).unwrap();
}

/// One of the library's answers, changed.
fn answered(package: &Path, line: usize) {
    let path = package.join("native.csv.gz");
    let mut text = String::new();
    flate2::read::GzDecoder::new(&*std::fs::read(&path).unwrap()).read_to_string(&mut text).unwrap();
    let change = |(at, row): (usize, &str)| match row.rsplit_once(',') {
        Some((features, number)) if at == line => format!("{features},{}", number.parse::<f64>().unwrap() + OFF),
        _ => row.to_owned(),
    };
    let text = text.lines().enumerate().map(change).collect::<Vec<_>>().join("\n");
    let mut packed = flate2::write::GzEncoder::new(std::fs::File::create(&path).unwrap(), flate2::Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    packed.finish().unwrap();
}

/// Every digest of the manifest anew, as somebody would who means the change.
pub fn sign(package: &Path) {
    let path = package.join("manifest.toml");
    let mut text = std::fs::read_to_string(&path).unwrap();
    for (key, file) in [
        ("graph_sha256", "model.onnx"),
        ("golden_sha256", "golden.json"),
        ("reference_sha256", "reference.json"),
        ("\nsha256", "native.csv.gz"),
    ] {
        let start = text.find(&format!("{key} = \"")).unwrap() + key.len() + 4;
        let digest = Digest::of(&std::fs::read(package.join(file)).unwrap()).to_string();
        let length = text[start..].find('"').unwrap();
        text.replace_range(start..start + length, &digest);
    }
    std::fs::write(path, text).unwrap();
}

#[test]
fn what_is_off_by_a_ten_thousandth_fails_the_check() {
    type Break = (&'static str, fn(&Path), &'static str);
    let everywhere: [Break; 7] = [
        (
            "a golden margin",
            |p| changed(p, "golden.json", |g| add(&mut g["rows"][211]["margin"])),
            "rows[211]: margin must be",
        ),
        (
            "a golden pd_raw",
            |p| changed(p, "golden.json", |g| add(&mut g["rows"][7]["pd_raw"])),
            "rows[7]: pd_raw must be",
        ),
        ("a golden pd", |p| changed(p, "golden.json", |g| add(&mut g["rows"][318]["pd"])), "rows[318]: pd must be"),
        (
            "an application's pd",
            |p| changed(p, "golden.json", |g| add(&mut g["applications"][3]["pd"])),
            "applications[3]: pd must be",
        ),
        ("the calibration's slope", |p| shifted(p, "a = "), "manifest.toml, calibration, a is"),
        ("the calibration's intercept", |p| shifted(p, "b = "), "manifest.toml, calibration, b is"),
        ("the library's answer", |p| answered(p, 17), "the first is line 18"),
    ];
    let linear: [Break; 3] = [
        ("a coefficient", |p| bent(p, "coefficients", 5), "margin must be"),
        ("the last coefficient", |p| bent(p, "coefficients", 9), "margin must be"),
        ("an intercept", |p| bent(p, "intercepts", 1), "margin must be"),
    ];
    let dir = tempfile::tempdir().unwrap();
    let cases: [(&str, &[Break]); 3] = [("logistic-zipmap", &linear), ("xgboost", &[]), ("calibrated-sigmoid", &[])];
    for (name, own) in cases {
        let whole = imported(name, &[], dir.path());
        for (what, broken, expected) in everywhere.iter().chain(own) {
            let copy = copied(&whole);
            broken(copy.path());
            sign(copy.path());
            let checked = model(&["check", words(copy.path())]);
            let report = said(&checked.stdout);
            assert_eq!(checked.status.code(), Some(1), "{name}, {what}: {report}");
            assert!(report.contains(expected), "{name}, {what}: {report} does not say {expected}");
        }
    }
}

/// Every word that a feature has is one that a golden row has, so that a weight of it shows in an answer.
#[test]
fn no_word_can_be_weighed_otherwise_unseen() {
    let dir = tempfile::tempdir().unwrap();
    let whole = imported("logistic-texts", &[], dir.path());
    let checked = model(&["check", words(&whole), "--json"]);
    let report: Value = serde_json::from_slice(&checked.stdout).unwrap();
    let manifest: toml::Table = std::fs::read_to_string(whole.join("manifest.toml")).unwrap().parse().unwrap();
    for (feature, known) in
        manifest["feature"].as_array().unwrap().iter().zip(report["proven"]["features"].as_array().unwrap())
    {
        let categories = feature.get("categories").map_or(0, |words| words.as_array().unwrap().len());
        assert!(known["golden_values"].as_u64().unwrap() >= categories as u64, "{known}");
    }
}

/// Every leaf that a row of the sample comes to is one that a golden row comes to.
#[test]
fn no_leaf_of_a_tree_can_change_unseen() {
    let dir = tempfile::tempdir().unwrap();
    let whole = imported("xgboost", &[], dir.path());
    let covers = document(&whole, "reference.json")["covers"].clone();
    let graph = std::fs::read(whole.join("model.onnx")).unwrap();
    let proto: ModelProto = ops::read(&graph, None).unwrap();
    let leaves = |name: &str| {
        let attributes = proto.graph.as_ref().unwrap().node.iter().flat_map(|node| &node.attribute);
        attributes.clone().find(|attribute| attribute.name == name).unwrap().ints.clone()
    };
    let (trees, nodes) = (leaves("class_treeids"), leaves("class_nodeids"));
    let met = |at: &usize| covers[trees[*at] as usize][nodes[*at] as usize].as_f64().unwrap() > 0.0;
    for place in (0..trees.len()).filter(met).step_by(5) {
        bent(&whole, "class_weights", place);
        sign(&whole);
        let checked = model(&["check", words(&whole)]);
        assert_eq!(checked.status.code(), Some(1), "leaf {place}: {}", said(&checked.stdout));
        std::fs::write(whole.join("model.onnx"), &graph).unwrap();
    }
}

#[test]
fn an_export_that_differs_is_repaired_or_put_on_record() {
    let dir = tempfile::tempdir().unwrap();
    let file = |suffix: &str| STOCK.join(format!("calibrated-isotonic{suffix}"));
    let (graph, sample, native) = (file(".onnx"), file(".csv"), file(".native.csv"));
    let mut arguments = vec!["import", words(&graph), "--sample", words(&sample), "--native", words(&native)];
    arguments.extend(["--label", "default", "--product", "small_business_term", "--out", words(dir.path())]);
    for (more, expected) in [
        (&[][..], "rows otherwise than its library"),
        (&["--accept-deviation", "0.001"], "beyond --accept-deviation 0.001"),
    ] {
        let refused = model(&[&arguments, more].concat());
        assert_eq!(refused.status.code(), Some(1), "{expected}");
        assert!(said(&refused.stderr).contains(expected), "{}", said(&refused.stderr));
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "{expected}");
    }
    let package = imported("calibrated-isotonic", &["--accept-deviation", "0.1"], dir.path());
    let card = std::fs::read_to_string(package.join("CARD.md")).unwrap();
    assert!(card.contains("**The export differs from its library.**"), "{card}");
    answered(&package, 40);
    sign(&package);
    let checked = model(&["check", words(&package)]);
    assert_eq!(checked.status.code(), Some(1), "{}", said(&checked.stdout));
}

/// Thresholds that an exporter rounded to nearest: `training/tests/test_native.py` makes the package.
#[test]
fn thresholds_that_were_rounded_are_repaired_by_the_librarys_answers() {
    let fixture = root().join("training/tests/fixtures/unrounded-lightgbm");
    let mut text = String::new();
    let packed = std::fs::read(fixture.join("native.csv.gz")).unwrap();
    flate2::read::MultiGzDecoder::new(&*packed).read_to_string(&mut text).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (sample, native) = (dir.path().join("sample.csv"), dir.path().join("native.csv"));
    let (mut rows, mut answers) = (String::new(), "probability\n".to_owned());
    for (at, line) in text.lines().enumerate() {
        let (features, answer) = line.rsplit_once(',').unwrap();
        match answer.parse::<f64>() {
            Ok(risk) => {
                rows += &format!("{features},{}\n", u8::from((risk > 0.3) != (at % 7 == 0)));
                answers += &format!("{answer}\n");
            }
            Err(_) => rows += &format!("{features},default\n"),
        }
    }
    std::fs::write(&sample, rows).unwrap();
    std::fs::write(&native, answers).unwrap();
    let (graph, out) = (fixture.join("model.onnx"), dir.path().join("models"));
    let mut arguments = vec!["import", words(&graph), "--sample", words(&sample), "--native", words(&native)];
    arguments.extend(["--label", "default", "--product", "credit_card", "--name", "repaired", "--out", words(&out)]);
    let imported = model(&arguments);
    assert!(imported.status.success(), "{}", said(&imported.stderr));
    assert!(said(&imported.stderr).contains("thresholds, rounded to the nearest"), "{}", said(&imported.stderr));
    let package = out.join("repaired/1.0.0");
    let text = |name: &str| std::fs::read_to_string(package.join(name)).unwrap();
    assert!(text("CARD.md").contains("**The graph is not the exporter's file.**"), "{}", text("CARD.md"));
    assert!(text("manifest.toml").contains("# Its graph is not the exporter's file"), "{}", text("manifest.toml"));
    fill_in(&package);
    let checked = model(&["check", words(&package)]);
    assert!(checked.status.success(), "{}", said(&checked.stdout));
}
