//! What is measured, each in a process of its own: the product, and the ceiling.

use crate::processor::of_process;
use anyhow::{Context, Result, ensure};
use e2e::ceiling::{self, Shape};
use e2e::stage::{Stage, runtime};
use e2e::supervisor::{ALLOWED, AS_DEFAULTX};
use runtime::kafka::KafkaConfig;
use runtime::service::ServiceContext;
use runtime::shutdown;
use runtime::stream::{Input, Tuning};
use schemas::Topic;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The word that makes this program the ceiling.
pub const AS_CEILING: &str = "as-ceiling";
/// The workers between an application and its decision.
pub const DECIDING: &[&str] = &["ingest", "scorer", "decision"];

/// What the product scores with.
#[derive(Debug, Clone, Copy)]
pub enum Models {
    /// A scorecard for each product, nothing beside it.
    Scorecards,
    /// XGBoost's trees where there are some, nothing beside them: what the Python baseline scores with.
    Xgboost,
    /// What is shipped: champions of trees, two shadows beside each.
    Shipped,
}

impl Models {
    /// A word for keys and topics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scorecards => "scorecards",
            Self::Xgboost => "xgboost",
            Self::Shipped => "shipped",
        }
    }

    /// The entries of the route to them; none for what is shipped, which has a document.
    fn route(self) -> String {
        let kind = match self {
            Self::Scorecards => "scorecard",
            Self::Xgboost => "xgboost",
            Self::Shipped => return String::new(),
        };
        let entry = |product: &str, package: &str| {
            format!("[[entry]]\nid = {product:?}\nproduct = {product:?}\nchampion = \"{package}@1.0.0\"\n\n")
        };
        [
            entry("consumer_instalment", "german-scorecard"),
            entry("credit_card", &format!("taiwan-{kind}")),
            entry("small_business_term", &format!("sba-{kind}")),
        ]
        .concat()
    }
}

/// Workers in a process of their own.
pub struct Workers {
    child: Child,
    /// Where they tell their metrics.
    ops: Option<String>,
}

impl Workers {
    /// Starts a command whose words go to a log.
    pub fn start(mut command: Command, log: &Path) -> Result<Self> {
        let log = std::fs::File::create(log)?;
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        Ok(Self { child, ops: None })
    }

    /// The most memory that it ever had.
    pub fn peak_mb(&self) -> Result<f64> {
        self.status_mb("VmHWM:")
    }

    /// The memory that it has.
    pub fn resident_mb(&self) -> Result<f64> {
        self.status_mb("VmRSS:")
    }

    /// Processor time that it has used.
    pub fn processor(&self) -> Result<Duration> {
        of_process(self.child.id())
    }

    /// Each of their counters, summed over its labels, by name.
    pub fn counters(&self) -> Result<BTreeMap<String, f64>> {
        let ops = self.ops.as_ref().context("they tell no metrics")?;
        let mut connection = std::net::TcpStream::connect(ops)?;
        connection.write_all(b"GET /metrics HTTP/1.0\r\nHost: bench\r\n\r\n")?;
        let mut text = String::new();
        connection.read_to_string(&mut text)?;
        let mut counters = BTreeMap::new();
        for line in text.lines().filter(|line| line.starts_with("defaultx_")) {
            let Some((series, value)) = line.rsplit_once(' ') else { continue };
            let name = series.split('{').next().unwrap_or(series);
            *counters.entry(name.to_owned()).or_default() += value.parse::<f64>().unwrap_or(0.0);
        }
        Ok(counters)
    }

    fn status_mb(&self, field: &str) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)).context("no such field")?;
        let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kilobytes / 1024.0)
    }

    /// Asks it to end, and waits.
    pub fn stop(&mut self) -> Result<()> {
        let pid = nix::unistd::Pid::from_raw(self.child.id() as i32);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM)?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) && (self.child.kill().is_err() || self.child.wait().is_err()) {
            eprintln!("the workers could not be stopped");
        }
    }
}

/// Starts workers of the product, for any number of applications.
pub fn product(stage: &Stage, models: Models, workers: &[&str]) -> Result<Workers> {
    product_with(stage, models, workers, "[ingest]\ntenant_quota_per_day = 0\n")
}

/// The same with settings of one's own.
pub fn product_with(stage: &Stage, models: Models, workers: &[&str], settings: &str) -> Result<Workers> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(AS_DEFAULTX).envs(ALLOWED);
    run(command, stage, models, workers, settings)
}

