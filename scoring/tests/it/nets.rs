//! Nets: their contributions against the definition, and the directions that a contract claims of them.

use crate::packages::{self, named, scales};
use crate::proof::{check, edited, sealed};
use inference::onnx::{NodeProto, ValueInfoProto};
use inference::{ops, tap};
use scoring::manifest::{self, Kind, Link, ReferenceName};
use scoring::monotonicity::Evidence;
use scoring::reference::Reference;
use scoring::stock::{Explains, Stock};
use scoring::{FeatureVector, Model, PackageFiles};

fn net(name: &str) -> (Model, Vec<FeatureVector>) {
    packages::all().into_iter().find(|(model, _)| model.manifest().name == name).unwrap()
}

#[test]
fn enumerated_contributions_add_up_and_walks_agree_with_them_as_far_as_they_say() {
    let (model, rows) = net("sba-net");
    let mut state = model.state().unwrap();
    let (mut parts, mut within) = (0, 0);
    for row in rows.iter().step_by(11) {
        let exact = model.exact(&mut state, row, None).unwrap().unwrap();
        let scored = model.score_block(&mut state, std::slice::from_ref(row)).unwrap().remove(0).unwrap();
        assert!(exact.residual(scored.margin).abs() <= 1e-5, "{}", exact.residual(scored.margin));
        let error = scored.error.unwrap();
        for (own, true_part) in scored.contributions.iter().zip(&exact.parts) {
            let apart = (own - true_part).abs();
            assert!(apart <= 3.0 * error + 2e-6, "{own} against {true_part}, which is {error} at most");
            parts += 1;
            within += usize::from(apart <= error + 2e-6);
        }
    }
    assert!(parts > 150 && within * 100 >= parts * 95, "{within} of {parts} are as near as they say");
}

/// A stock graph that is a net behind a sigmoid has the margins of the net itself, and its contributions by the same way.
#[test]
fn a_net_behind_a_sigmoid_is_explained_as_the_net() {
    let (model, rows) = net("taiwan-torch");
    let mut proto = ops::read(&named("taiwan-torch").graph, None).unwrap();
    let graph = proto.graph.as_mut().unwrap();
    let (input, output) = (vec!["margin".to_owned()], vec!["probability".to_owned()]);
    graph.node.push(NodeProto { op_type: "Sigmoid".into(), input, output, ..NodeProto::default() });
    graph.output = vec![ValueInfoProto { name: "probability".into(), ..graph.output[0].clone() }];
    let said = manifest::Graph {
        output: Some("probability".into()),
        before: Some("probability".into()),
        column: Some(0),
        link: Some(Link::LogOdds),
        ..manifest::Graph::default()
    };
    let width = model.features().len();
    let mut stock = Stock::new(&tap::bytes(&proto), &said, &vec![&[][..]; width]).unwrap();
    let (background, typical) = (model.background().to_vec(), vec![None; width]);
    let reference = Reference { name: ReferenceName::All, mean_partials: vec![], background, typical, covers: None };
    let explains = stock.explains(None, &reference).unwrap();
    assert!(matches!(explains, Explains::Net(..)));
    let (mut state, mut thread) = (stock.state().unwrap(), model.state().unwrap());
    let scored = model.score_block(&mut thread, &rows[..20]).unwrap();
    for (row, scored) in rows.iter().zip(scored.into_iter().flatten()) {
        let margin = stock.singles(&mut state, &row.values).unwrap()[0];
        assert_eq!(margin.to_bits(), scored.margin.to_bits());
        let found = stock.explain(&explains, &mut state, &row.values, margin, &[]).unwrap();
        for (part, own) in found.parts.iter().zip(&scored.contributions) {
            assert!((part - own).abs() <= 1e-6, "{part}, the net says {own}");
        }
    }
}

/// Features that enter together: one player for each month's status, bill and payment.
#[test]
fn groups_are_explained_where_features_are_too_many() {
    let (model, rows) = net("taiwan-net");
    let mut state = model.state().unwrap();
    let why = model.exact(&mut state, &rows[0], None).unwrap_err().to_string();
    assert!(why.contains("groups of features differ"), "{why}");
    let mut groups: Vec<Vec<usize>> = vec![];
    let mut stems: Vec<String> = vec![];
    for (at, feature) in model.features().iter().enumerate() {
        let stem = feature.name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '_').to_owned();
        match stems.iter().position(|known| *known == stem) {
            Some(group) => groups[group].push(at),
            None => {
                stems.push(stem);
                groups.push(vec![at]);
            }
        }
    }
    assert!((2..=inference::exact_shapley::MOST_GROUPS).contains(&groups.len()), "{stems:?}");
    for row in &rows[..8] {
        let exact = model.exact(&mut state, row, Some(&groups)).unwrap().unwrap();
        let margin = model.score_block(&mut state, std::slice::from_ref(row)).unwrap().remove(0).unwrap().margin;
        assert!(exact.residual(margin).abs() <= 1e-5, "{}", exact.residual(margin));
    }
}

#[test]
fn only_nets_are_enumerated_or_followed() {
    for (model, rows) in packages::all().iter().filter(|(model, _)| model.manifest().kind != Kind::Net) {
        let mut state = model.state().unwrap();
        assert_eq!(model.exact(&mut state, &rows[0], None).unwrap(), None);
        assert_eq!(model.direction(0).unwrap(), None);
    }
}

#[test]
fn a_net_that_moves_against_its_claim_does_not_load() {
    let files = named("taiwan-net");
    let claims = |direction: &str| -> PackageFiles {
        // The first feature is the limit; a higher one is safer.
        sealed(edited(&files, "monotone = \"none\"", &format!("monotone = \"{direction}\"")))
    };
    check(claims("increasing"), "feature limit: is declared increasing, but from ");
    let model = Model::load(&files, &scales()).unwrap();
    assert_eq!(model.direction(0).unwrap(), None::<Evidence>);
}
