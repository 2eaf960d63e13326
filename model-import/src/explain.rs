//! One application's score, and what each feature did to it: as a bar chart, and as a document.

use scoring::mapping::{FeatureVector, Flag};
use scoring::{Model, Scored};
use serde_json::{Value, json};

/// Characters of the longest bar.
const BAR: usize = 24;

/// Features by the size of their contribution, the contract's order among equals.
fn ranked(scored: &Scored) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scored.contributions.len()).collect();
    order.sort_by(|a, b| scored.contributions[*b].abs().total_cmp(&scored.contributions[*a].abs()));
    order
}

/// The reason that a feature speaks for, if it is among those that may be told.
fn reason_of<'a>(model: &'a Model, scored: &Scored, feature: usize) -> Option<&'a str> {
    let candidate = scored.candidates.iter().find(|candidate| candidate.features.contains(&feature))?;
    Some(&model.reasons()[candidate.reason].code)
}

/// Groups with their features and what these did together.
fn groups<'a>(model: &'a Model, scored: &Scored) -> Vec<(&'a str, &'a [usize], f64)> {
    let sum = |features: &[usize]| features.iter().map(|at| scored.contributions[*at]).sum::<f64>() + 0.0;
    let named = model.groups().iter().filter_map(|group| Some((group.name.as_deref()?, group.features.as_slice())));
    named.map(|(name, features)| (name, features, (sum(features) * 1e6).round() / 1e6)).collect()
}

fn value_of(row: &FeatureVector, feature: usize) -> String {
    let flag = row.flags[feature].map(|flag| format!(" {}", flag.as_str())).unwrap_or_default();
    match row.flags[feature] {
        Some(Flag::Missing) => "missing".to_owned(),
        _ => format!("{}{flag}", row.values[feature]),
    }
}

/// The score in two lines, a bar for each feature, and the reasons.
pub fn chart(model: &Model, row: &FeatureVector, scored: &Scored) -> String {
    let (manifest, scale) = (model.manifest(), model.scale());
    let mut text = format!(
        "{} {}, {}\npd {:.4}   score {}   band {}   class {}\nmargin {:.6} = base {:.6} {:+.6}   left over {:.6}\n\n",
        manifest.name,
        manifest.version,
        model.method(),
        scored.pd.get(),
        scored.score,
        scale.band(scored.score),
        if scored.class == 1 { "risky" } else { "safe" },
        scored.margin,
        scored.base,
        scored.contributions.iter().sum::<f64>() + 0.0,
        scored.residual,
    );
    let order = ranked(scored);
    let most = order.first().map_or(0.0, |feature| scored.contributions[*feature].abs());
    let name = |feature: usize| &*model.features()[feature].name;
    let longest = |words: &dyn Fn(usize) -> usize| order.iter().map(|feature| words(*feature)).max().unwrap_or(0);
    let names = longest(&|feature| name(feature).chars().count());
    let values = longest(&|feature| value_of(row, feature).chars().count());
    for feature in order.iter().copied() {
        let part = scored.contributions[feature];
        let line = format!(
            "{:names$}  {:>values$}  {part:+.6}  {}  {}",
            name(feature),
            value_of(row, feature),
            bar(part, most),
            reason_of(model, scored, feature).unwrap_or_default()
        );
        text += line.trim_end();
        text += "\n";
    }
    text += &" ".repeat(names + values + 4);
    text += &format!("{:>11}{:>BAR$} | {}\n", "", "safer", "riskier");
    for (group, features, sum) in groups(model, scored) {
        text += &format!("{group}: {} features together {sum:+.6}\n", features.len());
    }
    for (rank, candidate) in scored.candidates.iter().enumerate() {
        let reason = &model.reasons()[candidate.reason];
        text += &format!("{}. {} ({:+.6}): {}\n", rank + 1, reason.code, candidate.contribution, reason.text);
    }
    text
}

/// To the right of an axis what makes riskier, to the left what makes safer.
fn bar(part: f64, most: f64) -> String {
    let length = if most > 0.0 { (part.abs() / most * BAR as f64).round() as usize } else { 0 };
    let (left, right) = if part < 0.0 { (length, 0) } else { (0, length) };
    format!("{}{}│{}{}", " ".repeat(BAR - left), "█".repeat(left), "█".repeat(right), " ".repeat(BAR - right))
}

/// The same as a document.
pub fn document(model: &Model, row: &FeatureVector, scored: &Scored) -> Value {
    let feature = |index: usize| {
        json!({
            "feature": &*model.features()[index].name,
            // Not a number is null in JSON.
            "value": row.values[index],
            "flag": row.flags[index].map(Flag::as_str),
            "contribution": scored.contributions[index],
            "reason_code": reason_of(model, scored, index),
        })
    };
    let reason = |candidate: &scoring::reasons::Candidate| {
        let reason = &model.reasons()[candidate.reason];
        json!({ "code": &*reason.code, "text": &*reason.text, "contribution": candidate.contribution })
    };
    let group = |(group, features, sum): (&str, &[usize], f64)| {
        let features: Vec<&str> = features.iter().map(|at| &*model.features()[*at].name).collect();
        json!({ "group": group, "features": features, "contribution": sum })
    };
    json!({
        "name": model.manifest().name,
        "version": model.manifest().version,
        "digest": model.digest().to_string(),
        "method": model.method(),
        "margin": scored.margin,
        "base": scored.base,
        "residual": scored.residual,
        "pd": scored.pd.get(),
        "score": scored.score,
        "band": model.scale().band(scored.score),
        "class": scored.class,
        "contributions": ranked(scored).into_iter().map(feature).collect::<Vec<_>>(),
        "groups": groups(model, scored).into_iter().map(group).collect::<Vec<_>>(),
        "reasons": scored.candidates.iter().map(reason).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_grow_from_the_axis() {
        let axis = |left: usize, right: usize| {
            format!("{}{}│{}{}", " ".repeat(24 - left), "█".repeat(left), "█".repeat(right), " ".repeat(24 - right))
        };
        for (part, most, expected) in
            [(2.0, 2.0, axis(0, 24)), (-1.0, 2.0, axis(12, 0)), (0.0, 2.0, axis(0, 0)), (0.0, 0.0, axis(0, 0))]
        {
            assert_eq!(bar(part, most), expected, "{part} of {most}");
        }
    }
}
