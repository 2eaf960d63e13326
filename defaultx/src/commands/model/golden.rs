//! `model golden`: the golden applications of a package whose manifest was edited, written anew.

use super::package;
use crate::cli::PackageArgs;
use anyhow::{Context, Result};
use scoring::error::Part;
use serde_json::Value;
use std::path::Path;

/// Writes them, and the manifest with their digest.
pub fn run(args: &PackageArgs, applications: Option<&Path>) -> Result<i32> {
    let (files, scales) = (package::files(&args.package)?, package::scales(&args.scales)?);
    let applications = applications.map(read).transpose()?.unwrap_or_default();
    let renewed = model_import::renew(&files, &applications, &scales).map_err(|why| anyhow::anyhow!(why.told()))?;
    for (part, bytes) in [(Part::Golden, &renewed.golden), (Part::Manifest, &renewed.manifest)] {
        let path = args.package.join(part.file_name());
        // In one step: whoever reads the folder meanwhile finds the one or the other.
        let partial = path.with_extension("partial");
        std::fs::write(&partial, bytes)
            .and_then(|()| std::fs::rename(&partial, &path))
            .with_context(|| path.display().to_string())?;
        println!("wrote {}", path.display());
    }
    Ok(0)
}

/// The `data` of applications, or of events that hold it.
fn read(file: &Path) -> Result<Vec<Value>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    let values = serde_json::Deserializer::from_str(&text).into_iter::<Value>().collect::<Result<Vec<_>, _>>();
    let values = values.with_context(|| file.display().to_string())?;
    let flat = values.into_iter().flat_map(|value| match value {
        Value::Array(all) => all,
        one => vec![one],
    });
    Ok(flat
        .map(|mut one| match one.get_mut("data") {
            Some(data @ Value::Object(_)) => data.take(),
            _ => one,
        })
        .collect())
}
