//! `reference.json`: the population that contributions are measured against. What only monitors read is skipped here.

use crate::error::{LoadError, Part};
use crate::manifest::{Kind, ReferenceName};
use serde::Deserialize;

/// Numbers that a net walks through for one applicant, at most: rows of the background × features × features.
pub(crate) const MOST_STEPS: usize = 1 << 24;

/// The population chosen by the manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// `near_cutoff`, `all` or `best_value`.
    pub name: ReferenceName,
    /// Scorecards: the mean part of the margin, by feature.
    pub mean_partials: Vec<f64>,
    /// Rows of the population, spread evenly.
    pub background: Vec<Vec<f32>>,
    /// By feature: the median of the background, missing values apart; `None` where all are missing.
    pub typical: Vec<Option<f32>>,
    /// Trees that bring them: for each tree, how much of the training data met each node.
    pub covers: Option<Vec<Vec<f64>>>,
}

#[derive(Deserialize)]
struct File {
    near_cutoff: Group,
    all: Group,
    /// Only in packages that choose it.
    best_value: Option<Group>,
    covers: Option<Vec<Vec<f64>>>,
}

#[derive(Deserialize)]
struct Group {
    rows: u64,
    #[serde(default)]
    mean_partials: Vec<f64>,
    /// `null` is not a number: a value that was missing.
    background: Vec<Vec<Option<f32>>>,
}

impl Reference {
    /// Parses the file and checks it against the contract: `missing` holds what stands for a missing value, by feature.
    ///
    /// # Errors
    /// [`LoadError::Form`] or [`LoadError::Reference`].
    pub fn parse(bytes: &[u8], name: ReferenceName, kind: Kind, missing: &[Option<f32>]) -> Result<Self, LoadError> {
        let file: File = serde_json::from_slice(bytes).map_err(|error| LoadError::form(Part::Reference, error))?;
        let fault = |place: &str, why: String| LoadError::Reference { place: format!("{}{place}", name.as_str()), why };
        let group = match name {
            ReferenceName::NearCutoff => file.near_cutoff,
            ReferenceName::All => file.all,
            ReferenceName::BestValue => {
                file.best_value.ok_or_else(|| fault("", "is chosen by the manifest and missing".into()))?
            }
        };
        let width = missing.len();
        if group.rows == 0 || group.background.is_empty() {
            return Err(fault("", "holds no rows".into()));
        }
        let rows = group.background.len();
        if matches!(kind, Kind::Net | Kind::Graph) && rows.saturating_mul(width * width) > MOST_STEPS {
            let most = MOST_STEPS / (width * width).max(1);
            return Err(fault(".background", format!("holds {rows} rows, at most {most} of {width} features")));
        }
        let expected = if kind == Kind::Scorecard { width } else { 0 };
        if group.mean_partials.len() != expected || group.mean_partials.iter().any(|part| !part.is_finite()) {
            return Err(fault(".mean_partials", format!("must hold {expected} numbers")));
        }
        if file.covers.is_some() && kind != Kind::Trees {
            return Err(LoadError::Reference { place: "covers".into(), why: "only trees have them".into() });
        }
        let may_lack = |feature: usize| missing[feature].is_some_and(f32::is_nan);
        let mut background = Vec::with_capacity(group.background.len());
        for (at, row) in group.background.iter().enumerate() {
            let fits = |(feature, value): (usize, &Option<f32>)| value.map_or(may_lack(feature), f32::is_finite);
            if row.len() != width || !row.iter().enumerate().all(fits) {
                return Err(fault(&format!(".background[{at}]"), format!("must hold {width} numbers")));
            }
            background.push(row.iter().map(|value| value.unwrap_or(f32::NAN)).collect());
        }
        let typical = (0..width).map(|feature| median(&background, feature, missing[feature])).collect();
        Ok(Self { name, mean_partials: group.mean_partials, background, typical, covers: file.covers })
    }
}

/// The lower median, so that it is a value somebody had.
fn median(rows: &[Vec<f32>], feature: usize, missing: Option<f32>) -> Option<f32> {
    let is_missing = |value: f32| value.is_nan() || Some(value) == missing;
    let mut values: Vec<f32> = rows.iter().map(|row| row[feature]).filter(|value| !is_missing(*value)).collect();
    values.sort_by(f32::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parse(near: &str, kind: Kind) -> Result<Reference, LoadError> {
        let text = format!(r#"{{"rows": 9, "near_cutoff": {near}, "all": {{"rows": 1, "background": [[0, 0]]}}}}"#);
        Reference::parse(text.as_bytes(), ReferenceName::NearCutoff, kind, &[Some(-1e9), None])
    }

    #[test]
    fn the_typical_value_leaves_missing_ones_out() {
        let near = r#"{"rows": 4, "mean_partials": [0.5, 0], "background": [[-1e9, 4], [3, 2], [1, 1], [2, 3]]}"#;
        let reference = parse(near, Kind::Scorecard).unwrap();
        assert_eq!(reference.typical, [Some(2.0), Some(2.0)]);
        let near = r#"{"rows": 4, "background": [[-1e9, 4]]}"#;
        assert_eq!(parse(near, Kind::Net).unwrap().typical, [None, Some(4.0)]);
    }

    #[test]
    fn a_background_that_no_net_can_walk_is_refused() {
        let check = |rows: usize, expected: &str| {
            let group = format!(r#"{{"rows": 1, "background": [{}]}}"#, vec!["[0]"; rows].join(","));
            let text = format!(r#"{{"near_cutoff": {group}, "all": {group}}}"#);
            let why = Reference::parse(text.as_bytes(), ReferenceName::All, Kind::Net, &[None; 2048]).unwrap_err();
            assert!(why.to_string().contains(expected), "{why}");
        };
        check(4, "all.background[0]: must hold 2048 numbers");
        check(5, "all.background: holds 5 rows, at most 4 of 2048 features");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let rows = [
            (r#"{"rows": 0, "background": [[1, 2]]}"#, Kind::Net, "near_cutoff: holds no rows"),
            (
                r#"{"rows": 1, "background": [[1, 2], [1]]}"#,
                Kind::Net,
                "near_cutoff.background[1]: must hold 2 numbers",
            ),
            (r#"{"rows": 1, "background": [[1, 2]]}"#, Kind::Scorecard, "mean_partials: must hold 2 numbers"),
            (r#"{"rows": 1, "mean_partials": [1, 2], "background": [[1, 2]]}"#, Kind::Net, "must hold 0 numbers"),
            (r#"{"rows": 1}"#, Kind::Net, "missing field `background`"),
        ];
        for (near, kind, expected) in rows {
            let why = parse(near, kind).unwrap_err().to_string();
            assert!(why.contains(expected), "{why}");
        }
    }
}
