//! The service layer of `admit`: reads what `receive` put into headers, asks the pure step, passes the record on as it is, answers.
//! Never parses a body.

use crate::admit::{Answer, Ask, Asked, Entry, Key, Times, admit, counted};
use crate::config::{Config, Equality};
use crate::data_digest::{Keyed, Secrets, TenantKeys, UnderKeys};
use crate::error::Error;
use crate::id_form::form_of;
use crate::meaning;
use crate::metrics::{Metrics, UNKNOWN};
use crate::outputs::{self, SOURCE, Topics};
use crate::refusal::Reason;
use domain::{ApplicationKey, Channel, Digest, ReplyStatus};
use runtime::clock;
use runtime::kafka::KafkaConfig;
use runtime::stream::{HandleError, Handler, Input, Outbox, Output, RecordOutcome, Route, View};
use schemas::application::WITHDRAWN;
use schemas::envelope::{Envelope, header as ce};
use schemas::event_id::event_id;
use schemas::intake::{ACCEPTED, RECEIVED, header};
use schemas::reply::{Accepted, Coordinates, Problem, Reply, Warning};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Headers that go on as they came.
const PASSED_ON: &[&str] = &[
    ce::SUBJECT,
    ce::TIME,
    ce::CORRELATION,
    ce::PARTITION_KEY,
    ce::TRACEPARENT,
    header::TENANT,
    header::DATA_DIGEST,
    header::DATA_DIGEST_KEY,
    header::ORIGIN_ID,
    header::ORIGIN_CHANNEL,
    header::ACTOR,
    header::TOKEN_ID,
    header::ORIGIN_TOPIC,
    header::ORIGIN_PARTITION,
    header::ORIGIN_OFFSET,
];

/// Deduplicates intake into applications.
pub struct AdmitHandler {
    topics: Topics,
    window_ms: i64,
    /// New entries of a tenant on a day; 0 sets no limit.
    quota: u32,
    /// What a partition takes of it.
    share: u32,
    equality: Equality,
    secrets: Secrets,
    /// Of the tenants that are configured; any other's are made when they are asked for.
    keys: BTreeMap<String, TenantKeys>,
    metrics: Metrics,
}

/// An intake record, read.
struct Intake<'i> {
    envelope: Envelope,
    tenant: &'i str,
    application_id: &'i str,
    ask: Ask,
    received_at_ms: i64,
}

impl AdmitHandler {
    /// A handler with the window, the quota and the keys of a configuration.
    ///
    /// # Errors
    /// [`Error::Config`] when a key is no good.
    pub fn new(config: &Config, kafka: &KafkaConfig, metrics: Metrics) -> Result<Self, Error> {
        let window_ms = i64::from(config.dedup_window_days) * 86_400_000;
        let secrets = Secrets::new(config)?;
        let keys = config.subject_keys.keys().map(|tenant| (tenant.clone(), secrets.of_tenant(tenant))).collect();
        let (topics, quota) = (Topics::new(kafka), config.tenant_quota_per_day);
        Ok(Self { topics, window_ms, quota, share: quota, equality: config.equality, secrets, keys, metrics })
    }

