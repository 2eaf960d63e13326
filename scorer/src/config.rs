//! The worker's knobs, and its start.

use crate::announce;
use crate::error::Error;
use crate::handler::{Outlets, ScorerHandler};
use crate::library::{self, Library};
use crate::metrics::Metrics;
use crate::routes::Routes;
use crate::watch::Watch;
use runtime::service::ServiceContext;
use runtime::stream::{LoopSpec, Tuning, spawn_loop};
use runtime::task::WorkerHandle;
use schemas::{Topic, control, envelope};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Knobs of the scorer worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Folder of packages, `<name>/<version>/`, beside their `scales.toml`. Packages that come later are found, proven and announced
    /// while the worker runs; the scales are read again when they change.
    pub models_dir: PathBuf,
    /// Folder of routes, `<name>/<version>.toml`: the one in force before a first activation, and those of activations that carry
    /// no document. It may be empty.
    pub routes_dir: PathBuf,
    /// `name@version` of the route in force in a partition that has seen no activation record of one, out of the folder.
    pub route: String,
    /// Applications parsed and scored together; bounds the memory of a batch, not its result.
    pub block: usize,
    /// Knobs of the loop.
    pub tuning: Tuning,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            models_dir: PathBuf::from("models"),
            routes_dir: PathBuf::from("routes"),
            route: "standard@1.0.0".to_owned(),
            block: 256,
            tuning: Tuning::default(),
        }
    }
}

/// Starts the worker: its loop runs on threads of its own, so the engine never holds an async thread up.
///
/// # Errors
/// [`Error`] when the configured route is not taken or the loop does not start.
pub fn start(config: Config, service: ServiceContext) -> Result<Vec<WorkerHandle>, Error> {
    let library = Library::read(&config.models_dir)?;
    let scales = library::scales(&config.models_dir.join(library::SCALES))?;
    let watch = Watch::new(&config.models_dir, scales, library.models());
    let routes = Routes::read(&config.routes_dir, &config.route, &library)?;
    let metrics = Metrics::new(&service.registry, &routes)?;
    let risk = service.topic(Topic::Risk.base_name());
    let shadow = service.topic(Topic::Shadow.base_name());
    let handler = ScorerHandler::new(library, routes, Outlets { risk, shadow }, config.block, metrics)?;
    let (found, watching) = announce::start(watch, &service).map_err(|error| Error::Loop(error.into()))?;
    let handler = handler.finding(found);
    Ok(vec![spawn_loop(spec(config.tuning, &service), handler, &service).map_err(Error::Loop)?, watching])
}

/// One input: control records count in the topic that they belong to, and nowhere else.
fn spec(tuning: Tuning, service: &ServiceContext) -> LoopSpec {
    LoopSpec {
        worker: "scorer",
        inputs: vec![service.topic(Topic::Applications.base_name())],
        writes: [Topic::Risk, Topic::Shadow].map(|topic| service.topic(topic.base_name())).into(),
        changelog: Some(service.topic(Topic::ScorerState.base_name())),
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
        let wanted = [service.topic(Topic::Applications.base_name())];
        assert_eq!(spec.inputs, wanted, "another input would need a filter of its own");
        assert!(spec.control.is_some());
    }
}
