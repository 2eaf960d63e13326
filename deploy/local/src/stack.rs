//! The stack that callers hold: both servers started side by side, found again, taken down and brought back, and stopped.
//! Never lets two stacks share a data directory.

use std::collections::BTreeMap;
use std::env;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::thread;

use crate::LocalError;
use crate::kafka::Broker;
use crate::logins::{Logins, MECHANISM};
use crate::postgres::Server;
use crate::process::Ending;
use crate::site::Site;
use crate::state::{BrokerState, DatabaseState, State};
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
    /// The servers may outlive this process (see [`Stack::leave_running`]). Otherwise they end with it, however it ends.
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

/// Servers that answer. Dropping it stops them (unless it was [attached](Stack::attach)).
#[derive(Debug)]
pub struct Stack {
    data_dir: PathBuf,
    kept: bool,
    broker: Option<Broker>,
    database: Option<Server>,
    bootstrap: String,
    database_url: String,
    /// Held for as long as we own the data directory.
    _lock: Option<File>,
}

impl Stack {
    /// Starts what the options ask for and returns when all of it answers; blocks for seconds, on the very first time
    /// longer: jars are fetched and, where that is asked for, missing programs are installed.
    ///
    /// # Errors
    /// [`LocalError::Missing`] with the line to type, [`LocalError::AlreadyRunning`], or why a server did not start; then
    /// nothing of it is left running.
    pub fn start(options: &Options) -> Result<Stack, LocalError> {
        let site = Site::prepare(options)?;
        let (broker, database) = side_by_side(|| site.broker(), || site.database());
        let Site { data_dir, lock, .. } = site;
        let stack = Stack::of(data_dir, options.keep_running, broker?, database?, Some(lock));
        stack.remember()?;
        Ok(stack)
    }

    /// The stack that was left running in the data directory, and true; or one that is started now, and false.
    ///
    /// # Errors
    /// As [`Stack::start`]. [`LocalError::AlreadyRunning`] remains for a stack that ends with another process, and
    /// [`LocalError::HalfRunning`] says that a server which is asked for has ended beside one that runs.
    pub fn start_or_attach(options: &Options) -> Result<(Stack, bool), LocalError> {
        match Stack::start(options) {
            Err(LocalError::AlreadyRunning(dir)) => Ok((Stack::left_running(options, dir)?, true)),
            started => Ok((started?, false)),
        }
    }

    /// Finds the servers that an earlier process left running in `data_dir`. Dropping the result leaves them running;
    /// [`Stack::stop`] stops them.
    ///
    /// # Errors
    /// [`LocalError::NotRunning`] if none of them is alive.
    pub fn attach(data_dir: &Path) -> Result<Stack, LocalError> {
        let none = || LocalError::NotRunning(data_dir.to_owned());
        let state = State::read(data_dir).ok_or_else(none)?;
        let broker = state.broker.and_then(|it| Broker::adopt(it.plan, it.ports, it.process));
        let database = state.database.and_then(|it| Server::adopt(it.plan, it.port, it.process));
        if broker.is_none() && database.is_none() {
            return Err(none());
        }
        Ok(Stack::of(data_dir.to_owned(), state.kept, broker, database, None))
    }

    /// Stops the servers that an earlier process left running in `data_dir`; returns when they are gone.
    ///
    /// # Errors
    /// [`LocalError::NotRunning`] if there is nothing to stop.
    pub fn stop_left_running(data_dir: &Path) -> Result<(), LocalError> {
        Stack::attach(data_dir)?.stop()
    }

    /// The broker's address for clients, `127.0.0.1:port`; empty if the stack has none.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Passwords of the broker's users, by name: not for logs. Empty if it asks for none. The mechanism is SCRAM-SHA-512.
    pub fn passwords(&self) -> BTreeMap<String, String> {
        self.broker.as_ref().and_then(Broker::logins).map(Logins::passwords).unwrap_or_default()
    }

    /// What a client of librdkafka must be told to be a user of the broker; nothing if it asks for no password.
    pub fn client(&self, user: &str) -> Vec<(&'static str, String)> {
        let password = self.passwords().remove(user);
        let settings = password.map(|password| {
            let said =
                [("security.protocol", "sasl_plaintext"), ("sasl.mechanism", MECHANISM), ("sasl.username", user)];
            let said = said.map(|(name, value)| (name, value.to_owned()));
            said.into_iter().chain([("sasl.password", password)]).collect()
        });
        settings.unwrap_or_default()
    }

    /// The superuser's way into database `defaultx`, `postgres://…`, with a password: not for logs. Empty if the stack has
    /// no PostgreSQL.
    pub fn database_url(&self) -> &str {
        &self.database_url
    }

    /// The process ids of the servers, broker first.
    pub fn pids(&self) -> Vec<u32> {
        let broker = self.broker.as_ref().map(|broker| broker.identity().pid);
        let database = self.database.as_ref().map(|database| database.identity().pid);
        broker.into_iter().chain(database).collect()
    }

    /// Creates one more database, owned by the superuser, and returns its address like [`Stack::database_url`].
    ///
    /// # Errors
    /// [`LocalError::DatabaseName`], or [`LocalError::Failed`] if it exists already.
    pub fn create_database(&self, name: &str) -> Result<String, LocalError> {
        self.database.as_ref().ok_or(LocalError::NotAskedFor("PostgreSQL"))?.create_database(name)
    }

    /// Takes the broker down and leaves it down.
    ///
    /// # Errors
    /// [`LocalError::NotAskedFor`], [`LocalError::Unstoppable`].
    pub fn stop_broker(&mut self, ending: Ending) -> Result<(), LocalError> {
        self.broker_mut()?.stop(ending).map(drop)
    }

