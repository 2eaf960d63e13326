//! The binary that is recorded: its commands and its workers, always in the folder of the documents that both binaries get.

use anyhow::{Context, Result, bail};
use e2e::supervisor::ALLOWED;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest drain.
const DRAINS_WITHIN: Duration = Duration::from_secs(60);
/// From one look to the next.
const LOOK: Duration = Duration::from_millis(20);

/// A build of `defaultx`.
#[derive(Debug, Clone)]
pub struct Program {
    binary: PathBuf,
    documents: PathBuf,
}

impl Program {
    /// A binary, and the folder with `models/`, `routes/` and `policies/`.
    ///
    /// # Errors
    /// When one of them is not there.
    pub fn new(binary: &Path, documents: &Path) -> Result<Self> {
        let there = |path: &Path| path.canonicalize().with_context(|| format!("{} is not there", path.display()));
        Ok(Self { binary: there(binary)?, documents: there(documents)? })
    }

    /// The folder of the documents.
    pub fn documents(&self) -> &Path {
        &self.documents
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    /// When it ends with another code than 0; with its own words.
    pub fn run(&self, words: &[&str], config: &Path) -> Result<()> {
        let ended =
            self.command(words, config).output().with_context(|| format!("starting {}", self.binary.display()))?;
        if !ended.status.success() {
            let said = [ended.stdout, ended.stderr].concat();
            bail!("{} {}: {}", self.binary.display(), words.join(" "), String::from_utf8_lossy(&said));
        }
        Ok(())
    }

    /// Starts a worker; its words go to the log.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&self, worker: &str, config: &Path, log: PathBuf) -> Result<Worker> {
        let file = File::create(&log).with_context(|| format!("making {}", log.display()))?;
        let mut command = self.command(&["run", worker, "--instance", "0"], config);
        let child = command.stdout(file.try_clone()?).stderr(file).spawn();
        let child = child.with_context(|| format!("starting {}", self.binary.display()))?;
        Ok(Worker { name: worker.to_owned(), log, child })
    }

    fn command(&self, words: &[&str], config: &Path) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(words).arg("--config").arg(config).envs(ALLOWED);
        command.current_dir(&self.documents).stdin(Stdio::null());
        command
    }
}

/// A worker that runs until it is stopped, or with this value.
pub struct Worker {
    name: String,
    log: PathBuf,
    child: Child,
}

impl Worker {
    /// Waits until something holds.
    ///
    /// # Errors
    /// When the worker ends, or it takes too long.
    pub fn until(&mut self, what: &str, patience: Duration, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
        let started = Instant::now();
        while !holds()? {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended with {status} before {what}: see {}", self.name, self.log.display());
            }
            if started.elapsed() > patience {
                bail!("{} s went by before {what}: see {}", patience.as_secs(), self.log.display());
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Lets it finish what it has in hand, and waits for its end.
    ///
    /// # Errors
    /// When it does not end well, or not in time.
    pub fn stop(mut self) -> Result<()> {
        kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM)?;
        let started = Instant::now();
        loop {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("{} ended with {status}: see {}", self.name, self.log.display()),
                None if started.elapsed() > DRAINS_WITHIN => {
                    bail!("{} does not drain: see {}", self.name, self.log.display())
                }
                None => std::thread::sleep(LOOK),
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if self.child.kill().is_ok() && self.child.wait().is_err() {
            eprintln!("{} could not be waited for", self.name);
        }
    }
}
