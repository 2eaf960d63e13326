//! A row is received as every other record is: it becomes intake with what belongs to it, or a dead letter with its answer.

use super::fault::{RowFault, is_within, pointers};
use super::options::Options;
use super::report::{RefusedRow, Report, Verdict};
use super::rows::{Row, Trouble};
use crate::config::Config;
use crate::error::Error;
use crate::mapping::RowRejected;
use crate::outputs::{self, Origin, Topics};
use crate::receive::{Arrival, Content, Received, receive};
use crate::refusal::{Reason, Refusal, Who};
use crate::rules::{Rules, TenantRule, Tenants};
use domain::{Channel, Digest, Intent};
use runtime::kafka::KafkaConfig;
use runtime::stream::dead_letter_header as dl;
use runtime::stream::{Input, Offset, Output, Route};
use schemas::application::SUBMITTED;
use schemas::envelope::{JSON, header as ce};
use schemas::reply::Coordinates;
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Bytes that a dead letter keeps of a row over the bound. The file itself is at hand, and a topic takes no more than a body.
const KEPT_BYTES: usize = 64 << 10;

/// `dl_stage` of a row's dead letter.
const STAGE: &str = "batch";

/// The row of a file whose dead letter a record is; none for any other record. `file` is as [`super::run`] gives it to its last argument.
pub fn row_of(letter: &Input<'_>, file: &str) -> Option<u64> {
    let is_ours =
        letter.header_str(ce::SOURCE) == Some(&source_of(file)) && letter.header_str(dl::STAGE) == Some(STAGE);
    letter.header_str(dl::OFFSET).filter(|_| is_ours)?.parse().ok()
}

fn source_of(file: &str) -> String {
    format!("/batch/{file}")
}

/// A row that is not published, and everything that is wrong with it.
struct Rejected {
    refusal: Box<Refusal>,
    faults: Vec<RowFault>,
}

/// Says where a tenant would be configured, and which are.
fn unknown(tenant: &str, config: &Config) -> Error {
    let known: Vec<&str> = config.subject_keys.keys().map(String::as_str).collect();
    let known = if known.is_empty() { "none is".to_owned() } else { format!("those that are: {}", known.join(", ")) };
    Error::Config(format!("tenant {tenant:?} is not configured in [ingest.subject_keys]; {known}"))
}

/// What a row becomes.
pub(super) struct Judged {
    pub(super) records: Vec<Output>,
    pub(super) verdict: Verdict,
    /// Of an application that is taken: the digest of what it says.
    pub(super) content: Option<String>,
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
    pub(super) topics: Topics,
    /// First digits of the file's name under the tenant's key: its digest would give away what is in it.
    pub(super) file: String,
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
        let rule = tenants.named(tenant).ok_or_else(|| unknown(tenant, config))?;
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
    pub(super) fn set_aside(
        &self,
        ask: &mut impl FnMut(&str) -> Result<BTreeSet<u64>, Error>,
    ) -> Result<BTreeSet<u64>, Error> {
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
        let Judged { records, verdict, .. } = self.judged(row);
        report.enter(&verdict).map(|()| records)
    }

    pub(super) fn judged(&self, row: &Row) -> Judged {
        let (line, number, is_only_scored) = (row.line, row.number, is_only_scored(&row.body));
        match self.received(row) {
            Ok(taken) => {
                let revision = match &taken.content {
                    Content::Application { revision, digest, .. } => {
                        Some((revision.get(), digest.meant.as_ref().unwrap_or(&digest.sent).kept.digest.clone()))
                    }
                    Content::Withdrawal { .. } => None,
                };
                let (revision, content) = revision.unzip();
                let application_id = Some(taken.application_id.clone());
                let words = outputs::warnings(application_id.as_deref());
                let mut warnings: Vec<RowFault> =
                    words.iter().map(|word| RowFault::of_id(word, &row.sources)).collect();
                let told = taken.warnings.as_deref().map(|told| RowFault::of_warnings(told, &row.sources));
                warnings.extend(told.into_iter().flatten());
                let place = Some((Channel::Batch.as_str(), 0, Offset::new(row.number as i64)));
                let origin = Origin { channel: Channel::Batch, place, received_at_ms: None, token: None };
                let records = outputs::received(taken, origin, &self.topics);
                let (refused, conflict) = (None, None);
                let verdict =
                    Verdict { line, number, application_id, revision, is_only_scored, refused, warnings, conflict };
                Judged { records, verdict, content }
            }
            Err(Rejected { refusal, faults }) => {
                let application_id = refusal.who.application_id.clone().or_else(|| row.application_id.clone());
                let revision = refusal.who.revision;
                let refused = Some(RefusedRow::new(line, application_id.clone(), faults, row.trouble.as_ref()));
                let records = vec![self.answer(row, &refusal), self.dead_letter(row, &refusal)];
                let (warnings, conflict) = (Vec::new(), None);
                let verdict =
                    Verdict { line, number, application_id, revision, is_only_scored, refused, warnings, conflict };
                Judged { records, verdict, content: None }
            }
        }
    }

    fn received(&self, row: &Row) -> Result<Received, Rejected> {
        let Some(trouble) = &row.trouble else {
            return self.received_body(row, &row.body).map_err(|refusal| {
                let faults = RowFault::of_refusal(&refusal, &row.sources);
                Rejected { refusal, faults }
            });
        };
        let who = Who { tenant: self.tenant.tenant().as_str().to_owned(), ..Who::default() };
        let (reason, cells, stand_in) = match trouble {
            Trouble::TooLong { .. } => (Reason::BodyTooLarge, &[][..], None),
            Trouble::NotText { .. } => (Reason::NotUtf8, &[][..], None),
            Trouble::Width { .. } | Trouble::OpenQuote { .. } | Trouble::QuoteAstray { .. } => {
                (Reason::UnmappedRow, &[][..], None)
            }
            Trouble::Unmapped(RowRejected { cells, stand_in }) => {
                (Reason::UnmappedRow, cells.as_slice(), Some(stand_in))
            }
        };
        // What else is wrong with the row is told as well. The places of the cells themselves are spoken for.
        let stand_in = stand_in.map(|data| serde_json::to_vec(data).expect("a document is plain data"));
        let also = stand_in.and_then(|body| self.received_body(row, &body).err());
        let mut told = RowFault::of_trouble(reason.as_str(), trouble);
        let others = also.iter().flat_map(|also| RowFault::of_refusal(also, &row.sources));
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
