//! The broker's jars: fetched once by Maven into a cache that all stacks share. A half-fetched cache is never seen, and
//! nothing is fetched when the jars are there. Whoever answers for Maven's repository, a jar is only used when it is the very one
//! whose SHA-512 stands in `jars.sha512`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::LocalError;
use crate::progress::Step;
use crate::{process, tools};
use sha2::{Digest, Sha512};

/// What is fetched; changing it makes a new place in the cache.
const POM: &str = include_str!("../pom.xml");
/// What must have come, as `sha512sum` writes it.
const SUMS: &str = include_str!("../jars.sha512");
/// In a directory of jars that were held to [`SUMS`]: their text.
const CHECKED: &str = "SHA512SUMS";
/// Marks a directory being filled; one that is left over belongs to a process that died.
const STAGING: &str = ".fetching-";
/// Without this one Maven has not done what it was asked.
const PROOF: &str = "kafka_2.13-";

/// The directory of the jars, if they have been fetched and checked before.
pub(crate) fn cached(cache_dir: &Path) -> Option<PathBuf> {
    let is_checked = |place: &PathBuf| fs::read_to_string(place.join(CHECKED)).is_ok_and(|sums| sums == SUMS);
    Some(place(cache_dir)).filter(|place| is_checked(place) || check(place).is_ok())
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
    check(&staging.join("jars"))?;
    let place = place(cache_dir);
    if place.is_dir() {
        // It holds something else than what we ask for: an older list, or what somebody put there.
        fs::remove_dir_all(&place).map_err(LocalError::io(|| format!("removing {}", place.display())))?;
    }
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

/// Holds every jar to its sum, and the directory to the list: none missing, none more. Marks it where it can.
fn check(dir: &Path) -> Result<(), LocalError> {
    let mut wanted: BTreeMap<&str, &str> =
        SUMS.lines().filter_map(|line| line.split_once("  ")).map(|(s, n)| (n, s)).collect();
    let wrong = |why: String| LocalError::WrongJar { dir: dir.to_owned(), why };
    let entries = fs::read_dir(dir).map_err(LocalError::io(|| format!("reading {}", dir.display())))?;
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == CHECKED {
            continue;
        }
        let sum = wanted.remove(name.as_str()).ok_or_else(|| wrong(format!("{name} is not on the list")))?;
        let bytes = fs::read(entry.path()).map_err(LocalError::io(|| format!("reading {}", entry.path().display())))?;
        let found: String = Sha512::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        if found != sum {
            return Err(wrong(format!("{name} has SHA-512 {found}, not {sum}")));
        }
    }
    if let Some(name) = wanted.keys().next() {
        return Err(wrong(format!("{name} is missing")));
    }
    if let Err(error) = fs::write(dir.join(CHECKED), SUMS) {
        tracing::debug!(%error, "jars cannot be marked as checked; they are checked again next time");
    }
    Ok(())
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
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_jar_that_is_not_the_one_on_the_list_is_not_used() {
        let cache = tempfile::tempdir().unwrap();
        let place = place(cache.path());
        assert_eq!(SUMS.lines().count(), 46);
        assert!(cached(cache.path()).is_none(), "nothing is there");
        fs::create_dir_all(&place).unwrap();
        let why = |place: &Path| check(place).unwrap_err().to_string();
        assert!(why(&place).contains("is missing"), "{}", why(&place));
        fs::write(place.join("evil-1.0.jar"), "class").unwrap();
        assert!(why(&place).contains("evil-1.0.jar is not on the list"), "{}", why(&place));
        fs::remove_file(place.join("evil-1.0.jar")).unwrap();
        fs::write(place.join("kafka_2.13-4.3.1.jar"), "class").unwrap();
        assert!(why(&place).contains("kafka_2.13-4.3.1.jar has SHA-512"), "{}", why(&place));
        assert!(cached(cache.path()).is_none() && !place.join(CHECKED).exists());
    }

    #[test]
    fn fingerprints_are_those_of_fnv_1a() {
        for (text, expected) in [("", 0x811c_9dc5), ("a", 0xe40c_292c), ("foobar", 0xbf9c_f968)] {
            assert_eq!(fingerprint(text.as_bytes()), expected, "{text}");
        }
    }
}
