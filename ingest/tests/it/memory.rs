//! What hostile input costs in memory, seen on a process of its own: this test binary, started again to play one part.

use crate::corpus::good;
use crate::stack::{NOW_MS, kafka};
use flate2::Compression;
use flate2::write::GzEncoder;
use ingest::batch::report::Report;
use ingest::batch::rows::Source;
use ingest::batch::{Batch, Options};
use ingest::mapping::Mapping;
use ingest::{Config, Metrics, door};
use runtime::kafka::KafkaConfig;
use runtime::service::ServiceContext;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

/// Names the part that a child plays.
const PART: &str = "INGEST_MEMORY_PART";
/// The file of the part `batch`.
const FILE: &str = "INGEST_MEMORY_FILE";
/// 1 GiB.
const MOST_KB: u64 = 1 << 20;

/// The part of a child; nothing in an ordinary run.
#[test]
fn part_of_a_child() {
    match std::env::var(PART).as_deref() {
        Ok("door") => play_door(),
        Ok("batch") => play_batch(Path::new(&std::env::var(FILE).unwrap())),
        _ => return,
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    println!("\npeak {}", peak.trim().trim_end_matches(" kB"));
}

/// A door with room for all that is sent at once, until standard input ends.
#[tokio::main(flavor = "multi_thread")]
async fn play_door() {
    let config = Config {
        door_address: "127.0.0.1:0".to_owned(),
        door_allow_anonymous: true,
        door_max_held_bytes: 256 << 20,
        door_max_held_bytes_per_tenant: 256 << 20,
        ..Config::default()
    };
    let service = ServiceContext::new(KafkaConfig { bootstrap: "127.0.0.1:9".to_owned(), ..kafka() });
    let metrics = Metrics::new(&service.registry).unwrap();
    let (address, _worker) = door::open(&config, &service, metrics).await.unwrap();
    println!("\naddress {address}");
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await.unwrap().unwrap();
}

fn play_batch(file: &Path) {
    let mapping = Mapping::parse("[[column]]\nname = 'A'\npointer = '/application_id'\nkind = 'string'").unwrap();
    let config = Config::default();
    let source = Source::open(file).unwrap();
    let batch = Batch::new(&Options::default(), &config, &kafka(), source.digest(), || NOW_MS).unwrap();
    let mut report = Report::create(None).unwrap();
    for row in source.rows(Some(&mapping), None, config.max_body_bytes).unwrap() {
        let records = batch.records(&row.unwrap(), &mut report).unwrap();
        assert!(records.iter().all(|record| record.payload.as_ref().is_some_and(|body| body.len() <= 64 << 10)));
    }
    println!("\nsummary {}", serde_json::to_string(&report.finish().unwrap()).unwrap());
}

/// A child, and what it prints line by line.
struct Part {
    child: Child,
    said: std::io::Lines<BufReader<ChildStdout>>,
}

impl Part {
    fn start(part: &str, file: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "memory::part_of_a_child", "--nocapture"])
            .env(PART, part)
            .env(FILE, file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, said }
    }

    fn hears(&mut self, word: &str) -> String {
        let found = self.said.by_ref().map(Result::unwrap).find_map(|line| line.strip_prefix(word).map(str::to_owned));
        found.unwrap_or_else(|| panic!("the child ended without {word:?}"))
    }

    fn ends_small(mut self, name: &str) {
        drop(self.child.stdin.take());
        let peak: u64 = self.hears("peak ").parse().unwrap();
        assert!(self.child.wait().unwrap().success());
        println!("{name}: {} MiB at its peak", peak >> 10);
        assert!(peak < MOST_KB, "{name}: {peak} kB");
    }
}

fn post_lines(address: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "POST /v1/applications HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/x-ndjson\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_door_stays_small_under_many_small_values() {
    let mut door = Part::start("door", Path::new(""));
    let address = door.hears("address ");
    let line = format!("[{}0]", "{},".repeat((1 << 20) / 3 - 1));
    let body = [line.as_str(), line.as_str()].join("\n");
    std::thread::scope(|scope| {
        for _ in 0..24 {
            scope.spawn(|| {
                let answer = post_lines(&address, body.as_bytes());
                assert!(answer.starts_with("HTTP/1.1 422") && answer.contains("too_many"), "{answer}");
            });
        }
    });
    door.ends_small("door");
}

/// A file of one endless row between two ordinary ones.
fn bomb(file: &Path, before: &str, gib: usize, after: &str) {
    let packed = |content: &mut dyn Read| {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        std::io::copy(content, &mut gzip).unwrap();
        gzip.finish().unwrap()
    };
    // gzip files end to end are one file: packing 64 MiB once is enough.
    let filling = packed(&mut std::io::repeat(b'x').take(64 << 20)).repeat(16 * gib);
    let whole = [packed(&mut before.as_bytes()), filling, packed(&mut after.as_bytes())].concat();
    assert!(whole.len() < 1_200_000 * gib, "{}", whole.len());
    std::fs::write(file, whole).unwrap();
}

#[test]
fn a_batch_stays_small_under_a_row_without_end() {
    let folder = tempfile::tempdir().unwrap();
    let good = |id: &str| String::from_utf8(good(id).0.body.unwrap()).unwrap();
    let rows: [(&str, String, usize, String, &[(&str, u64)]); 2] = [
        ("loans.ndjson.gz", format!("{}\n", good("L-1")), 2, format!("\n{}\n", good("L-2")), &[("body_too_large", 1)]),
        (
            "loans.csv.gz",
            "A\nL-1\n\"".to_owned(),
            1,
            "\"\nL-2\n".to_owned(),
            &[("body_too_large", 1), ("missing_field", 2)],
        ),
    ];
    for (name, before, gib, after, refused) in rows {
        let file: PathBuf = folder.path().join(name);
        bomb(&file, &before, gib, &after);
        let mut batch = Part::start("batch", &file);
        let summary: serde_json::Value = serde_json::from_str(&batch.hears("summary ")).unwrap();
        let expected: BTreeMap<&str, u64> = refused.iter().copied().collect();
        assert_eq!((&summary["rows"], &summary["by_reason"]), (&3.into(), &serde_json::json!(expected)), "{name}");
        batch.ends_small(name);
    }
}
