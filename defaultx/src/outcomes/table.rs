//! The result file: a line for each row of the input, in its order, as CSV or Parquet. It appears under its name when it is whole.

use super::answer::Told;
use anyhow::{Context, Result, bail};
use ingest::batch::fault::no_formula;
use ingest::mapping::Spelling;
use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::NamedTempFile;

/// It was accepted, and its decision (or score, where nothing more was asked for) is here.
const DECIDED: &str = "decided";
/// It was received before, and the decision of then is here. After a conflict that is not on this row.
const DECIDED_BEFORE: &str = "decided_before";
/// It has its reply, and nothing was heard of a decision in the time.
pub(super) const UNDECIDED: &str = "undecided";
/// Nothing was heard of it in the time.
pub(super) const UNANSWERED: &str = "unanswered";
/// Nothing is decided on it: its reply and problem say why.
pub(super) const REFUSED: &str = "refused";

/// What had become of it was set aside by a worker.
pub(super) const DEAD_LETTER: &str = "dead_letter";

/// The word for what became of a row that has a reply.
pub(super) fn state(reply: &str, is_decided: bool, has_decision: bool) -> &'static str {
    match (reply, has_decision) {
        ("accepted", true) => DECIDED,
        (_, true) => DECIDED_BEFORE,
        (_, false) if is_decided => UNDECIDED,
        (_, false) => REFUSED,
    }
}

/// A cell.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    Whole(Option<i64>),
    Number(Option<f64>),
    Text(Option<String>),
}

/// A row of the result.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ResultRow {
    pub(super) line: u64,
    pub(super) application_id: Option<String>,
    pub(super) state: &'static str,
    pub(super) reply: Option<String>,
    pub(super) problem: Option<String>,
    pub(super) why: String,
    pub(super) outcome: Option<String>,
    values: Vec<Value>,
}

/// What was answered, and what was seen before that.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    pub(super) reply: Option<String>,
    pub(super) problem: Option<String>,
    pub(super) pointers: Vec<String>,
    pub(super) why: Vec<String>,
    pub(super) warnings: Vec<String>,
}

/// The columns, in order.
const COLUMNS: [(&str, Kind); 21] = [
    ("line", Kind::Whole),
    ("row", Kind::Whole),
    ("application_id", Kind::Text),
    ("revision", Kind::Whole),
    ("state", Kind::Text),
    ("reply", Kind::Text),
    ("problem", Kind::Text),
    ("pointers", Kind::Text),
    ("why", Kind::Text),
    ("score", Kind::Whole),
    ("pd", Kind::Number),
    ("band", Kind::Text),
    ("outcome", Kind::Text),
    ("referral", Kind::Text),
    ("reasons", Kind::Text),
    ("unscorable", Kind::Text),
    ("model", Kind::Text),
    ("policy", Kind::Text),
    ("decision_id", Kind::Text),
    ("decided_at", Kind::Text),
    ("warnings", Kind::Text),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Whole,
    Number,
    Text,
}

impl ResultRow {
    pub(super) fn new(
        (line, row): (u64, u64),
        (application_id, revision): (Option<String>, Option<u32>),
        state: &'static str,
        said: Said,
        told: Told,
    ) -> Self {
        let Said { reply, problem, pointers, why, warnings } = said;
        let joined = |words: &[String], by: &str| Value::Text((!words.is_empty()).then(|| words.join(by)));
        let whole = |number: u64| Value::Whole(i64::try_from(number).ok());
        let values = vec![
            whole(line),
            whole(row),
            Value::Text(application_id.clone()),
            Value::Whole(revision.map(i64::from)),
            Value::Text(Some(state.to_owned())),
            Value::Text(reply.clone()),
            Value::Text(problem.clone()),
            joined(&pointers, " "),
            joined(&why, "; "),
            Value::Whole(told.score.map(i64::from)),
            Value::Number(told.pd),
            Value::Text(told.band),
            Value::Text(told.outcome.clone()),
            Value::Text(told.referral),
            joined(&told.reasons, " "),
            joined(&told.unscorable, " "),
            Value::Text(told.model),
            Value::Text(told.policy),
            Value::Text(Some(told.event_id).filter(|id| told.is_decision && !id.is_empty())),
            Value::Text(told.decided_at),
            joined(&warnings, "; "),
        ];
        let why = why.join("; ");
        Self { line, application_id, state, reply, problem, why, outcome: told.outcome, values }
    }
}

