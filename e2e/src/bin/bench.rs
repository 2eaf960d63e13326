//! Throughput, latency and memory of the product, beside a ceiling that thinks nothing and a Python peer that does the same,
//! all in one run on one machine. The rooms run in a process of their own, so that what is measured of it is theirs.

use anyhow::{Context, Result, bail};
use clap::Parser;
use e2e::ceiling::{self, Shape};
use e2e::stage::{Stage, root, runtime};
use e2e::supervisor::{AS_DEFAULTX, become_defaultx_if_asked};
use e2e::traffic::{Event, Sender, Traffic};
use e2e::watch::{Schedule, Watch};
use rdkafka::message::{Headers, Message};
use runtime::kafka::KafkaConfig;
use runtime::shell::Shell;
use runtime::shutdown;
use runtime::stream::Tuning;
use schemas::Topic;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

const AS_CEILING: &str = "as-ceiling";
/// What the Python peer scores with, so that both do the same: a scorecard for each product, nothing beside it.
const SCORECARDS: &str = "\
     [[entry]]\nid = \"cards\"\nproduct = \"credit_card\"\nchampion = \"taiwan-scorecard@1.0.0\"\n\n\
     [[entry]]\nid = \"instalment\"\nproduct = \"consumer_instalment\"\nchampion = \"german-scorecard@1.0.0\"\n\n\
     [[entry]]\nid = \"business_term\"\nproduct = \"small_business_term\"\nchampion = \"sba-scorecard@1.0.0\"\n";
/// What the house ships: champions of trees, two shadows beside each.
const SHIPPED: &str = "";
/// Applications that are decided before the clock starts: groups are joined, producers initialised, code paths warm.
const WARM: usize = 2_000;
/// Applications that are made and sent at once where more are sent than memory should hold.
const PART: usize = 20_000;
/// Records that one application leaves on audited topics, beside one for its protected facts.
const AUDITED_PER_APPLICATION: i64 = 7;

/// Measure the house against its ceiling and a Python peer.
#[derive(Parser)]
struct Args {
    /// Applications of each round
    #[arg(long, default_value_t = 60_000)]
    applications: usize,
    /// Rounds of ceiling and product, in turns; medians are reported
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Applications of the Python peer; 0 leaves it out
    #[arg(long, default_value_t = 15_000)]
    peer_applications: usize,
    /// Where the result goes
    #[arg(long, default_value = "target/bench.json")]
    out: PathBuf,
}

fn main() -> Result<()> {
    become_defaultx_if_asked();
    let words: Vec<String> = std::env::args().collect();
    if let [_, mode, bootstrap, prefix, shapes] = words.as_slice()
        && mode == AS_CEILING
    {
        return run_ceiling(bootstrap, prefix, shapes);
    }
    let args = Args::parse();
    let dir = tempfile::tempdir()?;
    let mut stage = Stage::start(dir.path(), true)?;
    let traffic = Traffic::load(1)?;
    let n = args.applications;

    let (mut product, mut least, mut shapes, mut peak) = (Vec::new(), Vec::new(), BTreeMap::new(), 0.0_f64);
    for round in 0..args.rounds {
        stage.deploy(&format!("p{round}."))?;
        let mut rooms = start_product(&stage, SCORECARDS, &["ingest", "scorer", "decision"])?;
        product.push(throughput(&stage, &traffic, n)?);
        peak = peak.max(rooms.peak_mb()?);
        if shapes.is_empty() {
            shapes = measure_shapes(&stage.kafka)?;
        }
        rooms.stop()?;
        stage.deploy(&format!("c{round}."))?;
        let mut rooms = start_ceiling(&stage, &shapes)?;
        least.push(throughput(&stage, &traffic, n)?);
        rooms.stop()?;
        eprintln!("round {round}: product {:.0}/s, ceiling {:.0}/s", product[round], least[round]);
    }
    let (throughput_per_s, ceiling_per_s) = (median(&mut product), median(&mut least));

    let mut shipped = Vec::new();
    for round in 0..args.rounds {
        stage.deploy(&format!("t{round}."))?;
        let mut rooms = start_product(&stage, SHIPPED, &["ingest", "scorer", "decision"])?;
        shipped.push(throughput(&stage, &traffic, n)?);
        peak = peak.max(rooms.peak_mb()?);
        rooms.stop()?;
        eprintln!("round {round}: tree champions with two shadows {:.0}/s", shipped[round]);
    }
    let shipped_per_s = median(&mut shipped);

    stage.deploy("audited.")?;
    let mut rooms = start_product(&stage, SCORECARDS, &["ingest", "scorer", "decision", "audit-sink"])?;
    let audited_per_s = audited(&stage, &traffic, n)?;
    rooms.stop()?;
    eprintln!("audited: {audited_per_s:.0}/s");

    stage.deploy("half.")?;
    let mut rooms = start_product(&stage, SCORECARDS, &["ingest", "scorer", "decision"])?;
    let (p50, p99) = half_load(&stage, &traffic, throughput_per_s / 2.0)?;
    rooms.stop()?;
    eprintln!("half load: p50 {p50:.0} ms, p99 {p99:.0} ms");

    stage.deploy("memory.")?;
    let mut rooms = start_product(&stage, SCORECARDS, &["ingest", "scorer", "decision"])?;
    throughput(&stage, &traffic, n)?;
    let after_one = rooms.resident_mb()?;
    more(&stage, &traffic, WARM + n, 9 * n)?;
    let after_ten = rooms.resident_mb()?;
    peak = peak.max(rooms.peak_mb()?);
    rooms.stop()?;
    eprintln!("memory: {after_one:.0} MB after {n} applications, {after_ten:.0} MB after {}", 10 * n);

    let python_per_s = match args.peer_applications {
        0 => None,
        count => Some(peer(&mut stage, &traffic, count)?),
    };
    let result = json!({
        "applications": n,
        "rounds": args.rounds,
        "ceiling_per_s": ceiling_per_s,
        "throughput_per_s": throughput_per_s,
        "throughput_audited_per_s": audited_per_s,
        "throughput_trees_and_shadows_per_s": shipped_per_s,
        "ratio_trees_and_shadows_to_scorecards": shipped_per_s / throughput_per_s,
        "ratio_to_ceiling": throughput_per_s / ceiling_per_s,
        "python_per_s": python_per_s,
        "ratio_to_python": python_per_s.map(|python| throughput_per_s / python),
        "latency_half_load_ms": { "p50": p50, "p99": p99 },
        "peak_rss_mb": peak,
        "rss_after_one_mb": after_one,
        "rss_after_ten_times_mb": after_ten,
        "rounds_per_s": { "product": product, "ceiling": least },
        "bytes": shapes,
    });
    if let Some(folder) = args.out.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(&args.out, serde_json::to_vec_pretty(&result)?)?;
    println!("{result:#}");
    Ok(())
}

