//! The attack suite in its short form, against every worker of a stage of its own: the processes and their servers are nobody
//! else's, because some attacks cost them much.

use defaultx::settings::Settings;
use defaultx::workers::Worker;
use e2e::stage::{Stage, root};
use e2e::supervisor::AS_DEFAULTX;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use runtime::auth;
use runtime::kafka::KafkaConfig;
use schemas::logins::LOGINS;
use schemas::rights::Principal;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Nothing takes this long to start unless it hangs.
const PATIENCE: Duration = Duration::from_secs(120);
/// Both tenants and their keys. No key here opens anything else.
const TENANTS: [(&str, u8); 2] = [("demo", 0xab), ("rival", 0xcd)];

/// The groups of attacks that must hold.
const HELD: &str = "tokens,matrix,guessing,tampering,commands,subscriptions,injections,resources,broker,logins";

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let asked = kill(Pid::from_raw(self.0.id() as i32), Signal::SIGTERM);
        if asked.is_err() || self.0.wait().is_err() {
            eprintln!("the workers could not be ended");
        }
    }
}

#[test]
fn nobody_gets_in_and_no_tampering_is_unseen() {
    let dir = tempfile::tempdir().unwrap();
    let stage = Stage::start(dir.path(), false).unwrap();
    let (private, public) = auth::generate().unwrap();
    let (door, read_api) = (address(), address());
    let config = stage.config("attacked", &settings(&door, &read_api, &public)).unwrap();
    let log = dir.path().join("workers.log");
    let running = start(&config, &log);
    answers(&read_api, &log);
    answers(&door, &log);

    let key = dir.path().join("token.pem");
    std::fs::write(&key, private).unwrap();
    let (database, defaults) = (stage.stack.database_url(), Settings::default());
    let deployment = json!({
        "door": format!("http://{door}"),
        "read_api": format!("http://{read_api}"),
        "token_key": key,
        "door_audience": defaults.ingest.door_token_audience,
        "read_audience": defaults.read_api.token_audience,
        "tenants": TENANTS.map(|(tenant, _)| tenant),
        "command": [env!("CARGO_BIN_EXE_chaos"), AS_DEFAULTX],
        "config": config,
        "owner_url": database,
        "read_url": database,
        "workers": workers(&stage),
        "kafka": client(&stage.kafka),
        "stranger": client(&stage.kafka.of(Principal::Sender.name())),
        "prefix": stage.kafka.topic_prefix,
        "log": log,
        "pid": running.0.id(),
    });
    let file = dir.path().join("deployment.json");
    std::fs::write(&file, deployment.to_string()).unwrap();
    let mut suite = Command::new(root().join("e2e/attacks/run"));
    let ended = suite.arg("--deployment").arg(&file).args(["--only", HELD]).stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout);
    println!("{said}");
    assert!(ended.status.success(), "{said}\n{}", String::from_utf8_lossy(&ended.stderr));
    assert!(said.contains(" attacks, 0 in"), "{said}");
}

/// What the suite needs of a deployment beside its servers: two tenants, and both HTTP servers with one key.
fn settings(door: &str, read_api: &str, public: &str) -> String {
    let key = |(tenant, byte): &(&str, u8)| format!("{tenant} = \"k1:{}\"\n", format!("{byte:02x}").repeat(32));
    let keys: String = TENANTS.iter().map(key).collect();
    let digests = "ef".repeat(32);
    format!(
        "[ingest]\ndoor_address = {door:?}\ndoor_token_key = {public:?}\ndigest_key = \"d1:{digests}\"\n\n[ingest.subject_keys]\n{keys}\n\
         [read-api]\nlisten = {read_api:?}\ntoken_key = {public:?}\n"
    )
}

/// A client's settings with their secrets, which the library's own listing of them leaves out.
fn client(kafka: &KafkaConfig) -> BTreeMap<String, String> {
    let settings = kafka.client();
    let names = settings.config_map().into_keys().map(str::to_owned);
    names.filter_map(|name| Some((name.clone(), settings.get(&name)?.to_owned()))).collect()
}

/// Each worker's own way into the database.
fn workers(stage: &Stage) -> BTreeMap<&'static str, String> {
    let (scheme, place) = stage.database.url.expose().split_once("://").unwrap();
    let url = |name| {
        let (user, login) = (stage.database.user_of(name), &stage.database.logins[name]);
        format!("{scheme}://{user}:{}@{place}", login.password.as_ref().unwrap().expose())
    };
    LOGINS.into_iter().map(|login| (login.name, url(login.name))).collect()
}

fn address() -> String {
    format!("127.0.0.1:{}", local::free_port().unwrap())
}

fn start(config: &Path, log: &Path) -> Running {
    let file = File::create(log).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_chaos"));
    // The notifier is run by the suite, with subscriptions of its own.
    let workers = Worker::ALL.into_iter().filter(|worker| *worker != Worker::Notifier).map(Worker::name);
    command.args([AS_DEFAULTX, "run"]).args(workers).arg("--config").arg(config);
    command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
    Running(command.spawn().unwrap())
}

/// Waits until a server answers anything.
fn answers(address: &str, log: &Path) {
    let started = Instant::now();
    loop {
        let asked = TcpStream::connect(address).and_then(|mut stream| {
            stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)
        });
        if asked.is_ok_and(|bytes| bytes > 0) {
            return;
        }
        let said = || std::fs::read_to_string(log).unwrap_or_default();
        assert!(started.elapsed() < PATIENCE, "nobody answers at {address}:\n{}", said());
        std::thread::sleep(Duration::from_millis(100));
    }
}
