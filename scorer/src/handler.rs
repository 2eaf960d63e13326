//! The service layer: decode → score → encode → outcome. The only file that meets both records and scores; holds no rule.

use crate::application::{Application, RecordHeaders};
use crate::error::Error;
use crate::event::RouteRef;
use crate::headers::KNOWN_HEADERS;
use crate::in_force::{CODEC, Entry, Kept};
use crate::library::{Library, label_of};
use crate::metrics::Metrics;
use crate::resolve::{Holdings, InForceCache, State, not_ready};
use crate::route::{Asked, Chosen, Package, event_type};
use crate::routes::Routes;
use crate::score::{self, Origin, Outcome, Row, Serving};
use catalog::{InForce, NotHeld, Slot};
use domain::ModelRole;
use runtime::stream::{HandleError, Handler, Input, Outbox, Output, PASSED_BY, RecordOutcome, Route};
use schemas::application::WITHDRAWN;
use schemas::control::{Activation, OTHER_DIGEST};
use schemas::envelope::{JSON, header};
use schemas::event_id::event_id;
use schemas::intake::ACCEPTED;
use schemas::topics::Topic;
use scoring::Model;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

/// `ce_source` of everything that this worker says.
pub const SOURCE: &str = "/defaultx/scorer";
/// Ordinal of the score event of an application without a model.
const NO_MODEL: &str = "none";

/// The topics that the worker writes to, with prefix.
#[derive(Debug, Clone)]
pub struct Outlets {
    /// Scores that decide.
    pub risk: Arc<str>,
    /// Scores of shadows.
    pub shadow: Arc<str>,
}

/// The scorer worker, behind the one loop.
pub struct ScorerHandler {
    /// Every model of the library, in its order.
    servings: Vec<Serving>,
    /// By serving: the first one of the same feature contract.
    contracts: Vec<usize>,
    holdings: Arc<Holdings>,
    /// Packages that were found since the start.
    found: Option<Receiver<Arc<Model>>>,
    outlets: Outlets,
    block: usize,
    metrics: Metrics,
}

/// A record, read.
enum Read<'a> {
    Application(Job<'a>),
    Withdrawal,
    DeadLetter { reason: &'static str, detail: String },
}

impl<'a> Read<'a> {
    fn job(&mut self) -> Option<&mut Job<'a>> {
        match self {
            Self::Application(job) => Some(job),
            Self::Withdrawal | Self::DeadLetter { .. } => None,
        }
    }
}

/// An application, what the route in force says of it, and the models that score it.
struct Job<'a> {
    headers: RecordHeaders<'a>,
    application: Application<'a>,
    route: RouteRef<'a>,
    /// The one that decides on this customer, then the shadows; none where the route has nothing for it.
    arms: Vec<Arm>,
}

/// A model in force for an application in its role, and what became of it.
struct Arm {
    role: ModelRole,
    serving: usize,
    outcome: Option<Outcome>,
}

impl ScorerHandler {
    /// A handler that writes to these topics, `block` applications at a time.
    ///
    /// # Errors
    /// [`Error`] when the engine cannot set a package up.
    pub fn new(
        library: Library,
        routes: Routes,
        outlets: Outlets,
        block: usize,
        metrics: Metrics,
    ) -> Result<Self, Error> {
        let servings = library.models().iter().cloned().map(Serving::new).collect::<Result<_, _>>()?;
        let contracts = contracts(&library);
        let holdings = Arc::new(Holdings { library, routes });
        Ok(Self { servings, contracts, holdings, found: None, outlets, block: block.max(1), metrics })
    }

    /// The same, which takes in the packages that come out of the receiver.
    #[must_use]
    pub fn finding(self, found: Receiver<Arc<Model>>) -> Self {
        Self { found: Some(found), ..self }
    }

    /// Holds the packages that were found meanwhile. Those held before keep their places.
    fn take_in(&mut self) {
        for model in self.found.iter().flat_map(Receiver::try_iter).collect::<Vec<_>>() {
            let package = label_of(&model);
            let serving = match Serving::new(Arc::clone(&model)) {
                Ok(serving) => serving,
                Err(error) => {
                    tracing::error!(package, %error, "the engine cannot set the package up");
                    continue;
                }
            };
            if Arc::make_mut(&mut self.holdings).library.add(model) {
                self.servings.push(serving);
                self.contracts = contracts(&self.holdings.library);
                tracing::info!(package, "the package serves from now on");
            }
        }
    }

