//! `SVMClassifier` and `SVMRegressor`: support vectors under a kernel, or weights alone. Sums run in their order in f64.

use super::labels::Labels;
use super::linear::greatest;
use super::operator::{Built, Fact, Operator, built};
use super::rows::{self, tensor};
use super::transform::{PostTransform, logistic};
use super::{NodeProto, ParsingContext};
use tract_onnx::tract_hir::internal::*;

/// How a row and a vector are multiplied.
#[derive(Debug, Clone, Copy)]
enum Kernel {
    Linear,
    Poly { gamma: f64, coef0: f64, degree: f64 },
    Rbf { gamma: f64 },
    Sigmoid { gamma: f64, coef0: f64 },
}

impl Kernel {
    fn of(node: &NodeProto) -> TractResult<Self> {
        let parameters: Vec<f32> = node.get_attr_opt_vec("kernel_params")?.unwrap_or_default();
        let (gamma, coef0, degree) = match parameters.as_slice() {
            [] => (0.0, 0.0, 0.0),
            [gamma, coef0, degree] => (f64::from(*gamma), f64::from(*coef0), f64::from(*degree)),
            _ => return node.bail("kernel_params are gamma, coef0 and degree"),
        };
        Ok(match node.get_attr_opt::<&str>("kernel_type")?.unwrap_or("LINEAR") {
            "LINEAR" => Self::Linear,
            "POLY" => Self::Poly { gamma, coef0, degree },
            "RBF" => Self::Rbf { gamma },
            "SIGMOID" => Self::Sigmoid { gamma, coef0 },
            other => return node.bail(&format!("there is no kernel_type {other}: LINEAR, POLY, RBF or SIGMOID")),
        })
    }

    fn of_rows(self, row: &[f32], vector: &[f32]) -> f64 {
        let pairs = || row.iter().zip(vector).map(|(x, v)| (f64::from(*x), f64::from(*v)));
        let dot = || pairs().map(|(x, v)| x * v).sum::<f64>();
        match self {
            Self::Linear => dot(),
            Self::Poly { gamma, coef0, degree } => libm::pow(gamma * dot() + coef0, degree),
            Self::Rbf { gamma } => libm::exp(-gamma * pairs().map(|(x, v)| (x - v) * (x - v)).sum::<f64>()),
            Self::Sigmoid { gamma, coef0 } => libm::tanh(gamma * dot() + coef0),
        }
    }
}

/// Vectors of one width, laid one after the other.
#[derive(Debug)]
struct Vectors {
    kernel: Kernel,
    values: Vec<f32>,
    width: usize,
}

impl Vectors {
    fn new(node: &NodeProto, kernel: Kernel, values: Vec<f32>, count: usize) -> TractResult<Self> {
        let fits = count > 0 && !values.is_empty() && values.len().is_multiple_of(count);
        node.expect(fits, || format!("{count} vectors of one width in {} numbers", values.len()))?;
        let width = values.len() / count;
        Ok(Self { kernel, values, width })
    }

    fn check(&self, input: &Fact) -> TractResult<()> {
        rows::check_numbers(input)?;
        rows::check_width(input, self.width)
    }

    /// Row by row, its product with each vector.
    fn products(&self, input: &Tensor) -> TractResult<Vec<Vec<f64>>> {
        let (_, width) = rows::of_shape(input.shape())?;
        if width != self.width {
            bail!("is made for {} features; it is given {width}", self.width);
        }
        let product = |row: &[f32]| self.values.chunks(width).map(|v| self.kernel.of_rows(row, v)).collect();
        Ok(rows::floats(input)?.chunks(width).map(product).collect())
    }
}

#[derive(Debug)]
struct SvmRegressor {
    vectors: Vectors,
    coefficients: Vec<f32>,
    rho: f64,
    /// Only the side: 1 or −1.
    one_class: bool,
}

