//! The stack that callers hold: both servers started side by side, found again, taken down and brought back, and stopped.
//! Never lets two stacks share a data directory.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::thread;

use crate::LocalError;
use crate::kafka::Broker;
use crate::logins::{Logins, MECHANISM};
use crate::options::Options;
use crate::postgres::Server;
use crate::process::Ending;
use crate::site::Site;
use crate::state::{BrokerState, DatabaseState, State};

/// What of a stack ran already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// None of its servers: all were started.
    Nothing,
    /// All but this one, which was started beside the other.
    AllBut(&'static str),
    /// All of them.
    All,
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

    /// The stack of the data directory, left running there or started now. Where one of its servers has ended, that one alone is
    /// started, on the port that it had while it is free: the other goes on.
    ///
    /// # Errors
    /// As [`Stack::start`]. [`LocalError::AlreadyRunning`] remains for a stack that ends with another process.
    pub fn start_or_attach(options: &Options) -> Result<(Stack, Found), LocalError> {
        match Stack::start(options) {
            Err(LocalError::AlreadyRunning(dir)) => Stack::completed(options, dir),
            started => Ok((started?, Found::Nothing)),
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

    /// Finds what was left running, and starts what is asked for and has ended.
    fn completed(options: &Options, dir: PathBuf) -> Result<(Stack, Found), LocalError> {
        let Some(stack) = Stack::attach(&dir).ok().filter(|stack| stack.kept) else {
            return Err(LocalError::AlreadyRunning(dir));
        };
        let kafka = options.kafka && stack.broker.is_none();
        let postgres = options.postgres && stack.database.is_none();
        if !kafka && !postgres {
            return Ok((stack, Found::All));
        }
        let site = Site::beside(&Options { kafka, postgres, ..options.clone() })?;
        let Stack { broker, database, .. } = stack;
        let (broker, database) = match kafka {
            true => (site.broker()?, database),
            false => (broker, site.database()?),
        };
        let stack = Stack::of(site.data_dir, true, broker, database, Some(site.lock));
        stack.remember()?;
        Ok((stack, Found::AllBut(if kafka { "Kafka" } else { "PostgreSQL" })))
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
