//! A package proves itself or does not serve. Each row breaks one thing of a good package.

use crate::packages::{self, named, scales};
use domain::Digest;
use scoring::manifest::Manifest;
use scoring::record::{Others, Record};
use scoring::{Model, PackageFiles};
use serde_json::{Value, json};

#[test]
fn every_package_of_the_repository_proves_itself() {
    for (model, rows) in packages::all() {
        assert!(rows.len() > 150 && !model.features().is_empty(), "{}", model.manifest().name);
    }
}

/// Puts the digests of the files into the manifest, as training does.
pub(crate) fn sealed(mut files: PackageFiles) -> PackageFiles {
    let mut text = String::from_utf8(files.manifest).unwrap();
    for (key, bytes) in [("graph", &files.graph), ("golden", &files.golden), ("reference", &files.reference)] {
        let start = text.find(&format!("{key}_sha256 = \"")).unwrap() + key.len() + 11;
        text.replace_range(start..start + 64, &Digest::of(bytes).to_string());
    }
    files.manifest = text.into_bytes();
    files
}

fn refusal(files: &PackageFiles) -> String {
    Model::load(files, &scales()).err().map_or("it loads".to_owned(), |error| error.to_string())
}

pub(crate) fn check(files: PackageFiles, expected: &str) {
    let why = refusal(&files);
    assert!(why.contains(expected), "expected {expected:?}, got {why:?}");
}

pub(crate) fn edited(files: &PackageFiles, from: &str, to: &str) -> PackageFiles {
    let text = String::from_utf8(files.manifest.clone()).unwrap();
    assert!(text.contains(from), "{from}");
    PackageFiles { manifest: text.replacen(from, to, 1).into_bytes(), ..files.clone() }
}

#[test]
fn other_bytes_are_refused_by_name() {
    let good = named("taiwan-scorecard");
    let flip = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        bytes
    };
    check(PackageFiles { graph: flip(&good.graph), ..good.clone() }, "model.onnx: the manifest names digest");
    check(PackageFiles { golden: flip(&good.golden), ..good.clone() }, "golden.json: the manifest names digest");
    check(
        PackageFiles { reference: flip(&good.reference), ..good.clone() },
        "reference.json: the manifest names digest",
    );
    check(edited(&good, "graph_sha256 = \"", "graph_sha256 = \"x"), "model.onnx: the manifest names digest x");
    check(PackageFiles { manifest: vec![0xff], ..good.clone() }, "manifest.toml: invalid utf-8");
    assert_eq!(refusal(&sealed(good)), "it loads");
}

#[test]
fn a_manifest_that_contradicts_itself_is_refused_with_its_place() {
    let card = named("taiwan-scorecard");
    let rows = [
        ("kind = \"scorecard\"", "kind = \"forest\"", "unknown variant `forest`"),
        ("kind = \"scorecard\"", "kind = \"net\"", "graph: only a scorecard has partials"),
        ("name = \"taiwan-scorecard\"", "name = \"a/b\"", "name: name and version"),
        (
            "product = \"credit_card\"",
            "product = \"small_business_term\"",
            "scale credit_card.v1 belongs to credit_card",
        ),
        ("scale_id = \"credit_card.v1\"", "scale_id = \"credit_card.v9\"", "there is no scale credit_card.v9"),
        ("horizon_months = 1", "horizon_months = 0", "target: horizon_months"),
        ("population = \"booked\"", "population = \"some\"", "target: population"),
        ("partials = \"partials\"\n", "", "a scorecard names its partials"),
        ("partials = \"partials\"", "partials = \"parts\"", "has no output parts"),
        ("margin = \"margin\"", "margin = \"logit\"", "has no output logit"),
        ("input = \"features\"", "input = \"x\"", "its input is features"),
        ("intercept = -", "intercept = ", "golden.json, rows[0]: intercept + Σ partials"),
        ("method = \"platt\"\na = ", "method = \"platt\"\na = -", "calibration: platt needs a above zero"),
        ("method = \"platt\"", "method = \"none\"", "calibration: platt needs"),
        ("threshold = 0.", "threshold = 1.", "classification: threshold"),
        ("reference = \"near_cutoff\"", "reference = \"best\"", "unknown variant `best`"),
        (
            "reference = \"near_cutoff\"",
            "reference = \"best_value\"",
            "best_value: is chosen by the manifest and missing",
        ),
        ("b = 0.", "b = 1.", "golden.json, rows[0]: pd must be"),
        ("monotone = \"decreasing\"", "monotone = \"increasing\"", "feature limit: is declared increasing"),
        (
            "range = [0.0, 100000000.0]",
            "range = [0.0, 1000.0]",
            "golden.json, applications[0], feature limit: value must be",
        ),
        ("\"minor:TWD\"", "\"minor:USD\"", "unscorable(wrong_currency:limit)"),
        (
            "pointer = \"/requested/amount\"",
            "pointer = \"/applicants/0/identity\"",
            "feature limit: points into identity",
        ),
        ("scale = 0.01", "scale = 0.02", "golden.json, applications[0], feature limit: value must be"),
    ];
    for (from, to, expected) in rows {
        check(edited(&card, from, to), expected);
    }
    let long = format!("expr = \"1.0{}\"", " + 1.0".repeat(100_000));
    check(
        edited(&card, "pointer = \"/requested/amount\"", &long),
        "feature limit: its expr has 600003 bytes, at most 4096",
    );
    check(edited(&card, "definition = \"", "definition = \"FILL_IN "), "target: is still FILL_IN: say it in words");
    let open = edited(&card, "reason_high = \"", "reason_high = \"FILL_IN\"\n#");
    check(open, "reason_high is still FILL_IN: name what an applicant may be told");
}

