//! Which facts of an applicant the models of each product read, by their feature contracts alone.

use anyhow::Result;
use catalog::{Kind, places, read};
use scoring::error::Part;
use scoring::manifest::{Feature, Manifest};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Where the facts of the first applicant stand, in a pointer and in an expression.
const ROOTS: [&str; 2] = ["/applicants/0/facts/", "applicants[0].facts."];

/// By product, the places that features point to or that expressions name. A manifest that cannot be read names none.
///
/// # Errors
/// When the folder is there and cannot be listed.
pub(super) fn read_by_models(folder: &Path) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    if !folder.exists() {
        return Ok(all);
    }
    for (_, package) in places(Kind::Model, folder)? {
        let manifest = read(&package.join(Part::Manifest.file_name())).ok();
        let Some(manifest) = manifest.and_then(|text| Manifest::parse(&text).ok()) else { continue };
        all.entry(manifest.product).or_default().extend(manifest.feature.iter().flat_map(of));
    }
    Ok(all)
}

fn of(feature: &Feature) -> Vec<String> {
    let [pointed, named] = ROOTS;
    let pointer = feature.pointer.iter().filter(|pointer| pointer.starts_with(pointed)).cloned();
    let expression = feature.expr.as_deref().unwrap_or_default();
    let places = expression.split(named).skip(1).map(|rest| {
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.'))).unwrap_or(rest.len());
        format!("{pointed}{}", rest[..end].replace('.', "/"))
    });
    pointer.chain(places).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_models_say_what_they_read() {
        let read = read_by_models(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../models")).unwrap();
        assert!(read["consumer_instalment"].contains("/applicants/0/facts/housing/status"), "{read:?}");
        assert!(!read["consumer_instalment"].contains("/applicants/0/facts/of_legal_age"));
        assert!(read_by_models(Path::new("nowhere")).unwrap().is_empty());
    }
}
