//! `product`: what a product has and lacks, and the skeleton of a new one.

use crate::activations::standing;
use crate::cli::{AddArgs, PlaceArgs, ProductCommand};
use crate::place::{Needs, settle};
use crate::product::{self, Place};
use crate::product_skeleton;
use crate::settings::Settings;
use crate::terminal;
use anyhow::Result;
use catalog::Kind;

/// Runs a subcommand; gives the exit code.
pub async fn run(settings: Settings, place: &PlaceArgs, command: ProductCommand) -> Result<i32> {
    let settings = &settings;
    let product = match command {
        ProductCommand::Check { product } => product,
        ProductCommand::Add(args) => {
            let asked = in_force(settings.clone(), place).await;
            for written in product_skeleton::write(settings, &args)? {
                let from = written.from.as_ref().map(|label| format!(", from {label}")).unwrap_or_default();
                println!("wrote   {}{from}", written.path.display());
                if let Some(from) = written.from {
                    said(&args, &from.to_string(), &asked).iter().for_each(|line| println!("{line}"));
                }
            }
            args.product
        }
    };
    let places = product::places(settings, &product)?;
    places.iter().for_each(print);
    let lacking = places.iter().filter(|place| place.lacks.is_some()).count();
    println!("{}: {} places, {lacking} lacking", terminal::line(&product), places.len());
    if lacking == 0 {
        product::next(settings).iter().for_each(|line| println!("then: {line}"));
    }
    Ok(i32::from(lacking > 0))
}

/// The policies and routes that a stack has in force, `name@version`; none where none can be asked.
async fn in_force(mut settings: Settings, place: &PlaceArgs) -> Option<Vec<String>> {
    settle(&mut settings, &place.stack, Needs::KAFKA).ok()?;
    let asked = tokio::task::spawn_blocking(move || {
        let mut all = Vec::new();
        for (kind, configured) in
            [(Kind::Policy, &settings.decision.default_policy), (Kind::Route, &settings.scorer.route)]
        {
            let (found, _) = standing(&settings.kafka, kind)?;
            all.extend(found.iter().map(|one| one.label.to_string()));
            all.extend(found.is_empty().then(|| configured.clone()));
        }
        anyhow::Ok(all)
    });
    asked.await.ok()?.ok()
}

/// What is to be said of the version that a new one was made from.
fn said(args: &AddArgs, from: &str, in_force: &Option<Vec<String>>) -> Option<String> {
    let is_named = [&args.from, &args.from_route].into_iter().flatten().any(|named| named == from);
    match in_force {
        _ if is_named => None,
        Some(all) if all.iter().any(|label| label == from) => None,
        Some(all) => Some(format!(
            "warning: {from} is the newest file, and in force are {}: to build on one of those, remove what was written and say --from or \
             --from-route",
            all.join(", ")
        )),
        None => Some(format!(
            "note    {from} is the newest file; no stack was asked what is in force (`defaultx in-force`): --from and --from-route build on another"
        )),
    }
}

fn print(place: &Place) {
    let word = if place.lacks.is_some() { "lacks" } else { "ok" };
    println!("{word:7} {}: {}", place.name, terminal::line(&place.told));
    for line in place.lacks.iter().flat_map(|text| text.lines()) {
        println!("          {}", terminal::line(line));
    }
}
