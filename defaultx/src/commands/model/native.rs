//! `model check`: the training library's own answers against the engine's, row by row. What differs is listed, and there
//! must be as much of it as the manifest says.

use anyhow::{Context, Result, ensure};
use domain::{Digest, pd::Pd};
use flate2::read::MultiGzDecoder;
use scoring::Model;
use scoring::manifest::{Link, Native};
use scoring::mapping::FeatureVector;
use serde::Serialize;
use std::path::Path;

/// Further apart than this, and the export changed the answer: of trees, which only compare and add.
const TREES: f64 = 1e-6;
/// Of all else: libraries reckon in double precision what a graph reckons in single.
const SINGLE: f64 = 1e-5;
/// All differences together are known to this.
const TOTAL: f64 = 1e-5;
/// Fewer rows than these prove little.
pub const FEWEST_ROWS: usize = 10_000;
/// The last column of the file.
const PROBABILITY: &str = "probability";
/// As many changed rows as the text shows; JSON has all.
const SHOWN: usize = 20;
/// The most bytes that the file may unpack to.
const BOMB: u64 = 256 << 20;

/// How near the engine comes to the training library.
#[derive(Debug, PartialEq, Serialize)]
pub struct Parity {
    /// Name and version.
    library: String,
    /// Rows compared.
    pub rows: usize,
    /// Rows that the export answers otherwise, in the file's order.
    pub changed: Vec<Changed>,
    /// Of the probability, over changed rows.
    pub greatest_change: f64,
    /// Of the probability, over all other rows.
    pub greatest_difference: f64,
    /// Of the probability, over all rows together.
    pub total: f64,
}

/// A row that the export answers otherwise.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Changed {
    /// Of the file; its header is line 1.
    line: usize,
    /// The library's probability, before calibration.
    native: f64,
    /// The engine's.
    exported: f64,
    /// Whether the class is another too.
    class_changed: bool,
}

/// A row and the library's probability.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// As the engine takes them.
    pub features: Vec<f32>,
    /// Before calibration.
    pub probability: f64,
}

/// Reads the file that the manifest names, proves its digest and compares; nothing where a package brings none.
///
/// # Errors
/// A file that is not the manifest's or not of its form.
pub fn check(package: &Path, model: &Model) -> Result<Option<Parity>> {
    let Some(said) = &model.manifest().native else { return Ok(None) };
    let path = package.join(&said.file);
    let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
    parity(model, said, &bytes).with_context(|| said.file.clone()).map(Some)
}

fn parity(model: &Model, said: &Native, bytes: &[u8]) -> Result<Parity> {
    let found = Digest::of(bytes);
    ensure!(
        Digest::parse(&said.sha256) == Ok(found),
        "the manifest names digest {}, the file has {found}",
        said.sha256
    );
    let names: Vec<&str> = model.manifest().feature.iter().map(|feature| feature.name.as_str()).collect();
    compare(model, &said.library, &rows(bytes, &names)?)
}

/// Compares rows, whose lines are those of a file with a header.
///
/// # Errors
/// Of the engine, or a row that it has no answer to.
pub fn compare(model: &Model, library: &str, rows: &[Row]) -> Result<Parity> {
    let mut parity = Parity {
        library: library.to_owned(),
        rows: rows.len(),
        changed: Vec::new(),
        greatest_change: 0.0,
        greatest_difference: 0.0,
        total: 0.0,
    };
    let tolerance = if model.forest().is_some() { TREES } else { SINGLE };
    for (index, (row, (margin, exported))) in rows.iter().zip(exported(model, rows)?).enumerate() {
        let native = row.probability;
        let apart = (native - exported).abs();
        ensure!(!apart.is_nan(), "line {}: the graph gives no number, the library {native}", index + 2);
        let class_changed = class(model, margin_of(model, native), native)? != class(model, margin, exported)?;
        parity.total += apart;
        if apart > tolerance || class_changed {
            parity.greatest_change = parity.greatest_change.max(apart);
            parity.changed.push(Changed { line: index + 2, native, exported, class_changed });
        } else {
            parity.greatest_difference = parity.greatest_difference.max(apart);
        }
    }
    Ok(parity)
}

