//! A file of applications through the same door as everything else: CSV by a mapping, or NDJSON, gzipped or not. Rows that are
//! refused become dead letters, are answered, and are listed with their line. Event ids come from the file's keyed digest and the
//! row, so that running it twice publishes nothing new: `admit` answers `duplicate`, and what is set aside stays set aside once.
//!
//! [`rows`] reads the file with a [bound](bounded) on each row, [`report`] lists what was refused; here the rows are received and published in groups.

mod bounded;
pub mod report;
pub mod rows;

use crate::config::Config;
use crate::error::Error;
use crate::mapping::Mapping;
use crate::outputs::{self, Origin, Topics};
use crate::receive::{Arrival, Received, receive};
use crate::refusal::{Reason, Refusal, Who};
use crate::rules::{Rules, TenantRule, Tenants};
use domain::{Channel, Digest};
use indicatif::{ProgressBar, ProgressStyle};
use report::{Report, Summary};
use rows::{Row, Source, Trouble};
use runtime::clock;
use runtime::kafka::KafkaConfig;
use runtime::stream::dead_letter_header as dl;
use runtime::stream::{Input, Offset, Output, Route, Transactions};
use schemas::application::SUBMITTED;
use schemas::envelope::{JSON, header as ce};
use schemas::reply::Coordinates;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Bytes of records after which a group is written, however few rows it has.
const GROUP_BYTES: usize = 8 << 20;
/// Bytes that a dead letter keeps of a row over the bound. The file itself is at hand, and a topic takes no more than a body.
const KEPT_BYTES: usize = 64 << 10;

/// `dl_stage` of a row's dead letter.
const STAGE: &str = "batch";

/// What to publish and how.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// `*.csv`, `*.ndjson` or `*.jsonl`, each also with `.gz`.
    pub file: PathBuf,
    /// Mapping file; required for CSV.
    pub mapping: Option<PathBuf>,
    /// The tenant that the file is from; `demo` when absent.
    pub tenant: Option<String>,
    /// Replaces `intent` of every row, such as `score_only` for a portfolio of existing loans.
    pub intent: Option<String>,
    /// Where refused rows are listed: CSV, or JSON when it ends in `.json`. None lists them nowhere.
    pub report: Option<PathBuf>,
    /// Rows of one transaction; 0 takes 1000.
    pub group_rows: usize,
    /// Shows no progress.
    pub quiet: bool,
}

/// The row of a file whose dead letter a record is; none for any other record. `file` is as [`run`] gives it to its last argument.
pub fn row_of(letter: &Input<'_>, file: &str) -> Option<u64> {
    let is_ours =
        letter.header_str(ce::SOURCE) == Some(&source_of(file)) && letter.header_str(dl::STAGE) == Some(STAGE);
    letter.header_str(dl::OFFSET).filter(|_| is_ours)?.parse().ok()
}

fn source_of(file: &str) -> String {
    format!("/batch/{file}")
}

/// Publishes a file. Blocks until Kafka has all of it. `set_aside` gives the rows of the file that have a dead letter already,
/// as [`row_of`] tells them; it is asked once for each name
/// that the file may have had, when the first row is refused and no earlier run of the file can write any more.
///
/// # Errors
/// [`Error`] when the file, its mapping or Kafka fails. What was published before stays; the same call goes on from anywhere.
pub fn run(
    options: &Options,
    config: &Config,
    kafka: &KafkaConfig,
    mut set_aside: impl FnMut(&str) -> Result<BTreeSet<u64>, Error>,
) -> Result<Summary, Error> {
    config.check_public_keys()?;
    let mapping = options.mapping.as_deref().map(Mapping::load).transpose()?;
    let source = Source::open(&options.file)?;
    let batch = Batch::new(options, config, kafka, source.digest(), clock::now_ms)?;
    let mut producer = Transactions::connect(kafka, &format!("ingest-batch-{}", batch.file), config.door_timeout_ms)?;
    let bar = bar(source.bytes(), options.quiet);
    let mut report = Report::create(options.report.as_deref())?;
    let group_rows = if options.group_rows == 0 { 1000 } else { options.group_rows };
    let mut group = Group::default();
    let mut before = None;
    for row in source.rows(mapping.as_ref(), options.intent.as_deref(), config.max_body_bytes)? {
        let row = row?;
        let mut records = batch.records(&row, &mut report)?;
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
            producer.write(group.records.iter().map(|record| (None, record)))?;
            bar.set_position(row.read_bytes);
            group = Group::default();
        }
    }
    if !group.records.is_empty() {
        producer.write(group.records.iter().map(|record| (None, record)))?;
    }
    bar.finish_and_clear();
    report.finish()
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

/// What every row of a file shares.
pub struct Batch {
    rules: Rules,
    tenant: TenantRule,
    topics: Topics,
    /// First digits of the file's name under the tenant's key: its digest would give away what is in it.
    file: String,
    /// What a run under another key, or of a version before, called it.
    other_names: Vec<String>,
    /// Milliseconds since 1970.
    clock: fn() -> i64,
}

