//! A file of applications through the same door as everything else: CSV by a mapping, or NDJSON, gzipped or not. Rows that are
//! refused become dead letters, are answered, and are listed with their line. Event ids come from the file's keyed digest and the
//! row, so that running it twice publishes nothing new: `admit` answers `duplicate`, and what is set aside stays set aside once.
//!
//! [`rows`] reads the file with a [bound](bounded) on each row, [`report`] lists what was refused; here the rows are received and published in groups.
//! [`judge`] does all of it but publish, [`inspect`] proposes a mapping of a file that nobody has seen yet.

mod bounded;
pub mod inspect;
pub mod report;
pub mod rows;

use crate::config::Config;
use crate::error::Error;
use crate::mapping::{Mapping, RowRejected};
use crate::outputs::{self, Origin, Topics};
use crate::receive::{Arrival, Content, Received, receive};
use crate::refusal::{Fault, Reason, Refusal, Who};
use crate::rules::{Rules, TenantRule, Tenants};
use domain::{Channel, Digest, Intent};
use indicatif::{ProgressBar, ProgressStyle};
use report::{RefusedRow, Report, RowFault, Summary, Verdict, pointers};
use rows::{Row, Source, Trouble};
use runtime::clock;
use runtime::kafka::KafkaConfig;
use runtime::stream::dead_letter_header as dl;
use runtime::stream::{Input, Offset, Output, Route, Transactions};
use schemas::application::SUBMITTED;
use schemas::envelope::{JSON, header as ce};
use schemas::reply::Coordinates;
use serde::Deserialize;
use std::borrow::Cow;
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
    /// `*.csv`, `*.tsv`, `*.txt`, `*.ndjson` or `*.jsonl`, each also with `.gz`.
    pub file: PathBuf,
    /// Mapping file; required for CSV.
    pub mapping: Option<PathBuf>,
    /// The tenant that the file is from; `demo` when absent.
    pub tenant: Option<String>,
    /// Replaces `intent` of every row, such as `score_only` for a portfolio of existing loans.
    pub intent: Option<String>,
    /// Where refused rows are listed: CSV, or JSON when it ends in `.json`. None lists them nowhere.
    pub report: Option<PathBuf>,
    /// Correlation id of whatever comes of this run, so that its replies are told from those of another run of the file.
    pub run: Option<String>,
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
        let Options { intent, report, quiet, .. } = self.options;
        let rows = self.source.rows(self.mapping.as_ref(), intent.as_deref(), self.config.max_body_bytes)?;
        let mut report = Report::create(report.as_deref())?;
        let bar = bar(self.source.bytes(), *quiet);
        for row in rows {
            let row = row?;
            let (records, verdict) = self.batch.judged(&row);
            report.enter(&verdict)?;
            told(verdict)?;
            each(&row, records, &bar)?;
        }
        bar.finish_and_clear();
        report.finish()
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

/// A row that is not published, and everything that is wrong with it.
struct Rejected {
    refusal: Box<Refusal>,
    faults: Vec<RowFault>,
}

/// What `receive` found, each with the column that fills the place.
fn faults(refusal: &Refusal, sources: &[(String, String)]) -> Vec<RowFault> {
    let told = |fault: &Fault| {
        let fills = |place: &str| is_within(&fault.pointer, place);
        let column = sources.iter().find(|(place, _)| fills(place)).map(|(_, column)| column.clone());
        let (reason, why) = (fault.reason.as_str().to_owned(), fault.told().detail);
        RowFault { reason, pointer: fault.pointer.clone(), column, why }
    };
    refusal.faults.iter().map(told).collect()
}

