//! The ceiling: the same hops, partitions, bytes and commit settings as the product, with handlers that think nothing and
//! remember nothing. What the product reaches of it is what its thinking costs.

use runtime::service::ServiceContext;
use runtime::stream::{
    HandleError, Handler, Input, LoopSpec, NoState, Outbox, Output, RecordOutcome, Route, Tuning, View, spawn_loop,
};
use runtime::task::{SpawnError, WorkerHandle};
use schemas::Topic;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a hop writes for each record that it reads, in bytes, as measured on the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Mean bytes of key.
    pub key: usize,
    /// Mean bytes of value.
    pub value: usize,
    /// Mean bytes of all header names and values.
    pub headers: usize,
    /// Mean number of headers.
    pub header_count: usize,
}

/// A hop: what it reads, and what it writes for each record.
pub struct Hop {
    /// Its name.
    pub worker: &'static str,
    /// What it reads.
    pub input: Topic,
    /// Where it writes. The first keeps the record's own key; the rest follow it.
    pub outputs: &'static [Topic],
}

/// The hops of the product's way from an application to its decision.
pub const HOPS: &[Hop] = &[
    Hop {
        worker: ingest::start::RECEIVE,
        input: Topic::LoanApplications,
        outputs: &[Topic::Intake, Topic::Identities, Topic::Protected],
    },
    Hop { worker: ingest::start::ADMIT, input: Topic::Intake, outputs: &[Topic::Applications, Topic::LoanReplies] },
    Hop { worker: "scorer", input: Topic::Applications, outputs: &[Topic::Risk] },
    Hop { worker: "decision", input: Topic::Risk, outputs: &[Topic::Decisions] },
];

struct Filler {
    topic: Arc<str>,
    route: Route,
    value: Vec<u8>,
    headers: Vec<(&'static str, Vec<u8>)>,
}

struct Identity(Vec<Filler>);

impl Handler for Identity {
    type Key = NoState;
    type Value = NoState;

    fn handle(
        &mut self,
        block: &[Input<'_>],
        _: &mut View<'_, NoState, NoState>,
        out: &mut Outbox,
    ) -> Result<(), HandleError> {
        for record in block {
            for filler in &self.0 {
                let output = Output {
                    topic: filler.topic.clone(),
                    route: filler.route,
                    key: record.key.map(<[u8]>::to_vec),
                    payload: Some(filler.value.clone()),
                    headers: filler.headers.clone(),
                };
                out.emit(record, output);
            }
            out.outcome(RecordOutcome::Done("passed"));
        }
        Ok(())
    }
}

/// Starts every hop. `shape` tells what the product writes to a topic.
///
/// # Errors
/// [`SpawnError`] when a loop cannot start.
pub fn start(
    service: &ServiceContext,
    tuning: &Tuning,
    shape: impl Fn(Topic) -> Shape,
) -> Result<Vec<WorkerHandle>, SpawnError> {
    HOPS.iter().map(|hop| spawn_loop(spec(hop, service, tuning), handler(hop, service, &shape), service)).collect()
}

fn spec(hop: &Hop, service: &ServiceContext, tuning: &Tuning) -> LoopSpec {
    LoopSpec {
        worker: hop.worker,
        inputs: vec![service.topic(hop.input.base_name())],
        writes: Vec::new(),
        changelog: None,
        gaps: service.topic(Topic::Gaps.base_name()),
        dead_letters: service.topic(Topic::DeadLetters.base_name()),
        control: None,
        limits_dead_letters: false,
        tuning: tuning.clone(),
    }
}

fn handler(hop: &Hop, service: &ServiceContext, shape: &impl Fn(Topic) -> Shape) -> Identity {
    const NAMES: [&str; 20] = [
        "ce_a", "ce_b", "ce_c", "ce_d", "ce_e", "ce_f", "ce_g", "ce_h", "ce_i", "ce_j", "ce_k", "ce_l", "ce_m", "ce_n",
        "ce_o", "ce_p", "ce_q", "ce_r", "ce_s", "ce_t",
    ];
    let filler = |topic: &Topic| {
        let shape = shape(*topic);
        let count = shape.header_count.clamp(1, NAMES.len());
        let each = (shape.headers / count).saturating_sub(4);
        Filler {
            topic: service.topic(topic.base_name()),
            // The first hop re-keys; the others keep to their partition.
            route: if hop.worker == ingest::start::RECEIVE { Route::ByKey } else { Route::Same },
            value: noise(shape.value),
            headers: NAMES[..count].iter().map(|name| (*name, noise(each))).collect(),
        }
    };
    Identity(hop.outputs.iter().map(filler).collect())
}

/// Printable bytes that compress no better than JSON of the same length would.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        b' ' + ((state >> 33) % 64) as u8
    };
    (0..length).map(|_| next()).collect()
}
