//! Starts the workers of ingest: both loops, and the door where one is configured.

use crate::admit_handler::AdmitHandler;
use crate::config::Config;
use crate::door;
use crate::error::Error;
use crate::metrics::Metrics;
use crate::receive_handler::ReceiveHandler;
use runtime::service::ServiceContext;
use runtime::stream::{LoopSpec, spawn_loop};
use runtime::task::WorkerHandle;
use schemas::Topic;
use schemas::rights::Principal;

/// Worker, group and transactional id of the first step.
pub const RECEIVE: &str = "ingest-receive";
/// Worker, group and transactional id of the second step.
pub const ADMIT: &str = "ingest-admit";

/// Starts ingest.
///
/// # Errors
/// [`Error`] when the configuration is no good or a loop does not start.
pub fn start(config: Config, service: ServiceContext) -> Result<Vec<WorkerHandle>, Error> {
    config.check_public_keys()?;
    for setting in config.public_keys() {
        tracing::warn!(
            setting,
            "the public key of the demonstration is in use, so pseudonyms and digests can be guessed: set it"
        );
    }
    if !config.door_address.is_empty() {
        config.door_verifier()?; // told here, before a loop runs
    }
    let most = u128::from(config.tenant_quota_per_day) * (u128::from(config.dedup_window_days) + 1);
    if config.tenant_quota_per_day == 0 || most > config.admit.state_cap as u128 {
        let cap = config.admit.state_cap;
        tracing::warn!(most, cap, "one tenant may fill the state of deduplication: lower ingest.tenant_quota_per_day");
    }
    let metrics = Metrics::new(&service.registry)?;
    let receive = ReceiveHandler::new(&config, &service.kafka, metrics.clone())?;
    let admit = AdmitHandler::new(&config, &service.kafka, metrics.clone())?;
    let mut workers = vec![
        spawn_loop(receive_spec(&config, &service), receive, &service).map_err(Error::Loop)?,
        spawn_loop(admit_spec(&config, &service), admit, &service).map_err(Error::Loop)?,
    ];
    if !config.door_address.is_empty() {
        // It faces the network, and may write what comes in and nothing else.
        let service = service.acting_as(Principal::Door.name());
        let opened = async move {
            let (_, worker) = door::open(&config, &service, metrics).await?;
            worker.join().await.map_err(Error::Ended)
        };
        workers.push(WorkerHandle::task("door", opened));
    }
    Ok(workers)
}

/// How the receiving loop runs.
pub(crate) fn receive_spec(config: &Config, service: &ServiceContext) -> LoopSpec {
    LoopSpec {
        worker: RECEIVE,
        inputs: config.tenant_of_topic.keys().map(|topic| service.topic(topic)).collect(),
        // It writes where a record's key says, to any partition.
        writes: Vec::new(),
        changelog: None,
        gaps: service.topic(Topic::Gaps.base_name()),
        dead_letters: service.topic(Topic::DeadLetters.base_name()),
        // Senders write here: none of their headers may pass for one of ours.
        control: None,
        limits_dead_letters: true,
        tuning: config.receive.clone(),
    }
}

/// How the admitting loop runs.
pub(crate) fn admit_spec(config: &Config, service: &ServiceContext) -> LoopSpec {
    LoopSpec {
        worker: ADMIT,
        inputs: vec![service.topic(Topic::Intake.base_name())],
        writes: [Topic::Applications, Topic::LoanReplies].map(|topic| service.topic(topic.base_name())).into(),
        changelog: Some(service.topic(Topic::AdmitState.base_name())),
        gaps: service.topic(Topic::Gaps.base_name()),
        dead_letters: service.topic(Topic::DeadLetters.base_name()),
        control: None,
        limits_dead_letters: false,
        tuning: config.admit.clone(),
    }
}