    /// Holds the routes that are in force in the partitions of a block.
    fn hold_routes(&mut self, block: &[Input<'_>], state: &State<'_>) -> Result<(), HandleError> {
        if self.holdings.routes.is_long() {
            Arc::make_mut(&mut self.holdings).routes.trim();
        }
        let mut partitions: Vec<i32> = block.iter().map(|input| input.partition).collect();
        partitions.sort_unstable();
        partitions.dedup();
        for partition in partitions {
            if let Some(Entry(wanted)) = state.get(partition, &Kept(Slot::Route)) {
                self.hold(&wanted).map_err(not_ready)?;
            }
        }
        Ok(())
    }

    fn hold(&mut self, wanted: &InForce) -> Result<(), NotHeld> {
        if self.holdings.holds(wanted) {
            return Ok(());
        }
        Arc::make_mut(&mut self.holdings).hold(wanted)?;
        if let Ok(route) = self.holdings.route(wanted) {
            self.metrics.learn(route);
        }
        Ok(())
    }

    /// Finds an application's models: of the route in force where it stands, the arm of its customer and the shadows.
    fn assign<'a>(
        &self,
        partition: i32,
        job: &mut Job<'a>,
        state: &State<'_>,
        here: &mut InForceCache<'a>,
    ) -> Result<(), HandleError> {
        let route = here.route(partition, state)?;
        let application = &job.application;
        let subject = &*application.primary().subject.subject;
        let (tenant, product, text) = (&*application.tenant, &*application.product, application.text);
        let assignment = route.assign(Asked { tenant, product, subject, text });
        self.metrics.undetermined(route, &assignment.undetermined);
        if let Some(Chosen { entry, deciding, .. }) = assignment.chosen {
            let entry = &route.entries()[entry];
            let models = here.models(partition, entry, state)?;
            let arm = |at: usize| Arm { role: entry.packages[at].role, serving: models[at], outcome: None };
            let is_shadow = |(at, package): (usize, &Package)| (package.role == ModelRole::Shadow).then_some(at);
            let shadows = entry.packages.iter().enumerate().filter_map(is_shadow);
            job.arms = std::iter::once(deciding).chain(shadows).map(arm).collect();
        }
        job.route = RouteRef::of(route, assignment);
        Ok(())
    }

    /// Scores the applications of a part of the block, model by model, in whatever role. Models of one feature contract share
    /// their rows.
    fn score(&mut self, read: &mut [Read<'_>]) {
        let mut known: Vec<(usize, Vec<usize>, Vec<Row>)> = Vec::new();
        for (index, serving) in self.servings.iter_mut().enumerate() {
            let mut places = Vec::with_capacity(read.len());
            let mut applications = Vec::with_capacity(read.len());
            let mut outcomes = Vec::with_capacity(read.len());
            for (place, job) in read.iter_mut().enumerate().filter_map(|(place, read)| Some((place, read.job()?))) {
                if let Some(arm) = job.arms.iter_mut().find(|arm| arm.serving == index) {
                    places.push(place);
                    applications.push(&job.application);
                    outcomes.push(&mut arm.outcome);
                }
            }
            if applications.is_empty() {
                continue;
            }
            let contract = self.contracts[index];
            let rows = match known.iter().find(|known| known.0 == contract && known.1 == places) {
                Some((_, _, rows)) => rows.clone(),
                None => score::map(serving, &applications),
            };
            if self.contracts[index + 1..].contains(&contract) {
                known.push((contract, places, rows.clone()));
            }
            let scored = score::score(serving, rows);
            outcomes.into_iter().zip(scored).for_each(|(into, outcome)| *into = Some(outcome));
        }
    }

    /// One event for each model of an application; its fate is that of the first, which decides.
    fn emit(&self, input: &Input<'_>, job: &Job<'_>, out: &mut Outbox) -> RecordOutcome {
        if job.arms.is_empty() {
            let outcome = score::without_model(&job.application.product);
            return self.say_as(ModelRole::Champion, None, input, job, &outcome, out);
        }
        let mut record_outcome = RecordOutcome::DeadLetter { reason: "not_scored", detail: String::new() };
        for (at, Arm { role, serving, outcome }) in job.arms.iter().enumerate() {
            let Some(outcome) = outcome else { continue };
            let own = self.say_as(*role, Some(&self.servings[*serving]), input, job, outcome, out);
            if at == 0 {
                record_outcome = own;
            }
        }
        record_outcome
    }

    fn say_as(
        &self,
        role: ModelRole,
        serving: Option<&Serving>,
        input: &Input<'_>,
        job: &Job<'_>,
        outcome: &Outcome,
        out: &mut Outbox,
    ) -> RecordOutcome {
        let application = &job.application;
        let read = &job.headers;
        let received_at = rfc3339(read.received_at_ms.unwrap_or(input.timestamp_ms));
        let origin = Origin {
            event_id: read.id,
            topic: Topic::Applications.base_name(),
            partition: input.partition,
            offset: input.offset,
            data_digest: read.data_digest,
            data_digest_key: read.data_digest_key,
            received_at: &received_at,
        };
        let event = score::event(application, origin, &job.route, role, serving, outcome);
        let mut payload = Vec::with_capacity(6144);
        // Strings, integers and finite numbers: there is nothing in it that JSON cannot hold.
        serde_json::to_writer(&mut payload, &event).expect("a score event is always JSON");
        let (tenant, id, revision) = (&*application.tenant, &*application.application_id, application.revision);
        let no_model = score::ordinal(role, NO_MODEL);
        let ordinal = serving.map_or(no_model.as_str(), |serving| serving.ordinal(role));
        let event_type = event_type(role);
        let headers = headers(read, event_type, &event_id(event_type, tenant, id, revision, ordinal).to_string());
        let key = input.key.map_or_else(|| format!("{tenant}|{id}").into_bytes(), <[u8]>::to_vec);
        let topic = match role {
            ModelRole::Champion | ModelRole::Challenger => Arc::clone(&self.outlets.risk),
            ModelRole::Shadow => Arc::clone(&self.outlets.shadow),
        };
        out.emit(input, Output { topic, route: Route::Same, key: Some(key), payload: Some(payload), headers });
        let status = outcome.status();
        self.metrics.count(role, &application.product, status);
        RecordOutcome::Done(status.as_str())
    }

    fn pass_on(&self, input: &Input<'_>, out: &mut Outbox) {
        let known = |name: &str| KNOWN_HEADERS.iter().copied().find(|known| *known == name);
        let headers = input.headers().into_iter();
        let headers = headers.filter_map(|(name, value)| Some((known(name)?, value?.to_vec()))).collect();
        let (key, payload) = (input.key.map(<[u8]>::to_vec), input.payload.map(<[u8]>::to_vec));
        out.emit(input, Output { topic: Arc::clone(&self.outlets.risk), route: Route::Same, key, payload, headers });
    }
}

impl Handler for ScorerHandler {
    type Key = Kept;
    type Value = Entry;

