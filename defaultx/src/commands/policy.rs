//! `policy`: whether a policy may decide, and putting it in force.

use crate::activations::standing;
use crate::cli::{PlaceArgs, PolicyCommand};
use crate::commands::in_force::{Request, Version, put_in_force};
use crate::place::{Needs, settle};
use crate::say::counted;
use crate::settings::Settings;
use crate::terminal;
use anyhow::{Context, Result, anyhow, bail};
use catalog::{Document, Kind, Label, places};
use domain::FieldClass;
use domain::scale::Scale;
use policy::{Compiled, Feature, Finding, Models, Package, Routed, Severity};
use scoring::manifest::{self, FeatureType, Manifest, Missing, UnknownPolicy};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Runs `policy check` or `policy activate`.
pub async fn run(settings: Settings, place: &PlaceArgs, command: PolicyCommand) -> Result<i32> {
    match command {
        PolicyCommand::Check { files, scales, json, deny_warnings } => {
            let (scales, models) = (read_scales(&scales)?, read_models(&settings)?);
            let checked =
                |file: &PathBuf| anyhow::Ok(Checked::of(file, check(Document::bytes(file)?, &scales, &models)));
            let checked = files.iter().map(checked).collect::<Result<Vec<_>>>()?;
            let errors: usize = checked.iter().map(|of| of.errors).sum();
            let warnings: usize = checked.iter().map(|of| of.warnings).sum();
            if json {
                println!("{}", serde_json::to_string_pretty(&checked)?);
            } else {
                checked.iter().for_each(Checked::print);
            }
            Ok(i32::from(errors > 0 || deny_warnings && warnings > 0))
        }
        PolicyCommand::Activate { policy: version, scales, by, force } => {
            let file = file_of(Kind::Policy, &settings.decision.policy_dir, &version)?;
            let document = Document::read(&file)?;
            let policy = Compiled::load(document.as_str().as_bytes());
            let policy = policy.with_context(|| format!("{} may not decide", file.display()))?;
            let scales = read_scales(&scales)?;
            let off_scale = policy.check_scales(&scales);
            if let Some(finding) = off_scale.iter().find(|finding| finding.is_error()) {
                bail!("{} may not decide: {finding}", file.display());
            }
            if version.contains('@')
                && !Path::new(&version).exists()
                && Label::parse(&version)? != Label::new(policy.name(), policy.version())
            {
                bail!("{} says it is {}@{}", file.display(), policy.name(), policy.version());
            }
            beside_models(&settings, &file, &document, &scales, force)?;
            for product in unlisted(settings.clone(), place, &policy).await {
                println!(
                    "{}",
                    terminal::line(&format!("warning: {product}: its applications go to people (unknown_product)"))
                );
            }
            let what = Version {
                kind: Kind::Policy,
                label: Label::new(policy.name(), policy.version()),
                digest: policy.digest(),
                document: Some(document.text()),
                packages: None,
            };
            put_in_force(settings, place, what, Request { by, unasked: false }).await
        }
    }
}

/// The file of what somebody named: a path, or a version of a folder.
///
/// # Errors
/// It is neither: with the versions that there are.
pub(super) fn file_of(kind: Kind, folder: &Path, named: &str) -> Result<PathBuf> {
    let path = PathBuf::from(named);
    if path.is_file() {
        return Ok(path);
    }
    let Ok(label) = Label::parse(named) else {
        bail!("{named:?} is not name@version of {}, and no file", folder.display());
    };
    let file = catalog::place(kind, folder, &label);
    if !file.is_file() {
        let there = if folder.is_dir() { places(kind, folder)? } else { Vec::new() };
        let there: Vec<String> = there.iter().map(|(label, _)| label.to_string()).collect();
        let there = if there.is_empty() { "nothing".to_owned() } else { there.join(", ") };
        bail!("there is no {kind} {label}: {} is not a file; {} has {there}", file.display(), folder.display());
    }
    Ok(file)
}

/// Prints what a review finds beside models and routes, and refuses errors.
fn beside_models(settings: &Settings, file: &Path, document: &Document, scales: &[Scale], force: bool) -> Result<()> {
    let models = match read_models(settings) {
        Ok(models) => models,
        Err(why) => {
            println!("{}", terminal::line(&format!("not held against models and routes: {why:#}")));
            return Ok(());
        }
    };
    let checked = Checked::of(file, policy::review(document.as_str().as_bytes(), scales, &models));
    if !checked.findings.is_empty() {
        checked.print();
    }
    if checked.errors > 0 && !force {
        bail!("{} has errors beside the models and routes here: mend them, or say --force", file.display());
    }
    Ok(())
}

