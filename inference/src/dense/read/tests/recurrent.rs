//! Loops against the equations of the standard, in double precision and turn by turn.

use crate::dense::tests::{Numbers, months, read, run};
use tract_onnx::pb::ModelProto;

/// Turns, figures of each and units, as [`months`] has them.
const SHAPE: [usize; 3] = [4, 3, 5];

fn constant(proto: &ModelProto, name: &str) -> Vec<f64> {
    let graph = proto.graph.as_ref().expect("a graph");
    let found = graph.initializer.iter().find(|tensor| tensor.name == name).expect("a constant");
    found.float_data.iter().copied().map(f64::from).collect()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// What a layer of outputs gives for a row: `weights` output by output, as ONNX has them.
fn product(weights: &[f64], row: &[f64]) -> Vec<f64> {
    weights.chunks(row.len()).map(|weights| weights.iter().zip(row).map(|(w, x)| w * x).sum()).collect()
}

/// One direction's weights: input, recurrence, and both biases.
struct Direction<'a> {
    w: &'a [f64],
    r: &'a [f64],
    wb: &'a [f64],
    rb: &'a [f64],
    late: bool,
}

impl Direction<'_> {
    /// GRU: z = f(x·Wz + h·Rz + bz), r alike, h~ = g(x·Wh + (r ∘ h)·Rh + Rbh + Wbh), or g(x·Wh + r ∘ (h·Rh + Rbh) + Wbh) where
    /// the reset comes late; h' = (1 − z) ∘ h~ + z ∘ h.
    fn gru(&self, x: &[f64], h: &[f64]) -> Vec<f64> {
        let units = h.len();
        let (wx, rh) = (product(self.w, x), product(self.r, h));
        let gate = |at: usize| sigmoid(wx[at] + rh[at] + self.wb[at] + self.rb[at]);
        let kept: Vec<f64> = (0..units).map(|unit| gate(units + unit) * h[unit]).collect();
        let early = product(&self.r[2 * units * units..], &kept);
        (0..units)
            .map(|unit| {
                let (z, r, at) = (gate(unit), gate(units + unit), 2 * units + unit);
                let around = if self.late { r * (rh[at] + self.rb[at]) } else { early[unit] + self.rb[at] };
                (1.0 - z) * (wx[at] + around + self.wb[at]).tanh() + z * h[unit]
            })
            .collect()
    }

    /// LSTM: gates i, o, f and c~ in this order; c' = f ∘ c + i ∘ c~, h' = o ∘ tanh(c').
    fn lstm(&self, x: &[f64], h: &[f64], c: &mut [f64]) -> Vec<f64> {
        let units = h.len();
        let (wx, rh) = (product(self.w, x), product(self.r, h));
        let sum = |gate: usize, unit: usize| {
            let at = gate * units + unit;
            wx[at] + rh[at] + self.wb[at] + self.rb[at]
        };
        (0..units)
            .map(|unit| {
                c[unit] = sigmoid(sum(2, unit)) * c[unit] + sigmoid(sum(0, unit)) * sum(3, unit).tanh();
                sigmoid(sum(1, unit)) * c[unit].tanh()
            })
            .collect()
    }
}

/// The net's answer for a row: all turns' states of all directions, weighted.
fn expected(proto: &ModelProto, operator: &str, directions: usize, late: bool, row: &[f32]) -> f64 {
    let [turns, figures, units] = SHAPE;
    let [w, r, b, v] = ["w", "r", "b", "v"].map(|name| constant(proto, name));
    let part = |of: &[f64], direction: usize| of[direction * of.len() / directions..][..of.len() / directions].to_vec();
    let mut sum = 0.0;
    for direction in 0..directions {
        let (w, r, b) = (part(&w, direction), part(&r, direction), part(&b, direction));
        let (wb, rb) = b.split_at(b.len() / 2);
        let own = Direction { w: &w, r: &r, wb, rb, late };
        let (mut h, mut c) = (vec![0.0; units], vec![0.0; units]);
        for at in 0..turns {
            let turn = if direction == 1 { turns - 1 - at } else { at };
            let x: Vec<f64> = row[turn * figures..][..figures].iter().copied().map(f64::from).collect();
            h = if operator == "LSTM" { own.lstm(&x, &h, &mut c) } else { own.gru(&x, &h) };
            let weights = &v[(turn * directions + direction) * units..][..units];
            sum += h.iter().zip(weights).map(|(h, v)| h * v).sum::<f64>();
        }
    }
    sum
}

#[test]
fn loops_are_the_equations_of_the_standard() {
    for (operator, late) in [("GRU", 0), ("GRU", 1), ("LSTM", 0)] {
        for (direction, directions) in [("forward", 1), ("bidirectional", 2)] {
            let proto = months(operator, direction, late, 23);
            let net = read(&proto, SHAPE[0] * SHAPE[1]).expect("a net");
            for seed in 0..20 {
                let row = Numbers(seed).many(SHAPE[0] * SHAPE[1]);
                let (found, expected) = (run(&net, &row)[0], expected(&proto, operator, directions, late == 1, &row));
                assert!(
                    (f64::from(found) - expected).abs() < 2e-5,
                    "{operator} {late} {direction}: {found}, not {expected}"
                );
            }
        }
    }
}

/// What the net does not do as the equations say is left to the graph engine.
#[test]
fn other_loops_are_left_alone() {
    type Change = fn(&mut tract_onnx::pb::NodeProto);
    let rows: [(&str, Change, bool); 6] = [
        ("unchanged", |_| {}, true),
        ("rows first", |node| node.attribute.push(attribute("layout", 1)), false),
        ("lengths of its own for each row", |node| node.input.push("w".into()), false),
        (
            "no such direction",
            |node| {
                node.attribute.iter_mut().for_each(|a| {
                    if a.name == "direction" {
                        a.s = b"sideways".to_vec()
                    }
                })
            },
            false,
        ),
        (
            "fewer units than weights",
            |node| {
                node.attribute.iter_mut().for_each(|a| {
                    if a.name == "hidden_size" {
                        a.i = 4
                    }
                })
            },
            false,
        ),
        ("no units", |node| node.attribute.retain(|a| a.name != "hidden_size"), false),
    ];
    for (name, change, is_read) in rows {
        let mut proto = months("GRU", "forward", 0, 3);
        let graph = proto.graph.as_mut().expect("a graph");
        graph.node.iter_mut().filter(|node| node.op_type == "GRU").for_each(change);
        assert_eq!(read(&proto, SHAPE[0] * SHAPE[1]).is_some(), is_read, "{name}");
    }
}

fn attribute(name: &str, i: i64) -> tract_onnx::pb::AttributeProto {
    tract_onnx::pb::AttributeProto { name: name.into(), i, r#type: 2, ..Default::default() }
}
