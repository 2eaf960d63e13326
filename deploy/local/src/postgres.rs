//! One private PostgreSQL cluster: its own superuser with a random password, loopback only. Where it lives and as
//! whom it runs is `cluster_home`'s concern.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use crate::process::{self, Ending, Identity, Launch, Manners, Process, until};
use crate::progress::Step;
use crate::secrets::{random_text, write_private};
use crate::{LocalError, cluster_home, ports, tools};

const NAME: &str = "PostgreSQL";
/// The superuser of the private cluster.
const SUPERUSER: &str = "defaultx";
/// The database that every stack has.
const DATABASE: &str = "defaultx";
/// SIGINT ends open sessions and writes a checkpoint (SIGTERM would wait for every client to leave), SIGQUIT drops them.
const MANNERS: Manners = &[(Signal::SIGINT, Duration::from_secs(20)), (Signal::SIGQUIT, Duration::from_secs(5))];
/// A start that has to replay a log after a kill.
const PATIENCE: Duration = Duration::from_secs(60);
const TAKEN: &str = "Address already in use";
/// Backends that outlive a killed server hold its memory for a moment.
const NOT_YET: &str = "is still in use";
/// A process id that no process has: beyond the largest that Linux gives.
const NOBODY: i32 = i32::MAX - 1;
/// Starts in a row that failed for one of the two reasons above, before we give up.
const ATTEMPTS: usize = 20;
/// A Unix socket's path may be this long, in bytes, with its terminating zero.
const SOCKET_PATH_MAX: usize = 107;
/// The longest name that PostgreSQL does not cut, in bytes.
const NAME_MAX: usize = 63;

/// Everything needed to start the server, again and again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// The directory of PostgreSQL's programs.
    pub bin: PathBuf,
    pub dir: PathBuf,
    /// The user it runs as, if not ourselves.
    pub user: Option<String>,
    /// Ends when we end.
    pub tied: bool,
}

/// A server that answers.
#[derive(Debug)]
pub(crate) struct Server {
    pub plan: Plan,
    pub port: u16,
    password: String,
    process: Process,
}

impl Server {
    /// Starts on the port of last time if it is still free.
    pub(crate) fn start(mut plan: Plan, last: Option<u16>, step: &Step) -> Result<Server, LocalError> {
        let password = prepare(&mut plan, step)?;
        let mut wanted = last.filter(|&port| ports::is_free(port));
        step.now("starting");
        let (port, process) = launch(&plan, || match wanted.take() {
            Some(port) => Ok(port),
            None => ports::free(),
        })?;
        let server = Server { plan, port, password, process };
        server.create_first_database()?;
        Ok(server)
    }

    pub(crate) fn adopt(plan: Plan, port: u16, identity: Identity) -> Option<Server> {
        let password = fs::read_to_string(password_file(&plan)).ok()?;
        Some(Server { process: Process::adopt(NAME, identity, MANNERS)?, plan, port, password })
    }

    /// Stops it; [`Server::resume`] brings it back with the same port and data.
    pub(crate) fn stop(&mut self, ending: Ending) -> Result<Ending, LocalError> {
        self.process.end(ending)
    }

    pub(crate) fn resume(&mut self) -> Result<(), LocalError> {
        if !self.process.runs() {
            (_, self.process) = launch(&self.plan, || Ok(self.port))?;
        }
        Ok(())
    }

    pub(crate) fn identity(&self) -> Identity {
        self.process.identity()
    }

    pub(crate) fn leave(&mut self) {
        self.process.leave();
    }

    pub(crate) fn url(&self) -> String {
        self.url_of(DATABASE)
    }

    /// Creates a database and returns its address.
    pub(crate) fn create_database(&self, name: &str) -> Result<String, LocalError> {
        if !is_plain(name) {
            return Err(LocalError::DatabaseName(name.to_owned()));
        }
        let mut command = std::process::Command::new(self.plan.bin.join("createdb"));
        command
            .args([
                "--host=127.0.0.1",
                "--no-password",
                "--username",
                SUPERUSER,
                "--port",
                &self.port.to_string(),
                name,
            ])
            .env("PGPASSWORD", &self.password)
            .env("LC_ALL", "C");
        process::run(&format!("creating database {name}"), command)?;
        Ok(self.url_of(name))
    }