/// Whether a pointer is at a place or below it.
fn is_within(pointer: &str, place: &str) -> bool {
    pointer.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a body asks for a score and for no decision.
fn is_only_scored(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Asked<'a> {
        #[serde(borrow)]
        intent: Cow<'a, str>,
    }
    serde_json::from_slice::<Asked<'_>>(body).is_ok_and(|asked| asked.intent == Intent::ScoreOnly.as_str())
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
    /// What events of this run carry as their correlation id.
    run: Option<String>,
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
            run: options.run.clone(),
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

    /// The records that a row becomes: intake with what belongs to it, or a dead letter with its answer and its faults in the report.
    ///
    /// # Errors
    /// [`Error::File`] when the report cannot be written.
    pub fn records(&self, row: &Row, report: &mut Report) -> Result<Vec<Output>, Error> {
        let (records, verdict) = self.judged(row);
        report.enter(&verdict).map(|()| records)
    }

    fn judged(&self, row: &Row) -> (Vec<Output>, Verdict) {
        let (line, number, is_only_scored) = (row.line, row.number, is_only_scored(&row.body));
        match self.received(row) {
            Ok(taken) => {
                let revision = match &taken.content {
                    Content::Application { revision, .. } => Some(revision.get()),
                    Content::Withdrawal { .. } => None,
                };
                let application_id = Some(taken.application_id.clone());
                let place = Some((Channel::Batch.as_str(), 0, Offset::new(row.number as i64)));
                let origin = Origin { channel: Channel::Batch, place, received_at_ms: None, token: None };
                let records = outputs::received(taken, origin, &self.topics);
                (records, Verdict { line, number, application_id, revision, is_only_scored, refused: None })
            }
            Err(Rejected { refusal, faults }) => {
                let application_id = refusal.who.application_id.clone().or_else(|| row.application_id.clone());
                let revision = refusal.who.revision;
                let refused = RefusedRow::new(line, application_id.clone(), faults, row.trouble.as_ref());
                let records = vec![self.answer(row, &refusal), self.dead_letter(row, &refusal)];
                (records, Verdict { line, number, application_id, revision, is_only_scored, refused: Some(refused) })
            }
        }
    }

    fn received(&self, row: &Row) -> Result<Received, Rejected> {
        let Some(trouble) = &row.trouble else {
            return self.received_body(row, &row.body).map_err(|refusal| {
                let faults = faults(&refusal, &row.sources);
                Rejected { refusal, faults }
            });
        };
        let who = Who { tenant: self.tenant.tenant().as_str().to_owned(), ..Who::default() };
        let (reason, cells, stand_in) = match trouble {
            Trouble::TooLong { .. } => (Reason::BodyTooLarge, &[][..], None),
            Trouble::NotText { .. } => (Reason::NotUtf8, &[][..], None),
            Trouble::Width { .. } => (Reason::UnmappedRow, &[][..], None),
            Trouble::Unmapped(RowRejected { cells, stand_in }) => {
                (Reason::UnmappedRow, cells.as_slice(), Some(stand_in))
            }
        };
        // What else is wrong with the row is told as well. The places of the cells themselves are spoken for.
        let stand_in = stand_in.map(|data| serde_json::to_vec(data).expect("a document is plain data"));
        let also = stand_in.and_then(|body| self.received_body(row, &body).err());
        let mut told = RowFault::of_trouble(reason.as_str(), trouble);
        let others = also.iter().flat_map(|also| faults(also, &row.sources));
        told.extend(others.filter(|fault| !cells.iter().any(|cell| is_within(&fault.pointer, &cell.pointer))));
        let pointers = pointers(&told);
        let who = also.map_or(who, |also| also.who);
        Err(Rejected { refusal: Box::new(Refusal { pointers, ..Refusal::whole(reason, who) }), faults: told })
    }

    fn received_body(&self, row: &Row, body: &[u8]) -> Result<Received, Box<Refusal>> {
        let headers = self.headers(row);
        let header_of = |name: &str| headers.iter().find(|header| header.0 == name).map(|header| header.1.as_slice());
        let arrival = Arrival {
            channel: Channel::Batch,
            at_ms: (self.clock)(),
            header_of: &header_of,
            body: Some(body),
            tenant: &self.tenant,
        };
        receive(&self.rules, &arrival)
    }

    fn headers(&self, row: &Row) -> Vec<(&'static str, Vec<u8>)> {
        let mut headers = vec![
            (ce::SPECVERSION, b"1.0".to_vec()),
            (ce::ID, format!("batch:{}:{}", self.file, row.number).into_bytes()),
            (ce::SOURCE, source_of(&self.file).into_bytes()),
            (ce::TYPE, SUBMITTED.into()),
            (ce::CONTENT_TYPE, JSON.into()),
        ];
        headers.extend(self.run.iter().map(|run| (ce::CORRELATION, run.clone().into_bytes())));
        headers
    }

    fn answer(&self, row: &Row, refusal: &Refusal) -> Output {
        let at = |topic: String| Coordinates { topic, partition: 0, offset: row.number as i64 };
        let answers = at(format!("batch:{}", self.file));
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
