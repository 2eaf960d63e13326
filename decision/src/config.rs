//! The worker's knobs, and its start.

use crate::error::Error;
use crate::handler::DecisionHandler;
use crate::library::Library;
use crate::metrics::Metrics;
use runtime::service::ServiceContext;
use runtime::stream::{LoopSpec, Tuning, spawn_loop};
use runtime::task::WorkerHandle;
use schemas::{Topic, control, envelope};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Knobs of the decision worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Directory of policies, `<name>/<version>.yaml`: the one in force before a first activation, and those of activations that
    /// carry no document. It may be empty.
    pub policy_dir: PathBuf,
    /// `name@version` in force in a partition that has seen no activation record, out of the directory. It is not raised with what
    /// ships: an upgrade changes nothing that is in force.
    pub default_policy: String,
    /// Knobs of the loop.
    pub tuning: Tuning,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            policy_dir: PathBuf::from("policies"),
            default_policy: "standard@1.0.0".to_owned(),
            tuning: Tuning::default(),
        }
    }
}

/// Starts the worker.
///
/// # Errors
/// [`Error`] when the default policy cannot be used or the loop does not start.
pub fn start(config: Config, service: ServiceContext) -> Result<Vec<WorkerHandle>, Error> {
    let library = Library::read(&config.policy_dir, &config.default_policy)?;
    let metrics = Metrics::new(&service.registry)?;
    let decisions = service.topic(Topic::Decisions.base_name());
    let handler = DecisionHandler::new(library, decisions, runtime::clock::now, metrics);
    Ok(vec![spawn_loop(spec(config.tuning, &service), handler, &service).map_err(Error::Loop)?])
}

/// One input: control records count in the topic that they belong to, and nowhere else.
fn spec(tuning: Tuning, service: &ServiceContext) -> LoopSpec {
    LoopSpec {
        worker: "decision",
        inputs: vec![service.topic(Topic::Risk.base_name())],
        writes: vec![service.topic(Topic::Decisions.base_name())],
        changelog: Some(service.topic(Topic::DecisionState.base_name())),
        gaps: service.topic(Topic::Gaps.base_name()),
        dead_letters: service.topic(Topic::DeadLetters.base_name()),
        control: Some((envelope::header::TYPE, control::ACTIVATED)),
        limits_dead_letters: false,
        tuning,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_records_are_taken_from_one_topic() {
        let service = ServiceContext::new(runtime::kafka::KafkaConfig::default());
        let spec = spec(Tuning::default(), &service);
        let wanted = [service.topic(Topic::Risk.base_name())];
        assert_eq!(spec.inputs, wanted, "another input would need a filter of its own");
        assert!(spec.control.is_some());
    }
}