/// Reads rows; an empty cell is missing.
fn rows(bytes: &[u8], names: &[&str]) -> Result<Vec<Row>> {
    use std::io::Read;
    let mut csv = csv::Reader::from_reader(MultiGzDecoder::new(bytes).take(BOMB));
    let header = csv.headers()?;
    ensure!(
        header.iter().eq(names.iter().copied().chain([PROBABILITY])),
        "its columns are not the features of the contract, then {PROBABILITY}"
    );
    let mut rows = Vec::new();
    for record in csv.records() {
        let (record, line) = (record?, rows.len() + 2);
        let (probability, features) = (&record[names.len()], record.iter().take(names.len()));
        let features: Result<Vec<f32>> = features.map(|cell| cell_of(cell, line)).collect();
        let probability: f64 = probability.parse().with_context(|| format!("line {line}, {PROBABILITY}"))?;
        ensure!((0.0..=1.0).contains(&probability), "line {line}: {probability} is no probability");
        rows.push(Row { features: features?, probability });
    }
    ensure!(!rows.is_empty(), "holds no rows");
    Ok(rows)
}

fn cell_of(cell: &str, line: usize) -> Result<f32> {
    match cell {
        "" => Ok(f32::NAN),
        number => number.parse().with_context(|| format!("line {line}: {number:?}")),
    }
}

/// The engine's margins and the probabilities they mean, not rounded as published ones are.
fn exported(model: &Model, rows: &[Row]) -> Result<Vec<(f64, f64)>> {
    let vectors: Vec<FeatureVector> = rows.iter().map(|row| FeatureVector::plain(row.features.clone())).collect();
    let margins = model.raw(&vectors)?.margins;
    ensure!(margins.len() == rows.len(), "{} rows have {} answers", rows.len(), margins.len());
    Ok(margins.iter().map(|margin| (f64::from(*margin), model.pd_raw(*margin))).collect())
}

/// The margin that means a probability.
fn margin_of(model: &Model, probability: f64) -> f64 {
    match model.manifest().graph.link {
        Some(Link::Probability) => probability,
        Some(Link::LogOdds | Link::Softmax | Link::Logit) | None => (probability / (1.0 - probability)).ln(),
    }
}

fn class(model: &Model, margin: f64, raw: f64) -> Result<bool> {
    let pd = Pd::quantise(model.calibration().pd(margin, raw)).context("a margin has no probability")?;
    Ok(pd.get() >= model.manifest().classification.threshold)
}

impl Changed {
    fn apart(&self) -> f64 {
        (self.native - self.exported).abs()
    }
}

impl std::fmt::Display for Changed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { line, native, exported, class_changed } = self;
        let class = if *class_changed { ", another class" } else { "" };
        write!(f, "line {line}: {native} there, {exported} here{class}")
    }
}

impl Parity {
    /// Why the package may not serve: the export changes more, less or other rows than the manifest says.
    pub fn fault(&self, said: &Native) -> Option<String> {
        let (found, known) = (self.changed.len(), said.changed);
        if found != known {
            let first = self.changed.first().map(|row| format!("; the first is {row}")).unwrap_or_default();
            return Some(format!("{}: the export changes {found} rows, the manifest says {known}{first}", said.file));
        }
        if let Some(row) = self.changed.iter().find(|row| said.bound.is_some_and(|bound| row.apart() > bound)) {
            return Some(format!("{}: {row}, beyond the accepted {:?}", said.file, said.bound.unwrap_or_default()));
        }
        let total = said.total.filter(|total| (total - self.total).abs() > TOTAL)?;
        Some(format!("{}: all differences add up to {:.6}, the manifest says {total:.6}", said.file, self.total))
    }

