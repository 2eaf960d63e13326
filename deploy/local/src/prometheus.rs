//! One Prometheus on a configuration of the caller's. It evaluates rules and answers queries on loopback; what it scrapes
//! is the caller's business.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::process::{self, Ending, Launch, Manners, Process, until};
use crate::progress::Progress;
use crate::tools::{self, Tool};
use crate::{LocalError, ports};

const NAME: &str = "Prometheus";
const MANNERS: Manners = &[(Signal::SIGTERM, Duration::from_secs(15))];
/// It has to read its rules and open its database.
const PATIENCE: Duration = Duration::from_secs(60);
const TAKEN: &str = "address already in use";
/// Ports taken by somebody else between looking and binding, in a row, before we give up.
const COLLISIONS: usize = 5;
/// How long one question whether it is ready may take.
const ASKING: Duration = Duration::from_secs(2);

/// A Prometheus that is ready. Dropping it stops it; it also ends when this process ends.
#[derive(Debug)]
pub struct Prometheus {
    process: Process,
    port: u16,
}

impl Prometheus {
    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `http://127.0.0.1:port`, without a slash at its end.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Stops it and returns once it is gone.
    ///
    /// # Errors
    /// [`LocalError::Unstoppable`] if it survives even SIGKILL.
    pub fn stop(mut self) -> Result<(), LocalError> {
        self.process.end(Ending::Clean).map(drop)
    }
}

/// Starts Prometheus on `config_path` with its database in `data_dir` (created if need be) on a free loopback port, and
/// returns when it is ready. `POST /-/reload` makes it read the configuration again.
///
/// # Errors
/// [`LocalError::Missing`] with the line to type when it is neither installed nor installable, [`LocalError::Died`] with
/// the end of its log when the configuration does not please it.
pub fn start_prometheus(config_path: &Path, data_dir: &Path) -> Result<Prometheus, LocalError> {
    let program =
        tools::provide(&[Tool::Prometheus], tools::may_install_by_environment(), &Progress::new(false))?.remove(0);
    fs::create_dir_all(data_dir).map_err(LocalError::io(|| format!("creating {}", data_dir.display())))?;
    let full = |path: &Path| fs::canonicalize(path).map_err(LocalError::io(|| format!("resolving {}", path.display())));
    let (config, data) = (full(config_path)?, full(data_dir)?);
    for _ in 0..COLLISIONS {
        let port = ports::free().map_err(LocalError::io(|| "looking for a free port"))?;
        match launch(&program, &config, &data, port) {
            Err(LocalError::Died { tail, .. }) if tail.contains(TAKEN) => tracing::debug!(port, "port was just taken"),
            launched => return launched.map(|process| Prometheus { process, port }),
        }
    }
    Err(LocalError::Io { doing: format!("starting {NAME}"), source: io::ErrorKind::AddrInUse.into() })
}

fn launch(program: &Path, config: &Path, data: &Path, port: u16) -> Result<Process, LocalError> {
    let log = data.join("prometheus.log");
    let from = process::length(&log);
    let mut process = Process::start(Launch {
        name: NAME,
        program: program.to_owned(),
        args: arguments(config, data, port),
        directory: data.to_owned(),
        log: log.clone(),
        user: None,
        tied_by: Some(Signal::SIGTERM),
        manners: MANNERS,
    })?;
    let mut ready = false;
    until(PATIENCE, || {
        ready = is_ready(port);
        ready || !process.runs()
    });
    ready &= process.runs(); // somebody else could have answered on a port that was just taken
    process.ready_or(ready, PATIENCE, &log, from)?;
    Ok(process)
}

fn arguments(config: &Path, data: &Path, port: u16) -> Vec<OsString> {
    let flag = |name: &str, path: PathBuf| {
        let mut flag = OsString::from(format!("--{name}="));
        flag.push(path);
        flag
    };
    vec![
        flag("config.file", config.to_owned()),
        flag("storage.tsdb.path", data.join("tsdb")),
        format!("--web.listen-address=127.0.0.1:{port}").into(),
        "--web.enable-lifecycle".into(),
    ]
}

fn is_ready(port: u16) -> bool {
    ask(port).is_ok_and(|answer| answer.starts_with("HTTP/1.0 200") || answer.starts_with("HTTP/1.1 200"))
}

fn ask(port: u16) -> io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(ASKING))?;
    stream.write_all(b"GET /-/ready HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