    fn handle(&mut self, block: &[Input<'_>], state: &mut State<'_>, out: &mut Outbox) -> Result<(), HandleError> {
        self.take_in();
        self.hold_routes(block, state)?;
        let holdings = Arc::clone(&self.holdings);
        let mut here = InForceCache::new(&holdings);
        for part in block.chunks(self.block) {
            let mut read: Vec<_> = part.iter().map(read).collect();
            for (input, read) in part.iter().zip(&mut read) {
                if let Read::Application(job) = read {
                    self.assign(input.partition, job, state, &mut here)?;
                }
            }
            self.score(&mut read);
            for (input, read) in part.iter().zip(read) {
                let record_outcome = match read {
                    Read::Application(job) => self.emit(input, &job, out),
                    Read::DeadLetter { reason, detail } => RecordOutcome::DeadLetter { reason, detail },
                    Read::Withdrawal => {
                        self.pass_on(input, out);
                        RecordOutcome::Done("withdrawal_passed")
                    }
                };
                out.outcome(record_outcome);
            }
        }
        let shown: Vec<_> = here.deciding().into_iter().map(|index| (index, self.servings[index].model())).collect();
        self.metrics.in_force(&shown);
        Ok(())
    }

    fn control(&mut self, record: &Input<'_>, state: &mut State<'_>, out: &mut Outbox) -> Result<(), HandleError> {
        let activation = serde_json::from_slice::<Activation>(record.payload.unwrap_or_default()).ok();
        let Some(activation) = activation.filter(Activation::fits) else {
            out.outcome(RecordOutcome::DeadLetter { reason: "bad_activation", detail: String::new() });
            return Ok(());
        };
        self.take_in();
        let record_outcome = match catalog::Asked::of(activation) {
            Some(asked) if CODEC.keeps(asked.kind) => self.switch(record.partition, asked, state)?,
            _ => RecordOutcome::Done("control_passed"),
        };
        self.pass_on(record, out);
        out.outcome(record_outcome);
        Ok(())
    }

    /// Those behind this worker hear of it all the same: it may be theirs.
    fn passed_by(&mut self, record: &Input<'_>, _: &mut State<'_>, out: &mut Outbox) -> Result<(), HandleError> {
        self.pass_on(record, out);
        out.outcome(RecordOutcome::Refused { reason: PASSED_BY, detail: String::new() });
        Ok(())
    }

    fn is_demanding(&self) -> bool {
        true
    }

    fn lacks(&mut self, Kept(slot): &Kept, Entry(wanted): &Entry) -> Option<String> {
        self.take_in();
        let lacked = match slot {
            Slot::Route => self.hold(wanted).err(),
            Slot::Model(name) => self.holdings.model(name, wanted).err(),
            Slot::Version(..) | Slot::Policy => None,
        };
        lacked.map(|why| why.to_string())
    }

    /// Nobody goes unanswered: an application whose score event is too large gets one without facts and explanation, which sends
    /// it to a person.
    fn unproducible(&mut self, record: &Input<'_>, state: &mut State<'_>, out: &mut Outbox) -> Result<(), HandleError> {
        self.take_in();
        self.hold_routes(std::slice::from_ref(record), state)?;
        let holdings = Arc::clone(&self.holdings);
        let record_outcome = match read(record) {
            Read::Application(mut job) => {
                self.assign(record.partition, &mut job, state, &mut InForceCache::new(&holdings))?;
                for applicant in &mut job.application.applicants {
                    (applicant.facts, applicant.reports) = (None, None);
                }
                job.route.carries_parties = false;
                let outcome = Outcome::Unscorable(vec![TOO_LARGE.to_owned()]);
                let deciding = job.arms.first().map(|arm| (arm.role, &self.servings[arm.serving]));
                let (role, serving) =
                    deciding.map_or((ModelRole::Champion, None), |(role, serving)| (role, Some(serving)));
                self.say_as(role, serving, record, &job, &outcome, out)
            }
            Read::DeadLetter { reason, detail } => RecordOutcome::DeadLetter { reason, detail },
            // Its key says whose it is.
            Read::Withdrawal => {
                let mut bodiless = *record;
                bodiless.payload = None;
                self.pass_on(&bodiless, out);
                RecordOutcome::Done("withdrawal_passed")
            }
        };
        out.outcome(record_outcome);
        Ok(())
    }
}

/// What a smaller event says of an application whose event no broker takes.
const TOO_LARGE: &str = "event_too_large";

impl ScorerHandler {
    /// The newest record counts: a route puts the versions that it names in force, whatever was activated of them before.
    fn switch(
        &mut self,
        partition: i32,
        asked: catalog::Asked,
        state: &mut State<'_>,
    ) -> Result<RecordOutcome, HandleError> {
        let known = |slot: &Slot| state.get(partition, &Kept(slot.clone())).map(|Entry(known)| known);
        if let Err(other) = asked.check(known) {
            return Ok(RecordOutcome::Refused { reason: OTHER_DIGEST, detail: other.to_string() });
        }
        if let Slot::Model(name) = &asked.slot {
            self.holdings.model(name, &asked.in_force).map_err(not_ready)?;
        } else {
            self.hold(&asked.in_force).map_err(not_ready)?;
            let route = self.holdings.route(&asked.in_force).map_err(not_ready)?;
            for package in route.entries().iter().flat_map(|entry| &entry.packages) {
                let own = Kept(Slot::Model(package.name.clone()));
                if state.get(partition, &own).is_some() {
                    state.remove(partition, own);
                }
            }
        }
        for (slot, in_force) in asked.entries() {
            state.put(partition, Kept(slot), Entry(in_force));
        }
        Ok(RecordOutcome::Done("activated"))
    }
}

/// By model: the first one of the same feature contract.
fn contracts(library: &Library) -> Vec<usize> {
    let features: Vec<_> = library.models().iter().map(|model| &model.manifest().feature).collect();
    features.iter().map(|own| features.iter().position(|other| other == own).unwrap_or_default()).collect()
}

fn read<'a>(input: &Input<'a>) -> Read<'a> {
    let headers = RecordHeaders::of(input);
    match headers.event_type {
        ACCEPTED => match Application::of(input.payload.unwrap_or_default()) {
            Ok(application) => {
                Read::Application(Job { headers, application, route: RouteRef::default(), arms: Vec::new() })
            }
            Err(detail) => Read::DeadLetter { reason: "malformed_body", detail },
        },
        WITHDRAWN => Read::Withdrawal,
        _ => Read::DeadLetter { reason: "unknown_type", detail: "ce_type is none that this worker reads".to_owned() },
    }
}

/// The envelope of an event that an application causes, as [`schemas::Envelope::child`] makes it.
fn headers(headers: &RecordHeaders<'_>, event_type: &str, id: &str) -> Vec<(&'static str, Vec<u8>)> {
    let present = [
        (header::SPECVERSION, Some("1.0")),
        (header::ID, Some(id)),
        (header::SOURCE, Some(SOURCE)),
        (header::TYPE, Some(event_type)),
        (header::CONTENT_TYPE, Some(JSON)),
        (header::SUBJECT, headers.subject),
        (header::CORRELATION, headers.correlation),
        (header::CAUSATION, Some(headers.id)),
        (header::PARTITION_KEY, headers.partition_key),
        (header::TRACEPARENT, headers.traceparent),
    ];
    present.into_iter().filter_map(|(name, value)| Some((name, value?.as_bytes().to_vec()))).collect()
}

fn rfc3339(ms: i64) -> String {
    chrono::DateTime::from_timestamp_millis(ms).map(runtime::clock::rfc3339).unwrap_or_default()
}
