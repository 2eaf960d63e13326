//! One Apache Kafka broker that is also its own controller. Everything it writes is below one directory; its ports stay the
//! same for as long as they can, because clients remember them.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use crate::LocalError;
use crate::class_archive::Classes;
use crate::logins::{self, Logins};
use crate::ports;
use crate::process::{self, Ending, Identity, Launch, Manners, Process, until};
use crate::progress::Step;
use crate::state::{random_text, write_private};

const NAME: &str = "Kafka";
/// The broker closes its logs before it goes; without that the next start has to recover them.
const MANNERS: Manners = &[(Signal::SIGTERM, Duration::from_secs(20))];
/// A cold start on a busy machine with logs to recover.
const PATIENCE: Duration = Duration::from_secs(90);
/// What the broker logs as its last word of a start.
const READY: &str = "Kafka Server started";
/// What the controller logs once a broker leads nothing any more.
const EPOCH_BUMPED: &str = "handleBrokerFenced: changing";
/// Ten of its sessions.
const DEPOSED_WITHIN: Duration = Duration::from_secs(5);
const TAKEN: &str = "Address already in use";
/// Ports taken by somebody else between looking and binding, in a row, before we give up.
const COLLISIONS: usize = 5;

/// Small enough to stand beside everything else on two cores: one collector thread.
const JVM: [&str; 6] = [
    "-Xms256m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
    "-Djava.net.preferIPv4Stack=true",
];

/// Only Java's quick compiler. With the thorough one a start cost 2.4 s of processor time instead of 1.4, and over the first 1.2 million
/// transactional records the broker was slower (52 against 69 thousand a second) and used half as much again. After some minutes it is
/// the other way around (`docs/BENCHMARKS.md`), so a broker that is there to stay has both.
const QUICK_COMPILER: &str = "-XX:TieredStopAtLevel=1";

/// The broker's settings, before those of the caller.
const SETTINGS: [(&str, &str); 21] = [
    ("process.roles", "broker,controller"),
    ("node.id", "1"),
    ("controller.listener.names", "CONTROLLER"),
    ("inter.broker.listener.name", "BROKER"),
    // One node: every internal topic has one copy.
    ("offsets.topic.replication.factor", "1"),
    ("transaction.state.log.replication.factor", "1"),
    ("transaction.state.log.min.isr", "1"),
    ("share.coordinator.state.topic.replication.factor", "1"),
    ("share.coordinator.state.topic.min.isr", "1"),
    ("default.replication.factor", "1"),
    // Few partitions of the internal topics: they are created while the first client waits.
    ("offsets.topic.num.partitions", "8"),
    ("transaction.state.log.num.partitions", "8"),
    // A worker that was killed comes back at once: no waiting for more members.
    ("group.initial.rebalance.delay.ms", "0"),
    ("group.min.session.timeout.ms", "1000"),
    // Offsets and markers of a transaction are written at once: waiting for company saves nothing on one machine.
    ("group.coordinator.append.linger.ms", "0"),
    // Topics are declared, never guessed from a typing error.
    ("auto.create.topics.enable", "false"),
    ("message.max.bytes", "2097152"),
    // Nobody reads past an open transaction: a client may not keep one for the quarter of an hour that is Kafka's default.
    ("transaction.max.timeout.ms", "60000"),
    // Two cores and a small heap: the cleaner alone would take a quarter of it.
    ("num.io.threads", "4"),
    ("num.network.threads", "2"),
    ("log.cleaner.dedupe.buffer.size", "16777216"),
];

/// Everything needed to start the broker, again and again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub java: PathBuf,
    pub jars: PathBuf,
    pub classes: Classes,
    pub dir: PathBuf,
    /// The caller's settings; they win over ours.
    pub properties: Vec<(String, String)>,
    /// Both of Java's compilers, and not the quick one alone.
    #[serde(default)]
    pub thorough_compiler: bool,
    /// Who may come in; anybody where there are none. A version before this one had none.
    #[serde(default)]
    pub logins: Option<Logins>,
    /// Ends when we end.
    pub tied: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ports {
    pub broker: u16,
    pub controller: u16,
}