/// A result file under way.
pub(super) enum Table {
    Csv(Box<csv::Writer<NamedTempFile>>, char, PathBuf),
    Parquet(Box<SerializedFileWriter<File>>, NamedTempFile, Vec<ResultRow>, PathBuf),
}

/// Rows of one group of a Parquet file, which are held until it is full.
const GROUP_ROWS: usize = 8_192;

impl Table {
    /// Says before anything is published whether a file can be written.
    ///
    /// # Errors
    /// A name that ends in neither.
    pub(super) fn check(path: &Path) -> Result<()> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("csv" | "parquet") => Ok(()),
            _ => bail!("{}: a result ends in .csv or .parquet", path.display()),
        }
    }

    /// Begins one; a CSV file is written for the spreadsheet that wrote the input, or for programs.
    pub(super) fn create(path: &Path, spelling: Spelling) -> Result<Self> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = NamedTempFile::new_in(folder).with_context(|| format!("a file in {}", folder.display()))?;
        if path.extension().is_some_and(|ending| ending == "parquet") {
            let fields: String = COLUMNS
                .iter()
                .map(|(name, kind)| format!("  optional {} {name}{};\n", kind.physical(), kind.logical()))
                .collect();
            let schema = Arc::new(parse_message_type(&format!("message rows {{\n{fields}}}"))?);
            let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
            let writer = SerializedFileWriter::new(file.reopen()?, schema, Arc::new(properties))?;
            return Ok(Self::Parquet(Box::new(writer), file, Vec::with_capacity(GROUP_ROWS), path.to_owned()));
        }
        if spelling.is_marked {
            file.write_all("\u{feff}".as_bytes())?;
        }
        let mut writer = csv::WriterBuilder::new().delimiter(spelling.delimiter).from_writer(file);
        writer.write_record(COLUMNS.map(|(name, _)| name))?;
        Ok(Self::Csv(Box::new(writer), spelling.decimal, path.to_owned()))
    }

    pub(super) fn write(&mut self, row: ResultRow) -> Result<()> {
        match self {
            Self::Csv(writer, decimal, _) => {
                Ok(writer.write_record(row.values.iter().map(|value| value.text(*decimal)))?)
            }
            Self::Parquet(writer, _, rows, _) => {
                rows.push(row);
                if rows.len() < GROUP_ROWS { Ok(()) } else { write_group(writer, rows) }
            }
        }
    }

    pub(super) fn finish(self) -> Result<()> {
        let (file, path) = match self {
            Self::Csv(writer, _, path) => (writer.into_inner().map_err(csv::IntoInnerError::into_error)?, path),
            Self::Parquet(mut writer, file, mut rows, path) => {
                write_group(&mut writer, &mut rows)?;
                writer.close()?;
                (file, path)
            }
        };
        file.persist(&path).with_context(|| format!("writing {}", path.display()))?;
        Ok(())
    }
}

fn write_group(writer: &mut SerializedFileWriter<File>, rows: &mut Vec<ResultRow>) -> Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut group = writer.next_row_group()?;
    for (at, (_, kind)) in COLUMNS.iter().enumerate() {
        let values = rows.iter().map(|row| &row.values[at]);
        match kind {
            Kind::Whole => write_column::<Int64Type>(&mut group, values.map(Value::whole))?,
            Kind::Number => write_column::<DoubleType>(&mut group, values.map(Value::number))?,
            Kind::Text => write_column::<ByteArrayType>(&mut group, values.map(Value::bytes))?,
        }
    }
    group.close()?;
    rows.clear();
    Ok(())
}

fn write_column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, File>,
    values: impl Iterator<Item = Option<T::T>>,
) -> Result<()> {
    let mut column = group.next_column()?.context("as many columns as the schema has")?;
    let (mut present, mut levels) = (Vec::new(), Vec::new());
    for value in values {
        levels.push(i16::from(value.is_some()));
        present.extend(value);
    }
    column.typed::<T>().write_batch(&present, Some(&levels), None)?;
    Ok(column.close()?)
}

impl Kind {
    fn physical(self) -> &'static str {
        match self {
            Self::Whole => "INT64",
            Self::Number => "DOUBLE",
            Self::Text => "BYTE_ARRAY",
        }
    }

    fn logical(self) -> &'static str {
        if self == Self::Text { " (STRING)" } else { "" }
    }
}

