//! Workers as separate processes, two instances of each, that can be killed, frozen and replaced under the same ids. A process
//! that ends by itself is started again, as an orchestrator would, unless it was retired.

use crate::stage::root;
use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Where the HTTP doors of ingest's instances are: instance → port. A process that starts again opens another port.
pub type Doors = Arc<Mutex<BTreeMap<u32, u16>>>;

/// The first argument by which a benchmark binary becomes the product.
pub const AS_DEFAULTX: &str = "as-defaultx";

/// What a run of this machine allows its processes: its data is public, and its senders have no token.
pub const ALLOWED: [(&str, &str); 2] =
    [("DEFAULTX__INGEST__ALLOW_DEMONSTRATION_KEY", "true"), ("DEFAULTX__INGEST__DOOR_ALLOW_ANONYMOUS", "true")];

/// Runs the product's own command line when the process was started as it; otherwise returns.
pub fn become_defaultx_if_asked() {
    let mut arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).is_some_and(|word| word == AS_DEFAULTX) {
        arguments.remove(1);
        std::process::exit(defaultx::main_with(arguments));
    }
}

/// One process: a worker under an instance id.
struct Process {
    worker: &'static str,
    instance: u32,
    /// Its configuration file.
    config: PathBuf,
    child: Child,
}

/// All processes of a run.
pub struct Supervisor {
    config: PathBuf,
    logs: PathBuf,
    running: Vec<Process>,
    frozen: Vec<Process>,
    doors: Doors,
    /// Processes that ended by themselves and were started again.
    pub restarts: u32,
}

