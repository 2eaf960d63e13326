//! The four files of a package as one input: each by its length, then its bytes.

use super::{document, wire};
use domain::Digest;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use scoring::PackageFiles;

/// Puts files together.
pub fn pack(files: &PackageFiles) -> Vec<u8> {
    let mut packed = Vec::new();
    for part in [&files.manifest, &files.graph, &files.golden, &files.reference] {
        packed.extend_from_slice(&(part.len() as u32).to_le_bytes());
        packed.extend_from_slice(part);
    }
    packed
}

/// Takes them apart; what is cut off is empty.
pub fn unpack(mut packed: &[u8]) -> PackageFiles {
    let mut next = || {
        let Some((length, rest)) = packed.split_first_chunk::<4>() else { return vec![] };
        let (part, rest) = rest.split_at(rest.len().min(u32::from_le_bytes(*length) as usize));
        packed = rest;
        part.to_vec()
    };
    PackageFiles { manifest: next(), graph: next(), golden: next(), reference: next() }
}

/// The files with the digests that their manifest must name, so that a change gets past them.
pub fn sealed(mut files: PackageFiles) -> PackageFiles {
    let Ok(mut text) = String::from_utf8(files.manifest.clone()) else { return files };
    for (key, bytes) in [("graph", &files.graph), ("golden", &files.golden), ("reference", &files.reference)] {
        let head = format!("{key}_sha256 = \"");
        let Some(start) = text.find(&head).map(|at| at + head.len()) else { continue };
        let Some(length) = text[start..].find('"') else { continue };
        text.replace_range(start..start + length, &Digest::of(bytes).to_string());
    }
    files.manifest = text.into_bytes();
    files
}

/// One file changed as what it is, or nothing where it cannot be.
pub fn changed(files: &PackageFiles, rng: &mut ChaCha8Rng) -> Option<PackageFiles> {
    let mut files = files.clone();
    match rng.random_range(0..8) {
        0..3 => files.manifest = document::changed_toml(&files.manifest, rng)?,
        3..6 => files.graph = wire::changed(&files.graph, rng)?,
        6 => files.golden = document::changed_json(&files.golden, rng)?,
        _ => files.reference = document::changed_json(&files.reference, rng)?,
    }
    Some(files)
}
