//! Support vectors against the definition: LIBSVM's decision values, votes and coupled probabilities.
#![allow(clippy::unwrap_used)]

use super::couple;
use crate::ops::NodeProto;
use crate::ops::tests::{Attributes, all, answers, cells, check, operator};

fn regressor() -> NodeProto {
    operator("SVMRegressor").floats("rho", &[0.5])
}

/// Two vectors, (1, 0) and (0, 2), with weights 1 and −2.
fn kernel(name: &str, parameters: &[f32]) -> NodeProto {
    let node = regressor().text("kernel_type", name).floats("kernel_params", parameters).int("n_supports", 2);
    node.floats("support_vectors", &[1.0, 0.0, 0.0, 2.0]).floats("coefficients", &[1.0, -2.0])
}

#[test]
fn a_regressor_is_weighted_kernels_and_rho() {
    let row = || vec![cells(&[1, 2], &[3f32, 1.0])];
    // Squared distances to the vectors are 5 and 10.
    let rbf = ((-0.5f64).exp() - 2.0 * (-1f64).exp() + 0.5) as f32;
    let tanh = ((0.1f64 * 3.0 + 1.0).tanh() - 2.0 * (0.1f64 * 2.0 + 1.0).tanh() + 0.5) as f32;
    check(vec![
        ("weights alone", regressor().floats("coefficients", &[2.0, -1.0]), row(), Ok(&[5.5])),
        ("linear", kernel("LINEAR", &[]), row(), Ok(&[3.0 - 2.0 * 2.0 + 0.5])),
        ("linear takes no parameters", kernel("LINEAR", &[9.0, 9.0, 9.0]), row(), Ok(&[-0.5])),
        ("powers", kernel("POLY", &[2.0, 1.0, 2.0]), row(), Ok(&[49.0 - 2.0 * 25.0 + 0.5])),
        ("a power of zero", kernel("POLY", &[2.0, 1.0, 0.0]), row(), Ok(&[1.0 - 2.0 + 0.5])),
        (
            "one class, inside",
            kernel("LINEAR", &[]).int("one_class", 1),
            vec![cells(&[1, 2], &[4f32, 1.0])],
            Ok(&[1.0]),
        ),
        ("one class, outside", kernel("LINEAR", &[]).int("one_class", 1), row(), Ok(&[-1.0])),
        (
            "one class, on the border",
            kernel("LINEAR", &[]).int("one_class", 1),
            vec![cells(&[1, 2], &[-0.5f32, 0.0])],
            Ok(&[-1.0]),
        ),
        ("missing", kernel("LINEAR", &[]), vec![cells(&[1, 2], &[f32::NAN, 0.0])], Ok(&[f32::NAN])),
        ("two parameters", kernel("RBF", &[1.0, 2.0]), row(), Err("kernel_params are gamma, coef0 and degree")),
        (
            "another kernel",
            kernel("COSINE", &[]),
            row(),
            Err("there is no kernel_type COSINE: LINEAR, POLY, RBF or SIGMOID"),
        ),
        (
            "another width",
            kernel("LINEAR", &[]),
            vec![cells(&[1, 3], &[1f32; 3])],
            Err("is made for 2 features; it is given 3"),
        ),
        (
            "a weight for one of two vectors",
            regressor().int("n_supports", 2).floats("support_vectors", &[1.0; 4]).floats("coefficients", &[1.0]),
            row(),
            Err("a coefficient for each support vector"),
        ),
        (
            "a squash",
            kernel("LINEAR", &[]).text("post_transform", "LOGISTIC"),
            row(),
            Err("export it with NONE and a node after it"),
        ),
        (
            "no rho",
            operator("SVMRegressor").floats("coefficients", &[1.0, 1.0]).floats("rho", &[]),
            row(),
            Err("a value of rho"),
        ),
        (
            "vectors of no common width",
            regressor().int("n_supports", 2).floats("support_vectors", &[1.0; 3]).floats("coefficients", &[1.0; 2]),
            row(),
            Err("2 vectors of one width in 3 numbers"),
        ),
    ]);
    for (name, parameters, expected) in [("RBF", &[0.1, 0.0, 0.0], rbf), ("SIGMOID", &[0.1, 1.0, 0.0], tanh)] {
        let found = all::<f32>(&answers(kernel(name, parameters), &row()).unwrap()[0])[0];
        assert!((found - expected).abs() < 1e-6, "{name}: {found}, not {expected}");
    }
}