/// The products that the route in force scores and a policy does not list, in words. The route is the one that the stream has in force; where it
/// cannot be asked, or none was activated, the one of the configuration.
async fn unlisted(mut settings: Settings, place: &PlaceArgs, policy: &Compiled) -> Vec<String> {
    let configured = Label::parse(&settings.scorer.route).ok();
    let file = configured.as_ref().map(|label| catalog::place(Kind::Route, &settings.scorer.routes_dir, label));
    let written = file.and_then(|file| Document::read(&file).ok()).map(|text| text.as_str().to_owned());
    let mut routes: Vec<(String, String)> =
        configured.map(|label| label.to_string()).zip(written).into_iter().collect();
    if settle(&mut settings, &place.stack, Needs::KAFKA).is_ok() {
        let kafka = settings.kafka.clone();
        let standing = tokio::task::spawn_blocking(move || standing(&kafka, Kind::Route)).await;
        if let Ok(Ok((standing, _))) = standing {
            let carried = standing.into_iter().filter_map(|one| {
                let text = one.in_force.carried.document?;
                Some((one.label.to_string(), text.as_str().to_owned()))
            });
            let activated: Vec<_> = carried.collect();
            routes = if activated.is_empty() { routes } else { activated };
        }
    }
    let label = format!("{}@{}", policy.name(), policy.version());
    routes.iter().flat_map(|(route, text)| lacking(&label, policy, route, text)).collect()
}

/// The products of a route that a policy does not list.
fn lacking(label: &str, policy: &Compiled, route: &str, text: &str) -> Vec<String> {
    let Ok(document) = scorer::document::Document::parse(text) else { return Vec::new() };
    let products: BTreeSet<String> = document.entry.into_iter().map(|entry| entry.product).collect();
    let lacks = products.into_iter().filter(|product| !policy.products().any(|listed| listed == product));
    lacks.map(|product| format!("{label} does not list {product}, which route {route} scores")).collect()
}

/// How many errors and warnings, in words.
pub(super) fn told(errors: usize, warnings: usize) -> String {
    let many = |count: usize, what| counted(count as u64, what);
    format!("{}, {}", many(errors, "error"), many(warnings, "warning"))
}

/// What is said of one file.
#[derive(Debug, Serialize)]
struct Checked {
    file: String,
    findings: Vec<Finding>,
    errors: usize,
    warnings: usize,
}

impl Checked {
    fn of(file: &Path, findings: Vec<Finding>) -> Self {
        let errors = findings.iter().filter(|finding| finding.is_error()).count();
        let warnings = findings.len() - errors;
        Self { file: file.display().to_string(), findings, errors, warnings }
    }

    /// One line for each finding, as compilers write it, and one with what to do.
    fn print(&self) {
        for Finding { severity, code, path, line, column, rule, message, advice, .. } in &self.findings {
            let place = [line, column].into_iter().flatten().map(|at| format!(":{at}")).collect::<String>();
            let severity = if *severity == Severity::Error { "error" } else { "warning" };
            let rule = rule.as_ref().map(|id| format!("{id}: ")).unwrap_or_default();
            let said = format!("{}{place}: {severity} [{code}] {rule}{message} ({path}). {advice}", self.file);
            println!("{}", terminal::line(&said));
        }
        println!("{}: {}", terminal::line(&self.file), told(self.errors, self.warnings));
    }
}

/// Everything that is wrong with a policy: in itself, and beside the scales and models of the deployment.
fn check(policy: Vec<u8>, scales: &[Scale], models: &Models) -> Vec<Finding> {
    match Document::of(policy) {
        Ok(document) => policy::review(document.as_str().as_bytes(), scales, models),
        Err(finding) => vec![Finding::error(finding.code, finding.at, finding.message)],
    }
}

/// What the newest version of each route says: its products, and the feature contracts of the packages that decide on them.
fn read_models(settings: &Settings) -> Result<Models> {
    let (routes, packages) = (&settings.scorer.routes_dir, &settings.scorer.models_dir);
    let mut newest: BTreeMap<String, PathBuf> = BTreeMap::new();
    // They come in the order of their versions.
    newest.extend(places(Kind::Route, routes)?.into_iter().map(|(label, file)| (label.name, file)));
    let mut models = Models::default();
    for file in newest.values() {
        let text = Document::read(file)?;
        let route = scorer::document::Document::parse(text.as_str());
        let route = route.map_err(|why| anyhow!("{}: {why}", file.display()))?;
        for entry in route.entry {
            let lacking = (!entry.parties).then_some(entry.id);
            let labels = entry.challengers.into_iter().map(|of| of.package).chain([entry.champion]);
            let deciding = labels.map(|label| package(packages, &label)).collect::<Result<Vec<_>>>()?;
            match models.products.iter_mut().find(|routed| routed.product == entry.product) {
                Some(routed) => {
                    routed.without_parties.extend(lacking);
                    routed.packages.extend(deciding);
                }
                None => models.products.push(Routed {
                    product: entry.product,
                    without_parties: lacking.into_iter().collect(),
                    packages: deciding,
                }),
            }
        }
    }
    Ok(models)
}