impl Value {
    /// As a cell of CSV.
    fn text(&self, decimal: char) -> String {
        match self {
            Self::Whole(number) => number.map(|number| number.to_string()).unwrap_or_default(),
            Self::Number(number) => number
                .map(|number| number.to_string().replace('.', decimal.encode_utf8(&mut [0; 4])))
                .unwrap_or_default(),
            Self::Text(text) => no_formula(text.as_deref().unwrap_or_default()).into_owned(),
        }
    }

    fn whole(&self) -> Option<i64> {
        if let Self::Whole(number) = self { *number } else { None }
    }

    fn number(&self) -> Option<f64> {
        if let Self::Number(number) = self { *number } else { None }
    }

    fn bytes(&self) -> Option<ByteArray> {
        if let Self::Text(Some(text)) = self { Some(text.as_bytes().to_vec().into()) } else { None }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use model_import::{Rows, Silent, Written};

    impl ResultRow {
        pub(in crate::outcomes) fn decision_id(&self) -> Option<&str> {
            let at = COLUMNS.iter().position(|(name, _)| *name == "decision_id").unwrap();
            if let Value::Text(Some(id)) = &self.values[at] { Some(id) } else { None }
        }
    }

    fn row(number: u64) -> ResultRow {
        let told = Told {
            is_decision: true,
            event_id: format!("e{number}"),
            score: Some(600 - number as i32),
            pd: Some(0.25),
            outcome: Some("decline".to_owned()),
            reasons: vec!["ka01".to_owned(), "kb02".to_owned()],
            ..Told::default()
        };
        let told = if number.is_multiple_of(3) { Told::default() } else { told };
        let said = Said {
            reply: Some("rejected".to_owned()),
            pointers: vec!["/as_of".to_owned()],
            why: vec!["not a date, \"or\" so".to_owned()],
            warnings: vec!["unknown_attribute /attributes/x".to_owned()],
            ..Said::default()
        };
        ResultRow::new((number + 1, number), (Some(format!("ä-{number}")), Some(1)), DECIDED, said, told)
    }

    /// All cells of a file, as text.
    fn read(path: &Path) -> Vec<Vec<String>> {
        let mut rows = Rows::open(path, &Written::new(Vec::new(), false, ',').unwrap(), &Silent).unwrap();
        let columns: Vec<usize> = (0..rows.header().len()).collect();
        rows.select(&columns).unwrap();
        let mut all = vec![rows.header().to_vec()];
        while rows.advance().unwrap() {
            all.push(columns.iter().map(|column| rows.cell(*column).to_string()).collect());
        }
        all
    }

    #[test]
    fn csv_and_parquet_hold_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let files = ["result.csv", "result.parquet"].map(|name| folder.path().join(name));
        for file in &files {
            Table::check(file).unwrap();
            let mut table = Table::create(file, Spelling::default()).unwrap();
            for number in 1..=(GROUP_ROWS as u64 + 3) {
                assert!(!file.exists(), "it appears when it is whole");
                table.write(row(number)).unwrap();
            }
            table.finish().unwrap();
        }
        let [csv, parquet] = files.map(|file| read(&file));
        assert_eq!(csv.len(), GROUP_ROWS + 4);
        assert!(csv == parquet);
        assert_eq!(csv[1][2..5], ["ä-1", "1", "decided"]);
        assert!(Table::check(Path::new("result.xlsx")).is_err());
    }

    #[test]
    fn a_spreadsheet_of_another_country_opens_it_and_no_cell_is_a_formula() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("result.csv");
        let spelling = Spelling { delimiter: b';', decimal: ',', is_marked: true };
        let mut table = Table::create(&file, spelling).unwrap();
        let named = |id: &str| {
            let told = Told { pd: Some(0.25), score: Some(-5), ..Told::default() };
            ResultRow::new((2, 1), (Some(id.to_owned()), Some(1)), DECIDED, Said::default(), told)
        };
        ["-A1", "a-1"].into_iter().for_each(|id| table.write(named(id)).unwrap());
        table.finish().unwrap();
        let text = std::fs::read_to_string(&file).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("\u{feff}line;row;application_id;"), "{text}");
        assert!(lines[1].starts_with("2;1;'-A1;1;decided;;;;;-5;0,25;"), "{text}");
        assert!(lines[2].starts_with("2;1;a-1;1;"), "{text}");
    }
}