/// One vector a class at 0, 4 and 10 under a linear kernel, so that products are x times these.
fn three(platt: bool) -> NodeProto {
    let node = operator("SVMClassifier")
        .ints("classlabels_ints", &[7, 8, 9])
        .ints("vectors_per_class", &[1, 1, 1])
        .floats("support_vectors", &[1.0, 4.0, 10.0])
        .floats("coefficients", &[1.0, -1.0, -0.5, 2.0, 0.25, -0.125])
        .floats("rho", &[0.5, -3.0, 1.0]);
    if platt { node.floats("prob_a", &[-1.0; 3]).floats("prob_b", &[0.0; 3]) } else { node }
}

/// Decision values of the pairs (0, 1), (0, 2), (1, 2), as LIBSVM lays coefficients out: those of class i against class j stand
/// in row j − 1 for j above i, and in row j for j below.
fn pairs(x: f64) -> [f64; 3] {
    let products = [x, 4.0 * x, 10.0 * x];
    let coefficient = |row: usize, vector: usize| [1.0, -1.0, -0.5, 2.0, 0.25, -0.125][row * 3 + vector];
    let of = |first: usize, second: usize, rho: f64| {
        coefficient(second - 1, first) * products[first] + coefficient(first, second) * products[second] + rho
    };
    [of(0, 1, 0.5), of(0, 2, -3.0), of(1, 2, 1.0)]
}

#[test]
fn the_class_with_most_pairs_wins_and_the_first_of_equal_ones() {
    let rows = [-4f32, -1.0, -0.1, 0.0, 0.1, 0.2, 0.5, 1.0, 3.0, 4.0, 100.0];
    let found = answers(three(false), &[cells(&[rows.len(), 1], &rows)]).unwrap();
    let (labels, scores) = (all::<i64>(&found[0]), all::<f32>(&found[1]));
    let mut seen = std::collections::BTreeSet::new();
    for (at, x) in rows.iter().enumerate() {
        let expected = pairs(f64::from(*x));
        assert_eq!(scores[3 * at..][..3], expected.map(|score| score as f32), "{x}");
        let mut votes = [0; 3];
        for (score, [first, second]) in expected.iter().zip([[0, 1], [0, 2], [1, 2]]) {
            votes[if *score > 0.0 { first } else { second }] += 1;
        }
        let winner = (0..3).rev().max_by_key(|class| votes[*class]).unwrap();
        assert_eq!(labels[at], 7 + winner as i64, "{x}: {votes:?}");
        seen.insert(votes);
    }
    assert!(seen.len() > 2 && seen.contains(&[1, 1, 1]), "the rows try little: {seen:?}");
}