/// Rooms in a process of their own.
struct Rooms(Child);

impl Rooms {
    fn start(mut command: Command, log: &Path) -> Result<Self> {
        let log = std::fs::File::create(log)?;
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        Ok(Self(child))
    }

    fn peak_mb(&self) -> Result<f64> {
        self.status_mb("VmHWM:")
    }

    fn resident_mb(&self) -> Result<f64> {
        self.status_mb("VmRSS:")
    }

    fn status_mb(&self, field: &str) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)).context("no such field")?;
        let kilobytes: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kilobytes / 1024.0)
    }

    fn stop(&mut self) -> Result<()> {
        let pid = nix::unistd::Pid::from_raw(self.0.id() as i32);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM)?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Rooms {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) && (self.0.kill().is_err() || self.0.wait().is_err()) {
            eprintln!("the rooms could not be stopped");
        }
    }
}

fn start_product(stage: &Stage, route: &str, rooms: &[&str]) -> Result<Rooms> {
    let config = stage.config_routed("bench", route, "")?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args([AS_DEFAULTX, "run"]).args(rooms).arg("--config").arg(config);
    Rooms::start(command, &stage.dir().join("product.log"))
}

fn start_ceiling(stage: &Stage, shapes: &BTreeMap<String, Shape>) -> Result<Rooms> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args([AS_CEILING, &stage.kafka.bootstrap, &stage.kafka.topic_prefix, &serde_json::to_string(shapes)?]);
    Rooms::start(command, &stage.dir().join("ceiling.log"))
}

fn run_ceiling(bootstrap: &str, prefix: &str, shapes: &str) -> Result<()> {
    let shapes: BTreeMap<String, Shape> = serde_json::from_str(shapes)?;
    let kafka =
        KafkaConfig { bootstrap: bootstrap.to_owned(), topic_prefix: prefix.to_owned(), ..KafkaConfig::default() };
    runtime()?.block_on(async {
        let mut shell = Shell::new(kafka);
        shell.shutdown = shutdown::on_signal()?;
        let shape = |topic: Topic| shapes[topic.base_name()];
        let rooms = ceiling::start(&shell, &Tuning::default(), shape).map_err(anyhow::Error::msg)?;
        for room in rooms {
            room.join().await.map_err(anyhow::Error::msg)?;
        }
        Ok(())
    })
}

/// Applications a second, from the first send to the last decision that a reader of committed records sees.
fn throughput(stage: &Stage, traffic: &Traffic, count: usize) -> Result<f64> {
    let events = traffic.events("bench", 0..WARM + count)?;
    let watch = Watch::start(&stage.kafka, Schedule::default())?;
    let sender = Sender::connect(&stage.kafka, "murmur2_random")?;
    send(&sender, &events[..WARM])?;
    watch.wait(WARM)?;
    let started = Instant::now();
    send(&sender, &events[WARM..])?;
    let last = watch.wait(WARM + count)?;
    watch.stop()?;
    Ok(count as f64 / last.duration_since(started).as_secs_f64())
}