    fn keys_of(&self, tenant: &str) -> Cow<'_, TenantKeys> {
        self.keys.get(tenant).map_or_else(|| Cow::Owned(self.secrets.of_tenant(tenant)), Cow::Borrowed)
    }

    fn one(&self, input: &Input<'_>, state: &mut View<'_, Key, Entry>, out: &mut Outbox) -> RecordOutcome {
        let Some(intake) = read(input, self.equality) else { return self.malformed(input, out) };
        let key = Key::of(input.key.unwrap_or_default());
        let times =
            Times { received_at_ms: intake.received_at_ms, now_ms: input.timestamp_ms, window_ms: self.window_ms };
        let known = state.get(input.partition, &key).filter(|entry| !entry.is_expired(times.now_ms, self.window_ms));
        let (mut answer, remembered) = admit(intake.ask, times, known, &self.keys_of(intake.tenant));
        match remembered {
            Some(_) if known.is_none() && !self.may_enter(&intake, times, input.partition, state) => {
                answer = Answer::Refused(Reason::TenantQuota);
            }
            Some(entry) => state.put(input.partition, key, entry),
            None => {}
        }
        let (status, problem, outcome) = words(answer);
        match answer {
            Answer::Accepted => {
                let Ask::Application { revision, .. } = intake.ask else {
                    unreachable!("only applications are accepted")
                };
                out.emit(input, self.passed_on(input, &intake, ACCEPTED, revision));
            }
            Answer::Withdrawn { revision } => out.emit(input, self.passed_on(input, &intake, WITHDRAWN, revision)),
            Answer::Noted | Answer::Duplicate | Answer::Superseded | Answer::Refused(_) => {}
        }
        self.metrics.replied(status);
        if let Answer::Refused(reason) = answer {
            self.metrics.rejected(reason.as_str(), channel_of(input));
        }
        let accepted = known.filter(|_| is_about_what_was_accepted(answer)).and_then(accepted);
        out.emit(input, self.answer(input, &intake, (status, problem), accepted));
        outcome
    }

    /// Counts a new entry of a tenant, unless the partition's share of its quota of the day is used up. The counter is state like any other.
    fn may_enter(&self, intake: &Intake<'_>, times: Times, partition: i32, state: &mut View<'_, Key, Entry>) -> bool {
        if self.share == 0 {
            return true;
        }
        let key = Key::of_quota(intake.tenant);
        let known = state.get(partition, &key).filter(|entry| !entry.is_expired(times.now_ms, self.window_ms));
        let counter = counted(self.share, times.now_ms, known);
        if let Some(counter) = counter {
            state.put(partition, key, counter);
        }
        counter.is_some()
    }

    /// The record under its new name; body and the sender's facts untouched.
    fn passed_on(&self, input: &Input<'_>, intake: &Intake<'_>, event_type: &str, revision: u32) -> Output {
        let id = event_id(event_type, intake.tenant, intake.application_id, revision, "");
        let mut headers: Vec<(&'static str, Vec<u8>)> = Vec::with_capacity(20);
        let mut put = |name, value: &[u8]| headers.push((name, value.to_vec()));
        put(ce::SPECVERSION, b"1.0");
        put(ce::ID, id.to_string().as_bytes());
        put(ce::SOURCE, SOURCE.as_bytes());
        put(ce::TYPE, event_type.as_bytes());
        put(ce::CONTENT_TYPE, schemas::envelope::JSON.as_bytes());
        put(ce::CAUSATION, intake.envelope.id.as_bytes());
        put(header::REVISION, revision.to_string().as_bytes());
        put(header::RECEIVED_AT, intake.received_at_ms.to_string().as_bytes());
        for (name, value) in input.headers() {
            if let (Some(known), Some(value)) = (PASSED_ON.iter().find(|known| **known == name), value) {
                put(known, value);
            }
        }
        Output {
            topic: self.topics.applications.clone(),
            route: Route::Same,
            key: input.key.map(<[u8]>::to_vec),
            payload: input.payload.map(<[u8]>::to_vec),
            headers,
        }
    }

    fn answer(
        &self,
        input: &Input<'_>,
        intake: &Intake<'_>,
        (status, problem): (ReplyStatus, Option<&str>),
        accepted: Option<Accepted>,
    ) -> Output {
        let here = self.here(input);
        if let Some(form) = form_of(intake.application_id) {
            let tenant = self.keys.get_key_value(intake.tenant).map_or(UNKNOWN, |(tenant, _)| tenant);
            self.metrics.id_like_a_person(tenant, form);
        }
        let told: Vec<Warning> = input
            .header(header::ATTRIBUTE_WARNINGS)
            .and_then(|told| serde_json::from_slice(told).ok())
            .unwrap_or_default();
        let body = Reply {
            status: status.into(),
            tenant: Some(intake.tenant.to_owned()),
            application_id: Some(intake.application_id.to_owned()),
            revision: match intake.ask {
                Ask::Application { revision, .. } => Some(revision),
                Ask::Withdrawal => None,
            },
            origin_id: input.header_str(header::ORIGIN_ID).map(str::to_owned),
            origin: origin(input).unwrap_or_else(|| here.clone()),
            problem: problem.map(|word| Problem {
                kind: word.to_owned(),
                pointers: Vec::new(),
                attributes: Vec::new(),
                faults: outputs::faults_of(word),
            }),
            accepted,
            warnings: outputs::warnings_with(intake.application_id, &told),
            warning_details: told,
        };
        outputs::reply(&body, &intake.envelope, &here, &self.topics)
    }

    /// Something else than `receive` wrote into intake. Whoever it was gets an answer all the same.
    fn malformed(&self, input: &Input<'_>, out: &mut Outbox) -> RecordOutcome {
        let reason = Reason::MalformedIntake.as_str();
        let here = self.here(input);
        let body = Reply {
            status: ReplyStatus::Rejected.into(),
            tenant: None,
            application_id: None,
            revision: None,
            origin_id: None,
            origin: here.clone(),
            problem: Some(Problem {
                kind: reason.to_owned(),
                pointers: Vec::new(),
                attributes: Vec::new(),
                faults: outputs::faults_of(reason),
            }),
            accepted: None,
            warnings: Vec::new(),
            warning_details: Vec::new(),
        };
        self.metrics.replied(ReplyStatus::Rejected);
        self.metrics.rejected(reason, None);
        out.emit(input, outputs::reply(&body, &Envelope::default(), &here, &self.topics));
        Reason::MalformedIntake.outcome(String::new())
    }

    fn here(&self, input: &Input<'_>) -> Coordinates {
        let topic = self.topics.base(input.topic).to_owned();
        Coordinates { topic, partition: input.partition, offset: input.offset.get() }
    }
}