    /// Brings the broker back on the same port with the same data; nothing to do if it runs.
    ///
    /// # Errors
    /// [`LocalError::NotAskedFor`], or why it did not start.
    pub fn start_broker(&mut self) -> Result<(), LocalError> {
        self.broker_mut()?.resume()?;
        self.remember()
    }

    /// Down and back: same port, same data. After [`Ending::Kill`] it takes some seconds longer: the broker's old session has
    /// to run out first.
    ///
    /// # Errors
    /// As [`Stack::stop_broker`] and [`Stack::start_broker`].
    pub fn restart_broker(&mut self, ending: Ending) -> Result<(), LocalError> {
        self.stop_broker(ending)?;
        self.start_broker()
    }

    /// Freezes the broker where it stands (SIGSTOP): its connections stay open and nobody is answered, as behind a network that
    /// drops everything.
    ///
    /// # Errors
    /// [`LocalError::NotAskedFor`].
    pub fn pause_broker(&mut self) -> Result<(), LocalError> {
        self.broker_mut()?.pause()
    }

    /// Lets a frozen broker go on; nothing to do if it runs.
    ///
    /// # Errors
    /// [`LocalError::NotAskedFor`].
    pub fn resume_broker(&mut self) -> Result<(), LocalError> {
        self.broker_mut()?.go_on()
    }

    /// Takes PostgreSQL down and leaves it down; open sessions are ended.
    ///
    /// # Errors
    /// [`LocalError::NotAskedFor`], [`LocalError::Unstoppable`].
    pub fn stop_database(&mut self, ending: Ending) -> Result<(), LocalError> {
        self.database_mut()?.stop(ending).map(drop)
    }

    /// Brings PostgreSQL back on the same port with the same data; nothing to do if it runs.
    ///
    /// # Errors
    /// [`LocalError::NotAskedFor`], or why it did not start.
    pub fn start_database(&mut self) -> Result<(), LocalError> {
        self.database_mut()?.resume()?;
        self.remember()
    }

    /// Stops every server cleanly and returns when they are gone. The data stays.
    ///
    /// # Errors
    /// [`LocalError::Unstoppable`] if one survives even SIGKILL.
    pub fn stop(mut self) -> Result<(), LocalError> {
        self.end()
    }

    /// Lets the servers outlive this process; [`Stack::attach`] and [`Stack::stop_left_running`] find them again.
    ///
    /// # Errors
    /// [`LocalError::TiedToThisProcess`] unless it was started with `keep_running`; then it has been stopped.
    pub fn leave_running(mut self) -> Result<(), LocalError> {
        if !self.kept {
            self.end()?;
            return Err(LocalError::TiedToThisProcess);
        }
        if let Some(broker) = &mut self.broker {
            broker.leave();
        }
        if let Some(database) = &mut self.database {
            database.leave();
        }
        Ok(())
    }

    fn of(
        data_dir: PathBuf,
        kept: bool,
        broker: Option<Broker>,
        database: Option<Server>,
        lock: Option<File>,
    ) -> Stack {
        let bootstrap = broker.as_ref().map(Broker::bootstrap).unwrap_or_default();
        let database_url = database.as_ref().map(Server::url).unwrap_or_default();
        Stack { data_dir, kept, broker, database, bootstrap, database_url, _lock: lock }
    }

    fn left_running(options: &Options, dir: PathBuf) -> Result<Stack, LocalError> {
        let Some(stack) = Stack::attach(&dir).ok().filter(|stack| stack.kept) else {
            return Err(LocalError::AlreadyRunning(dir));
        };
        let asked = [
            ("Kafka", options.kafka, stack.broker.is_some()),
            ("PostgreSQL", options.postgres, stack.database.is_some()),
        ];
        match asked.into_iter().find(|(_, wanted, runs)| *wanted && !*runs) {
            Some((name, ..)) => Err(LocalError::HalfRunning { name, dir }),
            None => Ok(stack),
        }
    }

    fn broker_mut(&mut self) -> Result<&mut Broker, LocalError> {
        self.broker.as_mut().ok_or(LocalError::NotAskedFor("Kafka"))
    }

    fn database_mut(&mut self) -> Result<&mut Server, LocalError> {
        self.database.as_mut().ok_or(LocalError::NotAskedFor("PostgreSQL"))
    }

    fn end(&mut self) -> Result<(), LocalError> {
        let (broker, database) = (self.broker.as_mut(), self.database.as_mut());
        let (broker, database) = side_by_side(
            || broker.map_or(Ok(()), |broker| broker.stop(Ending::Clean).map(drop)),
            || database.map_or(Ok(()), |database| database.stop(Ending::Clean).map(drop)),
        );
        broker.and(database)
    }

    fn remember(&self) -> Result<(), LocalError> {
        let broker = self.broker.as_ref().map(|broker| BrokerState {
            bootstrap: broker.bootstrap(),
            process: broker.identity(),
            ports: broker.ports,
            plan: broker.plan.clone(),
        });
        let database = self.database.as_ref().map(|database| DatabaseState {
            database_url: database.url(),
            process: database.identity(),
            port: database.port,
            plan: database.plan.clone(),
        });
        State { kept: self.kept, broker, database }.write(&self.data_dir)
    }
}

fn side_by_side<L: Send, R: Send>(left: impl FnOnce() -> L + Send, right: impl FnOnce() -> R) -> (L, R) {
    thread::scope(|scope| {
        let left = scope.spawn(left);
        let right = right();
        let left = left.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (left, right)
    })
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