/// A package's contract.
fn package(folder: &Path, label: &str) -> Result<Package> {
    let file = catalog::place(Kind::Model, folder, &Label::parse(label)?).join("manifest.toml");
    let manifest = Manifest::parse(&catalog::read(&file)?).with_context(|| file.display().to_string())?;
    Ok(Package { label: label.to_owned(), features: manifest.feature.iter().map(feature).collect() })
}

fn feature(declared: &manifest::Feature) -> Feature {
    let (range, is_whole) = match declared.r#type {
        FeatureType::Boolean => (Some((0.0, 1.0)), true),
        FeatureType::Category => (Some((0.0, declared.categories.len().saturating_sub(1) as f64)), true),
        FeatureType::Integer => (declared.range.map(|[low, high]| (low, high)), true),
        FeatureType::Number | FeatureType::Money => (declared.range.map(|[low, high]| (low, high)), false),
    };
    let is_known = declared.categories.is_empty() || declared.unknown == UnknownPolicy::Unscorable;
    Feature {
        name: declared.name.clone(),
        of: declared.pointer.as_deref().map(name_of).unwrap_or_default(),
        range,
        is_whole,
        words: declared.categories.clone(),
        is_always_there: matches!(declared.missing, Missing::Unscorable {}) && is_known,
        is_restricted: declared.class.is_some_and(|class| FieldClass::from(class) > FieldClass::Plain),
    }
}

/// The name of the language for what a pointer leads to, where it is one that senders choose the words of.
fn name_of(pointer: &str) -> String {
    match pointer {
        "/requested/purpose" => "purpose",
        "/channel" => "channel",
        "/jurisdiction" => "jurisdiction",
        _ => "",
    }
    .to_owned()
}