impl Handler for AdmitHandler {
    type Key = Key;
    type Value = Entry;

    fn handle(
        &mut self,
        block: &[Input<'_>],
        state: &mut View<'_, Key, Entry>,
        out: &mut Outbox,
    ) -> Result<(), HandleError> {
        for input in block {
            let outcome = self.one(input, state, out);
            out.outcome(outcome);
        }
        Ok(())
    }

    /// The application topic does not take what intake took: its sender is told, and nothing is remembered.
    fn unproducible(
        &mut self,
        record: &Input<'_>,
        _: &mut View<'_, Key, Entry>,
        out: &mut Outbox,
    ) -> Result<(), HandleError> {
        let outcome = match read(record, self.equality) {
            None => self.malformed(record, out),
            Some(intake) => {
                let reason = Reason::BodyTooLarge;
                self.metrics.replied(ReplyStatus::Rejected);
                self.metrics.rejected(reason.as_str(), channel_of(record));
                let said = (ReplyStatus::Rejected, Some(reason.as_str()));
                out.emit(record, self.answer(record, &intake, said, None));
                reason.outcome(String::new())
            }
        };
        out.outcome(outcome);
        Ok(())
    }

    fn spread_over(&mut self, partitions: i32) {
        self.share = self.quota.div_ceil(partitions.max(1).unsigned_abs());
    }

    fn expired(&self, value: &Entry, now_ms: i64) -> bool {
        value.is_expired(now_ms, self.window_ms)
    }
}

/// Status and problem of the reply, and the outcome of the record.
fn words(answer: Answer) -> (ReplyStatus, Option<&'static str>, RecordOutcome) {
    let done = |status: ReplyStatus, problem| (status, problem, RecordOutcome::Done(status.as_str()));
    match answer {
        Answer::Accepted => done(ReplyStatus::Accepted, None),
        Answer::Withdrawn { .. } => (ReplyStatus::Accepted, None, RecordOutcome::Done("withdrawn")),
        Answer::Noted => (ReplyStatus::Accepted, None, RecordOutcome::Done("withdrawal_noted")),
        Answer::Duplicate => done(ReplyStatus::Duplicate, None),
        Answer::Superseded => done(ReplyStatus::Superseded, Some(ReplyStatus::Superseded.as_str())),
        Answer::Refused(reason) => {
            let status = if reason == Reason::Conflict { ReplyStatus::Conflict } else { ReplyStatus::Rejected };
            let outcome = reason.outcome(String::new());
            (status, Some(reason.as_str()), outcome)
        }
    }
}

/// Whether an answer is given because of what was accepted before.
fn is_about_what_was_accepted(answer: Answer) -> bool {
    match answer {
        Answer::Duplicate | Answer::Superseded | Answer::Refused(Reason::Conflict | Reason::Withdrawn) => true,
        Answer::Accepted | Answer::Withdrawn { .. } | Answer::Noted | Answer::Refused(_) => false,
    }
}

/// What is known of the accepted body; none where a withdrawal came first. The entry of a withdrawn application has the time of the
/// withdrawal.
fn accepted(entry: Entry) -> Option<Accepted> {
    let received_at = || clock::rfc3339(clock::time_of_ms(i64::from(entry.received_at_s()) * 1000));
    (entry.revision() > 0)
        .then(|| Accepted { revision: entry.revision(), received_at: (!entry.is_withdrawn()).then(received_at) })
}

fn read<'i>(input: &Input<'i>, by: Equality) -> Option<Intake<'i>> {
    let (tenant, application_id) = ApplicationKey::split(std::str::from_utf8(input.key?).ok()?)?;
    input.payload?;
    let envelope = Envelope::from_headers(|name| input.header(name)).ok()?;
    let ask = match envelope.event_type.as_str() {
        RECEIVED => Ask::Application {
            revision: input.header_str(header::REVISION)?.parse().ok().filter(|n| (1..=i32::MAX as u32).contains(n))?,
            body: body(input, by)?,
        },
        WITHDRAWN => Ask::Withdrawal,
        _ => return None,
    };
    let received_at_ms = match input.header_str(header::RECEIVED_AT) {
        Some(text) => text.parse().ok()?,
        None => input.timestamp_ms,
    };
    Some(Intake { envelope, tenant, application_id, ask, received_at_ms })
}

