//! What a manifest says outside its features, and that it holds together.

use crate::contract;
use crate::error::LoadError;
use crate::manifest::{Kind, Link, Manifest, Native, Target};
use domain::Digest;

/// Checks all of it, in the manifest's order.
///
/// # Errors
/// [`LoadError::Contract`] at the first entry that does not hold.
pub(crate) fn check(manifest: &Manifest) -> Result<(), LoadError> {
    check_name(manifest)?;
    contract::token(&manifest.product).map_err(|why| LoadError::contract("product", why))?;
    check_target(&manifest.target)?;
    check_names_of_kind(manifest)?;
    check_link(manifest)?;
    manifest.native.as_ref().map_or(Ok(()), check_native)?;
    check_threshold(manifest.classification.threshold)
}

fn check_name(manifest: &Manifest) -> Result<(), LoadError> {
    let fits = is_name(&manifest.name) && is_name(&manifest.version);
    holds(fits, "name", "name and version are 1 to 64 letters, digits and . _ -")
}

fn check_target(target: &Target) -> Result<(), LoadError> {
    let is_said = !target.definition.trim().is_empty() && !target.prior_correction.trim().is_empty();
    holds(is_said, "target", "definition and prior_correction must be said")?;
    holds((1..=600).contains(&target.horizon_months), "target", "horizon_months must be 1 to 600")?;
    let is_known = ["booked", "through_the_door"].contains(&target.population.as_str());
    holds(is_known, "target", "population must be booked or through_the_door")
}

/// Checks that the graph's table names what its kind needs, and nothing else.
fn check_names_of_kind(manifest: &Manifest) -> Result<(), LoadError> {
    let graph = &manifest.graph;
    let (trees, stock) = (manifest.kind == Kind::Trees, manifest.kind == Kind::Graph);
    holds(
        graph.margin.is_some() != (trees || stock),
        "graph",
        "a scorecard or net names its margin; trees have none, it is their sum, and kind graph names its output",
    )?;
    holds(
        graph.probability.is_some() == trees && graph.link.is_some() == (trees || stock),
        "graph",
        "trees name their probability and link, kind graph its output and link, and no other kind has them",
    )?;
    holds(
        graph.output.is_some() == stock && graph.column.is_some() == stock && graph.input.is_empty() == stock,
        "graph",
        "kind graph names its output and column, every other kind its input",
    )?;
    let is_plain = graph.before.is_none() && graph.explained.is_none();
    holds(stock || is_plain, "graph", "only kind graph has before and explained")
}

/// Checks what the graph's table says of link, partials and intercept.
fn check_link(manifest: &Manifest) -> Result<(), LoadError> {
    let graph = &manifest.graph;
    let fault = |why: &str| Err(LoadError::contract("graph", why));
    match (manifest.kind, graph.link) {
        (Kind::Trees, Some(Link::Softmax | Link::Logit)) => fault("the link of trees is log_odds or probability"),
        (Kind::Graph, Some(Link::Probability | Link::Logit)) if graph.before.is_some() => {
            fault("what a sigmoid or softmax is given is no probability: with before, link is log_odds or softmax")
        }
        (Kind::Scorecard, _) if graph.partials.is_none() || graph.intercept.is_none_or(|value| !value.is_finite()) => {
            fault("a scorecard names its partials and its intercept")
        }
        (Kind::Net | Kind::Trees | Kind::Graph, _) if graph.partials.is_some() || graph.intercept.is_some() => {
            fault("only a scorecard has partials and an intercept")
        }
        (Kind::Scorecard | Kind::Net | Kind::Trees | Kind::Graph, _) => Ok(()),
    }
}

fn check_native(native: &Native) -> Result<(), LoadError> {
    let is_said = is_name(&native.file) && !native.library.trim().is_empty() && Digest::parse(&native.sha256).is_ok();
    holds(is_said, "native", "needs a library, a file beside the manifest and its SHA-256")?;
    let is_whole =
        native.bound.is_some() == native.greatest.is_some() && native.bound.is_some() == native.total.is_some();
    holds(is_whole, "native", "an accepted difference has a bound, the greatest that was found and the total")
}

fn check_threshold(threshold: f64) -> Result<(), LoadError> {
    holds(threshold > 0.0 && threshold < 1.0, "classification", "threshold must lie between 0 and 1")
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

fn holds(is_so: bool, place: &str, why: &str) -> Result<(), LoadError> {
    if is_so { Ok(()) } else { Err(LoadError::contract(place, why)) }
}
