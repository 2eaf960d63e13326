//! The golden file anew, of a manifest that was edited: where an application has a feature is the contract's affair, not the graph's. Rows
//! stay as they are, so that graph, reference and calibration are held to what they were. Writes nothing.

use crate::error::{Context, Result, bail, ensure};
use domain::Digest;
use scoring::golden::MIN_APPLICATIONS;
use scoring::manifest::{FILL_IN, Feature, FeatureType, Manifest};
use scoring::record::{Others, Record};
use scoring::{Model, PackageFiles, Scales};
use serde_json::{Map, Value, json};

/// A package with golden applications as its manifest reads them now.
///
/// `applications` are the `data` of applications; without any they are those of the golden file, with each value put where the manifest
/// has it now. What an expression is made of nobody can tell from its value: give applications then.
///
/// # Errors
/// What is in the way, and what to do.
pub fn renew(files: &PackageFiles, applications: &[Value], scales: &Scales) -> Result<PackageFiles> {
    // The digest of the golden file is about to be another, and a manifest that is still to be filled in reads as it will.
    let written = String::from_utf8(files.manifest.clone()).ok().context("manifest.toml is not UTF-8")?;
    let filled = |text: &str| text.replace(FILL_IN, "other").into_bytes();
    let manifest = Manifest::parse(&filled(&written))?;
    let mut golden: Value = serde_json::from_slice(&files.golden).context("golden.json")?;
    let mut renewed = files.clone();
    let named = |files: &PackageFiles| -> PackageFiles {
        let manifest = written.replacen(&manifest.golden_sha256, &Digest::of(&files.golden).to_string(), 1);
        PackageFiles { manifest: manifest.into_bytes(), ..files.clone() }
    };
    let loading = |files: &PackageFiles| PackageFiles {
        manifest: filled(&String::from_utf8_lossy(&named(files).manifest)),
        ..files.clone()
    };
    let model = Model::unproven(&loading(&renewed), scales)?;
    let given = if applications.is_empty() { moved(&golden, &manifest)? } else { applications.to_vec() };
    ensure!(given.len() >= MIN_APPLICATIONS, "{} applications, at least {MIN_APPLICATIONS} are needed", given.len());
    let answered = given.iter().enumerate().map(|(at, data)| answered(&model, at, data));
    golden["applications"] = answered.collect::<Result<Vec<Value>>>()?.into();
    let of = golden["answers_of"].as_str().unwrap_or("the library that trained the graph").to_owned();
    let of = of.split("; applications").next().unwrap_or_default();
    golden["answers_of"] = format!(
        "{of}; applications: this engine, DefaultX {}, when the manifest was edited",
        env!("CARGO_PKG_VERSION")
    )
    .into();
    golden.as_object_mut().context("golden.json is no object")?.remove("record");

    let native = manifest.native.as_ref().map(|native| Digest::parse(&native.sha256)).transpose();
    let native = native.ok().context("manifest.toml, native: sha256 is no digest")?;
    let others = Others { graph: Digest::of(&files.graph), reference: Digest::of(&files.reference), native };
    let pointers: Vec<Option<&str>> = manifest.feature.iter().map(|feature| feature.pointer.as_deref()).collect();
    let record = Record::of(&serde_json::to_vec(&golden)?, &pointers, others, manifest.calibration.clone())?;
    golden["record"] = serde_json::to_value(record)?;
    renewed.golden = serde_json::to_vec_pretty(&golden)?;
    renewed.golden.push(b'\n');
    Model::load(&loading(&renewed), scales).context("the edited package does not prove itself")?;
    Ok(named(&renewed))
}

/// The applications of a golden file, with the value of each feature where its pointer leads now.
fn moved(golden: &Value, manifest: &Manifest) -> Result<Vec<Value>> {
    let of = golden["applications"].as_array().context("golden.json has no applications")?;
    let mut all = Vec::with_capacity(of.len());
    for (number, application) in of.iter().enumerate() {
        let mut data = application["data"].clone();
        for (at, feature) in manifest.feature.iter().enumerate() {
            let Some(pointer) = &feature.pointer else { continue };
            let value = application["features"].get(at).and_then(Value::as_f64);
            let (Some(value), None) = (value.and_then(|value| sent(feature, value)), data.pointer(pointer)) else {
                continue;
            };
            put(&mut data, pointer, value)
                .with_context(|| format!("golden.json, applications[{number}], feature {}", feature.name))?;
        }
        all.push(data);
    }
    Ok(all)
}

/// A value as senders write it; none of one that was missing.
fn sent(feature: &Feature, value: f64) -> Option<Value> {
    if let scoring::manifest::Missing::Value { value: missing } = feature.missing
        && (missing as f32).to_bits() == (value as f32).to_bits()
    {
        return None;
    }
    match feature.r#type {
        FeatureType::Number => (value as f32).to_string().parse::<f64>().ok().map(Value::from),
        FeatureType::Integer => Some(json!(value as i64)),
        FeatureType::Boolean => Some(json!(value != 0.0)),
        FeatureType::Category => feature.categories.get(value as usize).map(|word| json!(word)),
        FeatureType::Money => {
            let currency = feature.unit.as_deref()?.strip_prefix("minor:")?;
            let minor = (value / feature.scale.unwrap_or(1.0)).round() as i64;
            Some(json!({"amount_minor": minor, "currency": currency}))
        }
    }
}

/// Puts a value where a pointer leads; what lacks on the way is made, a list where a number follows.
fn put(data: &mut Value, pointer: &str, value: Value) -> Result<()> {
    let steps: Vec<String> =
        pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
    let mut at = data;
    for step in &steps {
        let index = step.parse::<usize>().ok().filter(|index| *index < 64);
        if at.is_null() {
            *at = if index.is_some() { json!([]) } else { Value::Object(Map::new()) };
        }
        at = match (at, index) {
            (Value::Object(members), _) => members.entry(step.clone()).or_insert(Value::Null),
            (Value::Array(items), Some(index)) => {
                items.resize(items.len().max(index + 1), Value::Null);
                &mut items[index]
            }
            _ => bail!("{pointer} leads into a value that is there already: give applications with --applications"),
        };
    }
    *at = value;
    Ok(())
}

/// An application with this engine's answers.
fn answered(model: &Model, number: usize, data: &Value) -> Result<Value> {
    let row = match model.map(data) {
        Ok(row) => row,
        Err(why) => {
            let why = why.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            bail!(
                "application {number} cannot be scored ({why}): give applications that have what the manifest reads, with --applications"
            );
        }
    };
    let features: Vec<Option<f32>> =
        row.values.iter().map(|value| Some(*value).filter(|value| !value.is_nan())).collect();
    let scored = model.score_block(&mut model.state()?, &[row])?.pop().flatten();
    let scored = scored.with_context(|| format!("the graph gives no number for application {number}"))?;
    Ok(json!({"data": data, "features": features, "pd": scored.pd.get(), "score": scored.score}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_put_where_a_pointer_leads() {
        let rows = [
            (json!({}), "/requested/term_months", json!({"requested": {"term_months": 7}})),
            (json!({"attributes": {"a": 1}}), "/attributes/b~1c", json!({"attributes": {"a": 1, "b/c": 7}})),
            (json!({}), "/applicants/0/facts/dependants", json!({"applicants": [{"facts": {"dependants": 7}}]})),
        ];
        for (mut data, pointer, expected) in rows {
            put(&mut data, pointer, json!(7)).expect(pointer);
            assert_eq!(data, expected, "{pointer}");
        }
        assert!(put(&mut json!({"a": 1}), "/a/b", json!(7)).is_err());
    }
}
