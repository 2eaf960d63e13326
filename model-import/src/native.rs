//! The training library's own answers against the engine's, row by row. What differs is listed, and there
//! must be as much of it as the manifest says.

use crate::error::{Context, Result, ensure};
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
/// Differences that a manifest names are known to this, and all of them together.
const KNOWN: f64 = 1e-5;
/// As many changed rows as a manifest lists.
const LISTED: usize = 1_000;
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

/// Reads the file that the manifest names and compares, and says why the package may not serve; nothing where it brings none.
pub fn check(package: &Path, model: &Model) -> (Option<Parity>, Vec<String>) {
    let Some(said) = &model.manifest().native else { return (None, vec![]) };
    let path = package.join(&said.file);
    match std::fs::read(&path) {
        Ok(bytes) => parity(model, said, &bytes),
        Err(error) => (None, vec![format!("reading {}: {error}", path.display())]),
    }
}

/// A file that is not the manifest's is compared all the same, to tell which of its rows are others.
fn parity(model: &Model, said: &Native, bytes: &[u8]) -> (Option<Parity>, Vec<String>) {
    let (file, digest) = (&said.file, Digest::of(bytes));
    let mut faults = Vec::new();
    if Digest::parse(&said.sha256) != Ok(digest) {
        faults.push(format!("{file}: the manifest names digest {}, the file has {digest}", said.sha256));
    }
    let names: Vec<&str> = model.manifest().feature.iter().map(|feature| feature.name.as_str()).collect();
    match rows(bytes, &names).and_then(|rows| compare(model, &said.library, &rows)) {
        Ok(found) => {
            faults.extend(found.faults(said));
            (Some(found), faults)
        }
        Err(error) => {
            faults.push(format!("{file}: {}", error.told()));
            (None, faults)
        }
    }
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
///
/// # Errors
/// With the line, or that there are too many of them.
pub fn rows(bytes: &[u8], names: &[&str]) -> Result<Vec<Row>> {
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
    ensure!(csv.get_ref().limit() > 0, "unpacks to more than {} MiB: give fewer rows", BOMB >> 20);
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

fn is_other(said: f64, found: f64) -> bool {
    let apart = (said - found).abs();
    apart.is_nan() || apart > KNOWN
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
    /// The lines that a manifest lists, each with its difference: the first of very many.
    pub fn lines(&self) -> impl Iterator<Item = (usize, f64)> {
        self.changed.iter().take(LISTED).map(|row| (row.line, row.apart()))
    }

    /// Why the package may not serve: the export changes more, less or other rows than the manifest says.
    fn faults(&self, said: &Native) -> Vec<String> {
        let file = &said.file;
        let beyond = self.changed.iter().find(|row| said.bound.is_some_and(|bound| row.apart() > bound));
        let beyond =
            beyond.map(|row| format!("{file}: {row}, beyond the accepted {:?}", said.bound.unwrap_or_default()));
        let numbers = [
            ("the greatest difference is", said.greatest, self.greatest_change),
            ("all differences add up to", said.total, self.total),
        ];
        let other = numbers.into_iter().filter_map(|(what, said, found)| {
            let said = said.filter(|said| is_other(*said, found))?;
            Some(format!("{file}: {what} {found:.6}, the manifest says {said:.6}"))
        });
        self.other_lines(said).into_iter().chain(beyond).chain(other).collect()
    }

    /// The first row that is not changed as the manifest lists it, or not as many as it says.
    fn other_lines(&self, said: &Native) -> Option<String> {
        let (file, found, known) = (&said.file, self.changed.len(), said.changed);
        let listed = |line: usize| said.lines.iter().find(|(listed, _)| *listed == line).map(|(_, apart)| *apart);
        let is_new = |row: &&Changed| listed(row.line).is_none_or(|apart| is_other(apart, row.apart()));
        let unlisted = said.lines.is_empty() && found == known;
        let first = self.changed.iter().take(LISTED).find(is_new).filter(|_| !unlisted);
        let first = first.map(|row| match listed(row.line) {
            Some(apart) => format!("{row}, off by {:.6}; the manifest says {apart:.6}", row.apart()),
            None => row.to_string(),
        });
        let gone = said.lines.iter().find(|(line, _)| self.changed.iter().all(|row| row.line != *line));
        let gone = gone.map(|(line, apart)| format!("line {line}: right here, off by {apart:.6} says the manifest"));
        match (found == known, first.or(gone)) {
            (true, None) => None,
            (true, Some(row)) => Some(format!("{file}: {row}")),
            (false, row) => Some(format!(
                "{file}: the export changes {found} rows, the manifest says {known}{}",
                row.map(|row| format!("; the first is {row}")).unwrap_or_default()
            )),
        }
    }

    /// Lines for people; `all` says where the rest of very many are.
    pub fn text(&self, all: &str) -> Vec<String> {
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
            lines.push(format!("    and {} more{all}", changed.len() - SHOWN));
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
        let of = |name: &str| std::fs::read(folder.join(name)).unwrap();
        let files = PackageFiles {
            manifest: of("manifest.toml"),
            graph: of("model.onnx"),
            golden: of("golden.json"),
            reference: of("reference.json"),
        };
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
        let (found, faults) = check(&folder, &model);
        let found = found.unwrap();
        assert!(found.changed.len() > 10, "{}", found.changed.len());
        assert_eq!(faults, [""; 0]);
        assert!(found.greatest_change > 1e-3 && found.greatest_difference <= TREES, "{found:?}");
        for row in &found.changed {
            assert!((row.native - row.exported).abs() > TREES || row.class_changed, "{row:?}");
        }
        let text = found.text("").join("\n");
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
        let (_, faults) = check(&folder, &model);
        assert!(faults[0].contains("rows, the manifest says 0"), "{faults:?}");
    }

    #[test]
    fn each_row_is_held_to_the_difference_on_record() {
        let (folder, files) = unrounded();
        let model = load(&files);
        let found = check(&folder, &model).0.unwrap();
        let said = Native {
            bound: Some(found.greatest_change),
            greatest: Some(found.greatest_change),
            total: Some(found.total),
            lines: found.lines().collect(),
            ..model.manifest().native.clone().unwrap()
        };
        assert_eq!(found.faults(&said), [""; 0]);
        type Change = fn(&mut Native);
        let (first, second) = (found.changed[0].line, found.changed[1].line);
        let other = |change: Change| {
            let mut said = said.clone();
            change(&mut said);
            found.faults(&said).join("\n")
        };
        let rows: [(Change, String); 5] = [
            // What cancels out in the sum.
            (
                |said| (said.lines[0].1, said.lines[1].1) = (said.lines[0].1 + 1e-4, said.lines[1].1 - 1e-4),
                format!("line {first}: "),
            ),
            (|said| _ = said.lines.remove(1), format!("line {second}: ")),
            (|said| said.lines[0].0 = 1, format!("line {first}: ")),
            (|said| said.greatest = said.greatest.map(|known| known + 1e-4), "the greatest difference is".to_owned()),
            (|said| said.bound = said.bound.map(|known| known - 1e-4), "beyond the accepted".to_owned()),
        ];
        for (change, expected) in rows {
            let fault = other(change);
            assert!(fault.contains(&expected), "{fault:?} does not say {expected}");
        }
        assert!(other(|said| said.lines.push((1, 0.5))).contains("line 1: right here, off by 0.5"));
    }

    #[test]
    fn other_bytes_are_refused() {
        let (_, files) = unrounded();
        let model = load(&files);
        let said = model.manifest().native.clone().unwrap();
        let (_, faults) = parity(&model, &said, b"");
        assert!(faults[0].contains("the manifest names digest"), "{faults:?}");
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
            let why = rows(&zipped(text), &["a", "b"]).unwrap_err().told();
            assert!(why.contains(expected), "{why}");
        }
    }
}