/// A broker that answers.
#[derive(Debug)]
pub(crate) struct Broker {
    pub plan: Plan,
    pub ports: Ports,
    process: Process,
}

impl Broker {
    /// Starts on the ports of last time if they are still free.
    pub(crate) fn start(mut plan: Plan, last: Option<Ports>, step: &Step) -> Result<Broker, LocalError> {
        prepare(&mut plan, step)?;
        let mut wanted = last.filter(|ports| ports::is_free(ports.broker) && ports::is_free(ports.controller));
        for _ in 0..COLLISIONS {
            let ports = match wanted.take() {
                Some(ports) => ports,
                None => free_ports()?,
            };
            step.now("starting");
            match launch(&plan, ports) {
                Err(LocalError::Died { tail, .. }) if tail.contains(TAKEN) => step.now("that port was just taken"),
                launched => return Broker { process: launched?, plan, ports }.introduced(step),
            }
        }
        Err(no_port())
    }

    pub(crate) fn adopt(plan: Plan, ports: Ports, identity: Identity) -> Option<Broker> {
        let process = Process::adopt(NAME, identity, MANNERS)?;
        Some(Broker { plan, ports, process })
    }

    /// Tells the broker of logins that it does not know yet.
    fn introduced(mut self, step: &Step) -> Result<Broker, LocalError> {
        if let Some(logins) = &mut self.plan.logins
            && !logins.unknown().is_empty()
        {
            step.now("making logins");
            let tool = tool(&self.plan.java, &self.plan.jars, &self.plan.classes, &self.plan.dir);
            logins::introduce(logins, &self.plan.dir, self.ports.broker, tool)?;
        }
        Ok(self)
    }

    /// Stops it; [`Broker::resume`] brings it back with the same ports and data.
    pub(crate) fn stop(&mut self, ending: Ending) -> Result<Ending, LocalError> {
        self.process.end(ending)
    }

    pub(crate) fn resume(&mut self) -> Result<(), LocalError> {
        if !self.process.runs() {
            self.process = launch(&self.plan, self.ports)?;
        }
        Ok(())
    }

    /// Stops it where it stands (SIGSTOP).
    pub(crate) fn pause(&mut self) -> Result<(), LocalError> {
        self.process.pause()
    }

    /// Lets it run on (SIGCONT).
    pub(crate) fn go_on(&mut self) -> Result<(), LocalError> {
        self.process.go_on()
    }

    pub(crate) fn identity(&self) -> Identity {
        self.process.identity()
    }

    pub(crate) fn leave(&mut self) {
        self.process.leave();
    }

    /// Who may come in.
    pub(crate) fn logins(&self) -> Option<&Logins> {
        self.plan.logins.as_ref()
    }

    pub(crate) fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.ports.broker)
    }
}

/// Directories, logging, and the storage format of a first start.
fn prepare(plan: &mut Plan, step: &Step) -> Result<(), LocalError> {
    let data = data_dir(plan);
    fs::create_dir_all(&data)
        .and_then(|()| fs::set_permissions(&plan.dir, Permissions::from_mode(0o700))) // records are nobody else's to read
        .map_err(LocalError::io(|| format!("creating {}", data.display())))?;
    write(&plan.dir.join("log4j2.properties"), LOGGING)?;
    if let Some(logins) = &mut plan.logins {
        logins.settle(&plan.dir)?;
    }
    if data.join("meta.properties").exists() {
        return Ok(());
    }
    step.now("formatting the broker's storage");
    let ports = free_ports()?; // the format wants an address of the controller; a later start may correct it
    let properties = write_properties(plan, ports)?.display().to_string();
    let cluster = cluster_id()?;
    let mut words = vec!["kafka.tools.StorageTool", "format", "--standalone", "-t", &cluster, "-c", &properties];
    let added = plan.logins.as_ref().map(Logins::credentials).unwrap_or_default();
    words.extend(added.iter().flat_map(|credential| ["--add-scram", credential]));
    let command = tool(&plan.java, &plan.jars, &plan.classes, &plan.dir);
    logins::run_privately("formatting the broker's storage", command, &plan.dir, &words)?;
    match &mut plan.logins {
        Some(logins) => logins.all_known(&plan.dir),
        None => Ok(()),
    }
}

