//! The one error of this crate. Every message ends with what the reader can do next; none carries a password.

use std::io;
use std::path::PathBuf;

/// Why a server could not be started, reached or stopped.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// A program is not installed and may not be installed from here.
    #[error(
        "{what} is not installed; type this (Debian's words) and try again, or, as root, let `--install-packages` do it:\n  {line}"
    )]
    Missing {
        /// The program, as a person names it.
        what: String,
        /// The shell line that installs it.
        line: String,
    },
    /// A jar is not the one that was asked for.
    #[error(
        "the broker's jars in {} are not those of jars.sha512: {why}; nothing of them is run. If Maven's repository is a mirror of \
         yours, look at what it serves", dir.display()
    )]
    WrongJar {
        /// Where they lie.
        dir: PathBuf,
        /// Which, and what is wrong with it.
        why: String,
    },
    /// A file, directory or process operation of the system failed.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done, with the path.
        doing: String,
        /// The system's own reason.
        source: io::Error,
    },
    /// A program that should do one thing and end (Maven, `initdb`, `createdb`, `apt-get`) failed.
    #[error("{what} failed ({status}):\n{output}")]
    Failed {
        /// What the program was to do.
        what: String,
        /// Its exit status.
        status: String,
        /// The last lines it wrote.
        output: String,
    },
    /// A server ended while it was being started.
    #[error("{name} ended before it was ready; the end of {}:\n{tail}", log.display())]
    Died {
        /// The server.
        name: &'static str,
        /// Where it logs.
        log: PathBuf,
        /// The last lines of that log.
        tail: String,
    },
    /// A server runs but did not become ready in its time.
    #[error("{name} was not ready after {seconds} s; the end of {}:\n{tail}", log.display())]
    NotReady {
        /// The server.
        name: &'static str,
        /// How long was waited, in seconds.
        seconds: u64,
        /// Where it logs.
        log: PathBuf,
        /// The last lines of that log.
        tail: String,
    },
    /// A server took no notice of any signal, SIGKILL included.
    #[error("{name} (pid {pid}) cannot be stopped")]
    Unstoppable {
        /// The server.
        name: &'static str,
        /// Its process id.
        pid: u32,
    },
    /// Another stack owns the data directory.
    #[error("a stack already runs in {}; stop it (`defaultx down`) or choose another data directory", .0.display())]
    AlreadyRunning(PathBuf),
    /// No stack runs in the data directory.
    #[error("no stack runs in {}; start one with `defaultx up`", .0.display())]
    NotRunning(PathBuf),
    /// The server was not among those asked for in the options.
    #[error("this stack was started without {0}")]
    NotAskedFor(&'static str),
    /// A database name that PostgreSQL would have to quote.
    #[error("database name {0:?} is not made of 1 to 63 of a-z, 0-9 and _, with a letter first")]
    DatabaseName(String),
    /// The stack dies with this process, because it was started without `keep_running`.
    #[error("only a stack started with keep_running can be left running; this one has been stopped")]
    TiedToThisProcess,
    /// The data directory was written by a PostgreSQL that is not installed any more.
    #[error("{} holds data of PostgreSQL {version}, which is not installed; install it or choose another data directory", dir.display())]
    OtherPostgres {
        /// The cluster's directory.
        dir: PathBuf,
        /// The major version that wrote it.
        version: String,
    },
}

impl LocalError {
    /// Turns an `io::Error` into ours, saying what was being done: `.map_err(LocalError::io(|| …))`.
    pub(crate) fn io<D: Into<String>>(doing: impl FnOnce() -> D) -> impl FnOnce(io::Error) -> LocalError {
        move |source| LocalError::Io { doing: doing().into(), source }
    }
}
