//! PURE. What a package was made with, as its golden file says: digests of the other files, the calibration, and short digests of
//! the golden rows and of each feature's values in them. Answers alone do not show a change that no golden row reaches, such as a
//! point of the calibration between two margins or a leaf that nobody comes to.

use crate::error::LoadError;
use crate::manifest::{Calibration, Manifest};
use domain::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Characters of a short digest.
const SHORT: usize = 16;

/// The record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Of `model.onnx`.
    pub graph_sha256: String,
    /// Of `reference.json`.
    pub reference_sha256: String,
    /// Of the file of the library's own answers, where the package was made with one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub native_sha256: Option<String>,
    /// As the manifest has it.
    pub calibration: Calibration,
    /// Of each golden row, answers and all.
    rows: Vec<String>,
    /// Of each application.
    applications: Vec<String>,
    /// Of each feature's values, in rows and applications.
    features: Vec<String>,
}

/// Digests of a package's other files.
#[derive(Debug, Clone, Copy)]
pub struct Others {
    /// `model.onnx`.
    pub graph: Digest,
    /// `reference.json`.
    pub reference: Digest,
    /// The library's own answers.
    pub native: Option<Digest>,
}

impl Record {
    /// The record of a golden file. `pointers` say where applications have each feature; none of one that is made of others.
    ///
    /// # Errors
    /// What the parser says.
    pub fn of(
        golden: &[u8],
        pointers: &[Option<&str>],
        others: Others,
        calibration: Calibration,
    ) -> Result<Self, serde_json::Error> {
        let golden: Value = serde_json::from_slice(golden)?;
        let Others { graph, reference, native } = others;
        Ok(Self {
            graph_sha256: graph.to_string(),
            reference_sha256: reference.to_string(),
            native_sha256: native.map(|digest| digest.to_string()),
            calibration,
            rows: list(&golden, "rows").iter().map(short).collect(),
            applications: list(&golden, "applications").iter().map(short).collect(),
            features: columns(&golden, pointers),
        })
    }

    /// What answers are made of: values of features, the reference, numbers of the calibration.
    pub(crate) fn prove_inputs(&self, golden: &Value, manifest: &Manifest) -> Result<(), LoadError> {
        let found = columns(golden, &pointers(manifest));
        counted("features", self.features.len(), found.len())?;
        counted("rows", self.rows.len(), list(golden, "rows").len())?;
        counted("applications", self.applications.len(), list(golden, "applications").len())?;
        let changed = self.features.iter().zip(&found).position(|(made, found)| made != found);
        if let Some((at, feature)) = changed.zip(changed.and_then(|at| manifest.feature.get(at))) {
            let others = |made: &[String], key| others(made, list(golden, key)).collect::<Vec<_>>();
            let (rows, applications) = (others(&self.rows, "rows"), others(&self.applications, "applications"));
            let pointer = feature.pointer.as_deref().unwrap_or_default();
            let (place, value) = match (rows.as_slice(), applications.as_slice()) {
                ([(number, row)], []) => (format!("rows[{number}]"), row["features"].get(at)),
                ([], [(number, application)]) => {
                    (format!("applications[{number}]"), application["data"].pointer(pointer))
                }
                // No value is another: the manifest says of another place where it is.
                ([], []) => return Err(elsewhere(&feature.name)),
                ([(number, _), ..], _) => (format!("rows[{number}] or another row"), None),
                ([], [(number, _), ..]) => (format!("applications[{number}] or a later one"), None),
            };
            let place = format!("golden.json, {place}, feature {}", feature.name);
            let value = value.map_or("one value".to_owned(), Value::to_string);
            return Err(was(place, value, "another"));
        }
        prove_file("reference.json", &self.reference_sha256, Some(&manifest.reference_sha256))?;
        self.prove_calibration(&manifest.calibration)
    }

    fn prove_calibration(&self, said: &Calibration) -> Result<(), LoadError> {
        let made = &self.calibration;
        let place = |key: &str| format!("manifest.toml, calibration, {key}");
        if said.method != made.method {
            return Err(was(place("method"), format!("{:?}", said.method), format!("{:?}", made.method)));
        }
        for (key, said, made) in [("a", said.a, made.a), ("b", said.b, made.b)] {
            if said != made {
                let number = |number: Option<f64>| number.map_or("none".to_owned(), |number| format!("{number:?}"));
                return Err(was(place(key), number(said), number(made)));
            }
        }
        for (key, said, made) in [("margins", &said.margins, &made.margins), ("pds", &said.pds, &made.pds)] {
            if said.len() != made.len() {
                return Err(was(place(key), format!("a list of {}", said.len()), format!("{}", made.len())));
            }
            if let Some(at) = (0..said.len()).find(|at| said[*at] != made[*at]) {
                return Err(was(place(&format!("{key}[{at}]")), format!("{:?}", said[at]), format!("{:?}", made[at])));
            }
        }
        Ok(())
    }