    /// A restart finds it there, and so does a first start that was cut short.
    fn create_first_database(&self) -> Result<(), LocalError> {
        match self.create_database(DATABASE) {
            Err(LocalError::Failed { output, .. }) if output.contains("already exists") => Ok(()),
            created => created.map(drop),
        }
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgres://{SUPERUSER}:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }
}

/// Makes the cluster if there is none yet; returns the superuser's password. Data of an older version gets its own programs.
fn prepare(plan: &mut Plan, step: &Step) -> Result<String, LocalError> {
    let cluster = cluster(plan);
    let password = password_file(plan);
    if let Ok(version) = fs::read_to_string(cluster.join("PG_VERSION")) {
        let other = || LocalError::OtherPostgres { dir: cluster.clone(), version: version.trim().to_owned() };
        plan.bin = tools::postgres_of(&version).or_else(|| unversioned(&plan.bin)).ok_or_else(other)?;
        return fs::read_to_string(&password).map_err(LocalError::io(|| format!("reading {}", password.display())));
    }
    step.now("creating the cluster");
    let secret = random_text(32)?;
    write_private(&password, secret.as_bytes())
        .map_err(LocalError::io(|| format!("writing {}", password.display())))?;
    cluster_home::own(&password, plan.user.as_deref())?;
    init(plan, &password)?;
    Ok(secret)
}

/// `initdb` beside the final place and a rename: a half-made cluster is never taken for one. It does not wait for the disk
/// (seconds): the kernel writes the fresh files soon, and what is stored later is flushed by the server.
fn init(plan: &Plan, password: &Path) -> Result<(), LocalError> {
    let fresh = plan.dir.join("cluster.new");
    if fresh.exists() {
        fs::remove_dir_all(&fresh).map_err(LocalError::io(|| format!("removing {}", fresh.display())))?;
    }
    let mut command = process::as_user(plan.user.as_deref(), plan.bin.join("initdb"));
    command
        .args(["--no-sync", "--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", "--username", SUPERUSER])
        .arg("--pwfile")
        .arg(password)
        .arg("-D")
        .arg(&fresh)
        .current_dir(&plan.dir);
    process::run("creating a PostgreSQL cluster (initdb)", command)?;
    fs::rename(&fresh, cluster(plan)).map_err(LocalError::io(|| "putting the new cluster in place"))
}

fn launch(plan: &Plan, mut port: impl FnMut() -> std::io::Result<u16>) -> Result<(u16, Process), LocalError> {
    for _ in 0..ATTEMPTS {
        let port = port().map_err(LocalError::io(|| "looking for a free port"))?;
        match launch_once(plan, port) {
            Err(LocalError::Died { tail, .. }) if [TAKEN, NOT_YET].iter().any(|reason| tail.contains(reason)) => {
                tracing::debug!(port, "postgres could not start yet, trying again");
            }
            launched => return launched.map(|process| (port, process)),
        }
    }
    Err(LocalError::Io { doing: format!("starting {NAME}"), source: std::io::ErrorKind::AddrInUse.into() })
}

/// A server that was killed is in its lock files still. Where nobody has asked how it ended, its successor would take it for alive: they
/// are given a process that there never is. What else stands there stays, so that the successor waits for memory that is in use.
fn bury(plan: &Plan, port: u16) -> Result<(), LocalError> {
    for path in [cluster(plan).join("postmaster.pid"), plan.dir.join(format!(".s.PGSQL.{port}.lock"))] {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let Some((pid, rest)) = text.split_once('\n') else { continue };
        if pid.trim().parse().is_ok_and(process::is_unburied) {
            fs::write(&path, format!("{NOBODY}\n{rest}"))
                .map_err(LocalError::io(|| format!("writing {}", path.display())))?;
        }
    }
    Ok(())
}

fn launch_once(plan: &Plan, port: u16) -> Result<Process, LocalError> {
    bury(plan, port)?;
    let log = plan.dir.join("postgres.log");
    let from = process::length(&log);
    let mut process = Process::start(Launch {
        name: NAME,
        program: plan.bin.join("postgres"),
        args: arguments(plan, port),
        directory: plan.dir.clone(),
        log: log.clone(),
        user: plan.user.clone(),
        tied_by: plan.tied.then_some(Signal::SIGINT),
        manners: MANNERS,
    })?;
    let pid = process.identity().pid;
    let is_ready = || says_ready(&fs::read_to_string(cluster(plan).join("postmaster.pid")).unwrap_or_default(), pid);
    until(PATIENCE, || is_ready() || !process.runs());
    process.ready_or(is_ready(), PATIENCE, &log, from)?;
    Ok(process)
}

fn arguments(plan: &Plan, port: u16) -> Vec<OsString> {
    let settings = [
        "listen_addresses=127.0.0.1".to_owned(),
        format!("port={port}"),
        format!("unix_socket_directories={}", socket_dir(&plan.dir)),
        "fsync=on".to_owned(),
        "shared_buffers=64MB".to_owned(),
        "max_connections=200".to_owned(),
        "timezone=UTC".to_owned(),
        "log_timezone=UTC".to_owned(),
    ];
    let mut args = vec!["-D".into(), cluster(plan).into()];
    args.extend(settings.into_iter().flat_map(|setting| ["-c".into(), setting.into()]));
    args
}

/// No socket at all where its path would be too long or would need quoting: everybody comes over loopback anyway.
fn socket_dir(dir: &Path) -> String {
    let text = dir.to_string_lossy();
    let longest = text.len() + "/.s.PGSQL.65535.lock".len();
    if longest < SOCKET_PATH_MAX && !text.contains([',', '"', ' ']) { text.into_owned() } else { String::new() }
}

/// The server keeps its process id in the first line of its pid file and its state in the eighth.
fn says_ready(pid_file: &str, pid: u32) -> bool {
    let mut lines = pid_file.lines();
    lines.next().is_some_and(|first| first.trim() == pid.to_string())
        && lines.nth(6).is_some_and(|state| state.trim() == "ready")
}

fn is_plain(name: &str) -> bool {
    name.len() <= NAME_MAX
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// Programs that do not live in a directory named by their version are the only ones there are.
fn unversioned(bin: &Path) -> Option<PathBuf> {
    Some(bin.to_owned()).filter(|bin| !bin.starts_with("/usr/lib/postgresql"))
}

fn cluster(plan: &Plan) -> PathBuf {
    plan.dir.join("cluster")
}

fn password_file(plan: &Plan) -> PathBuf {
    plan.dir.join("password")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names() {
        let longest = "a".repeat(NAME_MAX);
        let too_long = "a".repeat(NAME_MAX + 1);
        for (name, expected) in [
            ("a", true),
            ("loans_2", true),
            (longest.as_str(), true),
            (too_long.as_str(), false),
            ("", false),
            ("2loans", false),
            ("Loans", false),
            ("--maintenance-db", false),
            ("a;b", false),
        ] {
            assert_eq!(is_plain(name), expected, "{name}");
        }
    }

    #[test]
    fn ready_is_said_by_the_right_process_in_the_right_line() {
        let file = |pid: u32, state: &str| format!("{pid}\n/data\n1795468809\n21111\n\n127.0.0.1\n 99 8\n{state}\n");
        for (text, expected) in [
            (file(7, "ready   "), true),
            (file(7, "starting"), false),
            (file(8, "ready"), false),
            ("7\n/data\n".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(says_ready(&text, 7), expected, "{text}");
        }
    }

    #[test]
    fn a_socket_only_where_its_path_fits() {
        let long = "x".repeat(100);
        for (dir, expected) in [("/data", "/data"), (long.as_str(), ""), ("/with space", "")] {
            assert_eq!(socket_dir(Path::new(dir)), expected, "{dir}");
        }
    }
}