/// Java, ready for the words of one of Kafka's own tools.
fn tool(java: &Path, jars: &Path, classes: &Classes, dir: &Path) -> Command {
    let mut command = Command::new(java);
    command
        .args(classes.flag_for_tool())
        .args(JVM)
        .arg(format!("-Dlog4j2.configurationFile={}", dir.join("log4j2.properties").display()))
        .args([QUICK_COMPILER, "-cp"])
        .arg(jars.join("*")); // Java itself expands the star
    command
}

fn launch(plan: &Plan, ports: Ports) -> Result<Process, LocalError> {
    if was_killed(plan) {
        bump_leader_epoch(plan, ports)?;
    }
    let properties = write_properties(plan, ports)?;
    let log = plan.dir.join("broker.log");
    let from = process::length(&log);
    let mut process = java(plan, "log4j2.properties", properties, &log)?;
    let is_ready = || process::since(&log, from).contains(READY);
    until(PATIENCE, || is_ready() || !process.runs());
    process.ready_or(is_ready(), PATIENCE, &log, from)?;
    Ok(process)
}

/// Whether the broker ran before and did not end as it wanted to.
fn was_killed(plan: &Plan) -> bool {
    let data = data_dir(plan);
    data.join("recovery-point-offset-checkpoint").exists() && !data.join(".kafka_cleanshutdown").exists()
}

/// Lets the controller run alone until it has taken every partition from the broker that was killed.
///
/// Otherwise the broker comes back as the leader that it was, takes up the transactions that it was ending, and is deposed a
/// moment later. Kafka 4.3.1 takes a partition without a leader for a deleted one, writes no marker there and calls the
/// transaction complete: it stays open for ever for everyone who reads what is committed (TransactionMarkerChannelManager,
/// addTxnMarkersToBrokerQueue). Where a partition has another replica in sync, it has a leader at all times.
fn bump_leader_epoch(plan: &Plan, ports: Ports) -> Result<(), LocalError> {
    let alone = [
        ("process.roles", "controller".to_owned()),
        ("advertised.listeners", format!("CONTROLLER://127.0.0.1:{}", ports.controller)),
        ("listeners", format!("CONTROLLER://127.0.0.1:{}", ports.controller)),
        ("broker.session.timeout.ms", "500".to_owned()),
        ("broker.heartbeat.interval.ms", "100".to_owned()),
    ];
    let of_the_broker = |line: &&str| !line.starts_with("inter.broker.listener.name=");
    let mut settings: String = properties(plan, ports).split_inclusive('\n').filter(of_the_broker).collect();
    settings.extend(alone.map(|(key, value)| format!("{key}={value}\n")));
    let path = plan.dir.join("controller.properties");
    write(&path, &settings)?;
    write(&plan.dir.join("controller-log4j2.properties"), &format!("{LOGGING}{LOGGING_OF_FENCING}"))?;
    let log = plan.dir.join("controller.log");
    let from = process::length(&log);
    let mut process = java(plan, "controller-log4j2.properties", path, &log)?;
    let is_ready = || process::since(&log, from).contains(READY);
    until(PATIENCE, || is_ready() || !process.runs());
    process.ready_or(is_ready(), PATIENCE, &log, from)?;
    // Nothing is said where the broker had been deposed before it was killed.
    until(DEPOSED_WITHIN, || process::since(&log, from).contains(EPOCH_BUMPED) || !process.runs());
    process.end(Ending::Clean).map(drop)
}

