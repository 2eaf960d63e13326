//! What callers ask for: which servers, where their data is, and how they run.

use std::env;
use std::path::PathBuf;

use crate::tools;

/// What to start, and where.
#[derive(Debug, Clone)]
pub struct Options {
    /// Everything that the servers write; created if need be. Starting again on the same directory finds the same data and,
    /// while they are free, the same ports.
    pub data_dir: PathBuf,
    /// The broker's jars, shared by all stacks of a machine.
    pub cache_dir: PathBuf,
    /// Start an Apache Kafka broker.
    pub kafka: bool,
    /// Start a PostgreSQL server.
    pub postgres: bool,
    /// Show on standard error what is being waited for.
    pub progress: bool,
    /// Settings for the broker's `server.properties`; they win over this crate's.
    pub broker_properties: Vec<(String, String)>,
    /// As root on Debian, install missing programs with apt-get. Otherwise the error holds the line to type.
    pub install_packages: bool,
    /// Users of the broker beside [`ADMIN`](crate::ADMIN), which may do everything: these may do what rights somebody gives them.
    pub users: Vec<String>,
    /// The broker asks nobody who he is, and lets everybody do everything: for measuring what the asking costs.
    pub open: bool,
    /// The servers may outlive this process (see [`Stack::leave_running`](crate::Stack::leave_running)). Otherwise they end with it, however it ends.
    pub keep_running: bool,
    /// Java's thorough compiler in the broker. For a broker that runs for hours: it costs more at first, and under load
    /// a third less after some minutes.
    pub thorough_compiler: bool,
}

impl Options {
    /// Both servers, silently, ending with this process; the cache in `$DEFAULTX_CACHE`, else in `target/local-cache` when
    /// run from a Cargo target directory, else in the user's cache directory. Installs nothing unless `$DEFAULTX_INSTALL_PACKAGES` is
    /// `1`, as it is for tests that Cargo runs.
    pub fn new(data_dir: impl Into<PathBuf>) -> Options {
        Options {
            data_dir: data_dir.into(),
            cache_dir: default_cache_dir(),
            kafka: true,
            postgres: true,
            progress: false,
            broker_properties: Vec::new(),
            install_packages: tools::may_install_by_environment(),
            users: Vec::new(),
            open: false,
            keep_running: false,
            thorough_compiler: false,
        }
    }
}

fn default_cache_dir() -> PathBuf {
    if let Some(dir) = env::var_os("DEFAULTX_CACHE") {
        return dir.into();
    }
    let program = env::current_exe().unwrap_or_default();
    // Cargo marks its target directories with this file.
    match program.ancestors().find(|dir| dir.join("CACHEDIR.TAG").is_file()) {
        Some(target) => target.join("local-cache"),
        None => user_cache_dir().join("defaultx"),
    }
}

fn user_cache_dir() -> PathBuf {
    let home = || Some(PathBuf::from(env::var_os("HOME")?).join(".cache"));
    env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home).unwrap_or_else(env::temp_dir)
}