    /// Lines for people.
    pub fn text(&self) -> Vec<String> {
        let Self { library, rows, changed, greatest_change, greatest_difference, .. } = self;
        let classes = changed.iter().filter(|row| row.class_changed).count();
        let what = match changed.len() {
            0 => "none changed by the export".to_owned(),
            n => {
                format!("{n} changed by the export, by up to {greatest_change:.1e}, {classes} of them to another class")
            }
        };
        let mut lines = vec![format!("  {rows} rows of {library}: {what}; all others to {greatest_difference:.1e}")];
        lines.extend(changed.iter().take(SHOWN).map(|row| format!("    {row}")));
        if changed.len() > SHOWN {
            lines.push(format!("    and {} more: `model check --json` lists all", changed.len() - SHOWN));
        }
        lines
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use scoring::{PackageFiles, Scales};
    use std::io::Write;
    use std::path::PathBuf;

    /// A package whose thresholds the exporter rounded to nearest, not down: `training/tests/test_native.py` makes it.
    fn unrounded() -> (PathBuf, PackageFiles) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../training/tests/fixtures/unrounded-lightgbm");
        let files = scorer::library::read_package(&folder).unwrap();
        (folder, files)
    }

    fn load(files: &PackageFiles) -> Model {
        let scales = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/scales.toml");
        Model::load(files, &Scales::parse(&std::fs::read(scales).unwrap()).unwrap()).unwrap()
    }

    fn zipped(text: &str) -> Vec<u8> {
        let mut file = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        file.write_all(text.as_bytes()).unwrap();
        file.finish().unwrap()
    }

    #[test]
    fn rows_that_the_export_changed_are_listed_with_their_size() {
        let (folder, files) = unrounded();
        let model = load(&files);
        let said = model.manifest().native.clone().unwrap();
        let found = check(&folder, &model).unwrap().unwrap();
        assert!(found.changed.len() > 10, "{}", found.changed.len());
        assert_eq!(found.fault(&said), None);
        assert!(found.greatest_change > 1e-3 && found.greatest_difference <= TREES, "{found:?}");
        for row in &found.changed {
            assert!((row.native - row.exported).abs() > TREES || row.class_changed, "{row:?}");
        }
        let text = found.text().join("\n");
        let first = &found.changed[0];
        assert!(text.contains(&format!("{} changed by the export, by up to", found.changed.len())), "{text}");
        assert!(text.contains(&format!("line {}: {} there", first.line, first.native)), "{text}");
    }

    #[test]
    fn a_manifest_that_tells_of_other_changes_is_a_fault() {
        let (folder, mut files) = unrounded();
        let text = String::from_utf8(files.manifest).unwrap();
        let start = text.find("changed = ").unwrap();
        files.manifest = format!("{}changed = 0\n{}", &text[..start], text[start..].split_once('\n').unwrap().1).into();
        let model = load(&files);
        let found = check(&folder, &model).unwrap().unwrap();
        let fault = found.fault(model.manifest().native.as_ref().unwrap()).unwrap();
        assert!(fault.contains("rows, the manifest says 0"), "{fault}");
    }

    #[test]
    fn other_bytes_are_refused() {
        let (_, files) = unrounded();
        let model = load(&files);
        let said = model.manifest().native.clone().unwrap();
        let why = parity(&model, &said, b"").unwrap_err().to_string();
        assert!(why.contains("the manifest names digest"), "{why}");
    }

    #[test]
    fn rows_are_read_or_refused_with_their_line() {
        let good = rows(&zipped("a,b,probability\n1,,0.5\n-inf,2.5e-1,1\n"), &["a", "b"]).unwrap();
        assert!(good[0].features[1].is_nan());
        assert_eq!((good[0].probability, good[1].features.as_slice()), (0.5, [f32::NEG_INFINITY, 0.25].as_slice()));
        let bad = [
            ("b,a,probability\n1,2,0.5\n", "not the features of the contract"),
            ("a,b,probability\n", "holds no rows"),
            ("a,b,probability\n1,x,0.5\n", "line 2: \"x\""),
            ("a,b,probability\n1,2,0.5\n1,2,1.5\n", "line 3: 1.5 is no probability"),
            ("a,b,probability\n1,2\n", "line"),
        ];
        for (text, expected) in bad {
            let why = format!("{:#}", rows(&zipped(text), &["a", "b"]).unwrap_err());
            assert!(why.contains(expected), "{why}");
        }
    }
}
