//! The service layer: decode → decide → encode → outcome. The only file that meets both records and decisions; holds no rule.

use crate::decide;
use crate::in_force::{CODEC, Entry, Kept};
use crate::library::Library;
use crate::metrics::Metrics;
use crate::salvage::{self, Outside, Salvaged};
use catalog::{Asked, InForce, Slot};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{Intent, Outcome};
use policy::Compiled;
use runtime::stream::{HandleError, Handler, Input, Outbox, Output, RecordOutcome, Route, UNPRODUCIBLE, View};
use schemas::application::{WITHDRAWN, Withdrawal};
use schemas::control::{Activation, OTHER_DIGEST};
use schemas::decision::{Decision, MADE};
use schemas::envelope::{Envelope, header};
use schemas::event_id::{coordinates_id, event_id};
use schemas::intake::header as extension;
use schemas::risk::{COMPUTED, RiskEvent, SHADOW_COMPUTED};
use std::sync::Arc;

/// `ce_source` of everything that this worker says.
pub const SOURCE: &str = "/defaultx/decision";

/// The decision worker, behind the one loop.
pub struct DecisionHandler {
    library: Library,
    decisions: Arc<str>,
    clock: fn() -> DateTime<Utc>,
    metrics: Metrics,
}

/// What becomes of one record.
enum Answer {
    Decided(Box<Decision>),
    Nothing(&'static str),
    DeadLetter { reason: &'static str, detail: String },
}

impl DecisionHandler {
    /// A handler that writes to the topic `decisions` (with prefix) and takes `decided_at` from `clock`.
    pub fn new(library: Library, decisions: Arc<str>, clock: fn() -> DateTime<Utc>, mut metrics: Metrics) -> Self {
        metrics.in_force(library.default_policy().map(|policy| &**policy).into_iter());
        Self { library, decisions, clock, metrics }
    }

    /// The policy in force in a partition, as of the block in hand.
    fn policy_of(&mut self, partition: i32, state: &View<'_, Kept, Entry>) -> Result<Arc<Compiled>, HandleError> {
        match state.get(partition, &Kept(Slot::Policy)) {
            Some(Entry(in_force)) => self.demanded(&in_force),
            None => self.library.default_policy().map(Arc::clone).ok_or_else(|| {
                HandleError::NotReady("no policy was activated, and default_policy is not in policy_dir".to_owned())
            }),
        }
    }

    fn demanded(&mut self, wanted: &InForce) -> Result<Arc<Compiled>, HandleError> {
        self.library.demanded(wanted).map_err(|why| HandleError::NotReady(why.to_string()))
    }

    /// Puts a policy in force from this record on, or says why that may never be.
    fn switch(
        &mut self,
        partition: i32,
        asked: Asked,
        state: &mut View<'_, Kept, Entry>,
    ) -> Result<RecordOutcome, HandleError> {
        let known = |slot: &Slot| state.get(partition, &Kept(slot.clone())).map(|Entry(known)| known);
        if let Err(other) = asked.check(known) {
            return Ok(RecordOutcome::Refused { reason: OTHER_DIGEST, detail: other.to_string() });
        }
        self.demanded(&asked.in_force)?;
        for (slot, in_force) in asked.entries() {
            state.put(partition, Kept(slot), Entry(in_force));
        }
        Ok(RecordOutcome::Done("activated"))
    }

    fn emit(&mut self, input: &Input<'_>, cause: &Envelope, decision: &Decision, policy: &Compiled, out: &mut Outbox) {
        let application = &decision.application;
        let (tenant, id) = (application.tenant.as_str(), application.application_id.as_str());
        let number = decision.decision_number.to_string();
        let mut event = cause.child(SOURCE, MADE, event_id(MADE, tenant, id, application.revision, &number));
        event.time = Some(decision.decided_at.clone());
        let mut headers = event.to_headers();
        headers.push((extension::TENANT, tenant.as_bytes().to_vec()));
        headers.push((extension::REVISION, application.revision.to_string().into_bytes()));
        let mut payload = Vec::with_capacity(2048);
        // A decision holds strings, integers and finite numbers: there is nothing in it that JSON cannot hold.
        serde_json::to_writer(&mut payload, decision).expect("a decision is always JSON");
        let key = input.key.map(<[u8]>::to_vec).or_else(|| Some(format!("{tenant}|{id}").into_bytes()));
        let topic = Arc::clone(&self.decisions);
        out.emit(input, Output { topic, route: Route::Same, key, payload: Some(payload), headers });

        let product = policy.products().find(|known| *known == decision.product);
        self.metrics.decided(product, decision.outcome.known(), decision.step.known());
        if let Some(referral) = &decision.referral {
            self.metrics.referred(product, referral.known());
        }
    }
}

impl Handler for DecisionHandler {
    type Key = Kept;
    type Value = Entry;

    fn handle(
        &mut self,
        block: &[Input<'_>],
        state: &mut View<'_, Kept, Entry>,
        out: &mut Outbox,
    ) -> Result<(), HandleError> {
        let now = (self.clock)();
        let decided_at = decide::timestamp(now);
        let mut policies: Vec<(i32, Arc<Compiled>)> = Vec::new();
        for input in block {
            let known = policies.iter().find(|(partition, _)| *partition == input.partition);
            let policy = match known.map(|(_, policy)| Arc::clone(policy)) {
                Some(policy) => policy,
                None => {
                    let policy = self.policy_of(input.partition, state)?;
                    policies.push((input.partition, Arc::clone(&policy)));
                    policy
                }
            };
            let (cause, answer) = answer(input, &policy, &decided_at);
            let record_outcome = match answer {
                Answer::Decided(decision) => {
                    if let Some(waited) = waited(&decision, now) {
                        self.metrics.took(waited);
                    }
                    self.emit(input, &cause, &decision, &policy, out);
                    RecordOutcome::Done(decision.outcome.known().map_or("decided", Outcome::as_str))
                }
                Answer::Nothing(word) => RecordOutcome::Done(word),
                Answer::DeadLetter { reason, detail } => RecordOutcome::DeadLetter { reason, detail },
            };
            out.outcome(record_outcome);
        }
        let mut shown: Vec<&Compiled> = policies.iter().map(|(_, policy)| &**policy).collect();
        shown.sort_by_key(|policy| policy.digest());
        shown.dedup_by_key(|policy| policy.digest());
        self.metrics.in_force(shown.into_iter());
        Ok(())
    }

    /// Nobody goes unanswered: where a decision is too large, a referral says whose application it is, and nothing else of it.
    fn unproducible(
        &mut self,
        record: &Input<'_>,
        state: &mut View<'_, Kept, Entry>,
        out: &mut Outbox,
    ) -> Result<(), HandleError> {
        let policy = self.policy_of(record.partition, state)?;
        let decided_at = decide::timestamp((self.clock)());
        let mut bodiless = *record;
        bodiless.payload = None;
        let (cause, answer) = answer(&bodiless, &policy, &decided_at);
        let record_outcome = match answer {
            Answer::Decided(decision) => {
                self.emit(record, &cause, &decision, &policy, out);
                RecordOutcome::Done(decision.outcome.known().map_or("decided", Outcome::as_str))
            }
            Answer::Nothing(_) | Answer::DeadLetter { .. } => {
                RecordOutcome::DeadLetter { reason: UNPRODUCIBLE, detail: String::new() }
            }
        };
        out.outcome(record_outcome);
        Ok(())
    }

    fn is_demanding(&self) -> bool {
        true
    }

    fn lacks(&mut self, Kept(slot): &Kept, Entry(wanted): &Entry) -> Option<String> {
        match slot {
            Slot::Policy => self.library.demanded(wanted).err().map(|why| why.to_string()),
            Slot::Version(..) | Slot::Route | Slot::Model(_) => None,
        }
    }

    fn control(
        &mut self,
        record: &Input<'_>,
        state: &mut View<'_, Kept, Entry>,
        out: &mut Outbox,
    ) -> Result<(), HandleError> {
        let body = record.payload.unwrap_or_default();
        out.outcome(match serde_json::from_slice::<Activation>(body) {
            Ok(activation) => match (activation.fault(), Asked::of(activation)) {
                (Some(fault), _) => RecordOutcome::DeadLetter { reason: "bad_activation", detail: fault.to_owned() },
                (None, Some(asked)) if CODEC.keeps(asked.kind) => self.switch(record.partition, asked, state)?,
                (None, _) => RecordOutcome::Done("control_ignored"),
            },
            Err(error) => RecordOutcome::DeadLetter { reason: "bad_activation", detail: place_of(&error) },
        });
        Ok(())
    }
}

/// How long the application waited; `None` where the decision does not know when it was received.
fn waited(decision: &Decision, now: DateTime<Utc>) -> Option<TimeDelta> {
    let received_at = &decision.times.as_ref()?.received_at;
    DateTime::parse_from_rfc3339(received_at).ok().map(|at| now - at.to_utc())
}

/// What one record gets, and the envelope that its answer descends from.
fn answer(input: &Input<'_>, policy: &Compiled, decided_at: &str) -> (Envelope, Answer) {
    let headers = input.headers();
    let header_of = |name: &str| headers.iter().rev().find(|(key, _)| *key == name).and_then(|(_, value)| *value);
    let revision = header_of(extension::REVISION).and_then(|bytes| std::str::from_utf8(bytes).ok());
    let outside = Outside { key: input.key, revision };
    let cause = match Envelope::from_headers(header_of) {
        Ok(envelope) => envelope,
        Err(problem) => match stand_in(input, header_of(header::TYPE)) {
            Some(envelope) => envelope,
            None => {
                let detail = problem.to_string();
                return (Envelope::default(), Answer::DeadLetter { reason: "bad_envelope", detail });
            }
        },
    };
    let answer = match cause.event_type.as_str() {
        COMPUTED => on_score(input, &cause, outside, policy, decided_at),
        WITHDRAWN => on_withdrawal(input, outside, policy, decided_at),
        SHADOW_COMPUTED => Answer::Nothing("shadow_ignored"),
        _ => Answer::DeadLetter { reason: "unknown_type", detail: "ce_type is none that this worker reads".to_owned() },
    };
    (cause, answer)
}

/// Damaged headers are no reason to leave an application of ours without an answer.
fn stand_in(input: &Input<'_>, event_type: Option<&[u8]>) -> Option<Envelope> {
    let event_type = [COMPUTED, WITHDRAWN].into_iter().find(|known| event_type == Some(known.as_bytes()))?;
    let (tenant, application_id) = salvage::identity(input.key)?;
    Some(Envelope {
        id: coordinates_id(event_type, input.topic, input.partition, input.offset.get()).to_string(),
        source: SOURCE.to_owned(),
        event_type: event_type.to_owned(),
        subject: Some(application_id.to_owned()),
        partition_key: Some(format!("{tenant}|{application_id}")),
        ..Envelope::default()
    })
}

fn on_score(input: &Input<'_>, cause: &Envelope, outside: Outside<'_>, policy: &Compiled, decided_at: &str) -> Answer {
    let payload = input.payload.unwrap_or_default();
    match serde_json::from_slice::<RiskEvent>(payload) {
        Ok(event) if !salvage::is_about(&event.application, outside) => {
            salvaged(input, outside, policy, decided_at, "names another application")
        }
        Ok(event) if event.intent.is(Intent::ScoreOnly) => Answer::Nothing(Intent::ScoreOnly.as_str()),
        Ok(event) => Answer::Decided(Box::new(decide::on_score(event, &cause.id, policy, decided_at))),
        Err(error) => salvaged(input, outside, policy, decided_at, &place_of(&error)),
    }
}

fn salvaged(input: &Input<'_>, outside: Outside<'_>, policy: &Compiled, decided_at: &str, problem: &str) -> Answer {
    tracing::warn!(partition = input.partition, offset = input.offset.get(), problem, "score event unreadable");
    match salvage::salvage(input.payload, outside, policy, decided_at) {
        Salvaged::ScoreOnly => Answer::Nothing(Intent::ScoreOnly.as_str()),
        Salvaged::Referral(decision) => Answer::Decided(decision),
        Salvaged::Unidentified => Answer::DeadLetter { reason: "unidentified", detail: problem.to_owned() },
    }
}

fn on_withdrawal(input: &Input<'_>, outside: Outside<'_>, policy: &Compiled, decided_at: &str) -> Answer {
    let parsed = input.payload.and_then(|bytes| serde_json::from_slice::<Withdrawal>(bytes).ok());
    let keyed = || {
        let (tenant, application_id) = salvage::identity(input.key)?;
        let (tenant, application_id) = (tenant.to_owned(), application_id.to_owned());
        Some(Withdrawal { tenant, application_id, withdrawn_at: String::new(), reason: None })
    };
    let Some(withdrawal) = parsed.or_else(keyed) else {
        return Answer::DeadLetter {
            reason: "unidentified",
            detail: "neither body nor key name an application".to_owned(),
        };
    };
    // A withdrawal ends the application, not one revision of it; where ingest does not say which was the last, the first.
    let revision = outside.revision.and_then(|text| text.parse().ok()).unwrap_or(1);
    Answer::Decided(Box::new(decide::on_withdrawal(&withdrawal, revision, policy, decided_at)))
}

/// Where JSON stopped being readable; the text of the error may quote values, so it is not kept.
fn place_of(error: &serde_json::Error) -> String {
    format!("line {} column {}", error.line(), error.column())
}
