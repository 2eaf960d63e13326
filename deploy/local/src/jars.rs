//! The broker's jars: fetched once by Maven into a cache that all houses share. A half-fetched cache is never seen, and
//! nothing is fetched when the jars are there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::LocalError;
use crate::progress::Step;
use crate::{process, tools};

/// What is fetched; changing it makes a new place in the cache.
const POM: &str = include_str!("../pom.xml");
/// Marks a directory being filled; one that is left over belongs to a process that died.
const STAGING: &str = ".fetching-";
/// Without this one Maven has not done what it was asked.
const PROOF: &str = "kafka_2.13-";

/// The directory of the jars, if they have been fetched before.
pub(crate) fn cached(cache_dir: &Path) -> Option<PathBuf> {
    Some(place(cache_dir)).filter(|place| place.is_dir())
}

/// The directory of the jars; fetches them first if need be. Several processes may ask at once: one fetches, all get them.
pub(crate) fn fetch(cache_dir: &Path, maven: &Path, step: &Step) -> Result<PathBuf, LocalError> {
    fs::create_dir_all(cache_dir).map_err(LocalError::io(|| format!("creating {}", cache_dir.display())))?;
    step.now("waiting for the cache of the broker's jars");
    let lock = tools::lock_file(&cache_dir.join("broker.lock"))?;
    if let Some(jars) = cached(cache_dir) {
        return Ok(jars);
    }
    step.now("fetching the broker's jars with Maven (once, 44 MB)");
    clear_leftovers(cache_dir)?;
    let staging = cache_dir.join(format!("{STAGING}{}", std::process::id()));
    run_maven(maven, &staging)?;
    let place = place(cache_dir);
    fs::rename(staging.join("jars"), &place).map_err(LocalError::io(|| format!("filling {}", place.display())))?;
    clear_leftovers(cache_dir)?;
    drop(lock);
    Ok(place)
}

/// Where the jars belong.
pub(crate) fn place(cache_dir: &Path) -> PathBuf {
    cache_dir.join(format!("broker-jars-{:08x}", fingerprint(POM.as_bytes())))
}

fn run_maven(maven: &Path, staging: &Path) -> Result<(), LocalError> {
    let pom = staging.join("pom.xml");
    fs::create_dir_all(staging)
        .and_then(|()| fs::write(&pom, POM))
        .map_err(LocalError::io(|| format!("writing {}", pom.display())))?;
    let mut command = Command::new(maven);
    command
        .args(["-q", "-B", "-Dstyle.color=never", "dependency:copy-dependencies", "-DincludeScope=runtime"])
        .arg(format!("-DoutputDirectory={}", staging.join("jars").display()))
        .current_dir(staging);
    let output = process::run("fetching the broker's jars with Maven", command)?;
    let complete = fs::read_dir(staging.join("jars"))
        .into_iter()
        .flatten()
        .flatten()
        .any(|jar| jar.file_name().to_string_lossy().starts_with(PROOF));
    if complete {
        return Ok(());
    }
    Err(LocalError::Failed { what: "Maven brought no broker".to_owned(), status: "exit status: 0".to_owned(), output })
}

/// Only the holder of the lock may call it: what it finds belongs to nobody alive.
fn clear_leftovers(cache_dir: &Path) -> Result<(), LocalError> {
    let entries = fs::read_dir(cache_dir).map_err(LocalError::io(|| format!("reading {}", cache_dir.display())))?;
    for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(STAGING)) {
        let path = entry.path();
        fs::remove_dir_all(&path).map_err(LocalError::io(|| format!("removing {}", path.display())))?;
    }
    Ok(())
}

/// FNV-1a: names a place by its content, the same in every build; not a proof of anything.
pub(crate) fn fingerprint(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_those_of_fnv_1a() {
        for (text, expected) in [("", 0x811c_9dc5), ("a", 0xe40c_292c), ("foobar", 0xbf9c_f968)] {
            assert_eq!(fingerprint(text.as_bytes()), expected, "{text}");
        }
    }
}