pub(super) fn svm_regressor(_ctx: &ParsingContext, node: &NodeProto) -> Built {
    if PostTransform::of(node)? != PostTransform::None {
        return node.bail("other engines leave post_transform out; export it with NONE and a node after it");
    }
    let coefficients: Vec<f32> = node.get_attr_vec("coefficients")?;
    let supports: usize = node.get_attr_opt("n_supports")?.unwrap_or(0);
    let rho: Vec<f32> = node.get_attr_vec("rho")?;
    let rho = node.expect_ok_or_else(rho.first().copied().map(f64::from), "a value of rho")?;
    let one_class = node.get_attr_opt::<i64>("one_class")?.unwrap_or(0) != 0;
    let (vectors, coefficients) = match supports {
        0 => (Vectors::new(node, Kernel::Linear, coefficients, 1)?, vec![1.0]),
        _ => {
            node.expect(coefficients.len() == supports, "a coefficient for each support vector")?;
            let values: Vec<f32> = node.get_attr_vec("support_vectors")?;
            (Vectors::new(node, Kernel::of(node)?, values, supports)?, coefficients)
        }
    };
    built(SvmRegressor { vectors, coefficients, rho, one_class })
}

impl Operator for SvmRegressor {
    fn name(&self) -> &'static str {
        "SVMRegressor"
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<Vec<Fact>> {
        let [input] = inputs else { bail!("takes one input") };
        self.vectors.check(input)?;
        Ok(vec![Fact { datum_type: f32::datum_type(), shape: tvec!(rows::of_fact(input)?.0, 1.into()) }])
    }

    fn run(&self, inputs: &[TValue]) -> TractResult<Vec<Tensor>> {
        let score = |products: &Vec<f64>| {
            let sum: f64 = products.iter().zip(&self.coefficients).map(|(p, c)| p * f64::from(*c)).sum();
            match self.one_class {
                true => f32::from((sum + self.rho) as f32 > 0.0) * 2.0 - 1.0,
                false => (sum + self.rho) as f32,
            }
        };
        let scores: Vec<f32> = self.vectors.products(&inputs[0])?.iter().map(score).collect();
        Ok(vec![tensor(&[scores.len(), 1], scores)?])
    }
}

/// A classifier with a score for each class.
#[derive(Debug)]
struct LinearSvm {
    vectors: Vectors,
    rho: f64,
    labels: Labels,
    all_positive: bool,
    transform: PostTransform,
}

/// A classifier with a score for each pair of classes.
#[derive(Debug)]
struct PairedSvm {
    vectors: Vectors,
    /// [classes − 1, vectors]
    coefficients: Vec<f32>,
    /// Where the vectors of each class begin, and the end of the last.
    starts: Vec<usize>,
    rho: Vec<f32>,
    /// Platt's a and b of each pair; empty for scores alone.
    platt: Vec<(f32, f32)>,
    labels: Labels,
    transform: PostTransform,
}

pub(super) fn svm_classifier(_ctx: &ParsingContext, node: &NodeProto) -> Built {
    let labels = Labels::of(node, "classlabels_ints")?;
    node.expect((2..=1 << 10).contains(&labels.len()), "2 to 1024 classes")?;
    let counts: Vec<usize> = node.get_attr_opt_vec("vectors_per_class")?.unwrap_or_default();
    if counts.iter().all(|count| *count == 0) { linear(node, labels) } else { paired(node, labels, &counts) }
}

fn linear(node: &NodeProto, labels: Labels) -> Built {
    let coefficients: Vec<f32> = node.get_attr_vec("coefficients")?;
    let all_positive = coefficients.iter().all(|coefficient| *coefficient >= 0.0);
    let vectors = Vectors::new(node, Kernel::Linear, coefficients, labels.len())?;
    let rho: Vec<f32> = node.get_attr_vec("rho")?;
    let alike = rho.windows(2).all(|pair| pair[0] == pair[1]);
    node.expect(alike, "one value of rho for all classes: engines read only the first")?;
    let rho = node.expect_ok_or_else(rho.first().copied().map(f64::from), "a value of rho")?;
    built(LinearSvm { vectors, rho, labels, all_positive, transform: PostTransform::of(node)? })
}

