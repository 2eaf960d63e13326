//! PURE. The feature contract that a sample suggests: names, types, ranges, and what stands for a value that is not there.

use super::sample::Sample;
use inference::graph::Kind as Cell;
use scoring::manifest::Kind;
use serde_json::{Map, Value, json};

/// A feature as the sample has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Feature {
    /// As events will call it.
    pub name: String,
    /// The sample's column.
    pub column: String,
    /// What it counts together with: the sequence that it is of.
    pub group: Option<String>,
    /// Every present value is whole.
    pub is_whole: bool,
    /// The graph takes 0 or 1.
    pub is_boolean: bool,
    /// The words of its codes; none of a number.
    pub words: Vec<String>,
    /// The least and the greatest value; none of a feature that never changes.
    pub range: Option<[f32; 2]>,
    /// What becomes of a missing value.
    pub missing: Missing,
}

/// What becomes of a missing value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Missing {
    /// The graph has its own way for it.
    Nan,
    /// Nothing in the sample is missing, so nothing is known of it.
    Unscorable,
    /// The median stands for it.
    Value(f32),
}

/// The medians of the sample's columns: the lower one, a value somebody had; zero where nobody had any.
pub fn medians(sample: &Sample) -> Vec<f32> {
    let median = |feature| {
        let present = sample.present(feature);
        present.get(present.len().saturating_sub(1) / 2).copied().unwrap_or(0.0)
    };
    (0..sample.names.len()).map(median).collect()
}

/// The sample's rows with `stand_ins` for missing values.
pub fn filled(rows: &[Vec<f32>], stand_ins: &[f32]) -> Vec<Vec<f32>> {
    let fill = |(value, stand_in): (&f32, &f32)| if value.is_nan() { *stand_in } else { *value };
    rows.iter().map(|row| row.iter().zip(stand_ins).map(fill).collect()).collect()
}

/// A feature for each column. `takes_nan` says of which the graph answers rows that lack them.
pub fn features(sample: &Sample, kind: Kind, takes_nan: &[bool], medians: &[f32]) -> Vec<Feature> {
    let mut features: Vec<Feature> = Vec::with_capacity(sample.names.len());
    for (at, (column, median)) in sample.names.iter().zip(medians).enumerate() {
        let present = sample.present(at);
        let range = present.first().copied().zip(present.last().copied());
        let missing = match kind {
            Kind::Trees => Missing::Nan,
            _ if present.len() == sample.rows.len() => Missing::Unscorable,
            _ if takes_nan[at] => Missing::Nan,
            _ => Missing::Value(*median),
        };
        let taken = |name: &str| features.iter().any(|other| other.name == name);
        let name = token(column, at, taken);
        let group = sample.sequences[at].as_ref().map(|sequence| token(sequence, at, |_| false));
        let (words, is_boolean) = (sample.words[at].clone(), sample.kinds[at] == Cell::Bool);
        let range = range.filter(|_| words.is_empty() && !is_boolean);
        features.push(Feature {
            name,
            column: column.clone(),
            group,
            is_boolean,
            words,
            is_whole: !present.is_empty() && present.iter().all(|value| value.fract() == 0.0 && value.abs() < 1e9),
            range: range.filter(|(low, high)| low < high && low.is_finite() && high.is_finite()).map(|(l, h)| [l, h]),
            missing,
        });
    }
    features
}

/// A column's heading as a name of events: a-z, 0-9 and _, at most 64.
fn token(column: &str, at: usize, taken: impl Fn(&str) -> bool) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    // history[3] is history_3
    let mut name: String = column.chars().filter(|c| *c != ']').map(plain).take(56).collect();
    if !name.bytes().any(|byte| byte != b'_') {
        name = format!("feature_{at}");
    }
    if taken(&name) { format!("{name}_{at}") } else { name }
}

impl Feature {
    /// Where an application has it.
    pub fn pointer(&self) -> String {
        format!("/attributes/{}", self.name)
    }

    /// The value that the contract makes of one: within the range, or what stands for a missing one.
    pub fn settled(&self, value: f32) -> Option<f32> {
        match (value.is_nan(), self.missing) {
            (true, Missing::Nan) => Some(f32::NAN),
            (true, Missing::Unscorable) => None,
            (true, Missing::Value(stand_in)) => Some(stand_in),
            (false, _) => Some(self.range.map_or(value, |[low, high]| value.clamp(low, high))),
        }
    }
}

/// An application with these values, as the scorer gets it; a missing one is not there.
pub fn application(features: &[Feature], row: &[f32]) -> Value {
    let present = features.iter().zip(row).filter(|(_, value)| !value.is_nan());
    let member = |(feature, value): (&Feature, &f32)| {
        let value = match (feature.words.get(*value as usize), feature.is_boolean, feature.is_whole) {
            (Some(word), ..) => json!(word),
            (None, true, _) => json!(*value != 0.0),
            (None, false, true) => json!(*value as i64),
            (None, false, false) => number(*value),
        };
        (feature.name.clone(), value)
    };
    json!({ "attributes": present.map(member).collect::<Map<_, _>>() })
}

/// A number as the sample's file wrote it, not with the digits of its nearest double.
fn number(value: f32) -> Value {
    value.to_string().parse::<f64>().map_or(Value::Null, |number| json!(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Sample {
        Sample {
            names: ["Income €", "income €", "debt", "***"].map(str::to_owned).to_vec(),
            kinds: vec![Cell::F32; 4],
            sequences: vec![None, None, Some("X[]".into()), Some("X[]".into())],
            words: vec![vec![]; 4],
            rows: vec![vec![0.1, 2.0, f32::NAN, 7.0], vec![0.3, 4.0, 1.5, 7.0], vec![0.2, 3.0, 0.5, 7.0]],
            labels: vec![true, false, false],
        }
    }

    #[test]
    fn columns_become_features() {
        let (sample, nan) = (sample(), f32::NAN);
        let medians = medians(&sample);
        assert_eq!(medians, [0.2, 3.0, 0.5, 7.0]);
        let features = features(&sample, Kind::Net, &[true; 4], &medians);
        let names: Vec<&str> = features.iter().map(|feature| feature.name.as_str()).collect();
        assert_eq!(names, ["income__", "income___1", "debt", "feature_3"]);
        let groups: Vec<Option<&str>> = features.iter().map(|feature| feature.group.as_deref()).collect();
        assert_eq!(groups, [None, None, Some("x_"), Some("x_")]);
        assert_eq!(features[0].range, Some([0.1, 0.3]));
        assert_eq!(features[3].range, None);
        assert_eq!(features.iter().map(|f| f.is_whole).collect::<Vec<_>>(), [false, true, false, true]);
        assert_eq!((features[1].missing, features[2].missing), (Missing::Unscorable, Missing::Nan));
        let settled = |at: usize, value: f32| features[at].settled(value);
        assert_eq!((settled(0, 9.0), settled(1, nan), settled(2, nan).map(f32::is_nan)), (Some(0.3), None, Some(true)));
    }

    #[test]
    fn an_application_has_what_is_present() {
        let sample = sample();
        let features = features(&sample, Kind::Trees, &[true; 4], &[0.0; 4]);
        let expected = json!({ "attributes": { "income__": 0.1, "income___1": 2, "feature_3": 7 } });
        assert_eq!(application(&features, &sample.rows[0]), expected);
        assert!(features[2].settled(f32::NAN).is_some_and(f32::is_nan));
    }
}
