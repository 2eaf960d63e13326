//! What is true, by plain readers of committed records and of the database: what was published and answered, who was accepted,
//! scored, decided and stored, and under which versions. Judges nothing itself: it feeds the judges of [`crate::oracle`].

mod deployment;
pub mod latency;
pub mod log;
pub mod state;

pub use deployment::Deployment;

use crate::oracle::chain::Chain;
use crate::oracle::in_force::InForce;
use crate::oracle::replies::Replies;
use crate::oracle::{Findings, Place};
use anyhow::{Context, Result};
use catalog::Kind;
use defaultx::letters::{Dead, Letter};
use defaultx::reader;
use domain::{ApplicationKey, Channel, Intent, ReplyStatus};
use rdkafka::message::{BorrowedMessage, Message};
use runtime::stream::Input;
use schemas::control::{ACTIVATED, Activation, OTHER_DIGEST};
use schemas::envelope::header as ce;
use schemas::intake::{ACCEPTED, header};
use schemas::reply::{Coordinates, Reply};
use schemas::risk::{ApplicationRef, COMPUTED};
use schemas::{Topic, Word};
use serde::Deserialize;
use state::State;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// (tenant, application id, revision).
pub type Application = (String, String, u32);

/// The stages of [`Truth::applications`].
const STAGES: &[&str] = &["accepted", "admitted", "scored", "decided", "stored"];
const WAS_ACCEPTED: usize = 0;
const WAS_ADMITTED: usize = 1;
const WAS_SCORED: usize = 2;
const WAS_DECIDED: usize = 3;
const WAS_STORED: usize = 4;

/// Reasons of activations that put nothing in force.
const NOT_IN_FORCE: [&str; 2] = [runtime::stream::PASSED_BY, OTHER_DIGEST];

/// What plain readers saw of a run, held by what names it.
pub struct Truth {
    /// Published records and the replies that name them.
    pub replies: Replies,
    /// Each application from its acceptance to its row in the database.
    pub applications: Chain<Application>,
    /// The policy that decided, by the position of the score event.
    pub policy: InForce<Application>,
    /// The route that assigned, by the position of the application.
    pub route: InForce<Application>,
    /// Changelogs against what was handled.
    pub state: State,
    /// Replies by status.
    pub statuses: BTreeMap<String, u64>,
    /// Records on the senders' topics.
    pub published: u64,
    /// Originals that were published again; each at most once.
    redriven: Chain<Place>,
    /// Activations that their worker set aside: passed by, or of a version that means another document.
    not_in_force: HashSet<Place>,
    /// What the records of intake that came from a topic answer to.
    answering: HashMap<Place, Place>,
    topics: HashMap<String, Arc<str>>,
}

/// The few fields of a decision that are counted.
#[derive(Deserialize)]
struct Decided {
    application: ApplicationRef,
    decision_number: u32,
    policy: Digested,
}

/// The few fields of a score event that are counted.
#[derive(Deserialize)]
struct Scored {
    application: ApplicationRef,
    intent: Word<Intent>,
    route: Digested,
}

#[derive(Deserialize)]
struct Digested {
    digest: String,
}

fn key(application: ApplicationRef) -> Application {
    (application.tenant, application.application_id, application.revision)
}

impl Truth {
    /// Reads what says whether everything was answered: what senders published, intake, dead letters, replies and decisions to
    /// their present end.
    ///
    /// # Errors
    /// When a record is not of the contract.
    pub fn read(from: &Deployment) -> Result<Self> {
        let mut truth = Self {
            replies: Replies::default(),
            applications: Chain::new("application", STAGES),
            policy: InForce::new("policy", &from.policy),
            route: InForce::new("route", &from.route),
            state: State::new(),
            statuses: BTreeMap::new(),
            published: 0,
            redriven: Chain::new("dead letter", &["published again"]),
            not_in_force: HashSet::new(),
            answering: HashMap::new(),
            topics: HashMap::new(),
        };
        // Replies first: what was answered by then had been published before.
        truth.each(from, Topic::LoanReplies, Self::take_reply)?;
        truth.each(from, Topic::Decisions, Self::take_decision)?;
        truth.each(from, Topic::Intake, Self::take_intake)?;
        truth.each(from, Topic::DeadLetters, |truth, letter| truth.take_letter(&from.kafka.topic_prefix, letter))?;
        for base in &from.senders {
            let name = from.kafka.topic(base);
            reader::read_to_end(&from.kafka, [name.as_ref()], |message| {
                let place = truth.place(base, message.partition(), message.offset());
                truth.replies.published(place);
                truth.published += 1;
                Ok(())
            })?;
        }
        Ok(truth)
    }