fn paired(node: &NodeProto, labels: Labels, counts: &[usize]) -> Built {
    let classes = labels.len();
    let pairs = classes * (classes - 1) / 2;
    node.expect(counts.len() == classes, "vectors_per_class for each class")?;
    let mut starts = vec![0usize];
    for count in counts {
        let end = starts.last().and_then(|start| start.checked_add(*count));
        starts.push(node.expect_ok_or_else(end, "vectors_per_class that add up")?);
    }
    let supports = starts[classes];
    let coefficients: Vec<f32> = node.get_attr_vec("coefficients")?;
    let fits = supports.checked_mul(classes - 1) == Some(coefficients.len());
    node.expect(fits, "a coefficient for each support vector and other class")?;
    let rho: Vec<f32> = node.get_attr_vec("rho")?;
    node.expect(rho.len() == pairs, "a value of rho for each pair of classes")?;
    let a: Vec<f32> = node.get_attr_opt_vec("prob_a")?.unwrap_or_default();
    let b: Vec<f32> = node.get_attr_opt_vec("prob_b")?.unwrap_or_default();
    node.expect(a.len() == b.len() && (a.is_empty() || a.len() == pairs), "prob_a and prob_b for each pair or none")?;
    let transform = PostTransform::of(node)?;
    if pairs == 1 && a.is_empty() && transform != PostTransform::None {
        return node.bail("post_transform of a single score is read differently by different engines; export NONE");
    }
    let values: Vec<f32> = node.get_attr_vec("support_vectors")?;
    let vectors = Vectors::new(node, Kernel::of(node)?, values, supports)?;
    let platt = a.into_iter().zip(b).collect();
    built(PairedSvm { vectors, coefficients, starts, rho, platt, labels, transform })
}

fn classifier_facts(vectors: &Vectors, labels: &Labels, inputs: &[Fact], scores: usize) -> TractResult<Vec<Fact>> {
    let [input] = inputs else { bail!("takes one input") };
    vectors.check(input)?;
    let (count, _) = rows::of_fact(input)?;
    Ok(vec![
        Fact { datum_type: labels.datum_type(), shape: tvec!(count.clone()) },
        Fact { datum_type: f32::datum_type(), shape: tvec!(count, scores.into()) },
    ])
}

impl Operator for LinearSvm {
    fn name(&self) -> &'static str {
        "SVMClassifier"
    }

    fn outputs(&self) -> usize {
        2
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<Vec<Fact>> {
        classifier_facts(&self.vectors, &self.labels, inputs, self.labels.len())
    }

    fn run(&self, inputs: &[TValue]) -> TractResult<Vec<Tensor>> {
        let (mut classes, mut all) = (vec![], vec![]);
        for products in self.vectors.products(&inputs[0])? {
            let mut scores: Vec<f32> = products.iter().map(|product| (product + self.rho) as f32).collect();
            classes.push(self.class(&scores));
            self.transform.apply(&mut scores);
            all.extend(scores);
        }
        Ok(vec![self.labels.pick(&classes)?, tensor(&[classes.len(), self.labels.len()], all)?])
    }
}

impl LinearSvm {
    /// Of two classes the second wins once any score is on its side; of more, the greatest.
    fn class(&self, scores: &[f32]) -> usize {
        let best = greatest(scores);
        let second = if self.all_positive { scores[best] >= 0.5 } else { scores[best] > 0.0 };
        if scores.len() == 2 && second { 1 } else { best }
    }
}

impl Operator for PairedSvm {
    fn name(&self) -> &'static str {
        "SVMClassifier"
    }

    fn outputs(&self) -> usize {
        2
    }

    fn facts(&self, inputs: &[Fact]) -> TractResult<Vec<Fact>> {
        classifier_facts(&self.vectors, &self.labels, inputs, self.columns())
    }

    fn run(&self, inputs: &[TValue]) -> TractResult<Vec<Tensor>> {
        let (mut classes, mut all) = (vec![], vec![]);
        for products in self.vectors.products(&inputs[0])? {
            let (class, pairs) = self.vote(&products);
            classes.push(class);
            let mut scores = match (self.platt.is_empty(), pairs.as_slice()) {
                (true, [score]) => vec![-score, *score],
                (true, _) => pairs,
                (false, _) => self.probabilities(&pairs),
            };
            self.transform.apply(&mut scores);
            all.extend(scores);
        }
        Ok(vec![self.labels.pick(&classes)?, tensor(&[classes.len(), self.columns()], all)?])
    }
}