/// Starts a server of Kafka's with these settings.
fn java(plan: &Plan, logging: &str, properties: PathBuf, log: &Path) -> Result<Process, LocalError> {
    let mut args: Vec<OsString> = JVM.map(OsString::from).to_vec();
    if !plan.thorough_compiler {
        args.push(QUICK_COMPILER.into());
    }
    args.extend(plan.classes.flag());
    args.push(format!("-Dlog4j2.configurationFile={}", plan.dir.join(logging).display()).into());
    args.extend(["-cp".into(), plan.jars.join("*").into(), "kafka.Kafka".into(), properties.into()]);
    Process::start(Launch {
        name: NAME,
        program: plan.java.clone(),
        args,
        directory: plan.dir.clone(),
        log: log.to_owned(),
        user: None,
        tied_by: plan.tied.then_some(Signal::SIGTERM),
        manners: MANNERS,
    })
}

fn write_properties(plan: &Plan, ports: Ports) -> Result<PathBuf, LocalError> {
    let path = plan.dir.join("server.properties");
    write(&path, &properties(plan, ports))?;
    Ok(path)
}

/// One line a setting. A later line wins in Java's format, so the caller's come last.
fn properties(plan: &Plan, Ports { broker, controller }: Ports) -> String {
    let listeners = format!("BROKER://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}");
    let placed = [
        ("log.dirs", data_dir(plan).display().to_string()),
        ("advertised.listeners", listeners.clone()),
        ("listeners", listeners),
        ("controller.quorum.bootstrap.servers", format!("127.0.0.1:{controller}")),
    ];
    let guard = logins::settings(plan.logins.as_ref());
    let ours = SETTINGS.map(|(key, value)| (key, value.to_owned())).into_iter().chain(placed).chain(guard);
    let callers = plan.properties.iter().map(|(key, value)| (key.as_str(), value.clone()));
    ours.chain(callers).map(|(key, value)| format!("{key}={value}\n")).collect()
}

fn data_dir(plan: &Plan) -> PathBuf {
    plan.dir.join("data")
}

fn free_ports() -> Result<Ports, LocalError> {
    let port = || ports::free().map_err(LocalError::io(|| "looking for a free port"));
    let broker = port()?;
    loop {
        let controller = port()?;
        if controller != broker {
            return Ok(Ports { broker, controller });
        }
    }
}

/// 16 bytes in URL-safe Base64 without padding: 21 free characters and one whose spare bits are zero.
fn cluster_id() -> Result<String, LocalError> {
    Ok(random_text(21)? + "A")
}

fn no_port() -> LocalError {
    LocalError::Io { doing: format!("starting {NAME}"), source: std::io::ErrorKind::AddrInUse.into() }
}

fn write(path: &Path, text: &str) -> Result<(), LocalError> {
    write_private(path, text.as_bytes()).map_err(LocalError::io(|| format!("writing {}", path.display())))
}

/// Warnings only, and the one line that says the broker is up. It goes to standard output, which is the log file.
const LOGGING: &str = "\
status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %p %c{1}: %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = info
";

/// Where the controller says whom it deposed.
const LOGGING_OF_FENCING: &str = "\
logger.fencing.name = org.apache.kafka.controller.ReplicationControlManager
logger.fencing.level = info
";

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_callers_settings_come_last() {
        let plan = Plan {
            java: "java".into(),
            jars: "jars".into(),
            classes: Classes::Jars,
            dir: "stack".into(),
            properties: vec![("message.max.bytes".into(), "1".into())],
            thorough_compiler: false,
            logins: None,
            tied: true,
        };
        let text = properties(&plan, Ports { broker: 1, controller: 2 });
        let last = text.lines().rfind(|line| line.starts_with("message.max.bytes"));
        assert_eq!(last, Some("message.max.bytes=1"));
        assert!(text.contains("listeners=BROKER://127.0.0.1:1,CONTROLLER://127.0.0.1:2\n"));
    }

    #[test]
    fn cluster_ids_are_22_characters_and_differ() {
        let (one, other) = (cluster_id().unwrap(), cluster_id().unwrap());
        assert_eq!((one.len(), other.len()), (22, 22));
        assert_ne!(one, other);
    }
}
