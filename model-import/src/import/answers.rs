//! The library's own answers to the sample: read, compared with the package's, and written into it. An export that differs
//! beyond what was accepted is no package.

use super::contract::Feature;
use super::options::Options;
use crate::cells::Misfit;
use crate::error::{Context, Error, Result, bail, ensure};
use crate::native::{self, Parity, Row};
use crate::reporter::Reporter;
use crate::rows::Rows;
use csv::Writer;
use domain::Digest;
use flate2::{Compression, GzBuilder};
use scoring::Model;
use std::path::Path;

/// Beside the manifest.
pub const FILE: &str = "native.csv.gz";
/// The column of a file with several.
const PROBABILITY: &str = "probability";

/// The library's answers as the package brings them.
#[derive(Debug)]
pub struct Answers {
    /// Name and version.
    pub library: String,
    rows: Vec<Row>,
    /// The file as it will lie there.
    pub bytes: Vec<u8>,
    /// Of the file.
    pub sha256: Digest,
}

/// What the package says of the library's answers.
pub struct Native {
    /// What was compared.
    pub found: Parity,
    /// The difference that was accepted, where there was one.
    pub bound: Option<f64>,
}

impl Answers {
    /// One for each settled row of the sample.
    ///
    /// # Errors
    /// Of the packing.
    pub fn of(library: &str, features: &[Feature], rows: &[Vec<f32>], answers: &[f64]) -> Result<Self> {
        let pair = |(row, probability): (&Vec<f32>, &f64)| Row { features: row.clone(), probability: *probability };
        let rows: Vec<Row> = rows.iter().zip(answers).map(pair).collect();
        let bytes = file(features, &rows)?;
        // What is compared is what a check will read.
        let names: Vec<&str> = features.iter().map(|feature| feature.name.as_str()).collect();
        let rows = native::rows(&bytes, &names).context(FILE)?;
        Ok(Self { library: library.to_owned(), sha256: Digest::of(&bytes), bytes, rows })
    }
}

/// Reads a probability of the risky class for each of `rows` rows.
///
/// # Errors
/// With the line or row.
pub fn read(path: &Path, args: &Options, count: usize, reporter: &dyn Reporter) -> Result<Vec<f64>> {
    let named = || path.display().to_string();
    let written = &args.written;
    let mut rows = Rows::open(path, written, reporter)?;
    let columns: Vec<usize> = rows.columns().collect();
    let names: Vec<String> = columns.iter().map(|at| rows.header()[*at].clone()).collect();
    let place = column(&names, args.bad()).with_context(named)?;
    rows.select(&columns[place..=place])?;
    let mut found = Vec::with_capacity(count);
    while rows.advance()? {
        let cell = rows.cell(columns[place]);
        let probability = written.double(cell).map_err(|why| rows.fault(&names[place], &why))?;
        if !probability.is_finite() {
            return Err(rows.fault(&names[place], &Misfit::new(format!("{cell} is no probability"))));
        }
        found.push(probability);
    }
    let headless = names[place].parse::<f64>().is_ok();
    let help = if headless { "; its first line is a number where the name of a column belongs" } else { "" };
    ensure!(found.len() == count, "{}: holds {} answers, the sample has {count} rows{help}", named(), found.len());
    Ok(found)
}

/// Holds the answers of a regression between 0 and 1, as its pd is; those of all else must be there.
///
/// # Errors
/// With the line.
pub fn probabilities(mut answers: Vec<f64>, is_regression: bool, path: &Path) -> Result<Vec<f64>> {
    for (at, answer) in answers.iter_mut().enumerate() {
        let inside = answer.clamp(0.0, 1.0);
        ensure!(
            is_regression || inside == *answer,
            "{}, line {}: {answer} is no probability; give those of the risky class, not margins or classes",
            path.display(),
            at + 2
        );
        *answer = inside;
    }
    Ok(answers)
}

/// What somebody accepts: a difference of probabilities.
///
/// # Errors
/// When it is none.
pub fn bound(said: Option<f64>) -> Result<()> {
    let fits = said.is_none_or(|bound| bound > 0.0 && bound <= 1.0);
    ensure!(
        fits,
        "--accept-deviation {:?}: must be a difference of probabilities, above 0 and up to 1",
        said.unwrap_or_default()
    );
    Ok(())
}

/// The only column, or the one called `probability`, or the one whose name ends with the risky class.
fn column(header: &[String], bad_label: &str) -> Result<usize> {
    let ending = format!("_{bad_label}");
    let places = |fits: &dyn Fn(&String) -> bool| -> Vec<usize> {
        header.iter().enumerate().filter(|(_, name)| fits(name)).map(|(at, _)| at).collect()
    };
    let (called, ended) = (places(&|name| name == PROBABILITY), places(&|name| name.ends_with(&ending)));
    match (called.as_slice(), ended.as_slice(), header.len()) {
        ([place], _, _) | ([], [place], _) => Ok(*place),
        ([], [], 1) => Ok(0),
        _ => bail!(
            "has the columns {}: one alone must be called {PROBABILITY}, or end with {ending} for the risky class",
            header.join(", ")
        ),
    }
}

