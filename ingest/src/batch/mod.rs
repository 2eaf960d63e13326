//! A file of applications through the same door as everything else: CSV by a mapping, or NDJSON, gzipped or not. Rows that are
//! refused become dead letters, are answered, and are listed with their line. Event ids come from the file's keyed digest and the
//! row, so that nothing new comes of running it twice: `admit` answers `duplicate`, and what is set aside stays set aside once.
//!
//! [`rows`] reads the file with a [bound](bounded) on each row, [`judged`] receives a row, [`report`] lists what was refused ([`causes`],
//! [`fault`]) and [`corrections`] the rows themselves, [`twins`] knows ids that stand there twice; here rows are published in groups.
//! [`judge`] does all of it but publish, [`inspect`] proposes a mapping of a file that nobody has seen yet.

mod bounded;
pub mod causes;
mod corrections;
pub mod fault;
pub mod inspect;
mod judged;
mod options;
pub mod report;
pub mod rows;
mod twins;

use crate::config::Config;
use crate::error::Error;
use crate::mapping::Mapping;
use corrections::Corrections;
use domain::ReplyStatus;
use fault::{ID, RowFault};
use indicatif::{ProgressBar, ProgressStyle};
use judged::Judged;
pub use judged::{Batch, row_of};
pub use options::Options;
use report::{Report, Summary, Verdict};
use rows::{Row, Source};
use runtime::clock;
use runtime::kafka::KafkaConfig;
use runtime::stream::{Output, Transactions};
use std::collections::BTreeSet;
use twins::Twins;

/// Bytes of records after which a group is written, however few rows it has.
const GROUP_BYTES: usize = 8 << 20;

/// Publishes a file. Blocks until Kafka has all of it. `set_aside` gives the rows of the file that have a dead letter already,
/// as [`row_of`] tells them; it is asked once for each name
/// that the file may have had, when the first row is refused and no earlier run of the file can write any more. `told` hears of each
/// row, in order, before it is published.
///
/// # Errors
/// [`Error`] when the file, its mapping or Kafka fails. What was published before stays; the same call goes on from anywhere.
pub fn run(
    options: &Options,
    config: &Config,
    kafka: &KafkaConfig,
    mut set_aside: impl FnMut(&str) -> Result<BTreeSet<u64>, Error>,
    told: impl FnMut(Verdict) -> Result<(), Error>,
) -> Result<Summary, Error> {
    config.check_public_keys()?;
    let opened = Opened::new(options, config, kafka)?;
    let batch = &opened.batch;
    let mut producer = Transactions::connect(kafka, &format!("ingest-batch-{}", batch.file), config.door_timeout_ms)?;
    let group_rows = if options.group_rows == 0 { 1000 } else { options.group_rows };
    let mut group = Group::default();
    let mut before = None;
    let mut write = |group: &mut Group| -> Result<(), Error> {
        let Group { records, .. } = std::mem::take(group);
        Ok(producer.write(records.iter().map(|record| (None, record)))?)
    };
    let summary = opened.judge(told, |row, mut records, bar| {
        let is_letter = |record: &Output| record.topic == batch.topics.dead_letters;
        if records.iter().any(is_letter) {
            let before = match &mut before {
                Some(before) => before,
                none => none.insert(batch.set_aside(&mut set_aside)?),
            };
            if before.contains(&row.number) {
                records.retain(|record| !is_letter(record));
            }
        }
        group.add(records);
        if group.rows == group_rows || group.bytes >= GROUP_BYTES {
            write(&mut group)?;
            bar.set_position(row.read_bytes);
        }
        Ok(())
    })?;
    if !group.records.is_empty() {
        write(&mut group)?;
    }
    Ok(summary)
}

/// Reads, maps and judges a file as [`run`] does, and publishes nothing. Asks no server. Whether a row was sent before is not known
/// here.
///
/// # Errors
/// [`Error`] when the file or its mapping fails.
pub fn judge(
    options: &Options,
    config: &Config,
    told: impl FnMut(Verdict) -> Result<(), Error>,
) -> Result<Summary, Error> {
    Opened::new(options, config, &KafkaConfig::default())?.judge(told, |row, _, bar| {
        if row.number.is_multiple_of(1000) {
            bar.set_position(row.read_bytes);
        }
        Ok(())
    })
}

