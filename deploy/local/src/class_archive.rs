//! The broker's classes, loaded and checked once and kept in a file that Java maps at the next start: it halves the work of
//! a start. Only a shortcut: where it cannot be made, or does not fit the Java at hand, brokers start without it.

use std::fs::{self, File};
use std::path::Path;

use crate::classes::Classes;
use crate::kafka::{Broker, Plan};
use crate::logins::Logins;
use crate::process::Ending;
use crate::progress::Step;
use crate::{LocalError, tools};

/// The archive beside the jars; made first, by a broker that is started and stopped for it, if there is none yet.
pub(crate) fn provide(java: &Path, jars: &Path, step: &Step) -> Result<Classes, LocalError> {
    let archive = jars.with_extension("guarded.jsa"); // of a broker that asks for logins
    if !archive.exists() {
        step.now("waiting for the archive of the broker's classes");
        let _lock = tools::lock_file(&jars.with_extension("lock"))?;
        if !archive.exists() {
            make(java, jars, &archive, step)?;
        }
    }
    // An empty file says that this machine's Java could not make one.
    Ok(if fs::metadata(&archive).is_ok_and(|meta| meta.len() > 0) { Classes::Archived(archive) } else { Classes::Jars })
}

fn make(java: &Path, jars: &Path, archive: &Path, step: &Step) -> Result<(), LocalError> {
    step.now("preparing quick starts (once)");
    let scratch = jars.with_extension("scratch");
    let fresh = scratch.join("classes.jsa");
    clear(&scratch)?;
    if let Err(error) = live_once(java, jars, &scratch, &fresh, step) {
        tracing::warn!(%error, "no archive of the broker's classes");
    }
    if !fresh.exists() {
        File::create(&fresh).map_err(LocalError::io(|| format!("creating {}", fresh.display())))?;
    }
    fs::rename(&fresh, archive).map_err(LocalError::io(|| format!("putting {} in place", archive.display())))?;
    clear(&scratch)
}

fn live_once(java: &Path, jars: &Path, scratch: &Path, fresh: &Path, step: &Step) -> Result<(), LocalError> {
    let classes = Classes::Archiving(fresh.to_owned());
    let (java, jars, dir) = (java.to_owned(), jars.to_owned(), scratch.to_owned());
    let (logins, properties) = (Some(Logins::of(&[])), Vec::new());
    let plan = Plan { java, jars, classes, dir, properties, thorough_compiler: false, logins, tied: true };
    let ended = Broker::start(plan, None, step)?.stop(Ending::Clean)?;
    if ended == Ending::Kill && fresh.exists() {
        fs::remove_file(fresh).map_err(LocalError::io(|| format!("removing {}", fresh.display())))?; // cut off while writing
    }
    Ok(())
}

fn clear(dir: &Path) -> Result<(), LocalError> {
    if !dir.exists() {
        return Ok(());
    }
    fs::remove_dir_all(dir).map_err(LocalError::io(|| format!("removing {}", dir.display())))
}