    /// Whatever is left once the answers are right: rows that were others, and files that answers tell more of than a digest.
    pub(crate) fn prove_rest(&self, golden: &Value, manifest: &Manifest) -> Result<(), LoadError> {
        for (key, made) in [("rows", &self.rows), ("applications", &self.applications)] {
            if let Some((number, found)) = others(made, list(golden, key)).next() {
                return Err(was(format!("golden.json, {key}[{number}]"), found, "another one, within the tolerance"));
            }
        }
        let native = manifest.native.as_ref();
        let files = [
            ("model.onnx", Some(&self.graph_sha256), Some(&*manifest.graph_sha256)),
            (
                native.map_or("the file of the library's own answers", |native| &native.file),
                self.native_sha256.as_ref(),
                native.map(|native| &*native.sha256),
            ),
        ];
        for (file, made, found) in files {
            made.map_or(Ok(()), |made| prove_file(file, made, found))?;
        }
        Ok(())
    }
}

fn prove_file(file: &str, made: &str, found: Option<&str>) -> Result<(), LoadError> {
    if found.is_some_and(|found| found.eq_ignore_ascii_case(made)) {
        return Ok(());
    }
    let found = found.map_or("not there".to_owned(), |found| format!("a file of digest {found}"));
    Err(was(file, found, format!("one of digest {made}")))
}

fn elsewhere(feature: &str) -> LoadError {
    LoadError::contract(
        format!("feature {feature}"),
        "is read at another place than golden.json was made for: where that is meant, `defaultx model golden PACKAGE` writes its \
         applications anew",
    )
}

fn was(place: impl Into<String>, found: impl ToString, made: impl Into<String>) -> LoadError {
    LoadError::Made { place: place.into(), found: found.to_string(), made: made.into() }
}

fn counted(what: &str, made: usize, found: usize) -> Result<(), LoadError> {
    match made == found {
        true => Ok(()),
        false => Err(was(format!("golden.json, {what}"), format!("a list of {found}"), format!("{made}"))),
    }
}

fn pointers(manifest: &Manifest) -> Vec<Option<&str>> {
    manifest.feature.iter().map(|feature| feature.pointer.as_deref()).collect()
}

fn list<'a>(golden: &'a Value, key: &str) -> &'a [Value] {
    golden[key].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Those that are not as they were recorded, and where.
fn others<'a>(made: &[String], found: &'a [Value]) -> impl Iterator<Item = (usize, &'a Value)> {
    found.iter().enumerate().filter(|(at, found)| made.get(*at) != Some(&short(found)))
}

/// By feature, a digest of its values in rows and applications.
fn columns(golden: &Value, pointers: &[Option<&str>]) -> Vec<String> {
    let column = |(at, pointer): (usize, &Option<&str>)| {
        let of_row = |row: &Value| row["features"].get(at).map(Value::to_string);
        let of_data = |data: &Value| pointer.and_then(|pointer| data["data"].pointer(pointer)).map(Value::to_string);
        let rows = list(golden, "rows").iter().map(of_row);
        let cells: Vec<String> =
            rows.chain(list(golden, "applications").iter().map(of_data)).map(Option::unwrap_or_default).collect();
        short_of(&cells.join("\n"))
    };
    pointers.iter().enumerate().map(column).collect()
}

fn short(value: &Value) -> String {
    short_of(&value.to_string())
}