    /// Reads everything else that there is to know once nothing moves any more: versions, state and the database.
    ///
    /// # Errors
    /// When a record is not of the contract, or the database cannot be asked.
    pub async fn complete(&mut self, from: &Deployment) -> Result<()> {
        self.each(from, Topic::Applications, Self::take_application)?;
        self.each(from, Topic::Risk, Self::take_score)?;
        self.state.read(from)?;
        let client = runtime::pg::connect(&database(from)).await?;
        let query = "SELECT tenant, application_id, revision FROM defaultx.decisions WHERE decision_number = 1";
        for row in client.query(query, &[]).await? {
            let (tenant, id, revision): (String, String, i32) = (row.get(0), row.get(1), row.get(2));
            self.applications.seen(WAS_STORED, (tenant, id, revision as u32));
        }
        Ok(())
    }

    /// Whether every published record has its reply and every accepted application its decision.
    pub fn is_answered(&self) -> bool {
        self.replies.are_complete() && self.applications.has_reached(WAS_DECIDED)
    }

    /// How many different applications were accepted.
    pub fn accepted(&self) -> usize {
        self.applications.distinct(WAS_ACCEPTED)
    }

    /// How many different applications were decided.
    pub fn decided(&self) -> usize {
        self.applications.distinct(WAS_DECIDED)
    }

    /// How many decisions the database has.
    pub fn stored(&self) -> usize {
        self.applications.distinct(WAS_STORED)
    }

    /// Whether an application was decided.
    pub fn is_decided(&self, application: &Application) -> bool {
        self.applications.has(WAS_DECIDED, application)
    }

    /// How many originals were published again.
    pub fn redriven(&self) -> usize {
        self.redriven.distinct(0)
    }

    /// How many of them on these topics, without prefix.
    pub fn redriven_to(&self, topics: &[String]) -> u64 {
        let meant = |place: &&Place| topics.iter().any(|topic| **topic == *place.topic);
        self.redriven.keys(0).filter(meant).count() as u64
    }

    /// Everything that does not fit.
    pub fn judge(&self, findings: &mut Findings) {
        self.replies.judge(findings);
        self.applications.judge(findings);
        self.redriven.judge(findings);
        self.policy.judge(findings);
        self.route.judge(findings);
        self.state.judge(findings);
    }

