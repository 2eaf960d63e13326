//! PURE. The card of a graph that is imported: figures of the sample, and questions that only its makers can answer.

use super::answers;
use super::draft::{Draft, VERSION};
use domain::pd::Pd;
use scoring::manifest::FILL_IN;

/// What is to be said where nobody gave the library's own answers.
pub const UNPROVEN: &str = "Nothing here shows that the export says what its library says; give the library's own answers with \
     --native. Known to be wrong at times: random forests that learned where missing values go (skl2onnx), histogram boosting \
     with categories or thresholds in double precision (skl2onnx), thresholds of LightGBM rounded to nearest (onnxmltools), \
     trees behind a scaler, which multiplies by what the library divides by (skl2onnx), and calibrated pipelines, whose sigmoid is given probabilities, or whose isotonic steps are in single precision \
     (skl2onnx).";

/// The whole card.
pub fn text(draft: &Draft) -> String {
    let title = draft.engine.title();
    let kind = title[..1].to_uppercase() + &title[1..];
    let features: String = draft
        .features
        .iter()
        .map(|feature| format!("| `{}` | {FILL_IN} | `{}` | {} |\n", feature.name, feature.pointer(), feature.column))
        .collect();
    let (labels, pds) = (&draft.sample.labels, &draft.pds);
    format!(
        "# {name} {version}\n\n{kind}; exported to ONNX and imported {unedited}. Product `{product}`.\n\n\
         ## Intended use\n\n{FILL_IN}: for whom, and for whom not.\n\n\
         ## Data\n\n- Source: {source}. {FILL_IN}: licence, period, population.\n\
         - {rows} rows, {rate:.2}% with {label} = 1.\n\
         - {FILL_IN}: whether the model saw these rows when it was trained. If it did, the figures and the calibration \
         flatter it: import it again with rows that it has not seen.\n\n\
         ## Features\n\n| feature | what it is | read from | column of the sample |\n|---|---|---|---|\n{features}\n\
         ## Left out, and why\n\n{FILL_IN}: protected, post-outcome and leaking columns.\n\n\
         ## Figures\n\nOn the sample:\n\n| figure | value |\n|---|---|\n| AUC | {auc:.4} |\n| Brier | {brier:.4} |\n\
         | observed rate | {rate:.2}% |\n| mean pd | {mean:.2}% |\n\n\
         ## Calibration and scores\n\npd = sigmoid({a} · margin {b:+}), by Platt on the sample. Scale `{scale}`. Class 1 from pd \
         {threshold}.\n\n## The export\n\nThe golden answers are this engine's own: they prove that nothing \
         changes. {export}\n\n\
         ## By group\n\n{FILL_IN}: outcome by sex, age and other protected groups.\n\n\
         ## Limits\n\n{FILL_IN}.\n",
        unedited = if draft.repaired.is_some() { "with thresholds repaired (see below)" } else { "unedited" },
        export = export(draft),
        name = draft.name,
        version = VERSION,
        product = draft.product,
        source = draft.source,
        rows = labels.len(),
        rate = draft.sample.rate() * 100.0,
        label = draft.label,
        auc = auc(pds, labels),
        brier = brier(pds, labels),
        mean = pds.iter().map(|pd| pd.get()).sum::<f64>() / pds.len() as f64 * 100.0,
        a = draft.platt.a,
        b = draft.platt.b,
        scale = draft.scale.id(),
        threshold = draft.threshold,
    )
}

/// Whether the export says what its library says.
fn export(draft: &Draft) -> String {
    let Some((native, answers)) = draft.native.as_ref().zip(draft.answers.as_ref()) else {
        return UNPROVEN.to_owned();
    };
    let (found, library) = (&native.found, &answers.library);
    let compared = match native.bound {
        None => format!(
            "{} rows of the sample were compared with the answers of {library}: all agree, to {:.1e}.",
            found.rows, found.greatest_difference
        ),
        Some(bound) => format!(
            "**The export differs from its library.** Of {} rows of the sample, {} are answered otherwise than by {library}, by \
             up to {:.3e}; {bound:?} was accepted at import. They are the lines {} of `{}`.",
            found.rows,
            found.changed.len(),
            found.greatest_change,
            found.lines().map(|(line, _)| line.to_string()).collect::<Vec<_>>().join(", "),
            answers::FILE
        ),
    };
    match &draft.repaired {
        Some(repaired) => format!("{compared}\n\n**The graph is not the exporter's file.** {repaired}."),
        None => compared,
    }
}

/// The chance that a default is ranked above another row; half a chance where they are equal.
pub fn auc(pds: &[Pd], labels: &[bool]) -> f64 {
    let mut order: Vec<(Pd, bool)> = pds.iter().copied().zip(labels.iter().copied()).collect();
    order.sort_unstable();
    let (mut won, mut good) = (0.0, 0.0);
    for equal in order.chunk_by(|a, b| a.0 == b.0) {
        let bad = equal.iter().filter(|(_, label)| *label).count() as f64;
        let rest = equal.len() as f64 - bad;
        won += bad * (good + rest / 2.0);
        good += rest;
    }
    won / (good * (labels.len() as f64 - good))
}

/// The mean squared error of the probability.
pub fn brier(pds: &[Pd], labels: &[bool]) -> f64 {
    let off = |(pd, label): (&Pd, &bool)| (pd.get() - f64::from(u8::from(*label))).powi(2);
    pds.iter().zip(labels).map(off).sum::<f64>() / labels.len() as f64
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_of_the_textbook() {
        let labels = [false, true, false, true];
        let rows: [([f64; 4], f64, f64); 3] =
            [([0.1, 0.9, 0.2, 0.8], 1.0, 0.025), ([0.5; 4], 0.5, 0.25), ([0.9, 0.1, 0.2, 0.8], 0.25, 0.425)];
        for (pds, expected, error) in rows {
            let pds = pds.map(|pd| Pd::quantise(pd).unwrap());
            assert!((auc(&pds, &labels) - expected).abs() < 1e-12, "{pds:?}");
            assert!((brier(&pds, &labels) - error).abs() < 1e-12, "{pds:?}");
        }
    }
}
