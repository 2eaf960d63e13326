//! One whole stack for the tests that share it: servers, all workers in this process, a webhook receiver, some traffic.

use defaultx::demo::stage::Stage;
use defaultx::place::Keys;
use defaultx::settings::Settings;
use e2e::stage::root;
use e2e::traffic::{Event, Sender, Traffic};
use rdkafka::message::Message;
use runtime::auth::{self, Realm};
use runtime::stream::{Input, OwnedInput};
use schemas::Topic;
use schemas::reply::Reply;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Nothing waits this long unless it hangs.
pub const PATIENCE: Duration = Duration::from_secs(180);
/// Applications that are there before any test looks.
pub const APPLICATIONS: usize = 600;

pub struct Whole {
    pub stage: Stage,
    pub runtime: tokio::runtime::Runtime,
    pub traffic: Traffic,
    token: String,
    /// Where its servers keep their data and logins.
    pub dir: PathBuf,
}

/// Settings with the data folders of the project, wherever the tests run.
pub fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.scorer.models_dir = root().join("models");
    settings.scorer.routes_dir = root().join("routes");
    settings.decision.policy_dir = root().join("policies");
    settings
}

/// The shared stack. Its servers end with this process.
pub fn whole() -> &'static Whole {
    static WHOLE: OnceLock<Whole> = OnceLock::new();
    WHOLE.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let dir = tempfile::tempdir().unwrap().keep();
        let stage = runtime.block_on(Stage::set(settings(), Path::new(&dir), runtime::clock::now(), true)).unwrap();
        let door = &stage.settings.ingest;
        let realm = Realm { issuer: door.door_token_issuer.clone(), audience: door.door_token_audience.clone() };
        let keys = Keys::of(&dir).unwrap();
        let token = auth::mint(&keys.token_private, &realm, ("los", "demo", &["Officer"]), 3600).unwrap();
        let whole = Whole { stage, runtime, traffic: Traffic::load(7).unwrap(), token, dir };
        let sender = whole.sender("murmur2_random");
        for number in 0..APPLICATIONS {
            let event = whole.event("base", number);
            sender.send(&event, Some(&event.application_id)).unwrap();
        }
        sender.flush().unwrap();
        whole.wait_replies(|reply| is_of(reply, "base-"), APPLICATIONS);
        whole
    })
}

pub fn is_of(reply: &Reply, prefix: &str) -> bool {
    reply.application_id.as_ref().is_some_and(|id| id.starts_with(prefix))
}

impl Whole {
    pub fn kafka(&self) -> &runtime::kafka::KafkaConfig {
        &self.stage.settings.kafka
    }

    pub fn sender(&self, partitioner: &str) -> Sender {
        Sender::connect(self.kafka(), partitioner).unwrap()
    }

    pub fn event(&self, run: &str, number: usize) -> Event {
        self.traffic.event(run, number, &runtime::clock::rfc3339(runtime::clock::now())).unwrap()
    }

    /// Every committed record of a topic: (key, headers, value).
    pub fn records(&self, topic: Topic) -> Vec<(Vec<u8>, Vec<(String, Vec<u8>)>, Vec<u8>)> {
        let mut all = Vec::new();
        let name = topic.name(&self.kafka().topic_prefix);
        defaultx::reader::read_to_end(self.kafka(), [name.as_str()], |message| {
            let headers = OwnedInput::from(&Input::of(message)).headers.into_iter();
            let headers = headers.map(|(name, value)| (name, value.unwrap_or_default())).collect();
            let (key, value) = (message.key().unwrap_or_default(), message.payload().unwrap_or_default());
            all.push((key.to_vec(), headers, value.to_vec()));
            Ok(())
        })
        .unwrap();
        all
    }

    /// Waits for `count` replies that fit, and gives them.
    pub fn wait_replies(&self, fits: impl Fn(&Reply) -> bool, count: usize) -> Vec<Reply> {
        let read = || -> Vec<Reply> {
            let replies = self.records(Topic::LoanReplies).into_iter();
            replies.map(|(_, _, value)| serde_json::from_slice(&value).unwrap()).filter(|r| fits(r)).collect()
        };
        wait("replies", || Some(read()).filter(|replies| replies.len() >= count))
    }

    /// Posts JSON to the HTTP door; gives the status and the body.
    pub fn post(&self, path: &str, idempotency_key: &str, body: &[u8]) -> (u16, String) {
        let address = &self.stage.settings.ingest.door_address;
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n\
             authorization: Bearer {}\r\nidempotency-key: {idempotency_key}\r\ncontent-length: {}\r\n\r\n",
            self.token,
            body.len()
        );
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split_whitespace().nth(1).unwrap().parse().unwrap();
        (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
    }

    /// One number from the database.
    pub fn number(&self, query: &str) -> i64 {
        self.runtime.block_on(async {
            let client = self.stage.unhurried().await.unwrap();
            client.query_one(query, &[]).await.unwrap().get(0)
        })
    }
}

/// Asks until there is an answer.
pub fn wait<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "still waiting: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
