//! What this instance holds is announced again and again, so that nothing is put in force that an instance lacks; packages that
//! [`crate::watch`] finds go to the handler. Decides nothing.

use crate::watch::Watch;
use runtime::clock;
use runtime::kafka::KafkaConfig;
use runtime::outage::KAFKA;
use runtime::service::ServiceContext;
use runtime::stream::{Output, Route, Transactions};
use runtime::task::WorkerHandle;
use runtime::warn_unless_away;
use schemas::Envelope;
use schemas::event_id::event_id;
use schemas::instance::{ANNOUNCED, Announcement};
use schemas::topics::Topic;
use scoring::Model;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// Between two looks into the folder.
const LOOKS_EVERY: Duration = Duration::from_secs(1);
/// Between two announcements of what is held. Who has not spoken for three of them does not run.
const ANNOUNCES_EVERY: Duration = Duration::from_secs(10);
/// Milliseconds that any call to the broker may take.
const TIMEOUT_MS: u64 = 5_000;
/// The thread's name.
const NAME: &str = "scorer-watch";

/// Looks and announces on a thread of its own until the process shuts down; what is found comes out of the receiver.
///
/// # Errors
/// When no thread is to be had.
pub fn start(mut watch: Watch, service: &ServiceContext) -> std::io::Result<(Receiver<Arc<Model>>, WorkerHandle)> {
    let (sender, receiver) = channel();
    let service = service.clone();
    let body = move || {
        run(&mut watch, &sender, &service);
        Ok::<(), Infallible>(())
    };
    Ok((receiver, WorkerHandle::thread(NAME, body)?))
}

fn run(watch: &mut Watch, found: &Sender<Arc<Model>>, service: &ServiceContext) {
    let id = format!("scorer-announce-{}", service.instance);
    let mut producer = Transactions::new(&service.kafka, &id, TIMEOUT_MS);
    let mut announced: Option<Instant> = None;
    while !service.shutdown.is_cancelled() {
        let new = watch.look();
        let is_due = announced.is_none_or(|at| at.elapsed() >= ANNOUNCES_EVERY) || !new.is_empty();
        for model in new {
            if found.send(model).is_err() {
                return; // the worker has ended
            }
        }
        if is_due {
            announced = Some(Instant::now());
            let record = record(&service.kafka, &service.instance, watch.held.clone());
            if let Err(error) = producer.write([(None, &record)]) {
                warn_unless_away!(KAFKA, %error, "what this instance holds could not be announced");
            }
        }
        let until = Instant::now() + LOOKS_EVERY;
        while Instant::now() < until && !service.shutdown.is_cancelled() {
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

fn record(kafka: &KafkaConfig, instance: &str, packages: BTreeMap<String, String>) -> Output {
    let announced_at = clock::rfc3339(clock::now());
    let envelope = Envelope {
        id: event_id(ANNOUNCED, "scorer", instance, 0, &announced_at).to_string(),
        source: crate::handler::SOURCE.to_owned(),
        event_type: ANNOUNCED.to_owned(),
        time: Some(announced_at.clone()),
        ..Envelope::default()
    };
    let body = Announcement { worker: "scorer".to_owned(), instance: instance.to_owned(), packages, announced_at };
    Output {
        topic: kafka.topic(Topic::Instances.base_name()),
        route: Route::ByKey,
        key: Some(format!("scorer|{instance}").into_bytes()),
        payload: Some(serde_json::to_vec(&body).expect("strings are JSON")),
        headers: envelope.to_headers(),
    }
}