#[test]
fn probabilities_of_pairs_that_agree_are_found_again() {
    for expected in [&[0.5f32, 0.3, 0.2][..], &[0.25; 4], &[0.9, 0.1], &[0.05, 0.9, 0.05]] {
        let classes = expected.len();
        let pairwise: Vec<f32> = (0..classes * classes)
            .map(|at| (expected[at / classes], expected[at % classes]))
            .map(|(own, other)| own / (own + other))
            .collect();
        let found = couple(classes, &pairwise);
        assert!((found.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{found:?}");
        // The rounds stop early by a coarse rule.
        let apart = found.iter().zip(expected).map(|(found, expected)| (found - expected).abs()).fold(0.0, f32::max);
        assert!(apart < 0.02, "{found:?}, not {expected:?}");
    }
}

#[test]
fn probabilities_are_one_for_each_class_and_together_one() {
    let found = answers(three(true), &[cells(&[3, 1], &[0f32, 5.0, -5.0])]).unwrap();
    assert_eq!(found[1].shape(), [3, 3]);
    for row in all::<f32>(&found[1]).chunks(3) {
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5 && row.iter().all(|p| (0.0..=1.0).contains(p)), "{row:?}");
    }
}

#[test]
fn scores_of_classes_are_their_weights_and_rho() {
    let node = |coefficients: &[f32], rho: &[f32]| {
        operator("SVMClassifier")
            .texts("classlabels_strings", &["a", "b"])
            .floats("coefficients", coefficients)
            .floats("rho", rho)
    };
    let of = |coefficients: &[f32], x: f32| {
        let found = answers(node(coefficients, &[0.25]), &[cells(&[1, 1], &[x])]).unwrap();
        (all::<String>(&found[0])[0].clone(), all::<f32>(&found[1]))
    };
    // Weights that are all positive are a probability, and half is enough; others are scores, of which zero is not.
    assert_eq!(of(&[1.0, 0.5], 0.25), ("b".to_owned(), vec![0.5, 0.375]));
    assert_eq!(of(&[1.0, 0.5], 0.125), ("a".to_owned(), vec![0.375, 0.3125]));
    assert_eq!(of(&[1.0, -0.5], -0.25), ("b".to_owned(), vec![0.0, 0.375]));
    assert_eq!(of(&[-1.0, -1.0], 0.25), ("a".to_owned(), vec![0.0, 0.0]));
    let row = || vec![cells(&[1, 1], &[1f32])];
    check(vec![
        ("rhos that differ", node(&[1.0, 2.0], &[0.0, 1.0]), row(), Err("one value of rho for all classes")),
        ("rhos that are one", node(&[1.0, 2.0], &[0.5, 0.5]), row(), Ok(&[1.5, 2.5])),
        ("three weights for two classes", node(&[1.0; 3], &[0.0]), row(), Err("2 vectors of one width in 3 numbers")),
        ("one class", operator("SVMClassifier").ints("classlabels_ints", &[1]), row(), Err("2 to 1024 classes")),
    ]);
}

#[test]
fn pairs_whose_lists_do_not_fit_are_refused() {
    let of = |counts: &[i64], coefficients: usize, rho: usize| {
        operator("SVMClassifier")
            .ints("classlabels_ints", &[1, 2])
            .ints("vectors_per_class", counts)
            .floats("support_vectors", &[1.0, 2.0])
            .floats("coefficients", &vec![1.0; coefficients])
            .floats("rho", &vec![0.0; rho])
    };
    let row = || vec![cells(&[1, 1], &[3f32])];
    check(vec![
        ("that do", of(&[1, 1], 2, 1), row(), Ok(&[-9.0, 9.0])),
        ("a class without a count", of(&[2], 2, 1), row(), Err("vectors_per_class for each class")),
        (
            "more than can be counted",
            of(&[i64::MAX, i64::MAX], 2, 1),
            row(),
            Err("a coefficient for each support vector"),
        ),
        (
            "a coefficient too few",
            of(&[1, 1], 1, 1),
            row(),
            Err("a coefficient for each support vector and other class"),
        ),
        ("two rhos for one pair", of(&[1, 1], 2, 2), row(), Err("a value of rho for each pair of classes")),
        (
            "half of Platt's",
            of(&[1, 1], 2, 1).floats("prob_a", &[1.0]),
            row(),
            Err("prob_a and prob_b for each pair or none"),
        ),
        ("a squash of one score", of(&[1, 1], 2, 1).text("post_transform", "SOFTMAX"), row(), Err("export NONE")),
    ]);
}
