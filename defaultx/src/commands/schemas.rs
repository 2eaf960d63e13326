//! `schemas`: what senders may send, as files.

use crate::cli::SchemasCommand;
use crate::settings::Settings;
use anyhow::{Context, Result};
use schemas::attributes::{Published, document, file_name};
use std::path::Path;

/// Runs a subcommand; gives the exit code.
pub fn run(settings: &Settings, command: SchemasCommand) -> Result<i32> {
    let SchemasCommand::Attributes { product, tenant, to, check } = command;
    let published = settings.attributes()?.get();
    if let Some(product) = product {
        let known = match &tenant {
            Some(tenant) => published.attributes.of(&product, tenant).map(|of| document(&product, of)),
            None => published.documents.get(&product).map(|document| document.to_string()),
        };
        let models = settings.scorer.models_dir.display();
        print!(
            "{}",
            known.with_context(|| format!("no route in routes_dir names {product}, or no package of {models}"))?
        );
        return Ok(0);
    }
    let folder = to.unwrap_or_default();
    if check { differing(&published, &folder) } else { write(&published, &folder) }
}

fn write(published: &Published, folder: &Path) -> Result<i32> {
    for (product, document) in &published.documents {
        let path = folder.join(file_name(product));
        let parent = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
        std::fs::write(&path, document.as_bytes()).with_context(|| path.display().to_string())?;
        println!("wrote {}", path.display());
    }
    println!("{} products", published.documents.len());
    Ok(0)
}

fn differing(published: &Published, folder: &Path) -> Result<i32> {
    let mut count = 0;
    for (product, document) in &published.documents {
        let path = folder.join(file_name(product));
        let is_same = std::fs::read(&path).is_ok_and(|there| there == document.as_bytes());
        if !is_same {
            println!("{} is not what the contracts say", path.display());
            count += 1;
        }
    }
    println!("{} products, {count} to write", published.documents.len());
    Ok(i32::from(count > 0))
}