/// Sends more on top of what a deployment has decided, and waits for it.
fn more(stage: &Stage, traffic: &Traffic, from: usize, count: usize) -> Result<()> {
    let watch = Watch::start(&stage.kafka, Schedule::default())?;
    let sender = Sender::connect(&stage.kafka, "murmur2_random")?;
    for part in (from..from + count).step_by(PART) {
        send(&sender, &traffic.events("bench", part..(part + PART).min(from + count))?)?;
    }
    watch.wait(from + count)?;
    watch.stop()
}

/// Sends events that were made before, so that making them costs the measured rooms nothing.
fn send(sender: &Sender, events: &[Event]) -> Result<()> {
    events.iter().try_for_each(|event| sender.send(event, Some(&event.application_id)))?;
    sender.flush()
}

/// Applications a second until the log and its projections hold all of them.
fn audited(stage: &Stage, traffic: &Traffic, count: usize) -> Result<f64> {
    let sender = Sender::connect(&stage.kafka, "murmur2_random")?;
    let logged = |sent: &[Event]| -> Result<()> {
        let started = Instant::now();
        let runtime = runtime()?;
        let expected = sent.iter().map(|event| AUDITED_PER_APPLICATION + i64::from(event.has_protected)).sum();
        while runtime.block_on(log_size(stage.house.database_url()))? < expected {
            if started.elapsed() > Duration::from_secs(300) {
                bail!("the log does not drain");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    };
    let events = traffic.events("bench", 0..WARM + count)?;
    send(&sender, &events[..WARM])?;
    logged(&events[..WARM])?;
    let started = Instant::now();
    send(&sender, &events[WARM..])?;
    logged(&events)?;
    Ok(count as f64 / started.elapsed().as_secs_f64())
}

async fn log_size(url: &str) -> Result<i64> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
    let connection = runtime::task::spawn("count", connection);
    let row = client.query_one("SELECT coalesce(sum(size), 0)::bigint FROM defaultx.audit_logs", &[]).await?;
    drop(client);
    connection.await??;
    Ok(row.get(0))
}

/// Latency from the moment that each application was due, at a steady rate, for 20 seconds after a warm-up.
fn half_load(stage: &Stage, traffic: &Traffic, rate: f64) -> Result<(f64, f64)> {
    let sender = Sender::connect(&stage.kafka, "murmur2_random")?;
    let schedule = Schedule::default();
    let watch = Watch::start(&stage.kafka, schedule.clone())?;
    send(&sender, &traffic.events("warm", 0..WARM)?)?;
    watch.wait(WARM)?;
    let count = (rate * 20.0) as usize;
    let events = traffic.events("half", 0..count)?;
    let started = Instant::now() + Duration::from_millis(100);
    let due = |number: usize| started + Duration::from_secs_f64(number as f64 / rate);
    *schedule.lock().unwrap_or_else(PoisonError::into_inner) = (0..count).map(due).collect();
    for (number, event) in events.iter().enumerate() {
        let wait = due(number).saturating_duration_since(Instant::now());
        if wait > Duration::from_micros(500) {
            std::thread::sleep(wait);
        }
        sender.send(event, Some(&event.application_id))?;
    }
    watch.wait(WARM + count)?;
    let quantiles = (watch.latency_ms(0.5), watch.latency_ms(0.99));
    watch.stop()?;
    Ok(quantiles)
}

/// The Python peer's throughput, on topics of its own.
fn peer(stage: &mut Stage, traffic: &Traffic, count: usize) -> Result<f64> {
    stage.deploy("python.")?;
    let mut command = Command::new(root().join("e2e/peers/run"));
    command.args(["--bootstrap", &stage.kafka.bootstrap, "--prefix", &stage.kafka.topic_prefix]);
    let prepared = Command::new(root().join("e2e/peers/run")).arg("--prepare").status()?;
    if !prepared.success() {
        bail!("the peer's environment could not be made");
    }
    let mut rooms = Rooms::start(command, &stage.dir().join("peer.log"))?;
    let rate = throughput(stage, traffic, count);
    if rate.is_err() {
        eprintln!("{}", std::fs::read_to_string(stage.dir().join("peer.log"))?);
    }
    rooms.stop()?;
    eprintln!("python: {:.0}/s", rate.as_ref().copied().unwrap_or(0.0));
    rate
}

/// What the product writes to each topic of its way, on average.
fn measure_shapes(kafka: &KafkaConfig) -> Result<BTreeMap<String, Shape>> {
    let mut shapes = BTreeMap::new();
    for topic in ceiling::HOPS.iter().flat_map(|hop| hop.outputs) {
        let (mut key, mut value, mut headers, mut count) = (0, 0, 0, 0);
        let name = topic.name(&kafka.topic_prefix);
        let records = defaultx::reader::read_to_end(kafka, [name.as_str()], |message| {
            key += message.key_len();
            value += message.payload_len();
            for header in message.headers().into_iter().flat_map(Headers::iter) {
                headers += header.key.len() + header.value.map_or(0, <[u8]>::len);
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

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
