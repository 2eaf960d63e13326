//! Packages of trees: what they say is exact, and each row breaks one thing of a good one.

use crate::packages::{self, named, scales};
use crate::proof::{check, edited, sealed, with_json};
use inference::trees::{Node, Test};
use scoring::manifest::Kind;
use scoring::{FeatureVector, Flag, Model, PackageFiles};
use serde_json::{Value, json};

const TREES: [&str; 4] = ["taiwan-xgboost", "taiwan-lightgbm", "sba-xgboost", "sba-lightgbm"];

fn model(files: &PackageFiles) -> Model {
    Model::load(files, &scales()).unwrap()
}

/// A threshold that the first tree asks for, and the same in the bytes of a float.
fn threshold(model: &Model) -> f32 {
    let trees = &model.forest().unwrap().ensemble().get().trees;
    match &trees[0].nodes[trees[0].root as usize] {
        Node::Branch { test: Test::Threshold(_, threshold), .. } => threshold.0 as f32,
        other => panic!("the root asks nothing: {other:?}"),
    }
}

/// The bytes with each of these floats replaced.
fn replaced(bytes: &[u8], from: f32, to: f32) -> Vec<u8> {
    let (from, to) = (from.to_le_bytes(), to.to_le_bytes());
    let mut bytes = bytes.to_vec();
    let places: Vec<usize> = (0..bytes.len() - 3).filter(|at| bytes[*at..at + 4] == from).collect();
    assert!(!places.is_empty());
    places.into_iter().for_each(|at| bytes[at..at + 4].copy_from_slice(&to));
    bytes
}

#[test]
fn a_changed_threshold_is_seen() {
    for name in TREES {
        let good = named(name);
        let old = threshold(&model(&good));
        let graph = replaced(&good.graph, old, old * 3.0 + 1.0);
        check(PackageFiles { graph: graph.clone(), ..good.clone() }, "model.onnx: the manifest names digest");
        check(sealed(PackageFiles { graph, ..good }), "margin must be");
    }
}

#[test]
fn another_reference_or_other_covers_are_seen() {
    for name in TREES {
        let good = named(name);
        let changed = |change: &dyn Fn(&mut Value)| {
            sealed(PackageFiles { reference: with_json(&good.reference, |value| change(value)), ..good.clone() })
        };
        let rows: &[(&dyn Fn(&mut Value), &str)] = &[
            (
                &|r| r["near_cutoff"]["background"].as_array_mut().unwrap().truncate(3),
                "the reference's mean margin must be",
            ),
            (
                &|r| r["near_cutoff"]["background"] = r["all"]["background"].clone(),
                "the reference's mean margin must be",
            ),
            (&|r| r["near_cutoff"]["background"][2] = json!([1]), "near_cutoff.background[2]: must hold"),
            (&|r| r["near_cutoff"]["background"][2][0] = json!("x"), "reference.json"),
            (&|r| r["covers"][0][0] = json!(1.0), "covers: tree 0, node 0: has cover 1, a child of it has more"),
            (&|r| r["covers"][1] = json!([1.0]), "covers"),
            (&|r| _ = r["covers"].as_array_mut().unwrap().pop(), "covers"),
            (&|r| _ = r.as_object_mut().unwrap().remove("covers"), "path_parts must be \"covers in the reference\""),
            (&|r| even(&mut r["covers"]), "path_parts must be"),
        ];
        for (change, expected) in rows {
            check(changed(change), expected);
        }
    }
}

/// Covers that add up and are another training's: every branch halves.
fn even(covers: &mut Value) {
    for tree in covers.as_array_mut().unwrap() {
        for cover in tree.as_array_mut().unwrap() {
            *cover = json!(0.0);
        }
    }
}