/// Compares the package's answers with the library's.
///
/// # Errors
/// When they differ, and nobody accepted that or not so much.
pub fn compared(args: &Options, model: &Model, answers: &Answers, reporter: &dyn Reporter) -> Result<Native> {
    let found = native::compare(model, &answers.library, &answers.rows)?;
    found.text("").iter().for_each(|line| reporter.line(line.trim_start()));
    let greatest = found.greatest_change;
    // Two digits, rounded up: a bound that is copied from here holds.
    let scale = 10f64.powf(greatest.max(f64::MIN_POSITIVE).log10().floor() - 1.0);
    let enough = (greatest / scale).ceil() * scale;
    match args.accept_deviation {
        _ if found.changed.is_empty() => {}
        None => bail!(
            "the export answers {} of {} rows otherwise than its library, by up to {greatest:.1e}: export it another way, or \
             put the difference on record with --accept-deviation {enough:.1e} or more",
            found.changed.len(),
            found.rows
        ),
        Some(bound) if greatest > bound => {
            bail!("the export differs from its library by up to {greatest:.3e}, beyond --accept-deviation {bound:?}")
        }
        Some(_) => {}
    }
    let bound = args.accept_deviation.filter(|_| !found.changed.is_empty());
    Ok(Native { found, bound })
}

/// A column for each feature, then the probability.
fn file(features: &[Feature], rows: &[Row]) -> Result<Vec<u8>> {
    // No time and no name in the head: the same rows are the same bytes.
    let packed = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    let mut csv = Writer::from_writer(packed);
    csv.write_record(features.iter().map(|feature| feature.name.as_str()).chain([PROBABILITY]))?;
    for row in rows {
        let cell = |value: &f32| if value.is_nan() { String::new() } else { value.to_string() };
        csv.write_record(row.features.iter().map(cell).chain([row.probability.to_string()]))?;
    }
    let packed = csv.into_inner().map_err(|error| Error::File(error.into_error()))?;
    Ok(packed.finish()?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::cells::Written;
    use crate::reporter::Silent;

    #[test]
    fn the_risky_column_is_found_or_asked_for() {
        for (header, bad, expected) in [
            (&["p"][..], "1", Ok(0)),
            (&["label", "probability"], "1", Ok(1)),
            (&["label", "probabilities_0", "probabilities_1"], "0", Ok(1)),
            (&["label", "p"], "bad", Err("one alone must be called probability, or end with _bad")),
            (&["probability", "p_1"], "1", Ok(0)),
            (&["p_1", "q_1"], "1", Err("one alone must be called probability")),
            (&["probability", "probability"], "1", Err("one alone must be called probability")),
        ] {
            let header: Vec<String> = header.iter().map(|name| (*name).to_owned()).collect();
            match (column(&header, bad), expected) {
                (Err(why), Err(expected)) => assert!(why.to_string().contains(expected), "{why}"),
                (found, expected) => assert_eq!(found.ok(), expected.ok()),
            }
        }
    }

    #[test]
    fn answers_are_probabilities() {
        let path = Path::new("native.csv");
        let of = |answers: &[f64], is_regression| probabilities(answers.to_vec(), is_regression, path);
        assert_eq!(of(&[0.0, 0.5, 1.0], false).unwrap(), [0.0, 0.5, 1.0]);
        assert_eq!(of(&[-0.25, 1.5], true).unwrap(), [0.0, 1.0]);
        let why = of(&[0.5, -1.2], false).unwrap_err().to_string();
        assert!(why.contains("native.csv, line 3: -1.2 is no probability"), "{why}");
        let fits = |said: f64| bound(Some(said)).is_ok();
        assert!(fits(0.1) && fits(1.0) && bound(None).is_ok());
        assert!(![0.0, -0.1, 1.5, f64::NAN, f64::INFINITY].into_iter().any(fits));
    }

    #[test]
    fn answers_are_one_for_each_row() {
        let options = |missing: &[&str], decimal_comma: bool, delimiter: char| Options {
            graph: "a.onnx".into(),
            sample: "a.csv".into(),
            written: Written::new(missing.iter().map(|word| (*word).to_owned()).collect(), decimal_comma, delimiter)
                .unwrap(),
            label: "bad".to_owned(),
            bad_label: None,
            answer: None,
            native: Some("b.csv".into()),
            library: String::new(),
            accept_deviation: None,
            columns: vec![],
            without: vec![],
            out: "models".into(),
            name: None,
            product: None,
            scales: "scales.toml".into(),
            threshold: None,
            horizon_months: 12,
        };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("native.csv");
        for (text, (missing, decimal_comma, delimiter), expected) in [
            ("p\n0.5\n0.25\n", (&[][..], false, ','), Ok(vec![0.5, 0.25])),
            ("p\n0.5\n", (&[], false, ','), Err("holds 1 answers, the sample has 2 rows")),
            ("p\n0.5\nx\n", (&[], false, ','), Err("line 3, column p: \"x\" is no number")),
            (
                "p\n0.5\nNA\n",
                (&[], false, ','),
                Err("line 3, column p: \"NA\" is no number; a missing one is an empty cell; say --missing NA"),
            ),
            ("p\n0.5\nNA\n", (&["NA"], false, ','), Err("line 3, column p: NA is no probability")),
            ("id;p_1\n1;0,5\n2;0,25\n", (&[], true, ';'), Ok(vec![0.5, 0.25])),
            ("p\n0.5\n0.25\n", (&[], true, ','), Err("line 2, column p: \"0.5\" is no number with a decimal comma")),
            ("0.5\n0.25\n", (&[], false, ','), Err("its first line is a number where the name of a column belongs")),
        ] {
            std::fs::write(&path, text).unwrap();
            match (read(&path, &options(missing, decimal_comma, delimiter), 2, &Silent), expected) {
                (Err(why), Err(expected)) => assert!(why.to_string().contains(expected), "{why}"),
                (found, expected) => assert_eq!(found.ok(), expected.ok()),
            }
        }
    }
}
