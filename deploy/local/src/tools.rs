//! Finds the programs that the stack is made of and, where that was asked for, on Debian as root, installs the missing ones from
//! its packages. Otherwise it only says which line to type. Never replaces or upgrades anything that is there.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::LocalError;
use crate::process;
use crate::progress::Progress;

/// The oldest Java that the broker runs on.
const OLDEST_JAVA: u32 = 17;
/// The oldest PostgreSQL that the schema is tested on.
const OLDEST_POSTGRES: u32 = 15;
/// Where Debian keeps one directory for each major version of PostgreSQL.
const DEBIAN_POSTGRES: &str = "/usr/lib/postgresql";
/// Set to `1` it asks for what is missing to be installed.
const MAY_INSTALL: &str = "DEFAULTX_INSTALL_PACKAGES";
/// Keeps several of us from installing at once; only root gets there.
const INSTALL_LOCK: &str = "/run/defaultx-install.lock";

/// A program that the stack needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    Java,
    Maven,
    Postgres,
    Prometheus,
}

impl Tool {
    /// The program's path; for PostgreSQL the directory of its programs, the newest version first.
    pub(crate) fn find(self) -> Option<PathBuf> {
        match self {
            Tool::Java => find_java(),
            Tool::Maven => on_path("mvn"),
            Tool::Postgres => postgres_versions().into_iter().next().map(|(_, bin)| bin).or_else(postgres_on_path),
            Tool::Prometheus => on_path("prometheus"),
        }
    }

    fn name(self) -> String {
        match self {
            Tool::Java => format!("a JDK ({OLDEST_JAVA} or newer)"),
            Tool::Maven => "Maven".to_owned(),
            Tool::Postgres => format!("PostgreSQL ({OLDEST_POSTGRES} or newer)"),
            Tool::Prometheus => "Prometheus".to_owned(),
        }
    }

    fn package(self) -> &'static str {
        match self {
            Tool::Java => "default-jdk-headless",
            Tool::Maven => "maven",
            Tool::Postgres => "postgresql",
            Tool::Prometheus => "prometheus",
        }
    }
}

/// Whether the environment asks for what is missing to be installed.
pub(crate) fn may_install_by_environment() -> bool {
    env::var_os(MAY_INSTALL).is_some_and(|value| value == "1")
}

/// The paths of the tools in the order asked for. Installs what is missing in one go, if it is asked to and can.
pub(crate) fn provide(tools: &[Tool], is_asked: bool, progress: &Progress) -> Result<Vec<PathBuf>, LocalError> {
    let missing = match find_all(tools) {
        Ok(paths) => return Ok(paths),
        Err(missing) if !(is_asked && can_install()) => return Err(not_installed(&missing)),
        Err(missing) => missing,
    };
    let _lock = lock_file(Path::new(INSTALL_LOCK))?;
    // Another of us may have installed them while we waited.
    if let Err(missing) = find_all(&missing) {
        install(&missing, progress)?;
    }
    find_all(tools).map_err(|missing| not_installed(&missing))
}

/// PostgreSQL's programs of one major version, for a data directory that this version wrote.
pub(crate) fn postgres_of(version: &str) -> Option<PathBuf> {
    let wanted: u32 = version.trim().parse().ok()?;
    postgres_versions().into_iter().find(|&(major, _)| major == wanted).map(|(_, bin)| bin)
}

/// Waits for the exclusive lock; it is released when the file is dropped, or when we die.
pub(crate) fn lock_file(path: &Path) -> Result<File, LocalError> {
    let doing = || format!("locking {}", path.display());
    let file = File::options().create(true).truncate(false).write(true).open(path).map_err(LocalError::io(doing))?;
    file.lock().map_err(LocalError::io(doing))?;
    Ok(file)
}

/// All of them, or those that are missing.
fn find_all(tools: &[Tool]) -> Result<Vec<PathBuf>, Vec<Tool>> {
    let found: Vec<_> = tools.iter().map(|tool| (*tool, tool.find())).collect();
    let missing: Vec<_> = found.iter().filter(|(_, path)| path.is_none()).map(|(tool, _)| *tool).collect();
    if missing.is_empty() { Ok(found.into_iter().filter_map(|(_, path)| path).collect()) } else { Err(missing) }
}

fn can_install() -> bool {
    nix::unistd::geteuid().is_root() && on_path("apt-get").is_some()
}

