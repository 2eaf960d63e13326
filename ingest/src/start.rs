//! Starts the rooms of ingest: both loops, and the door where one is configured.

use crate::admit_handler::AdmitHandler;
use crate::config::Config;
use crate::door;
use crate::error::Error;
use crate::metrics::Metrics;
use crate::receive_handler::ReceiveHandler;
use runtime::shell::Shell;
use runtime::stream::{LoopSpec, spawn_loop};
use runtime::task::{self, RoomHandle};
use schemas::Topic;
use schemas::rights::Principal;

/// Room, group and transactional id of the first step.
pub const RECEIVE: &str = "ingest-receive";
/// Room, group and transactional id of the second step.
pub const ADMIT: &str = "ingest-admit";

/// Starts ingest.
///
/// # Errors
/// [`Error`] when the configuration is no good or a loop does not start.
pub fn start(config: Config, shell: Shell) -> Result<Vec<RoomHandle>, Error> {
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
    let most = most * u128::from(shell.kafka.partitions.max(1).unsigned_abs());
    if config.tenant_quota_per_day == 0 || most > config.admit.state_cap as u128 {
        let cap = config.admit.state_cap;
        tracing::warn!(most, cap, "one tenant may fill the state of deduplication: lower ingest.tenant_quota_per_day");
    }
    let metrics = Metrics::new(&shell.registry)?;
    let receive = ReceiveHandler::new(&config, &shell.kafka, metrics.clone())?;
    let admit = AdmitHandler::new(&config, &shell.kafka, metrics.clone())?;
    let mut rooms = vec![
        spawn_loop(receive_spec(&config, &shell), receive, &shell).map_err(Error::Loop)?,
        spawn_loop(admit_spec(&config, &shell), admit, &shell).map_err(Error::Loop)?,
    ];
    if !config.door_address.is_empty() {
        // It faces the network, and may write what comes in and nothing else.
        let shell = shell.acting_as(Principal::Door.name());
        let opened = async move {
            let opened = door::open(&config, &shell, metrics).await;
            let (_, room) = opened.map_err(|error| error.to_string())?;
            room.join().await
        };
        rooms.push(RoomHandle::task("door", task::spawn("door", opened)));
    }
    Ok(rooms)
}

/// How the receiving loop runs.
pub fn receive_spec(config: &Config, shell: &Shell) -> LoopSpec {
    LoopSpec {
        room: RECEIVE,
        inputs: config.tenant_of_topic.keys().map(|topic| shell.topic(topic)).collect(),
        // It writes where a record's key says, to any partition.
        writes: Vec::new(),
        changelog: None,
        gaps: shell.topic(Topic::Gaps.base_name()),
        dead_letters: shell.topic(Topic::DeadLetters.base_name()),
        // Senders write here: none of their headers may pass for one of ours.
        control: None,
        pauses_floods: true,
        tuning: config.receive.clone(),
    }
}

/// How the admitting loop runs.
pub fn admit_spec(config: &Config, shell: &Shell) -> LoopSpec {
    LoopSpec {
        room: ADMIT,
        inputs: vec![shell.topic(Topic::Intake.base_name())],
        writes: [Topic::Applications, Topic::LoanReplies].map(|topic| shell.topic(topic.base_name())).into(),
        changelog: Some(shell.topic(Topic::AdmitState.base_name())),
        gaps: shell.topic(Topic::Gaps.base_name()),
        dead_letters: shell.topic(Topic::DeadLetters.base_name()),
        control: None,
        pauses_floods: false,
        tuning: config.admit.clone(),
    }
}
