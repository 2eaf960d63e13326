//! Child processes: started so that they end with us, watched, and stopped politely before firmly. Never signals a
//! process that is not proven to be the one that was started: a process id alone may have been handed on.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::LocalError;

/// How often a process is looked at while it is waited for.
const LOOK: Duration = Duration::from_millis(20);
/// What is shown of a log when a server fails, in bytes.
const TAIL_BYTES: u64 = 8_000;
/// How long a process may take to vanish after SIGKILL.
const AFTER_KILL: Duration = Duration::from_secs(10);

/// How a server is brought down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Asked to stop, given its time, and only then killed.
    Clean,
    /// SIGKILL, as a power cut would.
    Kill,
}

/// How a server likes to be asked to stop: each signal with the time it is given.
pub(crate) type Manners = &'static [(Signal, Duration)];

/// What to run.
pub(crate) struct Launch {
    pub name: &'static str,
    pub program: PathBuf,
    pub args: Vec<OsString>,
    pub directory: PathBuf,
    /// Both output streams are appended to it.
    pub log: PathBuf,
    /// Run as this user instead of ourselves; only root can.
    pub user: Option<String>,
    /// Ends when we end, however we end. `None`: may outlive us.
    pub tied_by: Option<Signal>,
    pub manners: Manners,
}

/// One running server. Dropping it stops it, unless it was adopted or is to be left.
#[derive(Debug)]
pub(crate) struct Process {
    name: &'static str,
    identity: Identity,
    manners: Manners,
    stop_on_drop: bool,
    /// Ours to reap; `None` for one that an earlier process of ours left running.
    child: Option<Child>,
}

/// A process id together with when it began, which no later holder of the same id shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub pid: u32,
    /// In clock ticks since the machine started; 0 where the system does not tell.
    pub began: u64,
}

impl Process {
    pub(crate) fn start(launch: Launch) -> Result<Process, LocalError> {
        let Launch { name, manners, .. } = launch;
        let command = command(&launch)?;
        let child = spawn(command).map_err(LocalError::io(|| format!("starting {name}")))?;
        let pid = child.id();
        let identity = Identity { pid, began: began(pid) };
        Ok(Process { name, identity, manners, stop_on_drop: true, child: Some(child) })
    }

    /// Takes up a process that was left running, if it still is.
    pub(crate) fn adopt(name: &'static str, identity: Identity, manners: Manners) -> Option<Process> {
        identity.runs().then_some(Process { name, identity, manners, stop_on_drop: false, child: None })
    }

    /// From now on it outlives this value.
    pub(crate) fn leave(&mut self) {
        self.stop_on_drop = false;
    }

    /// `Ok` if it is ready; otherwise the error that shows why not. `from` is where this start's part of the log begins.
    pub(crate) fn ready_or(&mut self, ready: bool, waited: Duration, log: &Path, from: u64) -> Result<(), LocalError> {
        if ready {
            return Ok(());
        }
        let (name, log, tail) = (self.name, log.to_owned(), tail(log, from));
        Err(if self.runs() {
            LocalError::NotReady { name, seconds: waited.as_secs(), log, tail }
        } else {
            LocalError::Died { name, log, tail }
        })
    }

    pub(crate) fn identity(&self) -> Identity {
        self.identity
    }

    pub(crate) fn runs(&mut self) -> bool {
        match &mut self.child {
            Some(child) => matches!(child.try_wait(), Ok(None)),
            None => self.identity.runs(),
        }
    }

    /// Stops it where it stands: it keeps its memory, its files and its connections, and answers nobody.
    pub(crate) fn pause(&mut self) -> Result<(), LocalError> {
        self.signal(Signal::SIGSTOP)
    }

    /// Lets a paused process run on; nothing to do if it runs.
    pub(crate) fn go_on(&mut self) -> Result<(), LocalError> {
        self.signal(Signal::SIGCONT)
    }

    /// Returns once the process is gone, and how it went in the end.
    pub(crate) fn end(&mut self, ending: Ending) -> Result<Ending, LocalError> {
        if ending == Ending::Clean && self.runs() {
            self.go_on()?; // a paused one hears nothing
        }
        let polite = if ending == Ending::Clean { self.manners } else { &[] };
        let ways = polite.iter().map(|&(signal, patience)| (Ending::Clean, signal, patience));
        for (way, signal, patience) in ways.chain([(Ending::Kill, Signal::SIGKILL, AFTER_KILL)]) {
            if !self.runs() {
                return Ok(Ending::Clean);
            }
            self.signal(signal)?;
            if self.gone_within(patience) {
                return Ok(way);
            }
            tracing::warn!(server = self.name, pid = self.identity.pid, %signal, "server does not stop");
        }
        Err(LocalError::Unstoppable { name: self.name, pid: self.identity.pid })
    }