impl Supervisor {
    /// Starts `instances` of each worker; where their doors are is told through `doors`.
    ///
    /// # Errors
    /// When a process cannot be started.
    pub fn start(config: &Path, logs: &Path, workers: &[&'static str], instances: u32, doors: Doors) -> Result<Self> {
        std::fs::create_dir_all(logs)?;
        let mut all = Self {
            config: config.to_owned(),
            logs: logs.to_owned(),
            running: Vec::new(),
            frozen: Vec::new(),
            doors,
            restarts: 0,
        };
        for worker in workers {
            for instance in 0..instances {
                let process = all.spawn(worker, instance, config)?;
                all.running.push(process);
            }
        }
        Ok(all)
    }

    /// How many processes there are.
    pub fn len(&self) -> usize {
        self.running.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Starts one more instance, with a configuration of its own.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn join(&mut self, worker: &'static str, instance: u32, config: &Path) -> Result<()> {
        let process = self.spawn(worker, instance, config)?;
        self.running.push(process);
        Ok(())
    }

    /// Ends every instance of a worker below this one for good, by SIGKILL.
    ///
    /// # Errors
    /// When one cannot be killed.
    pub fn retire(&mut self, worker: &str, below: u32) -> Result<()> {
        let is_meant = |process: &Process| process.worker == worker && process.instance < below;
        for process in self.running.iter_mut().filter(|process| is_meant(process)) {
            process.child.kill()?;
            process.child.wait()?;
        }
        self.running.retain(|process| !is_meant(process));
        Ok(())
    }

    /// Where the process of a worker and an instance stands in the list; none where it was retired.
    pub fn index_of(&self, worker: &str, instance: u32) -> Option<usize> {
        self.running.iter().position(|process| process.worker == worker && process.instance == instance)
    }

    /// Kills one with SIGKILL and starts it again; gives its name.
    ///
    /// # Errors
    /// When it cannot be started again.
    pub fn kill(&mut self, index: usize) -> Result<String> {
        let process = &mut self.running[index];
        process.child.kill()?;
        process.child.wait()?;
        let (worker, instance, config) = (process.worker, process.instance, process.config.clone());
        self.running[index] = self.spawn(worker, instance, &config)?;
        Ok(format!("{worker}-{instance}"))
    }

    /// Freezes one, and starts a replacement under the same ids.
    ///
    /// # Errors
    /// When the replacement cannot be started.
    pub fn freeze(&mut self, index: usize) -> Result<String> {
        let (worker, instance) = (self.running[index].worker, self.running[index].instance);
        signal(&self.running[index].child, Signal::SIGSTOP)?;
        let config = self.running[index].config.clone();
        let replacement = self.spawn(worker, instance, &config)?;
        let zombie = std::mem::replace(&mut self.running[index], replacement);
        self.frozen.push(zombie);
        Ok(format!("{worker}-{instance}"))
    }

    /// Lets every frozen process run on, beside its replacement.
    ///
    /// # Errors
    /// When one cannot be signalled.
    pub fn thaw(&mut self) -> Result<()> {
        self.frozen.iter().try_for_each(|process| signal(&process.child, Signal::SIGCONT))
    }

    /// Waits until every thawed process has ended by itself.
    ///
    /// # Errors
    /// When one goes on, or ends as if all were well.
    pub fn zombies_end(&mut self, patience: Duration) -> Result<()> {
        let started = Instant::now();
        for process in &mut self.frozen {
            loop {
                if let Some(status) = process.child.try_wait()? {
                    if status.success() {
                        bail!("the zombie {}-{} ended as if all were well", process.worker, process.instance);
                    }
                    break;
                }
                if started.elapsed() > patience {
                    bail!("the zombie {}-{} still runs", process.worker, process.instance);
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        self.frozen.clear();
        Ok(())
    }

    /// Starts again whatever has ended by itself.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn tend(&mut self) -> Result<()> {
        for index in 0..self.running.len() {
            if self.running[index].child.try_wait()?.is_some() {
                self.restarts += 1;
                let Process { worker, instance, config, .. } = &self.running[index];
                self.running[index] = self.spawn(worker, *instance, config)?;
            }
        }
        Ok(())
    }

    /// Asks every process to drain, and waits for its end.
    ///
    /// # Errors
    /// When one does not end in time.
    pub fn stop(mut self, patience: Duration) -> Result<()> {
        self.running.iter().try_for_each(|process| signal(&process.child, Signal::SIGTERM))?;
        let started = Instant::now();
        for process in &mut self.running {
            while process.child.try_wait()?.is_none() {
                if started.elapsed() > patience {
                    bail!("{}-{} does not drain", process.worker, process.instance);
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        Ok(())
    }

    /// Runs a command of the product to its end; gives what it says.
    ///
    /// # Errors
    /// When it ends with another code than 0; with its own words.
    pub fn command(&self, words: &[&str]) -> Result<String> {
        let ended = Command::new(std::env::current_exe()?)
            .arg(AS_DEFAULTX)
            .envs(ALLOWED)
            .args(words)
            .arg("--config")
            .arg(&self.config)
            .current_dir(root())
            .stdin(Stdio::null())
            .output()?;
        if !ended.status.success() {
            bail!(
                "{}: {}{}",
                words.join(" "),
                String::from_utf8_lossy(&ended.stdout),
                String::from_utf8_lossy(&ended.stderr)
            );
        }
        Ok(String::from_utf8_lossy(&ended.stdout).into_owned())
    }

    fn spawn(&self, worker: &'static str, instance: u32, config: &Path) -> Result<Process> {
        let log = self.logs.join(format!("{worker}-{instance}.log"));
        let log = File::options().create(true).append(true).open(&log).context("opening a log")?;
        let child = Command::new(std::env::current_exe()?)
            .args([AS_DEFAULTX, "run", worker, "--instance", &instance.to_string(), "--config"])
            .arg(config)
            .args(self.door_of(worker, instance)?)
            .envs(ALLOWED)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("starting a worker")?;
        Ok(Process { worker, instance, config: config.to_owned(), child })
    }

    /// A port of its own for every process: a frozen one holds its own.
    fn door_of(&self, worker: &str, instance: u32) -> Result<Vec<String>> {
        if worker != "ingest" {
            return Ok(Vec::new());
        }
        let port = local::free_port()?;
        self.doors.lock().unwrap_or_else(PoisonError::into_inner).insert(instance, port);
        Ok(vec!["--set".to_owned(), format!("ingest.door_address=127.0.0.1:{port}")])
    }
}

impl Drop for Supervisor {
    /// Nothing is left running, however the run ended.
    fn drop(&mut self) {
        for process in self.running.iter_mut().chain(&mut self.frozen) {
            if process.child.kill().is_ok() && process.child.wait().is_err() {
                eprintln!("{}-{} could not be waited for", process.worker, process.instance);
            }
        }
    }
}

fn signal(child: &Child, signal: Signal) -> Result<()> {
    Ok(kill(Pid::from_raw(child.id() as i32), signal)?)
}