fn short_of(text: &str) -> String {
    Digest::of(text.as_bytes()).to_string()[..SHORT].to_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::contract::tests::{HEAD, feature};
    use serde_json::json;

    const PLATT: &str = "{ method = \"platt\", a = 1.5, b = -0.5 }";

    /// A manifest of the features `a`, which is read at `/a`, and `b`, which is made of others.
    fn manifest(calibration: &str, reference: &str) -> Manifest {
        let missing = "missing = { policy = \"unscorable\" }";
        let head = HEAD
            .replace("{ method = \"none\" }", calibration)
            .replace("reference_sha256 = \"\"", &format!("reference_sha256 = \"{reference}\""));
        let text = head
            + &feature("a", "number", &format!("pointer = '/a'\n{missing}"))
            + &feature("b", "number", &format!("expr = 'double(data.b)'\n{missing}"));
        Manifest::parse(text.as_bytes()).unwrap()
    }

    fn golden() -> Value {
        let row = |a: f64| json!({"features": [a, 2.0], "margin": 0.5});
        json!({"rows": [row(1.0), row(3.0)], "applications": [{"data": {"a": 1, "b": 2}, "margin": 0.25}]})
    }

    fn recorded(manifest: &Manifest) -> Record {
        let others = Others { graph: Digest::of(b"graph"), reference: Digest::of(b"reference"), native: None };
        let bytes = serde_json::to_vec(&golden()).unwrap();
        Record::of(&bytes, &pointers(manifest), others, manifest.calibration.clone()).unwrap()
    }

    #[test]
    fn a_changed_value_of_a_feature_is_named() {
        let manifest = manifest(PLATT, &Digest::of(b"reference").to_string());
        let record = recorded(&manifest);
        assert_eq!(record.prove_inputs(&golden(), &manifest), Ok(()));
        let rows: [(&str, Value, &str); 5] = [
            ("/rows/1/features/0", json!(3.5), "golden.json, rows[1], feature a is 3.5, and was another"),
            ("/rows/0/features/1", json!(9), "golden.json, rows[0], feature b is 9, and was another"),
            ("/applications/0/data/a", json!(7), "golden.json, applications[0], feature a is 7, and was another"),
            ("/rows", json!([]), "golden.json, rows is a list of 0, and was 2"),
            ("/applications", json!([1, 2]), "golden.json, applications is a list of 2, and was 1"),
        ];
        for (pointer, value, expected) in rows {
            let mut changed = golden();
            *changed.pointer_mut(pointer).unwrap() = value;
            let why = record.prove_inputs(&changed, &manifest).unwrap_err().to_string();
            assert!(why.starts_with(expected), "{why}");
        }
    }

    #[test]
    fn a_feature_that_is_read_elsewhere_says_what_to_do() {
        let record = recorded(&manifest(PLATT, &Digest::of(b"reference").to_string()));
        let mut edited = manifest(PLATT, &Digest::of(b"reference").to_string());
        edited.feature[0].pointer = Some("/requested/a".to_owned());
        let why = record.prove_inputs(&golden(), &edited).unwrap_err().to_string();
        assert!(why.starts_with("manifest.toml, feature a: is read at another place"), "{why}");
        assert!(why.contains("defaultx model golden PACKAGE"), "{why}");
    }

    #[test]
    fn another_reference_or_calibration_is_named() {
        let reference = Digest::of(b"reference").to_string();
        let record = recorded(&manifest(PLATT, &reference));
        let rows = [
            (PLATT, Digest::of(b"").to_string(), "reference.json is a file of digest "),
            ("{ method = \"none\" }", reference.clone(), "manifest.toml, calibration, method is None, and was Platt"),
            (
                "{ method = \"platt\", a = 1.25, b = -0.5 }",
                reference.clone(),
                "manifest.toml, calibration, a is 1.25, and was 1.5",
            ),
            (
                "{ method = \"platt\", a = 1.5 }",
                reference.clone(),
                "manifest.toml, calibration, b is none, and was -0.5",
            ),
        ];
        for (calibration, reference, expected) in rows {
            let why = record.prove_inputs(&golden(), &manifest(calibration, &reference)).unwrap_err().to_string();
            assert!(why.starts_with(expected), "{why}");
        }
    }

    #[test]
    fn a_changed_answer_or_graph_is_named_last() {
        let graph = |bytes: &[u8]| {
            let mut manifest = manifest(PLATT, "");
            manifest.graph_sha256 = Digest::of(bytes).to_string().to_uppercase();
            manifest
        };
        let record = recorded(&graph(b"graph"));
        assert_eq!(record.prove_rest(&golden(), &graph(b"graph")), Ok(()));
        let why = record.prove_rest(&golden(), &graph(b"other")).unwrap_err().to_string();
        assert!(why.starts_with("model.onnx is a file of digest "), "{why}");
        for (pointer, expected) in [
            ("/rows/1/margin", "golden.json, rows[1] is {"),
            ("/applications/0/margin", "golden.json, applications[0] is {"),
        ] {
            let mut changed = golden();
            *changed.pointer_mut(pointer).unwrap() = json!(0.500_001);
            let why = record.prove_rest(&changed, &graph(b"graph")).unwrap_err().to_string();
            assert!(why.starts_with(expected) && why.contains("another one, within the tolerance"), "{why}");
        }
    }
}
