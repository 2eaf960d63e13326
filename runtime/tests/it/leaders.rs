//! A partition that nobody leads holds the one that is read for it, and no other. Two brokers, one of which is killed.

use crate::bench::{Bench, PARTITIONS, numbers};
use rdkafka::admin::{AdminOptions, NewTopic, TopicReplication};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A broker beside that of the bench, which is its controller; killed with this value.
struct Second {
    java: Vec<String>,
    properties: PathBuf,
    process: Child,
}

impl Second {
    fn start(bench: &Bench, dir: &Path) -> Self {
        let pid = bench.stack.pids()[0];
        let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
        let mut java: Vec<String> = line.split_terminator('\0').map(str::to_owned).collect();
        let first = PathBuf::from(java.pop().unwrap());
        assert_eq!(java.pop().unwrap(), "kafka.Kafka");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let own = ["process.roles=", "node.id=", "listeners=", "advertised.listeners=", "log.dirs="];
        let settings = std::fs::read_to_string(&first).unwrap();
        let shared = settings.lines().filter(|line| !own.iter().any(|name| line.starts_with(name)));
        let mut settings = shared.map(|line| format!("{line}\n")).collect::<String>();
        settings += &format!("process.roles=broker\nnode.id=2\nlisteners=BROKER://127.0.0.1:{port}\n");
        settings +=
            &format!("advertised.listeners=BROKER://127.0.0.1:{port}\nlog.dirs={}\n", dir.join("data").display());
        let properties = dir.join("server.properties");
        std::fs::write(&properties, settings).unwrap();
        let meta = std::fs::read_to_string(first.with_file_name("data").join("meta.properties")).unwrap();
        let cluster = meta.lines().find_map(|line| line.strip_prefix("cluster.id=")).unwrap();
        let mut format = Command::new(&java[0]);
        format.args(&java[1..]).args([
            "kafka.tools.StorageTool",
            "format",
            "--no-initial-controllers",
            "-t",
            cluster,
            "-c",
        ]);
        let formatted = format.arg(&properties).output().unwrap();
        assert!(formatted.status.success(), "{formatted:?}");
        let process = launch(&java, &properties);
        Self { java, properties, process }
    }

    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    fn start_again(&mut self) {
        self.process = launch(&self.java, &self.properties);
    }
}

fn launch(java: &[String], properties: &Path) -> Child {
    let mut broker = Command::new(&java[0]);
    broker.args(&java[1..]).arg("kafka.Kafka").arg(properties);
    broker.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

impl Drop for Second {
    fn drop(&mut self) {
        if self.process.kill().is_ok() {
            drop(self.process.wait());
        }
    }
}

#[test]
fn a_partition_without_a_leader_holds_its_input_alone() {
    // The controller takes a broker that says nothing for dead after three seconds, not nine.
    let bench = Bench::start_with(&[("broker.session.timeout.ms", "3000"), ("broker.heartbeat.interval.ms", "500")]);
    let dir = tempfile::tempdir().unwrap();
    let mut second = Second::start(&bench, dir.path());
    let topic = bench.topic("led");
    let replicas: [&[i32]; PARTITIONS as usize] = [&[1], &[2], &[1]];
    let new = [NewTopic::new(&topic, PARTITIONS, TopicReplication::Variable(&replicas))];
    let is_made = |bench: &Bench| {
        bench.admin(async |admin| admin.create_topics(&new, &AdminOptions::new()).await.unwrap().remove(0).is_ok())
    };
    bench.wait(is_made, "the second broker takes part");
    let leads = |bench: &Bench| bench.leaders("led");
    bench.wait(|bench| leads(bench) == [1, 2, 1], "each partition has its leader");

    let worker = bench.run_into("a", "led");
    bench.publish("in", numbers(0..90));
    bench.wait_drained("in");
    second.kill();
    bench.wait(|bench| leads(bench) == [1, -1, 1], "the controller gives the broker up");
    bench.publish("in", numbers(90..180));
    let ends = bench.ends("in");
    let others = |offsets: &[i64]| [offsets[0], offsets[2]];
    bench.wait(|bench| others(&bench.committed()) == others(&ends), "the other partitions are read");
    bench.wait_unready("t.in/1 wait for a leader");
    assert!(bench.committed()[1] < ends[1]);

    second.start_again();
    bench.wait_drained("in");
    bench.wait_ready();
    worker.stop().unwrap();
    let mut passed: Vec<_> = bench.read_all("led").into_iter().map(|record| record.payload.unwrap()).collect();
    passed.sort();
    assert_eq!(passed, numbers(0..180), "each once");
}