    fn each(
        &mut self,
        from: &Deployment,
        topic: Topic,
        mut take: impl FnMut(&mut Self, &BorrowedMessage<'_>) -> Result<()>,
    ) -> Result<()> {
        let name = from.kafka.topic(topic.base_name());
        reader::read_to_end(&from.kafka, [name.as_ref()], |message| {
            take(self, message).with_context(|| format!("{name}/{}@{}", message.partition(), message.offset()))
        })?;
        Ok(())
    }

    fn place(&mut self, topic: &str, partition: i32, offset: i64) -> Place {
        if !self.topics.contains_key(topic) {
            self.topics.insert(topic.to_owned(), topic.into());
        }
        Place::new(&self.topics[topic], partition, offset)
    }

    fn take_reply(&mut self, message: &BorrowedMessage<'_>) -> Result<()> {
        let reply: Reply = serde_json::from_slice(message.payload().context("a reply without a body")?)?;
        let Coordinates { topic, partition, offset } = reply.origin;
        let place = self.place(&topic, partition, offset);
        self.replies.answered(place);
        // A withdrawal has no revision, and no decision of its own number.
        if let (true, Some(revision)) = (reply.status.is(ReplyStatus::Accepted), reply.revision) {
            let id = reply.application_id.context("accepted without an id")?;
            self.applications.seen(WAS_ACCEPTED, (reply.tenant.context("accepted without a tenant")?, id, revision));
        }
        *self.statuses.entry(reply.status.to_string()).or_default() += 1;
        Ok(())
    }

    /// What came by file or HTTP is published by standing in intake.
    fn take_intake(&mut self, message: &BorrowedMessage<'_>) -> Result<()> {
        let input = Input::of(message);
        let here = self.place(Topic::Intake.base_name(), input.partition, input.offset.get());
        let text = |name| input.header_str(name).with_context(|| format!("no header {name}"));
        let channel = Channel::parse(text(header::ORIGIN_CHANNEL)?);
        if channel == Some(Channel::Http) {
            let published = self.place(Channel::Http.as_str(), input.partition, input.offset.get());
            self.replies.published(published);
            return Ok(());
        }
        let (partition, offset) = (text(header::ORIGIN_PARTITION)?.parse()?, text(header::ORIGIN_OFFSET)?.parse()?);
        let origin = self.place(text(header::ORIGIN_TOPIC)?, partition, offset);
        if channel == Some(Channel::Batch) {
            self.replies.published(origin);
        } else {
            self.answering.insert(here, origin);
        }
        Ok(())
    }

    /// An original that is published again is answered again. On a sender's topic it has a place of its own; from intake the
    /// answer names the sender's record a second time.
    fn take_letter(&mut self, prefix: &str, message: &BorrowedMessage<'_>) -> Result<()> {
        let letter = Letter::of(message);
        let (Letter::Mark(origin) | Letter::Dead(Dead { origin, .. })) = &letter else { return Ok(()) };
        let base = origin.topic.strip_prefix(prefix).unwrap_or(&origin.topic);
        let place = self.place(base, origin.partition, origin.offset);
        if let Letter::Mark(_) = &letter {
            if let Some(answering) = self.answering.get(&place) {
                self.replies.published(answering.clone());
            }
            self.redriven.seen(0, place);
        } else if let Letter::Dead(Dead { reason, .. }) = &letter
            && NOT_IN_FORCE.contains(&reason.as_str())
        {
            self.not_in_force.insert(place);
        }
        Ok(())
    }

    /// Whether an activation that stands here was not set aside by its worker.
    fn is_in_force(&mut self, topic: Topic, input: &Input<'_>) -> bool {
        let place = self.place(topic.base_name(), input.partition, input.offset.get());
        !self.not_in_force.contains(&place)
    }

    fn take_application(&mut self, message: &BorrowedMessage<'_>) -> Result<()> {
        let input = Input::of(message);
        match input.header_str(ce::TYPE) {
            Some(ACTIVATED) if self.is_in_force(Topic::Applications, &input) => {
                let activation: Activation = serde_json::from_slice(input.payload.context("no body")?)?;
                if activation.kind == Kind::Route.as_str() {
                    self.route.activated(input.partition, &activation.digest);
                }
                self.state.activated_for_scorer(input.partition, activation);
            }
            Some(ACCEPTED) => {
                let text = std::str::from_utf8(input.key.context("no key")?)?;
                let (tenant, id) = ApplicationKey::split(text).context("a key of another form")?;
                let revision = input.header_str(header::REVISION).context("no revision")?.parse()?;
                let application = (tenant.to_owned(), id.to_owned(), revision);
                self.route.stands(input.partition, application.clone());
                self.applications.seen(WAS_ADMITTED, application);
            }
            _ => {}
        }
        Ok(())
    }

    fn take_score(&mut self, message: &BorrowedMessage<'_>) -> Result<()> {
        let input = Input::of(message);
        let body = || input.payload.context("no body");
        match input.header_str(ce::TYPE) {
            Some(ACTIVATED) if self.is_in_force(Topic::Risk, &input) => {
                let activation: Activation = serde_json::from_slice(body()?)?;
                if activation.kind == Kind::Policy.as_str() {
                    self.policy.activated(input.partition, &activation.digest);
                }
                self.state.activated_for_decision(input.partition, activation);
            }
            Some(COMPUTED) => {
                let scored: Scored = serde_json::from_slice(body()?)?;
                let application = key(scored.application);
                self.policy.stands(input.partition, application.clone());
                self.route.used(application.clone(), &scored.route.digest);
                if scored.intent.is(Intent::ScoreOnly) {
                    self.applications.ends_before(WAS_DECIDED, application.clone());
                }
                self.applications.seen(WAS_SCORED, application);
            }
            _ => {}
        }
        Ok(())
    }

    fn take_decision(&mut self, message: &BorrowedMessage<'_>) -> Result<()> {
        let decided: Decided = serde_json::from_slice(message.payload().context("a decision without a body")?)?;
        if decided.decision_number == 1 {
            let application = key(decided.application);
            self.policy.used(application.clone(), &decided.policy.digest);
            self.applications.seen(WAS_DECIDED, application);
        }
        Ok(())
    }
}

/// The database of a deployment, as a worker is told of it.
fn database(from: &Deployment) -> runtime::pg::DatabaseConfig {
    runtime::pg::DatabaseConfig { url: from.database_url.as_str().into(), ..runtime::pg::DatabaseConfig::default() }
}
