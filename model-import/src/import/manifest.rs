//! PURE. The text of a manifest to fill in: what the graph and the sample say is there, and what only people know is asked for.

use super::answers::{self, Answers, Native};
use super::contract::{Feature, Missing};
use super::draft::{Draft, VERSION};
use domain::Digest;
use scoring::manifest::{Explained, FILL_IN, Kind, Link};
use std::fmt::{Display, Write};

/// Digests of the other files.
pub struct Digests {
    /// Of `model.onnx`.
    pub graph: Digest,
    /// Of `golden.json`.
    pub golden: Digest,
    /// Of `reference.json`.
    pub reference: Digest,
}

/// The whole file.
pub fn text(draft: &Draft, digests: &Digests) -> String {
    let said = &draft.engine.said;
    let kind = match draft.engine.kind {
        Kind::Trees => "trees",
        Kind::Net => "net",
        Kind::Scorecard => "scorecard",
        Kind::Graph => "graph",
    };
    let mut text = head(draft, kind, digests);
    text += "\n[graph]\n";
    for (key, value) in [
        ("input", Some(&*said.input).filter(|input| !input.is_empty())),
        ("margin", said.margin.as_deref()),
        ("probability", said.probability.as_deref()),
        ("output", said.output.as_deref()),
    ] {
        text += &value.map(|value| format!("{key} = {}\n", quoted(value))).unwrap_or_default();
    }
    text += &said.column.map(|column| format!("column = {column} # of the risky class, from 0\n")).unwrap_or_default();
    for (key, value) in [
        ("link", said.link.map(Link::as_str)),
        ("before", said.before.as_deref()),
        ("explained", said.explained.map(Explained::as_str)),
        ("partials", said.partials.as_deref()),
    ] {
        text += &value.map(|value| format!("{key} = {}\n", quoted(value))).unwrap_or_default();
    }
    text += &said.intercept.map(|intercept| format!("intercept = {intercept:?}\n")).unwrap_or_default();
    text += &draft.answers.as_ref().map(|answers| native(answers, draft.native.as_ref())).unwrap_or_default();
    text += &format!(
        "\n[calibration]\nmethod = \"platt\" # fitted on the sample\na = {:?}\nb = {:?}\n\
         \n[classification]\nthreshold = {:?} # pd from which an applicant is class 1\n\
         \n[reasons]\nreference = \"near_cutoff\"\n",
        draft.platt.a, draft.platt.b, draft.threshold
    );
    draft.features.iter().for_each(|feature| text += &table(feature));
    text
}

/// The library's own answers, and how far the export is from them, once that is known.
fn native(answers: &Answers, said: Option<&Native>) -> String {
    let Answers { library, sha256, .. } = answers;
    let mut text = format!(
        "\n[native] # the library's own answers to the sample\nlibrary = {}\nfile = {}\nsha256 = \"{sha256}\"\nchanged = {}\n",
        quoted(library),
        quoted(answers::FILE),
        said.map_or(0, |said| said.found.changed.len())
    );
    if let Some((found, bound)) = said.and_then(|said| Some((&said.found, said.bound?))) {
        let (greatest, total) = (found.greatest_change, found.total);
        let lines: Vec<String> = found.lines().map(|(line, apart)| format!("[{line}, {apart:?}]")).collect();
        text += &format!(
            "bound = {bound:?} # accepted by --accept-deviation\ngreatest = {greatest:?}\ntotal = {total:?}\n\
             lines = [{}] # of the file, and how far each is off\n",
            lines.join(", ")
        );
    }
    text
}