/// The digests of a record's body; none where they are not what `receive` writes.
fn body(input: &Input<'_>, by: Equality) -> Option<Asked> {
    let digest = Digest::parse(input.header_str(header::DATA_DIGEST)?).ok()?;
    let Some(key_id) = input.header_str(header::DATA_DIGEST_KEY) else { return Some(Asked::Unkeyed(digest.short())) };
    let also = input.header_str(header::DATA_DIGEST_ALSO).map_or(Some(None), |joined| keyed(joined).map(Some))?;
    let meant = match meaning(input, header::MEANING_DIGEST)? {
        None => None,
        Some(kept) => Some(UnderKeys { kept, also: meaning(input, header::MEANING_DIGEST_ALSO)? }),
    };
    Some(Asked::Keyed { sent: UnderKeys { kept: Keyed::of(key_id, &digest.0), also }, meant, by })
}

/// `key id:digest`.
fn keyed(joined: &str) -> Option<Keyed> {
    let (key_id, digest) = joined.split_once(':')?;
    Some(Keyed::of(key_id, &Digest::parse(digest).ok()?.0))
}

/// The digest of a shortest spelling, where there is one of a form that is known here.
fn meaning(input: &Input<'_>, name: &str) -> Option<Option<Keyed>> {
    let Some(joined) = input.header_str(name) else { return Some(None) };
    let (form, joined) = joined.split_once(':')?;
    let is_known = form.parse::<u32>().ok()? == meaning::FORM;
    let keyed = keyed(joined)?;
    Some(is_known.then_some(keyed))
}

/// How the sender's record came; none where its header does not say so in a word that is known here.
fn channel_of(input: &Input<'_>) -> Option<Channel> {
    input.header_str(header::ORIGIN_CHANNEL).and_then(Channel::parse)
}

/// Where the sender's record stands. Through the door there was none: the intake record's own place says which one it is.
fn origin(input: &Input<'_>) -> Option<Coordinates> {
    if channel_of(input) == Some(Channel::Http) {
        let topic = Channel::Http.as_str().to_owned();
        return Some(Coordinates { topic, partition: input.partition, offset: input.offset.get() });
    }
    Some(Coordinates {
        topic: input.header_str(header::ORIGIN_TOPIC)?.to_owned(),
        partition: input.header_str(header::ORIGIN_PARTITION)?.parse().ok()?,
        offset: input.header_str(header::ORIGIN_OFFSET)?.parse().ok()?,
    })
}
