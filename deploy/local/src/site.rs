//! What has to be there before the servers are: the data directory to ourselves, the programs, the jars. Then each server
//! on its ground. Knows nothing of what happens to a stack once it stands.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::kafka::{self, Broker};
use crate::logins::Logins;
use crate::options::Options;
use crate::postgres::{self, Server};
use crate::process::until;
use crate::progress::Progress;
use crate::state::State;
use crate::tools::{self, Tool};
use crate::{LocalError, class_archive, cluster_home, jars};

/// How long the servers of a killed owner may take to stop: they are on their way out.
const LAST_OWNER_LEAVES: Duration = Duration::from_secs(30);

/// A data directory that is ours, and everything to build with.
pub(crate) struct Site {
    pub data_dir: PathBuf,
    /// While it is held, nobody else starts a stack here.
    pub lock: File,
    cache_dir: PathBuf,
    last: Option<State>,
    programs: Programs,
    properties: Vec<(String, String)>,
    thorough_compiler: bool,
    logins: Option<Logins>,
    tied: bool,
    progress: Progress,
}

/// Where the programs are that are needed this time.
struct Programs {
    java: Option<PathBuf>,
    /// Only while the jars are not there yet.
    maven: Option<PathBuf>,
    postgres: Option<PathBuf>,
}

impl Site {
    /// For a whole stack.
    pub(crate) fn prepare(options: &Options) -> Result<Site, LocalError> {
        let data_dir = existing_dir(&options.data_dir)?;
        let lock = take_possession(&data_dir)?;
        Site::of(options, data_dir, lock)
    }

    /// For a server beside another one that was left running.
    pub(crate) fn beside(options: &Options) -> Result<Site, LocalError> {
        let data_dir = existing_dir(&options.data_dir)?;
        let lock = take_lock(&data_dir)?;
        Site::of(options, data_dir, lock)
    }

    fn of(options: &Options, data_dir: PathBuf, lock: File) -> Result<Site, LocalError> {
        let cache_dir = existing_dir(&options.cache_dir)?;
        let progress = Progress::new(options.progress);
        Ok(Site {
            programs: Programs::provide(options, &cache_dir, &progress)?,
            last: State::read(&data_dir),
            properties: options.broker_properties.clone(),
            thorough_compiler: options.thorough_compiler,
            logins: (!options.open).then(|| Logins::of(&options.users)),
            tied: !options.keep_running,
            data_dir,
            lock,
            cache_dir,
            progress,
        })
    }

    /// The broker, if it was asked for.
    pub(crate) fn broker(&self) -> Result<Option<Broker>, LocalError> {
        let Some(java) = self.programs.java.clone() else { return Ok(None) };
        let step = self.progress.step("Kafka");
        let jars = match &self.programs.maven {
            Some(maven) => jars::fetch(&self.cache_dir, maven, &step)?,
            None => jars::place(&self.cache_dir),
        };
        let classes = class_archive::provide(&java, &jars, &step)?;
        let (dir, properties) = (self.data_dir.join("kafka"), self.properties.clone());
        let (thorough_compiler, logins) = (self.thorough_compiler, self.logins.clone());
        let plan = kafka::Plan { java, jars, classes, dir, properties, thorough_compiler, logins, tied: self.tied };
        let last = self.last.as_ref().and_then(|state| Some(state.broker.as_ref()?.ports));
        let broker = Broker::start(plan, last, &step)?;
        step.done(&format!("ready on {}", broker.bootstrap()));
        Ok(Some(broker))
    }

    /// The database server, if it was asked for.
    pub(crate) fn database(&self) -> Result<Option<Server>, LocalError> {
        let Some(bin) = self.programs.postgres.clone() else { return Ok(None) };
        let step = self.progress.step("PostgreSQL");
        let (dir, user) = cluster_home::settle(&self.data_dir, &step)?;
        let last = self.last.as_ref().and_then(|state| Some(state.database.as_ref()?.port));
        let server = Server::start(postgres::Plan { bin, dir, user, tied: self.tied }, last, &step)?;
        step.done(&format!("ready on 127.0.0.1:{}", server.port));
        Ok(Some(server))
    }
}

impl Programs {
    /// All at once, so that what is missing is installed, or told, once.
    fn provide(options: &Options, cache_dir: &Path, progress: &Progress) -> Result<Programs, LocalError> {
        let fetch = options.kafka && jars::cached(cache_dir).is_none();
        let asked = [(options.kafka, Tool::Java), (fetch, Tool::Maven), (options.postgres, Tool::Postgres)];
        let tools: Vec<_> = asked.iter().filter(|(wanted, _)| *wanted).map(|(_, tool)| *tool).collect();
        let mut paths = tools::provide(&tools, options.install_packages, progress)?.into_iter();
        let mut next = |wanted: bool| if wanted { paths.next() } else { None };
        Ok(Programs { java: next(options.kafka), maven: next(fetch), postgres: next(options.postgres) })
    }
}

/// Ours alone from here on. Servers that nobody meant to leave running are on their way out and are waited for.
fn take_possession(data_dir: &Path) -> Result<File, LocalError> {
    let lock = take_lock(data_dir)?;
    let Some(last) = State::read(data_dir) else { return Ok(lock) };
    let patience = if last.kept { Duration::ZERO } else { LAST_OWNER_LEAVES };
    if until(patience, || !last.runs()) { Ok(lock) } else { Err(LocalError::AlreadyRunning(data_dir.to_owned())) }
}

fn take_lock(data_dir: &Path) -> Result<File, LocalError> {
    let path = data_dir.join("house.lock");
    let lock = File::options().create(true).truncate(false).write(true).open(&path);
    let lock = lock.map_err(LocalError::io(|| format!("opening {}", path.display())))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(LocalError::AlreadyRunning(data_dir.to_owned())),
        Err(TryLockError::Error(error)) => Err(LocalError::io(|| format!("locking {}", path.display()))(error)),
    }
}

/// The directory with its full path: the servers run elsewhere and must not depend on where we stand.
fn existing_dir(dir: &Path) -> Result<PathBuf, LocalError> {
    fs::create_dir_all(dir)
        .and_then(|()| fs::canonicalize(dir))
        .map_err(LocalError::io(|| format!("creating {}", dir.display())))
}