fn read_scales(path: &Path) -> Result<Vec<Scale>> {
    Ok(scorer::library::scales(path)?.iter().cloned().collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const FIRST: &str = include_str!("../../../policies/standard/1.0.0.yaml");
    const STANDARD: &str = include_str!("../../../policies/standard/1.1.0.yaml");
    const PAGE: &str = include_str!("../../../docs/policies.md");

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
    }

    /// `code rule line:column` of what is found beside the models, routes and scales that ship.
    fn found(policy: &str) -> Vec<String> {
        found_beside(policy, &root().join("routes"))
    }

    fn found_beside(policy: &str, routes: &Path) -> Vec<String> {
        let mut settings = Settings::default();
        (settings.scorer.models_dir, settings.scorer.routes_dir) = (root().join("models"), routes.to_owned());
        let scales = read_scales(&root().join("models/scales.toml")).unwrap();
        let found = check(policy.as_bytes().to_vec(), &scales, &read_models(&settings).unwrap());
        let place = |of: Option<usize>| of.map_or("-".to_owned(), |of| of.to_string());
        let told = found.iter().map(|found| {
            let rule = found.rule.as_deref().unwrap_or("-");
            format!("{} {rule} {}:{}", found.code, place(found.line), place(found.column))
        });
        told.collect()
    }

    #[test]
    fn a_policy_is_checked_against_scales_models_and_routes() {
        let rows: [(&str, &str, &[&str]); 8] = [
            ("name: standard", "name: standard", &[]),
            ("approve_at_or_above: ", "approve_at_or_above: 9", &["points_off_scale"]),
            ("scale_id: credit_card.v1", "scale_id: credit_card.v2", &["unknown_scale"]),
            ("name: standard", "nmae: standard", &["unknown_field"]),
            ("features.months_late >= 6.0", "features.month_late >= 6.0", &["unknown_feature"]),
            ("features.repayment_status_1 >= 3.0", "features.repayment_status_1 > 9.0", &["never_holds"]),
            ("    absent: skip\n", "", &["may_be_absent"]),
            ("facts.of_legal_age == false", "facts.employment.status == 'studnt'", &["unknown_word"]),
        ];
        for (from, to, expected) in rows {
            assert!(STANDARD.contains(from), "the standard policy has no {from:?}");
            let found = found(&STANDARD.replacen(from, to, 1));
            let codes: Vec<&str> = found.iter().filter_map(|line| line.split(' ').next()).collect();
            let others = ["may_be_absent"];
            let codes: Vec<&str> =
                codes.into_iter().filter(|code| expected.contains(code) || !others.contains(code)).collect();
            assert_eq!(codes, expected, "{to}: {found:?}");
        }
    }

    #[test]
    fn the_first_version_sends_everybody_without_a_term_to_people() {
        assert_eq!(found(FIRST), ["may_be_absent instalment_too_long 42:11"]);
    }

    /// The blocks of the page that are tagged so.
    fn blocks(tag: &str) -> Vec<&'static str> {
        let tagged = PAGE.split("```").skip(1).step_by(2).filter_map(|block| block.split_once('\n'));
        tagged.filter(|(found, _)| *found == tag).map(|(_, block)| block).collect()
    }

    /// Each example is a rule of the standard policy, in the section that it names, with the finding that its comment names.
    #[test]
    fn the_examples_of_the_page_are_found_as_it_says() {
        let examples = blocks("yaml finding");
        assert!(examples.len() >= 8, "{} examples", examples.len());
        for example in examples {
            let (expected, rule) = example.strip_prefix("# ").unwrap().split_once('\n').unwrap();
            let (section, rule) = rule.split_once('\n').unwrap();
            let policy = STANDARD.replacen(&format!("{section}\n"), &format!("{section}\n{rule}"), 1);
            let policy = if policy == STANDARD { format!("{STANDARD}{section}\n{rule}") } else { policy };
            let mut found = found(&policy);
            // The shipped route has no parties carried, which is another example.
            found.retain(|line| expected.starts_with("parties") || !line.starts_with("parties_not_carried"));
            assert_eq!(found.len(), 1, "{example}: {found:?}");
            assert!(found[0].starts_with(&format!("{expected} ")), "{example}: {found:?}");
        }
    }

    /// The worked example of the page: a rule with its reason, clean under a route with the line of the page, and not without it.
    #[test]
    fn the_worked_example_of_the_page_is_clean() {
        let [rule, reason] = blocks("yaml worked")[..] else { panic!("the page has a rule and a reason") };
        let (rule, reason) = (rule.split_once('\n').unwrap().1, reason.split_once('\n').unwrap().1);
        let policy = STANDARD.replacen("knockouts:\n", &format!("knockouts:\n{rule}"), 1);
        let policy = policy.replacen("reasons:\n", &format!("reasons:\n{reason}"), 1);
        let [line] = blocks("toml worked")[..] else { panic!("the page has a line of the route") };
        let route = std::fs::read_to_string(root().join("routes/standard/1.0.0.toml")).unwrap();
        let entry = "product = \"consumer_instalment\"\n";
        let route = route.replacen(entry, &format!("{entry}{}", line.split_once('\n').unwrap().1), 1);
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("standard")).unwrap();
        std::fs::write(dir.path().join("standard/1.0.0.toml"), route).unwrap();
        assert_eq!(found_beside(&policy, dir.path()), Vec::<String>::new());
        assert_eq!(found(&policy).len(), 1, "{:?}", found(&policy));
        assert!(found(&policy)[0].starts_with("parties_not_carried stretched"), "{:?}", found(&policy));
        assert!(Compiled::load(policy.as_bytes()).is_ok());
    }

    #[test]
    fn a_policy_is_named_by_its_file_or_its_version() {
        let folder = root().join("policies");
        let file = folder.join("standard/1.1.0.yaml");
        assert_eq!(file_of(Kind::Policy, &folder, "standard@1.1.0").unwrap(), file);
        assert_eq!(file_of(Kind::Policy, &folder, file.to_str().unwrap()).unwrap(), file);
        for (named, expected) in [
            ("standard@1.9.0", "has standard@1.0.0, standard@1.1.0"),
            ("standard", "is not name@version"),
            ("../routes/standard@1", "is not name@version"),
        ] {
            let why = format!("{:#}", file_of(Kind::Policy, &folder, named).unwrap_err());
            assert!(why.contains(expected), "{why}");
        }
    }

    #[test]
    fn a_product_of_the_route_that_a_policy_does_not_list_is_named() {
        let policy = Compiled::load(STANDARD.as_bytes()).unwrap();
        let route = |product: &str| {
            format!("name = 'r'\nversion = '1.0.0'\n[[entry]]\nid = 'a'\nproduct = '{product}'\nchampion = 'm@1.0.0'\n")
        };
        assert_eq!(lacking("p@1", &policy, "r@1", &route("credit_card")), Vec::<String>::new());
        assert_eq!(
            lacking("p@1", &policy, "r@1", &route("boat_loan")),
            ["p@1 does not list boat_loan, which route r@1 scores"]
        );
    }

    #[test]
    fn findings_are_counted_in_words() {
        assert_eq!((told(1, 0), told(0, 2)), ("1 error, 0 warnings".to_owned(), "0 errors, 2 warnings".to_owned()));
    }
}