#[test]
fn golden_answers_that_the_trees_do_not_give_are_named() {
    let good = named("taiwan-xgboost");
    let nudged = |pointer: &str, by: f64| {
        let golden = with_json(&good.golden, |golden| {
            let at = golden.pointer_mut(pointer).unwrap();
            *at = json!(at.as_f64().unwrap() + by);
        });
        sealed(PackageFiles { golden, ..good.clone() })
    };
    check(nudged("/rows/0/path_parts/1", 1e-4), "rows[0], feature repayment_status_1: path_parts must be");
    check(nudged("/rows/5/pd_raw", 1e-5), "rows[5]: pd_raw must be");
    check(nudged("/base", 1e-3), "base: the reference's mean margin must be");
    // One bit is enough: trees have no excuse.
    let bit = with_json(&good.golden, |golden| {
        let at = &mut golden["rows"][4]["margin"];
        *at = json!(f64::from((at.as_f64().unwrap() as f32).next_up()));
    });
    check(sealed(PackageFiles { golden: bit, ..good }), "rows[4]: margin must be");
}

#[test]
fn a_manifest_that_is_not_of_these_trees_is_refused() {
    let good = named("taiwan-xgboost");
    let rows = [
        ("kind = \"trees\"", "kind = \"net\"", "graph: a scorecard or net names its margin"),
        ("link = \"log_odds\"\n", "", "graph: trees name their probability and link"),
        ("link = \"log_odds\"", "link = \"probability\"", "rows[0]: pd_raw must be"),
        ("probability = \"probabilities\"", "probability = \"label\"", "label is no probability"),
        ("probability = \"probabilities\"", "probability = \"logits\"", "has no output logits"),
        ("input = \"features\"", "input = \"x\"", "its input is features"),
        (
            "monotone = \"decreasing\"",
            "monotone = \"increasing\"",
            "feature limit: is declared increasing, but the margin",
        ),
        ("policy = \"nan\"", "policy = \"value\", value = 0.0", ": value must be"),
    ];
    for (from, to, expected) in rows {
        check(edited(&good, from, to), expected);
    }
    let graph = named("taiwan-scorecard").graph;
    check(sealed(PackageFiles { graph, ..good }), "has no output probabilities");
}

#[test]
fn a_missing_value_goes_its_own_way() {
    for name in TREES {
        let files = named(name);
        let model = model(&files);
        let golden: Value = serde_json::from_slice(&files.golden).unwrap();
        let holed = golden["applications"].as_array().unwrap().iter();
        let mut holed = holed.filter(|case| case["features"].as_array().unwrap().contains(&Value::Null));
        let case = holed.next().unwrap();
        let row = model.map(&case["data"]).unwrap();
        let lacks = row.values.iter().position(|value| value.is_nan()).unwrap();
        assert!(matches!(row.flags[lacks], Some(Flag::Missing | Flag::Unknown)));
        let scored = model.score_block(&mut model.state().unwrap(), &[row]).unwrap().remove(0).unwrap();
        assert_eq!(json!(scored.score), case["score"]);
        assert!(scored.contributions.iter().all(|part| part.is_finite()));
    }
}

/// A feature that no tree asks for, or that agrees with every row of the reference, has no part.
#[test]
fn contributions_are_shapley_values_of_the_reference() {
    for (model, rows) in packages::all().iter().filter(|(model, _)| model.manifest().kind == Kind::Trees) {
        let forest = model.forest().unwrap();
        let mut state = model.state().unwrap();
        let scored = model.score_block(&mut state, &rows[..40]).unwrap();
        for (row, scored) in rows.iter().zip(scored.iter().flatten()) {
            let by_covers = forest.explain_by_covers(&row.values).unwrap().unwrap();
            assert!(by_covers.residual(scored.margin).abs() < 1e-5);
            for (at, part) in scored.contributions.iter().enumerate() {
                let asked = |node: &Node| matches!(node, Node::Branch { feature, .. } if *feature as usize == at);
                let asked = forest.ensemble().get().trees.iter().any(|tree| tree.nodes.iter().any(asked));
                assert!(asked || *part == 0.0);
            }
        }
        let mean = rows[rows.len() - 200..rows.len() - 100].iter().map(|row| margin(model, row)).sum::<f64>() / 100.0;
        assert!((mean - forest.base()).abs() < 1e-5, "{}: {mean} {}", model.manifest().name, forest.base());
    }
}

fn margin(model: &Model, row: &FeatureVector) -> f64 {
    let scored = model.score_block(&mut model.state().unwrap(), std::slice::from_ref(row)).unwrap().remove(0);
    f64::from(scored.unwrap().margin)
}