fn install(tools: &[Tool], progress: &Progress) -> Result<(), LocalError> {
    let step = progress.step("packages");
    step.now("refreshing the list of packages");
    apt(&["update"])?;
    step.now(&format!("installing {}", names(tools)));
    let packages = tools.iter().map(|tool| tool.package());
    apt(&["install", "-y", "--no-install-recommends"].into_iter().chain(packages).collect::<Vec<_>>())?;
    step.done("installed");
    Ok(())
}

fn apt(args: &[&str]) -> Result<(), LocalError> {
    let mut command = Command::new("apt-get");
    command.args(["-q", "-o", "DPkg::Lock::Timeout=300"]).args(args).env("DEBIAN_FRONTEND", "noninteractive");
    process::run(&format!("apt-get {}", args.join(" ")), command).map(drop)
}

fn not_installed(tools: &[Tool]) -> LocalError {
    LocalError::Missing { what: names(tools), line: line_to_type(tools, nix::unistd::geteuid().is_root()) }
}

fn line_to_type(tools: &[Tool], root: bool) -> String {
    let sudo = if root { "" } else { "sudo " };
    let packages: Vec<_> = tools.iter().map(|tool| tool.package()).collect();
    format!("{sudo}apt-get update && {sudo}apt-get install -y --no-install-recommends {}", packages.join(" "))
}

fn names(tools: &[Tool]) -> String {
    tools.iter().map(|tool| tool.name()).collect::<Vec<_>>().join(", ")
}

fn find_java() -> Option<PathBuf> {
    let home = env::var_os("JAVA_HOME").map(|home| Path::new(&home).join("bin/java"));
    let installed = subdirectories(Path::new("/usr/lib/jvm")).into_iter().map(|jvm| jvm.join("bin/java"));
    home.into_iter()
        .chain(on_path("java"))
        .chain(installed)
        .find(|java| java_version(java).is_some_and(|major| major >= OLDEST_JAVA))
}

fn java_version(java: &Path) -> Option<u32> {
    let mut command = Command::new(java);
    command.arg("-version");
    parse_java_version(&process::run("asking Java for its version", command).ok()?)
}

/// `openjdk version "17.0.15" …` is 17, `java version "1.8.0_392"` is 8.
fn parse_java_version(text: &str) -> Option<u32> {
    let version = text.split('"').nth(1)?;
    let version = version.strip_prefix("1.").unwrap_or(version);
    leading_number(version)
}

/// Debian's installed versions, newest first.
fn postgres_versions() -> Vec<(u32, PathBuf)> {
    let mut versions: Vec<_> = subdirectories(Path::new(DEBIAN_POSTGRES))
        .into_iter()
        .filter_map(|dir| Some((dir.file_name()?.to_str()?.parse().ok()?, dir.join("bin"))))
        .filter(|(major, bin)| *major >= OLDEST_POSTGRES && is_complete(bin))
        .collect();
    versions.sort_by(|left, right| right.cmp(left));
    versions
}

fn postgres_on_path() -> Option<PathBuf> {
    let postgres = fs::canonicalize(on_path("postgres")?).ok()?;
    let bin = postgres.parent()?.to_owned();
    let mut command = Command::new(&postgres);
    command.arg("--version");
    let version = process::run("asking PostgreSQL for its version", command).ok()?;
    let major = leading_number(version.trim_start_matches(|c: char| !c.is_ascii_digit()))?;
    (major >= OLDEST_POSTGRES && is_complete(&bin)).then_some(bin)
}

/// The server and the programs that create clusters and databases.
fn is_complete(bin: &Path) -> bool {
    ["postgres", "initdb", "createdb"].iter().all(|program| bin.join(program).is_file())
}

fn leading_number(text: &str) -> Option<u32> {
    text.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn on_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|dir| dir.join(program)).find(|path| path.is_file())
}

fn subdirectories(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn java_versions() {
        for (text, expected) in [
            ("openjdk version \"17.0.15\" 2025-04-15\nOpenJDK Runtime", Some(17)),
            ("openjdk version \"25\" 2025-09-16", Some(25)),
            ("openjdk version \"26-ea\" 2026-03-17", Some(26)),
            ("java version \"1.8.0_392\"", Some(8)),
            ("no java here", None),
        ] {
            assert_eq!(parse_java_version(text), expected, "{text}");
        }
    }

    #[test]
    fn the_line_to_type_installs_everything_at_once() {
        for (root, expected) in [
            (true, "apt-get update && apt-get install -y --no-install-recommends maven postgresql"),
            (false, "sudo apt-get update && sudo apt-get install -y --no-install-recommends maven postgresql"),
        ] {
            assert_eq!(line_to_type(&[Tool::Maven, Tool::Postgres], root), expected);
        }
    }
}