/// Starts workers of another binary, which is allowed what it knows of [`ALLOWED`].
pub fn other(stage: &Stage, models: Models, workers: &[&str], program: &Path, settings: &str) -> Result<Workers> {
    let mut command = Command::new(program);
    let shows = |settings: &[(&str, &str)]| -> Result<bool> {
        let mut command = Command::new(program);
        command.args(["config", "show"]).envs(settings.iter().copied()).stdin(Stdio::null());
        Ok(command.output().with_context(|| format!("starting {}", program.display()))?.status.success())
    };
    command.envs(known(shows)?);
    run(command, stage, models, workers, settings)
}

/// Which of [`ALLOWED`] a binary knows: `shows` whether it shows its configuration with such settings, as it does unless one of them
/// is unknown to it.
fn known(shows: impl Fn(&[(&str, &str)]) -> Result<bool>) -> Result<Vec<(&'static str, &'static str)>> {
    ensure!(shows(&[])?, "the other binary does not show its configuration, whatever the settings");
    let mut known = Vec::new();
    for setting in ALLOWED {
        if shows(&[setting])? {
            known.push(setting);
        }
    }
    Ok(known)
}

/// Has another binary make its tables.
pub fn migrate(stage: &Stage, program: &Path) -> Result<()> {
    let migrated = Command::new(program).arg("migrate").arg("--config").arg(stage.config("migrate", "")?).status()?;
    ensure!(migrated.success(), "the migration ended with {migrated}");
    Ok(())
}

fn run(mut command: Command, stage: &Stage, models: Models, workers: &[&str], settings: &str) -> Result<Workers> {
    let config = stage.config_routed("bench", &models.route(), settings)?;
    // A port that is free now; nothing else on this machine looks for one.
    let ops = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
    command.arg("run").args(workers).arg("--config").arg(config).args(["--ops", &ops]);
    let mut workers = Workers::start(command, &stage.dir().join("product.log"))?;
    workers.ops = Some(ops);
    Ok(workers)
}

/// Starts the ceiling, whose records have those shapes.
pub fn ceiling(stage: &Stage, shapes: &BTreeMap<String, Shape>) -> Result<Workers> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args([AS_CEILING, &stage.kafka.bootstrap, &stage.kafka.topic_prefix, &serde_json::to_string(shapes)?]);
    Workers::start(command, &stage.dir().join("ceiling.log"))
}

/// Is the ceiling until it is told to stop.
pub fn run_ceiling(bootstrap: &str, prefix: &str, shapes: &str) -> Result<()> {
    let shapes: BTreeMap<String, Shape> = serde_json::from_str(shapes)?;
    let kafka =
        KafkaConfig { bootstrap: bootstrap.to_owned(), topic_prefix: prefix.to_owned(), ..KafkaConfig::default() };
    runtime()?.block_on(async {
        let mut service = ServiceContext::new(kafka);
        service.shutdown = shutdown::on_signal()?;
        let shape = |topic: Topic| shapes[topic.base_name()];
        let workers = ceiling::start(&service, &Tuning::default(), shape)?;
        for worker in workers {
            worker.join().await?;
        }
        Ok(())
    })
}

/// What the product writes to each topic of its way, on average.
pub fn shapes(kafka: &KafkaConfig) -> Result<BTreeMap<String, Shape>> {
    let mut shapes = BTreeMap::new();
    for topic in ceiling::HOPS.iter().flat_map(|hop| hop.outputs) {
        let (mut key, mut value, mut headers, mut count) = (0, 0, 0, 0);
        let name = topic.name(&kafka.topic_prefix);
        let records = defaultx::reader::read_to_end(kafka, [name.as_str()], |message| {
            key += message.key_len();
            value += message.payload_len();
            for (name, value) in Input::of(message).headers() {
                headers += name.len() + value.map_or(0, <[u8]>::len);
                count += 1;
            }
            Ok(())
        })? as usize;
        let mean = |sum: usize| sum / records.max(1);
        let shape = Shape { key: mean(key), value: mean(value), headers: mean(headers), header_count: mean(count) };
        shapes.insert(topic.base_name().to_owned(), shape);
    }
    Ok(shapes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_binary_gets_the_settings_that_it_knows() {
        let of = |known_to_it: &[&str]| {
            known(|settings| Ok(settings.iter().all(|(name, _)| known_to_it.contains(name)))).ok()
        };
        let [key, door] = ALLOWED.map(|(name, _)| name);
        assert_eq!(of(&[]), Some(vec![]));
        assert_eq!(of(&[door]), Some(vec![ALLOWED[1]]));
        assert_eq!(of(&[key, door]), Some(ALLOWED.to_vec()));
        assert!(known(|_| Ok(false)).is_err(), "nothing can be asked of it");
    }
}
