//! The room's knobs, and its start.

use crate::error::Error;
use crate::handler::{Outlets, ScorerHandler};
use crate::library::{self, Library};
use crate::metrics::Metrics;
use crate::routes::Routes;
use crate::watch::{self, Watch};
use runtime::shell::Shell;
use runtime::stream::{LoopSpec, Tuning, spawn_loop};
use runtime::task::RoomHandle;
use schemas::{Topic, control, envelope};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Knobs of the scorer room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Folder of packages, `<name>/<version>/`, beside their `scales.toml`. Packages that come later are found, proven and announced
    /// while the room runs; the scales are read at its start.
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

/// Starts the room: its loop runs on threads of its own, so the engine never holds an async thread up.
///
/// # Errors
/// [`Error`] when the configured route is not taken or the loop does not start.
pub fn start(config: Config, shell: Shell) -> Result<Vec<RoomHandle>, Error> {
    let library = Library::read(&config.models_dir)?;
    let watch = Watch::new(&config.models_dir, library::scales(&config.models_dir)?, library.models());
    let routes = Routes::read(&config.routes_dir, &config.route, &library)?;
    let metrics = Metrics::new(&shell.registry, &routes)?;
    let risk = shell.topic(Topic::Risk.base_name());
    let shadow = shell.topic(Topic::Shadow.base_name());
    let handler = ScorerHandler::new(library, routes, Outlets { risk, shadow }, config.block, metrics)?;
    let (found, watching) = watch::start(watch, &shell).map_err(|error| Error::Loop(error.into()))?;
    let handler = handler.finding(found);
    Ok(vec![spawn_loop(spec(config.tuning, &shell), handler, &shell).map_err(Error::Loop)?, watching])
}

/// One input: control records count in the topic that they belong to, and nowhere else.
fn spec(tuning: Tuning, shell: &Shell) -> LoopSpec {
    LoopSpec {
        room: "scorer",
        inputs: vec![shell.topic(Topic::Applications.base_name())],
        writes: [Topic::Risk, Topic::Shadow].map(|topic| shell.topic(topic.base_name())).into(),
        changelog: Some(shell.topic(Topic::ScorerState.base_name())),
        gaps: shell.topic(Topic::Gaps.base_name()),
        dead_letters: shell.topic(Topic::DeadLetters.base_name()),
        control: Some((envelope::header::TYPE, control::ACTIVATED)),
        pauses_floods: false,
        tuning,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_records_are_taken_from_one_topic() {
        let shell = Shell::new(runtime::kafka::KafkaConfig::default());
        let spec = spec(Tuning::default(), &shell);
        let wanted = [shell.topic(Topic::Applications.base_name())];
        assert_eq!(spec.inputs, wanted, "another input would need a filter of its own");
        assert!(spec.control.is_some());
    }
}
