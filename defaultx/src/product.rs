//! The places that a product needs before an application for it can be decided, and what to write where one lacks. Reads files alone:
//! what is in force is told by the stream.

use crate::product_skeleton::{block_of, newest, of_library};
use crate::settings::Settings;
use anyhow::{Context, Result};
use catalog::{Kind, places as versions};
use policy::Compiled;
use scorer::library::scales;
use scorer::{Library, Route};
use scoring::Scales;
use scoring::error::Part;
use scoring::manifest::Manifest;
use std::path::Path;

/// A place and what is there.
#[derive(Debug)]
pub(crate) struct Place {
    /// Which.
    pub name: &'static str,
    /// What is there, or why that does not do.
    pub told: String,
    /// What to do or to write, where something lacks.
    pub lacks: Option<String>,
}

impl Place {
    fn ok(name: &'static str, told: impl Into<String>) -> Self {
        Self { name, told: told.into(), lacks: None }
    }

    fn lacks(name: &'static str, told: impl Into<String>, write: impl Into<String>) -> Self {
        Self { name, told: told.into(), lacks: Some(write.into()) }
    }
}

/// Every place, in the order in which they are filled.
///
/// # Errors
/// When a folder or the scales cannot be read.
pub(crate) fn places(settings: &Settings, product: &str) -> Result<Vec<Place>> {
    let models = &settings.scorer.models_dir;
    let file = models.join("scales.toml");
    let scales = scales(&file)?;
    let library = Library::read(models).with_context(|| format!("the packages of {}", models.display()))?;
    Ok(vec![
        intake(settings, product, &currencies(settings, product)?),
        scale(&scales, &file, product),
        package(&library, models, product)?,
        route(settings, &library, product)?,
        policy(settings, &scales, product)?,
        attributes(settings, product)?,
    ])
}

/// What puts the newest versions in force, where the configuration names older ones.
pub(crate) fn next(settings: &Settings) -> Vec<String> {
    let mut lines = Vec::new();
    if let Ok(Some((label, _))) = newest(Kind::Route, &settings.scorer.routes_dir, &settings.scorer.route)
        && label.to_string() != settings.scorer.route
    {
        lines.push(format!("defaultx route activate {label} --by WHO"));
    }
    if let Ok(Some((label, path))) =
        newest(Kind::Policy, &settings.decision.policy_dir, &settings.decision.default_policy)
        && label.to_string() != settings.decision.default_policy
    {
        lines.push(format!("defaultx policy activate {} --by WHO", path.display()));
    }
    lines
}

/// The currencies that the newest policy lends a product in; none where it does not list it.
fn currencies(settings: &Settings, product: &str) -> Result<Vec<String>> {
    let found = newest(Kind::Policy, &settings.decision.policy_dir, &settings.decision.default_policy)?;
    let text = found.map(|(_, path)| catalog::read(&path)).transpose()?.unwrap_or_default();
    let block = block_of(&String::from_utf8_lossy(&text), "products", product);
    Ok(block.map(|block| block.currencies()).unwrap_or_default())
}

fn intake(settings: &Settings, product: &str, currencies: &[String]) -> Place {
    let name = "[ingest] products";
    let known = &settings.ingest.products;
    if known.iter().any(|(one, _)| one == product) {
        return Place::ok(name, "applications for it are taken");
    }
    let table =
        |(name, currencies): (&str, &[String])| format!("[ingest.products.{name}]\ncurrencies = {currencies:?}\n");
    let all: String = known.iter().chain([(product, currencies)]).map(table).collect();
    let write = format!(
        "In the file of --config, then start ingest again; a product without currencies takes any of ISO 4217:\n{}",
        all.trim_end()
    );
    Place::lacks(name, "an application for it is refused with unknown_product", write)
}

fn scale(scales: &Scales, file: &Path, product: &str) -> Place {
    let name = "scale";
    let of_product = |id: &&str| scales.find(id).is_some_and(|(owner, _)| owner == product);
    let ids: Vec<&str> = scales.iter().map(|scale| scale.id()).filter(of_product).collect();
    if !ids.is_empty() {
        return Place::ok(name, format!("{} in {}", ids.join(", "), file.display()));
    }
    let write = format!(
        "[[scale]]\nid = \"{product}.v1\"\nproduct = \"{product}\"\npdo = 40.0\nbase_score = 660.0\nbase_odds = 20.0\nfloor = 300\ncap = \
         850\nbands = [{{ name = \"A\", min_score = 600 }}, {{ name = \"B\", min_score = 300 }}]\nor: defaultx product add {product} --like \
         OTHER"
    );
    Place::lacks(name, format!("{} has none for it", file.display()), write)
}

