//! What a manifest says outside its features, and that it holds together.

use crate::codes;
use crate::error::LoadError;
use crate::manifest::{Kind, Link, Manifest, Native, Target};
use domain::{Digest, Population};

/// Checks all of it, in the manifest's order.
///
/// # Errors
/// [`LoadError::Contract`] at the first entry that does not hold.
pub(crate) fn check(manifest: &Manifest) -> Result<(), LoadError> {
    check_name(manifest)?;
    codes::token(&manifest.product).map_err(|why| LoadError::contract("product", why))?;
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
    let is_known = Population::parse(&target.population).is_some();
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::contract::tests::{HEAD, feature};

    /// A net's manifest with each first text in place of the second, checked.
    fn checked(changes: &[(&str, &str)]) -> Result<(), String> {
        let of = |text: String, (from, to): &(&str, &str)| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        };
        let text = changes.iter().fold(HEAD.to_owned(), of);
        let one = feature("f", "number", "pointer = '/a'\nmissing = { policy = \"unscorable\" }");
        check(&Manifest::parse(format!("{text}{one}").as_bytes()).unwrap()).map_err(|why| why.to_string())
    }

    const NET: &str = "input = \"features\", margin = \"margin\"";
    const CARD: &str = "input = \"i\", margin = \"m\", partials = \"p\", intercept = -1.5";
    const TREES: &str = "input = \"i\", probability = \"p\", link = \"log_odds\"";
    const STOCK: &str = "output = \"o\", column = 1, link = \"probability\"";

    #[test]
    fn each_kind_names_what_it_has() {
        let of = |kind: &str, graph: &str| {
            checked(&[("kind = \"net\"", &format!("kind = \"{kind}\"")), (NET, graph)]).err().unwrap_or_default()
        };
        for (kind, graph) in [("net", NET), ("scorecard", CARD), ("trees", TREES), ("graph", STOCK)] {
            assert_eq!(of(kind, graph), "", "{kind}");
        }
        let also = |graph: &str, more: &str| format!("{graph}, {more}");
        let rows = [
            ("trees", also(TREES, "margin = \"m\""), "trees have none"),
            ("graph", also(STOCK, "margin = \"m\""), "kind graph names its output"),
            ("net", "input = \"i\"".to_owned(), "names its margin"),
            ("net", also(NET, "link = \"log_odds\""), "no other kind has them"),
            ("trees", "input = \"i\", probability = \"p\"".to_owned(), "trees name their probability and link"),
            ("graph", also(STOCK, "input = \"i\""), "every other kind its input"),
            ("graph", "output = \"o\", link = \"logit\"".to_owned(), "its output and column"),
            ("net", also(NET, "before = \"b\""), "only kind graph has before and explained"),
            ("trees", TREES.replace("log_odds", "softmax"), "the link of trees is"),
            ("trees", TREES.replace("log_odds", "logit"), "the link of trees is"),
            ("graph", also(STOCK, "before = \"b\""), "what a sigmoid or softmax is given"),
            (
                "scorecard",
                "input = \"i\", margin = \"m\", intercept = 1.0".to_owned(),
                "its partials and its intercept",
            ),
            ("scorecard", CARD.replace("-1.5", "inf"), "its partials and its intercept"),
            ("net", also(NET, "intercept = 1.0"), "only a scorecard has"),
        ];
        for (kind, graph, expected) in rows {
            let why = of(kind, &graph);
            assert!(why.starts_with("manifest.toml, graph: ") && why.contains(expected), "{kind} {graph}: {why}");
        }
    }

    #[test]
    fn names_target_and_threshold_are_checked() {
        let digest = "0".repeat(64);
        let native = |rest: &str| {
            let table = "reasons = { reference = \"near_cutoff\" }";
            let native = format!("library = \"l 1\", file = \"native.csv.gz\", sha256 = \"{digest}\", changed = 0");
            checked(&[(table, &format!("{table}\nnative = {{ {native}{rest} }}"))])
        };
        assert_eq!(native(""), Ok(()));
        assert_eq!(native(", bound = 0.1, greatest = 0.05, total = 0.2"), Ok(()));
        assert!(native(", bound = 0.1").unwrap_err().contains("the greatest that was found and the total"));
        let rows = [
            ("name = \"m\"", "name = \"m 1\"", "name: name and version are"),
            ("version = \"1\"", "version = \"\"", "name: name and version are"),
            ("product = \"p\"", "product = \"P\"", "product: "),
            ("definition = \"d\"", "definition = \" \"", "target: definition and prior_correction must be said"),
            ("correction = \"none\"", "correction = \"\"", "target: definition and prior_correction must be said"),
            ("months = 12", "months = 0", "target: horizon_months must be 1 to 600"),
            ("months = 12", "months = 601", "target: horizon_months must be 1 to 600"),
            ("\"booked\"", "\"all\"", "target: population must be booked or through_the_door"),
            ("threshold = 0.5", "threshold = 0.0", "classification: threshold must lie between 0 and 1"),
            ("threshold = 0.5", "threshold = nan", "classification: threshold must lie between 0 and 1"),
        ];
        for (from, to, expected) in rows {
            let why = checked(&[(from, to)]).unwrap_err();
            assert!(why.starts_with(&format!("manifest.toml, {expected}")), "{to}: {why}");
        }
    }
}