pub(crate) fn with_json(bytes: &[u8], change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut value = serde_json::from_slice(bytes).unwrap();
    change(&mut value);
    serde_json::to_vec(&value).unwrap()
}

#[test]
fn a_golden_answer_that_this_engine_does_not_give_is_named() {
    let nudge = |pointer: &'static str, by: f64| {
        move |golden: &mut Value| {
            let at = golden.pointer_mut(pointer).unwrap();
            *at = if at.is_i64() { json!(at.as_i64().unwrap() + by as i64) } else { json!(at.as_f64().unwrap() + by) };
        }
    };
    type Change = Box<dyn FnOnce(&mut Value)>;
    let rows: Vec<(Change, &str)> = vec![
        (Box::new(nudge("/rows/3/margin", 2e-5)), "rows[3]: margin must be"),
        (Box::new(nudge("/rows/3/pd_raw", 2e-5)), "rows[3]: pd_raw must be"),
        (Box::new(nudge("/rows/3/pd", 3e-6)), "rows[3]: pd must be"),
        (Box::new(nudge("/rows/3/score", 1.0)), "rows[3]: score must be"),
        (Box::new(|golden| golden["rows"][3]["band"] = json!("Z")), "rows[3]: band must be \"Z\""),
        (
            Box::new(|golden| {
                golden["rows"][3]["features"].as_array_mut().unwrap().pop();
            }),
            "rows[3]: features must be",
        ),
        (Box::new(nudge("/applications/2/score", 1.0)), "applications[2]: score must be"),
        (Box::new(nudge("/applications/2/pd", 3e-6)), "applications[2]: pd must be"),
        (Box::new(nudge("/applications/2/features/0", 1.0)), "applications[2], feature limit: value must be"),
        (
            Box::new(|golden| golden["applications"][1]["data"] = json!({})),
            "applications[1]: features must be \"a row\"",
        ),
        (
            Box::new(|golden| golden["rows"].as_array_mut().unwrap().truncate(63)),
            "rows must hold at least 64, it holds 63",
        ),
        (
            Box::new(|golden| golden["applications"].as_array_mut().unwrap().truncate(4)),
            "applications must hold at least 5",
        ),
        (Box::new(|golden| golden["note"] = json!(1)), "golden.json: unknown field `note`"),
    ];
    let good = named("taiwan-scorecard");
    for (change, expected) in rows {
        check(sealed(PackageFiles { golden: with_json(&good.golden, change), ..good.clone() }), expected);
    }
    let partial = with_json(&good.golden, nudge("/rows/3/partials/0", 1e-4));
    check(sealed(PackageFiles { golden: partial, ..good.clone() }), "rows[3], feature limit: partials must be");
    let net = named("taiwan-net");
    let margin = with_json(&net.golden, nudge("/rows/3/margin", 2e-5));
    check(sealed(PackageFiles { golden: margin, ..net.clone() }), "rows[3]: margin must be");
}

