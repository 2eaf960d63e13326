//! The room's knobs, and its start.

use crate::error::Error;
use crate::handler::{Outlets, ScorerHandler};
use crate::library::Library;
use crate::metrics::Metrics;
use crate::route::Routes;
use runtime::shell::Shell;
use runtime::stream::{LoopSpec, Tuning, spawn_loop};
use runtime::task::RoomHandle;
use schemas::{Topic, control, envelope};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Knobs of the scorer room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Folder of packages, `<name>/<version>/`, beside their `scales.toml`. Read once at start, because versions change by
    /// activation records.
    pub models_dir: PathBuf,
    /// Product → `name@version`, in force in a partition that has seen no activation record.
    pub route: BTreeMap<String, String>,
    /// Product → a package that decides on some of its customers in the champion's place.
    pub challengers: BTreeMap<String, Challenger>,
    /// Product → up to 20 `name@version` that score every application of it, on `credit.shadow.v1`, and decide nothing.
    pub shadows: BTreeMap<String, Vec<String>>,
    /// Applications parsed and scored together; bounds the memory of a batch, not its result.
    pub block: usize,
    /// Knobs of the loop.
    pub tuning: Tuning,
}

/// A package and the customers that are assigned to it, by the sticky bucket of the primary applicant's subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Challenger {
    /// `name@version`.
    pub package: String,
    /// Of 10,000 buckets, the first so many are its.
    pub buckets: u32,
    /// The last so many stay with the champion: a larger share that would touch them is refused, so that there is always
    /// somebody to compare with whom no challenger has decided on.
    #[serde(default)]
    pub holdout: u32,
}

impl Default for Config {
    fn default() -> Self {
        let route = [
            ("consumer_instalment", "german-scorecard@1.0.0"),
            ("credit_card", "taiwan-lightgbm@1.0.0"),
            ("small_business_term", "sba-lightgbm@1.0.0"),
        ];
        let shadows = [
            ("credit_card", ["taiwan-scorecard@1.0.0", "taiwan-xgboost@1.0.0"]),
            ("small_business_term", ["sba-scorecard@1.0.0", "sba-xgboost@1.0.0"]),
        ];
        Self {
            models_dir: PathBuf::from("models"),
            route: route.map(|(product, package)| (product.to_owned(), package.to_owned())).into(),
            challengers: BTreeMap::new(),
            shadows: shadows.map(|(product, list)| (product.to_owned(), list.map(str::to_owned).into())).into(),
            block: 256,
            tuning: Tuning::default(),
        }
    }
}

/// Starts the room: its loop runs on threads of its own, so the engine never holds an async thread up.
///
/// # Errors
/// [`Error`] when a package of the route does not prove itself or the loop does not start.
pub fn start(config: Config, shell: Shell) -> Result<Vec<RoomHandle>, Error> {
    let library = Library::read(&config.models_dir)?;
    let routes = Routes::new(&config.route, &config.challengers, &config.shadows)?;
    let metrics = Metrics::new(&shell.registry, routes.products().iter().map(|route| route.product.as_str()))?;
    let risk = shell.topic(Topic::Risk.base_name());
    let shadow = shell.topic(Topic::Shadow.base_name());
    let handler = ScorerHandler::new(library, routes, Outlets { risk, shadow }, config.block, metrics)?;
    let spec = LoopSpec {
        room: "scorer",
        inputs: vec![shell.topic(Topic::Applications.base_name())],
        changelog: Some(shell.topic(Topic::ScorerState.base_name())),
        dead_letters: shell.topic(Topic::DeadLetters.base_name()),
        control: Some((envelope::header::TYPE, control::ACTIVATED)),
        tuning: config.tuning,
    };
    Ok(vec![spawn_loop(spec, handler, &shell).map_err(Error::Loop)?])
}