    fn signal(&self, signal: Signal) -> Result<(), LocalError> {
        match signal::kill(nix_pid(self.identity.pid), signal) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(errno) => Err(LocalError::Io { doing: format!("signalling {}", self.name), source: errno.into() }),
        }
    }

    fn gone_within(&mut self, patience: Duration) -> bool {
        until(patience, || !self.runs())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.stop_on_drop {
            return;
        }
        if let Err(error) = self.end(Ending::Clean) {
            tracing::error!(%error, "server left behind");
        }
    }
}

impl Identity {
    /// True while this very process is alive; a zombie counts as gone.
    pub(crate) fn runs(self) -> bool {
        match stat(self.pid) {
            Some((state, began)) => state != 'Z' && began == self.began,
            None => cfg!(not(target_os = "linux")) && signal::kill(nix_pid(self.pid), None).is_ok(),
        }
    }
}

/// Looks every few milliseconds until `done` or the patience is over; tells which.
pub(crate) fn until(patience: Duration, mut done: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + patience;
    loop {
        if done() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(LOOK);
    }
}

/// Runs a program to its end; its output is returned, or is the error.
pub(crate) fn run(what: &str, mut command: Command) -> Result<String, LocalError> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(LocalError::io(|| format!("{what}: starting {}", command_name(&command))))?;
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    if output.status.success() {
        return Ok(text);
    }
    let start = text.len().saturating_sub(TAIL_BYTES as usize);
    let start = (start..text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    Err(LocalError::Failed {
        what: what.to_owned(),
        status: output.status.to_string(),
        output: text[start..].to_owned(),
    })
}

/// The program run as another user, which only root can ask for.
pub(crate) fn as_user(user: Option<&str>, program: impl AsRef<OsStr>) -> Command {
    let Some(user) = user else { return Command::new(program) };
    let mut command = Command::new("setpriv");
    command.args(switch_to(user)).arg("--").arg(program);
    command
}

/// All that a log holds from `from` bytes on, as text.
pub(crate) fn since(log: &Path, from: u64) -> String {
    read_from(log, from).unwrap_or_default()
}

/// What a person should see of a log that begins at `from`: its end.
fn tail(log: &Path, from: u64) -> String {
    since(log, from.max(length(log).saturating_sub(TAIL_BYTES)))
}

/// Length of a log in bytes; 0 when there is none yet.
pub(crate) fn length(log: &Path) -> u64 {
    fs::metadata(log).map_or(0, |meta| meta.len())
}

fn read_from(log: &Path, from: u64) -> io::Result<String> {
    let mut file = File::open(log)?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// `setpriv` switches the user and ties the child to us in one step, and becomes the program itself, so that the process
/// id is the server's. (`runuser` would switch as well, but the kernel forgets the tie when the user changes after it.)
fn command(launch: &Launch) -> Result<Command, LocalError> {
    let mut wrapping: Vec<OsString> = Vec::new();
    if let Some(user) = &launch.user {
        wrapping.extend(switch_to(user).map(OsString::from));
    }
    if let Some(signal) = launch.tied_by.filter(|_| cfg!(target_os = "linux")) {
        let name = signal.as_str().trim_start_matches("SIG");
        wrapping.extend(["--pdeathsig".into(), name.into()]);
    }
    let mut command = if wrapping.is_empty() {
        Command::new(&launch.program)
    } else {
        let mut command = Command::new("setpriv");
        command.args(wrapping).arg("--").arg(&launch.program);
        command
    };
    let log = File::options().create(true).append(true).open(&launch.log);
    let log = log.map_err(LocalError::io(|| format!("opening {}", launch.log.display())))?;
    let twin = log.try_clone().map_err(LocalError::io(|| "sharing a log file"))?;
    command
        .args(&launch.args)
        .current_dir(&launch.directory)
        .env("LC_ALL", "C") // messages that are searched must not be translated
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(twin)
        .process_group(0); // Ctrl-C is for us: we drain first, the servers go last
    Ok(command)
}

fn switch_to(user: &str) -> [String; 3] {
    [format!("--reuid={user}"), format!("--regid={user}"), "--init-groups".to_owned()]
}

type Order = (Command, Sender<io::Result<Child>>);

/// Starts the child from a thread that lives as long as we do: the kernel ties a child to the *thread* that started it, and
/// a worker thread that retires would take the broker along.
fn spawn(command: Command) -> io::Result<Child> {
    static NURSERY: OnceLock<Sender<Order>> = OnceLock::new();
    let gone = || io::Error::other("the thread that starts servers is gone");
    let (reply, answer) = mpsc::channel();
    let nursery = NURSERY.get_or_init(nursery);
    nursery.send((command, reply)).map_err(|_| gone())?;
    answer.recv().map_err(|_| gone())?
}

fn nursery() -> Sender<Order> {
    let (orders, inbox) = mpsc::channel::<Order>();
    let thread = thread::Builder::new().name("local-nursery".to_owned()).spawn(move || {
        for (mut command, reply) in inbox {
            if let Err(unread) = reply.send(command.spawn()) {
                drop(unread); // the asker is gone; the child ends with us
            }
        }
    });
    if let Err(error) = thread {
        tracing::error!(%error, "no thread for starting servers");
    }
    orders
}

fn began(pid: u32) -> u64 {
    stat(pid).map_or(0, |(_, began)| began)
}

/// Whether a process has ended and nobody has asked how: where the first process of a machine (of a container) does not, it stays so, and
/// whoever sends it a signal to see whether it lives is told that it does.
pub(crate) fn is_unburied(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| state == 'Z')
}

