//! `model check`: packages are looked at, and what is found is printed.

use super::package;
use anyhow::Result;
use model_import::Report;
use std::path::{Path, PathBuf};

/// Checks packages; code 1 when any may not serve.
pub fn run(packages: &[PathBuf], scales: &Path, json: bool) -> Result<i32> {
    let mut fails = false;
    for package in packages {
        let report = report(package, scales);
        fails |= !report.faults.is_empty();
        match json {
            true => println!("{}", serde_json::to_string(&report)?),
            false => print!("{}", report.text()),
        }
    }
    Ok(i32::from(fails))
}

fn report(package: &Path, scales: &Path) -> Report {
    let read = package::files(package).and_then(|files| Ok((files, package::scales(scales)?)));
    match read {
        Ok((files, scales)) => model_import::check(package, files, &scales),
        Err(error) => Report::unread(package, crate::say::told(&error)),
    }
}