impl Batch {
    /// Joins options and configuration; `file` is the digest of the file.
    ///
    /// # Errors
    /// [`Error::Config`] when the tenant is not configured.
    pub fn new(
        options: &Options,
        config: &Config,
        kafka: &KafkaConfig,
        file: &Digest,
        clock: fn() -> i64,
    ) -> Result<Self, Error> {
        let tenant = options.tenant.as_deref().unwrap_or("demo");
        let tenants = Tenants::new(config, &kafka.topic_prefix)?;
        let rule =
            tenants.named(tenant).ok_or_else(|| Error::Config(format!("tenant {tenant:?} is not configured")))?;
        let short = |name: String| name.chars().take(16).collect::<String>();
        let keys = rule.digests();
        let other_names = keys.also.iter().map(|key| key.name(file)).chain([file.to_string()]).map(short).collect();
        Ok(Self {
            rules: Rules::new(config)?,
            tenant: TenantRule::clone(rule),
            topics: Topics::new(kafka),
            file: short(keys.kept.name(file)),
            other_names,
            clock,
        })
    }

    /// The rows that a run before has set aside, whatever it called the file.
    fn set_aside(&self, ask: &mut impl FnMut(&str) -> Result<BTreeSet<u64>, Error>) -> Result<BTreeSet<u64>, Error> {
        let names = std::iter::once(&self.file).chain(&self.other_names);
        names.map(|name| ask(name)).try_fold(BTreeSet::new(), |mut all, rows| {
            all.extend(rows?);
            Ok(all)
        })
    }

    /// The records that a row becomes: intake with what belongs to it, or a dead letter with its answer and a line in the report.
    ///
    /// # Errors
    /// [`Error::File`] when the report cannot be written.
    pub fn records(&self, row: &Row, report: &mut Report) -> Result<Vec<Output>, Error> {
        report.count();
        match self.received(row) {
            Ok(taken) => {
                let place = Some((Channel::Batch.as_str(), 0, Offset::new(row.number as i64)));
                let origin = Origin { channel: Channel::Batch, place, received_at_ms: None, token: None };
                Ok(outputs::received(taken, origin, &self.topics))
            }
            Err(refusal) => {
                report.refused(row.line, &refusal, row.trouble.as_ref())?;
                Ok(vec![self.answer(row, &refusal), self.dead_letter(row, &refusal)])
            }
        }
    }

    fn received(&self, row: &Row) -> Result<Received, Box<Refusal>> {
        if let Some(trouble) = &row.trouble {
            let who = Who { tenant: self.tenant.tenant().as_str().to_owned(), ..Who::default() };
            let (reason, pointers) = match trouble {
                Trouble::TooLong { .. } => (Reason::BodyTooLarge, Vec::new()),
                Trouble::NotUtf8 => (Reason::NotUtf8, Vec::new()),
                Trouble::Width { .. } => (Reason::UnmappedRow, Vec::new()),
                Trouble::Unmapped(why) => (Reason::UnmappedRow, vec![format!("/{}", why.column)]),
            };
            return Err(Box::new(Refusal { pointers, ..Refusal::whole(reason, who) }));
        }
        let headers = self.headers(row);
        let header_of = |name: &str| headers.iter().find(|header| header.0 == name).map(|header| header.1.as_slice());
        let arrival = Arrival {
            channel: Channel::Batch,
            at_ms: (self.clock)(),
            header_of: &header_of,
            body: Some(&row.body),
            tenant: &self.tenant,
        };
        receive(&self.rules, &arrival)
    }

    fn headers(&self, row: &Row) -> Vec<(&'static str, Vec<u8>)> {
        vec![
            (ce::SPECVERSION, b"1.0".to_vec()),
            (ce::ID, format!("batch:{}:{}", self.file, row.number).into_bytes()),
            (ce::SOURCE, source_of(&self.file).into_bytes()),
            (ce::TYPE, SUBMITTED.into()),
            (ce::CONTENT_TYPE, JSON.into()),
        ]
    }

    fn answer(&self, row: &Row, refusal: &Refusal) -> Output {
        let at = |topic: String| Coordinates { topic, partition: 0, offset: row.number as i64 };
        let answers = at(format!("batch:{}", self.file));
        // A column is no place in `data`: only the report names it.
        let pointers = if row.trouble.is_some() { Vec::new() } else { refusal.pointers.clone() };
        let refusal = &Refusal { pointers, ..refusal.clone() };
        outputs::rejection(refusal, at(Channel::Batch.as_str().to_owned()), &answers, &self.topics)
    }

    fn dead_letter(&self, row: &Row, refusal: &Refusal) -> Output {
        let mut headers = self.headers(row);
        let mut detail = vec![format!("line {}", row.line), refusal.detail()];
        detail.extend(row.trouble.as_ref().map(Trouble::to_string));
        let mut body = row.body.as_slice();
        // A mapping may make a body longer than its row.
        if matches!(row.trouble, Some(Trouble::TooLong { .. })) || body.len() > self.rules.max_body_bytes {
            body = &body[..body.len().min(KEPT_BYTES)];
            detail.push(format!("cut to {} bytes", body.len()));
        }
        detail.retain(|part| !part.is_empty());
        headers.extend([
            (dl::REASON, refusal.reason.as_str().into()),
            (dl::STAGE, STAGE.into()),
            (dl::DETAIL, detail.join("; ").into_bytes()),
            (dl::TOPIC, Channel::Batch.as_str().into()),
            (dl::PARTITION, b"0".to_vec()),
            (dl::OFFSET, row.number.to_string().into_bytes()),
        ]);
        Output {
            topic: self.topics.dead_letters.clone(),
            route: Route::ByKey,
            key: None,
            payload: Some(body.to_vec()),
            headers,
        }
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
