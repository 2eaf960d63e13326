//! From the start of the process to the first decision, with what `admit` remembers.

use crate::bench::Bench;
use crate::steady::{EVERYTHING, everything};
use crate::workers::{self, Models};
use anyhow::Result;
use e2e::traffic::Sender;
use e2e::watch::{Schedule, Watch};
use ingest::admit::{Ask, Asked, Key, Times, admit};
use ingest::config::Equality;
use ingest::data_digest::{Secrets, UnderKeys};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use runtime::clock;
use runtime::stream::Stored;
use schemas::Topic;
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};

/// Remembered applications of each measurement.
const REMEMBERED: [usize; 2] = [0, 5_000_000];
/// Starts of each; the median is reported.
const STARTS: usize = 3;

impl Bench {
    /// Starts everything on a deployment that remembers nothing, and on one that remembers as much as its cap.
    pub fn start(&mut self) -> Result<Map<String, Value>> {
        let mut found = Vec::new();
        for remembered in REMEMBERED {
            self.deploy_with(0, &format!("start-{remembered}"), 0, None)?;
            self.remember(remembered)?;
            let (mut seconds, mut resident_mb) = (Vec::new(), 0.0_f64);
            for start in 0..STARTS {
                let watch = Watch::start(&self.stage.kafka, Schedule::default())?;
                watch.wait(start)?;
                let sender = Sender::prompt(&self.stage.kafka)?;
                for event in self.traffic.events("start", start..start + 1)? {
                    sender.send(&event, None)?;
                }
                sender.flush()?;
                let began = Instant::now();
                let settings = everything(self.stage.dir(), "127.0.0.1:0")? + &self.args.settings;
                let mut workers = workers::product_with(&self.stage, Models::Shipped, EVERYTHING, &settings)?;
                let first = watch.wait_within(start + 1, Duration::from_secs(180))?;
                seconds.push(first.duration_since(began).as_secs_f64());
                resident_mb = resident_mb.max(workers.resident_mb()?);
                workers.stop()?;
                watch.stop()?;
            }
            seconds.sort_by(f64::total_cmp);
            let median = seconds[seconds.len() / 2];
            eprintln!("start with {remembered} remembered: {median:.2} s, {resident_mb:.0} MB");
            found.push(json!({
                "remembered": remembered, "first_decision_s": median, "starts_s": seconds, "resident_mb": resident_mb,
            }));
        }
        Ok(Map::from_iter([("start".to_owned(), Value::Array(found))]))
    }

    /// Writes entries of applications that nobody sends to the changelog.
    fn remember(&self, count: usize) -> Result<()> {
        let topic = Topic::AdmitState.name(&self.stage.kafka.topic_prefix);
        let mut config = self.stage.kafka.client();
        config.set("linger.ms", "20").set("batch.size", "1000000").set("queue.buffering.max.messages", "1000000");
        let (producer, partitions): (BaseProducer, _) = (config.create()?, self.stage.partitions()?);
        let keys = Secrets::new(&ingest::Config::default())?.of_tenant("demo");
        let now_ms = clock::now_ms();
        let times = Times { received_at_ms: now_ms, now_ms, window_ms: 30 * 86_400_000 };
        for number in 0..count {
            let key = Key::of(format!("demo|remembered-{number}").as_bytes());
            let digest: [u8; 16] = key.encode().try_into().unwrap_or_default();
            let sent = UnderKeys { kept: keys.kept.keyed(&digest), also: None };
            let body = Asked::Keyed { sent, meant: None, by: Equality::Meaning };
            let (_, Some(entry)) = admit(Ask::Application { revision: 1, body }, times, None, &keys) else { continue };
            let (key, value) = (key.encode(), entry.encode());
            let partition = number as i32 % partitions;
            let mut record = BaseRecord::to(&topic).key(&key).payload(&value).partition(partition);
            while let Err((_, back)) = producer.send(record) {
                producer.poll(Duration::from_millis(5));
                record = back;
            }
            if number % 1000 == 0 {
                producer.poll(Duration::ZERO);
            }
        }
        Ok(producer.flush(Duration::from_secs(120))?)
    }
}