impl PairedSvm {
    fn columns(&self) -> usize {
        if self.platt.is_empty() { self.rho.len().max(2) } else { self.labels.len() }
    }

    /// The class that most pairs are for, the first of equal ones, and the score of each pair.
    fn vote(&self, products: &[f64]) -> (usize, Vec<f32>) {
        let classes = self.labels.len();
        let mut votes = vec![0usize; classes];
        let mut scores = Vec::with_capacity(self.rho.len());
        for first in 0..classes - 1 {
            for second in first + 1..classes {
                let side = self.part(products, first, second - 1) + self.part(products, second, first);
                let score = side + f64::from(self.rho[scores.len()]);
                votes[if score > 0.0 { first } else { second }] += 1;
                scores.push(score as f32);
            }
        }
        let most = votes.iter().copied().max().unwrap_or(0);
        (votes.iter().position(|count| *count == most).unwrap_or(0), scores)
    }

    /// What the vectors of a class add, by a row of the coefficients.
    fn part(&self, products: &[f64], class: usize, row: usize) -> f64 {
        let vectors = self.starts[class]..self.starts[class + 1];
        let coefficients = &self.coefficients[row * products.len()..(row + 1) * products.len()];
        products[vectors.clone()].iter().zip(&coefficients[vectors]).map(|(p, c)| p * f64::from(*c)).sum()
    }

    /// One probability for each class from Platt's of each pair.
    fn probabilities(&self, scores: &[f32]) -> Vec<f32> {
        let classes = self.labels.len();
        let mut pairwise = vec![0f32; classes * classes];
        let mut pairs = scores.iter().zip(&self.platt);
        for first in 0..classes - 1 {
            for second in first + 1..classes {
                let Some((score, (a, b))) = pairs.next() else { continue };
                let p = (1.0 - logistic(score * a + b)).clamp(1e-7, 1.0 - 1e-7);
                pairwise[first * classes + second] = p;
                pairwise[second * classes + first] = 1.0 - p;
            }
        }
        couple(classes, &pairwise)
    }
}

/// Most rounds of the coupling.
const ROUNDS: usize = 100;

/// Probabilities that fit those of the pairs best: the second method of Wu, Lin and Weng (2004). The rounds stop early by a
/// coarse rule, so the answer depends on the arithmetic: f32, as other engines have it.
fn couple(classes: usize, pairwise: &[f32]) -> Vec<f32> {
    let r = |i: usize, j: usize| pairwise[i * classes + j];
    let mut q = vec![0f32; classes * classes];
    for i in 0..classes {
        for j in (0..classes).filter(|j| *j != i) {
            q[i * classes + i] += r(j, i) * r(j, i);
            q[i * classes + j] = if j < i { q[j * classes + i] } else { -r(j, i) * r(i, j) };
        }
    }
    let near = 0.005 / classes as f32;
    let mut p = vec![1.0 / classes as f32; classes];
    for _ in 0..ROUNDS {
        let mut qp: Vec<f32> =
            q.chunks(classes).map(|row| row.iter().zip(&p).fold(0.0, |s, (q, p)| s + q * p)).collect();
        let mut pqp = p.iter().zip(&qp).fold(0.0, |sum, (p, qp)| sum + p * qp);
        if qp.iter().fold(0f32, |most, qp| most.max((qp - pqp).abs())) < near {
            break;
        }
        for i in 0..classes {
            let own = q[i * classes + i];
            let step = (pqp - qp[i]) / own;
            p[i] += step;
            pqp = (pqp + step * (step * own + 2.0 * qp[i])) / (1.0 + step) / (1.0 + step);
            for j in 0..classes {
                qp[j] = (qp[j] + step * q[i * classes + j]) / (1.0 + step);
                p[j] /= 1.0 + step;
            }
        }
    }
    p
}

#[cfg(test)]
mod tests;