/// A file with all that its rows are judged by.
struct Opened<'o> {
    options: &'o Options,
    config: &'o Config,
    source: Source,
    mapping: Option<Mapping>,
    batch: Batch,
}

impl<'o> Opened<'o> {
    fn new(options: &'o Options, config: &'o Config, kafka: &KafkaConfig) -> Result<Self, Error> {
        let mapping = options.mapping.as_deref().map(Mapping::load).transpose()?;
        let source = Source::open(&options.file)?;
        let batch = Batch::new(options, config, kafka, source.digest(), clock::now_ms)?;
        Ok(Self { options, config, source, mapping, batch })
    }

    /// Hands each row on with the records that it becomes.
    fn judge(
        &self,
        mut told: impl FnMut(Verdict) -> Result<(), Error>,
        mut each: impl FnMut(&Row, Vec<Output>, &ProgressBar) -> Result<(), Error>,
    ) -> Result<Summary, Error> {
        let Options { intent, report, corrections, quiet, .. } = self.options;
        let mapping = self.mapping.as_ref();
        let rows = self.source.rows(mapping, intent.as_deref(), self.config.max_body_bytes)?;
        let begun = |path| Corrections::create(path, mapping, self.source.marked(mapping)?);
        let mut corrections = corrections.as_deref().map(begun).transpose()?;
        let mut report = Report::spelt(report.as_deref(), self.options.spelling()?)?;
        let mut twins = Twins::default();
        let bar = bar(self.source.bytes(), *quiet);
        for row in rows {
            let row = row?;
            let Judged { records, mut verdict, content } = self.batch.judged(&row);
            if let Some(content) = content {
                compare(&mut twins, &mut verdict, &content, &row);
            }
            report.enter(&verdict)?;
            if let Some(corrections) = &mut corrections {
                corrections.enter(&row, &verdict)?;
            }
            told(verdict)?;
            each(&row, records, &bar)?;
        }
        bar.finish_and_clear();
        report.summary.open_lines = mapping.map(Mapping::open_lines).unwrap_or_default().to_vec();
        report.summary.compared = twins.is_full.then_some(twins::MOST as u64);
        report.summary.left_out = corrections.map(Corrections::finish).transpose()?.unwrap_or_default();
        report.finish()
    }
}

/// Holds a row against the rows before it: the stream will answer the later of two with one id.
fn compare(twins: &mut Twins, verdict: &mut Verdict, content: &str, row: &Row) {
    let (Some(id), Some(revision)) = (&verdict.application_id, verdict.revision) else { return };
    let Some(twin) = twins.of((id, revision), content, row.line) else { return };
    let fault = |word: &str, why: String| RowFault::at(word, ID, why, &row.sources);
    if twin.is_same {
        let why = "stands in an earlier row with the same content, and counts once".to_owned();
        verdict.warnings.push(fault(ReplyStatus::Duplicate.as_str(), why));
    } else {
        let why = format!("line {} has the same id and revision with other content", twin.line);
        verdict.conflict = Some(fault(ReplyStatus::Conflict.as_str(), why));
    }
}

/// What one transaction will hold.
#[derive(Default)]
struct Group {
    records: Vec<Output>,
    rows: usize,
    bytes: usize,
}

impl Group {
    fn add(&mut self, records: Vec<Output>) {
        self.rows += 1;
        for record in &records {
            let headers: usize = record.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
            self.bytes += headers + [&record.key, &record.payload].into_iter().flatten().map(Vec::len).sum::<usize>();
        }
        self.records.extend(records);
    }
}

fn bar(bytes: u64, quiet: bool) -> ProgressBar {
    if quiet {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {elapsed} left {eta}");
    let bar = ProgressBar::new(bytes);
    if let Ok(style) = style { bar.with_style(style) } else { bar }
}