fn package(library: &Library, models: &Path, product: &str) -> Result<Place> {
    let name = "package";
    let proven: Vec<String> = of_library(library, product).collect();
    if !proven.is_empty() {
        return Ok(Place::ok(name, format!("{} in {}", proven.join(", "), models.display())));
    }
    for (label, folder) in versions(Kind::Model, models)? {
        let manifest =
            catalog::read(&folder.join(Part::Manifest.file_name())).ok().and_then(|text| Manifest::parse(&text).ok());
        if manifest.is_some_and(|manifest| manifest.product == product) {
            let why = library.find(product, &label.to_string()).err().map(|why| why.to_string()).unwrap_or_default();
            return Ok(Place::lacks(name, why, format!("defaultx model check {}", folder.display())));
        }
    }
    let write = format!(
        "A package whose manifest says product = \"{product}\", in {}/NAME/VERSION/:\ndefaultx model import GRAPH.onnx --sample ROWS.csv \
         --label COLUMN …   (docs/import.md)",
        models.display()
    );
    Ok(Place::lacks(name, "no package is for it: nothing can score it", write))
}

fn route(settings: &Settings, library: &Library, product: &str) -> Result<Place> {
    let name = "route";
    let Some((label, path)) = newest(Kind::Route, &settings.scorer.routes_dir, &settings.scorer.route)? else {
        let write = format!("A first version, such as {}/standard/1.0.0.toml", settings.scorer.routes_dir.display());
        return Ok(Place::lacks(name, format!("there is no version of {}", settings.scorer.route), write));
    };
    let route = match Route::load(&catalog::read(&path)?, library) {
        Ok(route) => route,
        Err(why) => return Ok(Place::lacks(name, why.to_string(), format!("defaultx route check {}", path.display()))),
    };
    let entries: Vec<&str> =
        route.entries().iter().filter(|entry| entry.product == product).map(|entry| entry.id.as_str()).collect();
    if !entries.is_empty() {
        return Ok(Place::ok(name, format!("{label} has {}", entries.join(", "))));
    }
    let champion = of_library(library, product).last().unwrap_or_else(|| "NAME@VERSION".to_owned());
    let write = format!(
        "In a new version, a copy of {} with another `version`:\n[[entry]]\nid = \"{product}\"\nproduct = \"{product}\"\nchampion = \
         \"{champion}\"\nor, once there is a package: defaultx product add {product} --like OTHER",
        path.display()
    );
    Ok(Place::lacks(name, format!("{label} has no entry for it: it goes to people as unscorable"), write))
}

fn policy(settings: &Settings, scales: &Scales, product: &str) -> Result<Place> {
    let name = "policy";
    let Some((label, path)) = newest(Kind::Policy, &settings.decision.policy_dir, &settings.decision.default_policy)?
    else {
        let write = format!("A first version, such as {}/standard/1.0.0.yaml", settings.decision.policy_dir.display());
        return Ok(Place::lacks(name, format!("there is no version of {}", settings.decision.default_policy), write));
    };
    let text = catalog::read(&path)?;
    let check = || format!("defaultx policy check {}", path.display());
    let compiled = match Compiled::load(&text) {
        Ok(compiled) => compiled,
        Err(why) => return Ok(Place::lacks(name, why.to_string(), check())),
    };
    let scales: Vec<_> = scales.iter().cloned().collect();
    if let Some(off) = compiled.check_scales(&scales).iter().find(|finding| finding.is_error()) {
        return Ok(Place::lacks(name, off.to_string(), check()));
    }
    let skeleton = |section: &str, lines: &str| {
        format!(
            "In a new version, a copy of {} with another `version`, under `{section}:`\n{lines}\nor: defaultx product add {product} --like \
             OTHER",
            path.display()
        )
    };
    if !compiled.products().any(|one| one == product) {
        let lines =
            format!("  - product: {product}\n    scale_id: {product}.v1\n    currencies: [EUR]\n    fallback: refer");
        return Ok(Place::lacks(
            name,
            format!("{label} does not list it: it goes to people"),
            skeleton("products", &lines),
        ));
    }
    let text = String::from_utf8_lossy(&text);
    if block_of(&text, "cutoffs", product).is_none() {
        let lines = format!(
            "  - id: {product}_score\n    product: {product}\n    approve_at_or_above: 560\n    decline_below: 500"
        );
        let told = format!("{label} has no cutoff for it: what no rule decides goes to people");
        return Ok(Place::lacks(name, told, skeleton("cutoffs", &lines)));
    }
    Ok(Place::ok(name, format!("{label} decides on it")))
}

/// No place to fill, but what senders read: told where its contracts are known.
fn attributes(settings: &Settings, product: &str) -> Result<Place> {
    let (name, published) = ("attributes", settings.attributes()?.get());
    let Some((_, of)) = published.attributes.of_everybody().find(|(one, _)| *one == product) else {
        return Ok(Place::ok(name, "none yet: the schema for senders comes of itself with package and route"));
    };
    let open = if of.is_open { "; a contract is missing, so that nothing is judged" } else { "" };
    let path = schemas::attributes::PATH.replace("{product}", product);
    Ok(Place::ok(name, format!("{} of them are read{open}; senders find the schema under {path}", of.names().len())))
}