/// State and start time of a process from `/proc`. The name in the middle may hold anything, so count from its last `)`.
fn stat(pid: u32) -> Option<(char, u64)> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn parse_stat(text: &str) -> Option<(char, u64)> {
    let (_, after_name) = text.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

fn nix_pid(pid: u32) -> Pid {
    Pid::from_raw(pid.try_into().unwrap_or(i32::MAX))
}

fn command_name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const MANNERS: Manners = &[(Signal::SIGTERM, Duration::from_secs(20))];

    /// A shell that runs `script` and logs to `dir/log`.
    fn shell(name: &'static str, script: &str, dir: &Path, manners: Manners) -> Launch {
        Launch {
            name,
            program: "sh".into(),
            args: ["-c", script].map(OsString::from).to_vec(),
            directory: dir.to_owned(),
            log: dir.join("log"),
            user: None,
            tied_by: Some(Signal::SIGTERM),
            manners,
        }
    }

    #[test]
    fn stat_survives_hostile_names() {
        let fields = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
        for (text, expected) in [
            (format!("7 (postgres) {fields}"), Some(('S', 4711))),
            (format!("7 (a) Z 1 (b)) {fields}"), Some(('S', 4711))),
            ("7 (short) S 1".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(parse_stat(&text), expected, "{text}");
        }
    }

    #[test]
    fn another_process_with_the_same_id_is_not_ours() {
        let pid = std::process::id();
        let ours = Identity { pid, began: began(pid) };
        assert!(ours.runs());
        assert!(!Identity { began: ours.began + 1, ..ours }.runs());
    }

    #[test]
    fn a_server_deaf_to_sigterm_is_killed() {
        const IMPATIENT: Manners = &[(Signal::SIGTERM, Duration::from_millis(200))];
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let mut process =
            Process::start(shell("deaf", "trap '' TERM; echo up; while :; do sleep 1; done", dir.path(), IMPATIENT))
                .unwrap();
        assert!(until(Duration::from_secs(10), || since(&log, 0).contains("up")));
        assert_eq!(process.end(Ending::Clean).unwrap(), Ending::Kill);
        assert!(!process.runs());
        assert!(!process.identity().runs());
    }

    #[test]
    fn a_paused_server_goes_on_and_hears_that_it_is_to_stop() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let mut process =
            Process::start(shell("counting", "while :; do echo x; sleep 0.02; done", dir.path(), MANNERS)).unwrap();
        let grows = |from: u64| until(Duration::from_secs(20), || length(&log) > from);
        assert!(grows(0));
        process.pause().unwrap();
        assert!(until(Duration::from_secs(20), || stat(process.identity().pid).is_some_and(|(state, _)| state == 'T')));
        let paused_at = length(&log);
        thread::sleep(Duration::from_millis(100));
        assert_eq!(length(&log), paused_at);
        process.go_on().unwrap();
        assert!(grows(paused_at));
        process.pause().unwrap();
        assert_eq!(process.end(Ending::Clean).unwrap(), Ending::Clean);
    }
}