fn head(draft: &Draft, kind: &str, digests: &Digests) -> String {
    let Digests { graph, golden, reference } = digests;
    format!(
        "# Drafted by `defaultx model import` from {rows} rows of {sample}.\n\
         # To fill in: every {FILL_IN}, with a reason code of Form C-1 (income_insufficient, excessive_obligations, \
         delinquent_obligations, other …)\n\
         # or with one of your own that a [[reason]] table words (code, text, form_c1, hmda). Nothing serves before.\n\
         # To look at: definition, horizon_months and data_source; each feature's unit, whether a person can act on it, and\n\
         # its direction if the trees keep one; ranges, which are the sample's and hold later values to them.\n\
         # The answers in golden.json are this engine's own. The digests are those of the other files: edit this one alone, and\n\
         # where pointer, expr, type, range or missing change, let `defaultx model golden` write golden.json anew.\n\
         {repaired}\
         name = {name}\nversion = \"{version}\"\nkind = \"{kind}\"\nproduct = {product}\nscale_id = {scale}\n\
         data_source = {source}\ngraph_sha256 = \"{graph}\"\ngolden_sha256 = \"{golden}\"\nreference_sha256 = \"{reference}\"\n\
         \n[target]\ndefinition = {definition}\nhorizon_months = {horizon}\npopulation = \"booked\"\nprior_correction = \"none\"\n",
        repaired = draft
            .repaired
            .as_ref()
            .map(|said| format!("# Its graph is not the exporter's file: {said}.\n"))
            .unwrap_or_default(),
        rows = draft.rows.len(),
        sample = draft.source,
        name = quoted(&draft.name),
        version = VERSION,
        product = quoted(&draft.product),
        scale = quoted(draft.scale.id()),
        source = quoted(&draft.source),
        definition = quoted(&format!("{} is 1 in {}", draft.label, draft.source)),
        horizon = draft.horizon_months,
    )
}

fn table(feature: &Feature) -> String {
    let mut text = String::from("\n[[feature]]\n");
    let mut line = |key: &str, value: &dyn Display| {
        // Writing to a text cannot fail.
        writeln!(text, "{key} = {value}").unwrap_or_default();
    };
    line("name", &quoted(&feature.name));
    line(
        "type",
        &quoted(match (feature.words.is_empty(), feature.is_boolean, feature.is_whole) {
            (false, ..) => "category",
            (true, true, _) => "boolean",
            (true, false, true) => "integer",
            (true, false, false) => "number",
        }),
    );
    line("pointer", &quoted(&feature.pointer()));
    if let Some([low, high]) = feature.range {
        line("range", &format!("[{low:?}, {high:?}]"));
    }
    if !feature.words.is_empty() {
        let words: Vec<String> = feature.words.iter().map(|word| quoted(word)).collect();
        line("categories", &format!("[{}]", words.join(", ")));
    }
    line(
        "missing",
        &match feature.missing {
            Missing::Nan => "{ policy = \"nan\" }".to_owned(),
            Missing::Unscorable => "{ policy = \"unscorable\" }".to_owned(),
            Missing::Value(value) => format!("{{ policy = \"value\", value = {value:?} }} # the sample's median"),
        },
    );
    for key in ["reason_low", "reason_high"] {
        line(key, &quoted(FILL_IN));
    }
    line("reason_missing", &quoted("application_incomplete"));
    if let Some(group) = &feature.group {
        line("group", &quoted(group));
    }
    line("actionable", &true);
    line("monotone", &quoted("none"));
    text
}

/// A text as TOML has it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_is_a_table() {
        let feature = Feature {
            name: "income".into(),
            column: "Income".into(),
            group: Some("history".into()),
            is_whole: false,
            is_boolean: false,
            words: vec![],
            range: Some([0.1, 1e20]),
            missing: Missing::Value(2.0),
        };
        let read: toml::Table = table(&feature).parse().unwrap();
        let read = &read["feature"][0];
        assert_eq!(read["pointer"].as_str(), Some("/attributes/income"));
        assert_eq!(read["range"][1].as_float(), Some(1e20));
        assert_eq!(read["missing"]["value"].as_float(), Some(2.0));
        assert_eq!(read["group"].as_str(), Some("history"));
        assert_eq!(read["reason_low"].as_str(), Some(FILL_IN));
    }
}