/// A package whose golden file says what it was made with.
fn recorded() -> PackageFiles {
    let mut files = named("sba-net");
    let manifest = Manifest::parse(&files.manifest).unwrap();
    let pointers: Vec<Option<&str>> = manifest.feature.iter().map(|feature| feature.pointer.as_deref()).collect();
    let others = Others { graph: Digest::of(&files.graph), reference: Digest::of(&files.reference), native: None };
    let record = Record::of(&files.golden, &pointers, others, manifest.calibration.clone()).unwrap();
    files.golden = with_json(&files.golden, |golden| golden["record"] = json!(record));
    sealed(files)
}

/// Each change is one that no golden answer shows.
#[test]
fn what_is_not_as_it_was_made_is_named_though_no_answer_shows_it() {
    let good = recorded();
    assert_eq!(refusal(&good), "it loads");
    type Change = fn(&mut Value);
    let golden: [(Change, &str); 6] = [
        (
            |golden| {
                golden["rows"][3]["margin"] = json!(golden["rows"][3]["margin"].as_f64().unwrap() + 1e-9);
                golden["rows"][9]["features"][2] = json!(454_111.000_1);
            },
            "golden.json, rows[3] or another row, feature naics is one value, and was another when the package was made",
        ),
        (
            |golden| golden["rows"][9]["features"][2] = json!(454_111.000_1),
            "golden.json, rows[9], feature naics is 454111.0001, and was another when the package was made",
        ),
        (
            |golden| golden["applications"][2]["data"]["attributes"]["naics"] = json!(541_860.000_1),
            "golden.json, applications[2], feature naics is 541860.0001, and was another",
        ),
        (|golden| golden["rows"][9]["margin"] = json!(-2.261_929_3), "golden.json, rows[9] is {"),
        (|golden| golden["applications"][2]["data"]["channel"] = json!("phone"), "golden.json, applications[2] is {"),
        (
            |golden| _ = golden["rows"].as_array_mut().unwrap().pop(),
            "golden.json, rows is a list of 114, and was 115 when the package was made",
        ),
    ];
    for (change, expected) in golden {
        check(sealed(PackageFiles { golden: with_json(&good.golden, change), ..good.clone() }), expected);
    }
    let reference = with_json(&good.reference, |reference| reference["note"] = json!("as it was"));
    check(sealed(PackageFiles { reference, ..good.clone() }), "reference.json is a file of digest");
    let graph = [good.graph.clone(), vec![0x12, 1, b'x']].concat(); // another producer's name
    check(sealed(PackageFiles { graph, ..good.clone() }), "model.onnx is a file of digest");
    for (from, to, expected) in [
        ("-3.696859", "-3.696860", "calibration, margins[2] is -3.69686, and was -3.696859 when the package was made"),
        ("0.017327", "0.017328", "manifest.toml, calibration, pds[0] is 0.017328, and was 0.017327"),
    ] {
        check(edited(&good, from, to), expected);
    }
    let fewer = edited(&edited(&good, "0.059406, 0.059406, ", "0.059406, "), "-3.538164, ", "");
    check(fewer, "manifest.toml, calibration, margins is a list of");
}

#[test]
fn a_reference_of_another_model_is_refused() {
    let good = named("taiwan-scorecard");
    let change =
        |change: fn(&mut Value)| sealed(PackageFiles { reference: with_json(&good.reference, change), ..good.clone() });
    check(change(|r| r["near_cutoff"]["mean_partials"] = json!([0.5])), "near_cutoff.mean_partials: must hold");
    check(change(|r| r["near_cutoff"]["background"][2] = json!([1])), "near_cutoff.background[2]: must hold");
    check(change(|r| r["near_cutoff"]["rows"] = json!(0)), "near_cutoff: holds no rows");
}

#[test]
fn a_graph_of_another_shape_is_refused() {
    let (card, net) = (named("taiwan-scorecard"), named("taiwan-net"));
    check(
        sealed(PackageFiles { graph: named("german-scorecard").graph, ..card.clone() }),
        "inputs, and the manifest has",
    );
    check(sealed(PackageFiles { graph: b"not a graph".to_vec(), ..card.clone() }), "model.onnx: the engine refuses it");
    check(sealed(PackageFiles { graph: net.graph, ..card }), "model.onnx: has no output partials");
}
