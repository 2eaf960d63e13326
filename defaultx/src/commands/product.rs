//! `product`: what a product has and lacks, and the skeleton of a new one.

use crate::cli::ProductCommand;
use crate::product::{self, Place};
use crate::product_skeleton;
use crate::settings::Settings;
use crate::terminal;
use anyhow::Result;

/// Runs a subcommand; gives the exit code.
pub fn run(settings: &Settings, command: ProductCommand) -> Result<i32> {
    let product = match command {
        ProductCommand::Check { product } => product,
        ProductCommand::Add(args) => {
            for file in product_skeleton::write(settings, &args)? {
                println!("wrote   {}", file.display());
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

fn print(place: &Place) {
    let word = if place.lacks.is_some() { "lacks" } else { "ok" };
    println!("{word:7} {}: {}", place.name, terminal::line(&place.told));
    for line in place.lacks.iter().flat_map(|text| text.lines()) {
        println!("          {}", terminal::line(line));
    }
}
