//! A broker of its own, topics, workers with the handlers of [`crate::handlers`], and readers.

use crate::handlers::{AdmitOnce, Forgetful, PassOn};
use local::{ADMIN, Options, Stack};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};
use runtime::kafka::KafkaConfig;
use runtime::service::ServiceContext;
use runtime::stream::{Handler, Input, LoopSpec, NextOffset, OwnedInput, Tuning, position, spawn_loop};
use runtime::task::{WorkerError, WorkerHandle};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

pub const PARTITIONS: i32 = 3;
/// Nothing here waits this long unless it hangs; the limit turns a hang into a failure.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Numbers as bodies.
pub fn numbers(range: std::ops::Range<u32>) -> Vec<Vec<u8>> {
    range.map(|n| n.to_be_bytes().to_vec()).collect()
}

pub struct Worker {
    handle: WorkerHandle,
    shutdown: CancellationToken,
    registry: prometheus::Registry,
}

impl Worker {
    pub fn join(self) -> Result<(), WorkerError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let ended = runtime.block_on(async { tokio::time::timeout(PATIENCE, self.handle.join()).await });
        runtime.shutdown_background(); // a worker that hangs must not keep the test from saying so
        ended.expect("the worker ends")
    }

    /// A gauge by partition of the input; 0 where there is none yet.
    pub fn by_partition(&self, name: &str) -> [f64; PARTITIONS as usize] {
        let mut values = [0.0; PARTITIONS as usize];
        for metric in self.registry.gather().iter().filter(|family| family.name() == name).flat_map(|f| f.get_metric())
        {
            let label = metric.get_label().iter().find(|label| label.name() == "partition").unwrap();
            values[label.value().parse::<usize>().unwrap()] = metric.get_gauge().get_value();
        }
        values
    }

    pub fn stop(self) -> Result<(), WorkerError> {
        self.shutdown.cancel();
        self.join()
    }
}

pub struct Bench {
    pub stack: Stack,
    pub kafka: KafkaConfig,
    health: runtime::health::Health,
    _dir: tempfile::TempDir,
}

impl Bench {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with settings of the broker.
    pub fn start_with(settings: &[(&str, &str)]) -> Self {
        Self::start_as(settings, |kafka, stack| KafkaConfig {
            sasl_username: Some(ADMIN.to_owned()),
            sasl_password: stack.passwords().get(ADMIN).map(|password| password.as_str().into()),
            ..kafka
        })
    }

    /// The same with a login of its own.
    pub fn start_as(settings: &[(&str, &str)], log_in: impl FnOnce(KafkaConfig, &Stack) -> KafkaConfig) -> Self {
        // What the workers say is printed with a test that fails.
        let said = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_ansi(false).with_test_writer();
        drop(said.try_init()); // the first test of the process has done it
        let dir = tempfile::tempdir().unwrap();
        // A sender may leave a transaction open for longer than any test takes.
        let settings = settings.iter().chain(&[("transaction.max.timeout.ms", "900000")]);
        let broker_properties = settings.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let users = ["worker", "observer", "thief"].map(str::to_owned).into();
        let options = Options { postgres: false, broker_properties, users, ..Options::new(dir.path()) };
        let stack = Stack::start(&options).unwrap();
        let (bootstrap, topic_prefix) = (stack.bootstrap().to_owned(), "t.".to_owned());
        let kafka = log_in(KafkaConfig { bootstrap, topic_prefix, ..KafkaConfig::default() }, &stack);
        let bench = Self { stack, kafka, health: ServiceContext::new(KafkaConfig::default()).health, _dir: dir };
        bench.make_topics(&["in", "out", "state", "dead", "gaps"]);
        bench
    }

    pub fn make_topics(&self, names: &[&str]) {
        self.make_topics_with(names, &[]);
    }

    /// Topics with settings of their own.
    pub fn make_topics_with(&self, names: &[&str], settings: &[(&str, &str)]) {
        let inputs = self.create_topics(names, settings);
        let group = position::Group { name: self.topic("admit"), inputs, changelog: None, in_transactions: false };
        // A topic that was just made may have no leader yet, and a broker that has just started coordinates nothing.
        self.wait(|bench| position::begin_at_zero(&bench.kafka, &group, PATIENCE).is_ok(), "first offsets");
    }

    /// Topics in which the group begins nowhere; gives their names.
    pub fn create_topics(&self, names: &[&str], settings: &[(&str, &str)]) -> Vec<Arc<str>> {
        let names: Vec<_> = names.iter().map(|name| self.topic(name)).collect();
        let topic = |name| {
            let topic = NewTopic::new(name, PARTITIONS, TopicReplication::Fixed(1));
            settings.iter().fold(topic, |topic, (name, value)| topic.set(name, value))
        };
        let topics: Vec<_> = names.iter().map(|name| topic(name)).collect();
        let made = self.admin(async |admin| admin.create_topics(&topics, &AdminOptions::new()).await.unwrap());
        made.into_iter().for_each(|result| drop(result.unwrap()));
        names
    }

    /// Runs a call of the admin client.
    pub fn admin<T>(&self, call: impl AsyncFnOnce(&AdminClient<DefaultClientContext>) -> T) -> T {
        let admin: AdminClient<DefaultClientContext> = self.kafka.client().create().unwrap();
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(call(&admin))
    }

    /// What keeps the group from reading its topic; `is_stateful` where it keeps a state.
    pub fn gaps(&self, is_stateful: bool) -> Vec<position::Gap> {
        let changelog = is_stateful.then(|| self.topic("state"));
        let group = position::Group {
            name: self.topic("admit"),
            inputs: vec![self.topic("in")],
            changelog,
            in_transactions: false,
        };
        position::open_gaps(&self.kafka, &group, &self.topic("gaps"), PATIENCE).unwrap()
    }

    /// Puts on record that a gap is accepted.
    pub fn accept(&self, gap: &position::Gap) {
        self.accept_at(gap, runtime::clock::now_ms());
    }

    /// The same at a time of its own: the topic here takes what the record says.
    pub fn accept_at(&self, gap: &position::Gap, at_ms: i64) {
        let body = serde_json::json!({
            "group": gap.group, "topic": gap.topic, "partition": gap.partition, "kind": gap.kind.as_str(),
            "from": gap.from.map(NextOffset::get), "to": gap.to.get(), "topic_id": gap.topic_id, "accepted_by": "a test",
        });
        let (producer, topic): (BaseProducer, _) = (self.kafka.client().create().unwrap(), self.topic("gaps"));
        producer.send(BaseRecord::to(&topic).key("gap").payload(&body.to_string()).timestamp(at_ms)).unwrap();
        producer.flush(PATIENCE).unwrap();
    }

    pub fn topic(&self, name: &str) -> Arc<str> {
        self.kafka.topic(name)
    }

    /// Starts a worker that admits each number once, under an instance id.
    pub fn run(&self, instance: &str) -> Worker {
        self.worker(instance, Some(self.topic("state")), AdmitOnce { out: self.topic("out") })
    }

    /// The same, but it writes to a topic of another name.
    pub fn run_into(&self, instance: &str, out: &str) -> Worker {
        self.spawn(instance, AdmitOnce { out: self.topic(out) }, |spec| {
            spec.changelog = Some(self.topic("state"));
            spec.writes = vec![self.topic(out)];
        })
    }

    /// Starts a worker that passes everything on, under an instance id.
    pub fn run_stateless(&self, instance: &str) -> Worker {
        self.worker(instance, None, PassOn { out: self.topic("out") })
    }

    /// The same for several topics, each of one source.
    pub fn run_sources(&self, instance: &str, inputs: &[&str]) -> Worker {
        let handler = PassOn { out: self.topic("out") };
        let inputs = inputs.iter().map(|name| self.topic(name)).collect();
        self.spawn(instance, handler, |spec| spec.inputs = inputs)
    }

    /// A worker that admits each number once, remembers at most `cap`, and forgets while it may.
    pub fn run_capped(&self, instance: &str, cap: usize, may_forget: &Arc<AtomicBool>) -> Worker {
        let handler = Forgetful { admit: AdmitOnce { out: self.topic("out") }, may_forget: may_forget.clone() };
        self.spawn(instance, handler, |spec| {
            spec.changelog = Some(self.topic("state"));
            spec.tuning.state_cap = cap;
            spec.tuning.batch_records = 5;
        })
    }

    fn worker<H: Handler + 'static>(&self, instance: &str, changelog: Option<Arc<str>>, handler: H) -> Worker {
        self.spawn(instance, handler, |spec| spec.changelog = changelog)
    }

    /// Starts a worker with a handler of its own, and other settings.
    pub fn spawn<H: Handler + 'static>(
        &self,
        instance: &str,
        handler: H,
        change: impl FnOnce(&mut LoopSpec),
    ) -> Worker {
        let mut service = ServiceContext::new(self.kafka.clone());
        service.instance = instance.to_owned();
        service.health = self.health.clone();
        let mut spec = LoopSpec {
            worker: "admit",
            inputs: vec![self.topic("in")],
            writes: vec![self.topic("out")],
            changelog: None,
            gaps: self.topic("gaps"),
            dead_letters: self.topic("dead"),
            control: None,
            limits_dead_letters: true,
            tuning: Tuning { batch_records: 200, dead_letter_limit_window: 300, ..Tuning::default() },
        };
        change(&mut spec);
        let handle = spawn_loop(spec, handler, &service).unwrap();
        Worker { handle, shutdown: service.shutdown, registry: service.registry }
    }

    /// Publishes bodies keyed by themselves, and waits for their acknowledgement.
    pub fn publish(&self, topic: &str, bodies: Vec<Vec<u8>>) {
        let mut config = self.kafka.client();
        config.set("enable.idempotence", "true");
        let producer: BaseProducer = config.create().unwrap();
        let topic = self.topic(topic);
        for body in &bodies {
            let headers = OwnedHeaders::new().insert(Header { key: "sent", value: Some("yes") });
            producer.send(BaseRecord::to(&topic).key(body).payload(body).headers(headers)).unwrap();
        }
        producer.flush(PATIENCE).unwrap();
    }

    /// Publishes bodies to a partition as one gzip batch, whatever they are before they are packed.
    pub fn publish_packed(&self, topic: &str, partition: i32, bodies: &[&[u8]]) {
        let mut config = self.kafka.client();
        config.set("compression.type", "gzip").set("message.max.bytes", "200000000").set("linger.ms", "50");
        config.set("batch.size", "200000000").set("enable.idempotence", "true");
        let (producer, topic): (BaseProducer, _) = (config.create().unwrap(), self.topic(topic));
        for body in bodies {
            producer.send(BaseRecord::<[u8], [u8]>::to(&topic).partition(partition).payload(body)).unwrap();
        }
        producer.flush(PATIENCE).unwrap();
    }

    /// A sender that has written a body to a partition in a transaction of its own, and leaves it open.
    pub fn open_transaction(&self, topic: &str, partition: i32, body: &[u8]) -> BaseProducer {
        let mut config = self.kafka.client();
        config.set("transactional.id", "sender").set("transaction.timeout.ms", "900000");
        let producer: BaseProducer = config.create().unwrap();
        producer.init_transactions(PATIENCE).unwrap();
        producer.begin_transaction().unwrap();
        producer.send(BaseRecord::to(&self.topic(topic)).partition(partition).key(body).payload(body)).unwrap();
        producer.flush(PATIENCE).unwrap();
        producer
    }

    /// Every committed record of a topic, up to its end at the time of the call.
    pub fn read_all(&self, topic: &str) -> Vec<OwnedInput> {
        let mut config = self.kafka.client();
        config.set("group.id", "reader").set("isolation.level", "read_committed").set("enable.partition.eof", "true");
        let consumer: BaseConsumer = config.create().unwrap();
        let mut tpl = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            tpl.add_partition_offset(&self.topic(topic), partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&tpl).unwrap();
        let (mut records, mut ended) = (Vec::new(), std::collections::BTreeSet::new());
        while ended.len() < PARTITIONS as usize {
            match consumer.poll(PATIENCE).expect("the broker answers") {
                Ok(message) => records.push(OwnedInput::from(&Input::of(&message))),
                Err(KafkaError::PartitionEOF(partition)) => drop(ended.insert(partition)),
                Err(error) => panic!("{error}"),
            }
        }
        records
    }

    /// Waits until committed offsets say that `count` records were handled.
    pub fn wait_handled(&self, count: i64) {
        self.wait(|bench| bench.committed().iter().sum::<i64>() >= count, "records handled");
    }

    /// Waits until committed offsets have reached the end of a topic.
    pub fn wait_drained(&self, topic: &str) {
        let consumer: BaseConsumer = self.group_client();
        let topic = self.topic(topic);
        let end = |partition| consumer.fetch_watermarks(&topic, partition, PATIENCE).map(|(_, high)| high);
        // A broker that has just come back may not lead every partition yet.
        let ends = || (0..PARTITIONS).map(end).collect::<Result<Vec<i64>, _>>();
        self.wait(|bench| ends().is_ok_and(|ends| bench.committed_in(&topic) == ends), "topic drained");
    }

    /// Who leads each partition of a topic; -1 is nobody.
    pub fn leaders(&self, topic: &str) -> Vec<i32> {
        let metadata = self.group_client().fetch_metadata(Some(&self.topic(topic)), PATIENCE).unwrap();
        let mut partitions: Vec<_> = metadata.topics()[0].partitions().iter().map(|p| (p.id(), p.leader())).collect();
        partitions.sort_unstable();
        partitions.into_iter().map(|(_, leader)| leader).collect()
    }

    /// The end of each partition of a topic.
    pub fn ends(&self, topic: &str) -> Vec<i64> {
        let (consumer, topic) = (self.group_client(), self.topic(topic));
        (0..PARTITIONS).map(|partition| consumer.fetch_watermarks(&topic, partition, PATIENCE).unwrap().1).collect()
    }

    /// Deletes the group with its offsets, once its last member's session has run out.
    pub fn delete_group(&self) {
        let group = self.topic("admit");
        let is_gone = |bench: &Self| {
            bench.admin(async |admin| {
                let deleted = admin.delete_groups(&[&group], &AdminOptions::new()).await.unwrap();
                deleted.into_iter().all(|result| result.is_ok())
            })
        };
        self.wait(is_gone, "group deleted");
    }

    /// Commits an offset of every partition for the group, which must have no members, with this beside it.
    pub fn commit_beside(&self, topic: &str, offset: i64, metadata: &str) {
        let mut offsets = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            offsets.add_partition_offset(&self.topic(topic), partition, Offset::Offset(offset)).unwrap();
        }
        offsets.elements().iter_mut().for_each(|element| element.set_metadata(metadata));
        self.group_client().commit(&offsets, CommitMode::Sync).unwrap();
    }

    /// Deletes a topic and makes it again, as somebody does who knows nothing of offsets.
    pub fn remake_topic(&self, name: &str) {
        let topic = self.topic(name);
        let deleted = self.admin(async |admin| admin.delete_topics(&[&topic], &AdminOptions::new()).await.unwrap());
        deleted.into_iter().for_each(|result| drop(result.unwrap()));
        let is_gone = |bench: &Self| {
            let metadata = bench.group_client().fetch_metadata(None, PATIENCE).unwrap();
            metadata.topics().iter().all(|known| known.name() != &*topic)
        };
        self.wait(is_gone, "topic gone");
        let new = [NewTopic::new(&topic, PARTITIONS, TopicReplication::Fixed(1))];
        let made = self.admin(async |admin| admin.create_topics(&new, &AdminOptions::new()).await.unwrap());
        made.into_iter().for_each(|result| drop(result.unwrap()));
    }

    /// Waits until a component says that it is not ready for this reason.
    pub fn wait_unready(&self, reason: &str) {
        let has = |bench: &Self| bench.health.states().values().any(|s| !s.ready && s.reason.contains(reason));
        self.wait(has, reason);
    }

    /// Waits until a component says that it is ready, in these words.
    pub fn wait_says(&self, words: &str) {
        let has = |bench: &Self| bench.health.states().values().any(|s| s.ready && s.reason.contains(words));
        self.wait(has, words);
    }

    /// Waits until every component is ready.
    pub fn wait_ready(&self) {
        self.wait(|bench| bench.health.is_ready(), "ready");
    }

    pub fn wait(&self, done: impl Fn(&Self) -> bool, what: &str) {
        let started = Instant::now();
        while !done(self) {
            assert!(started.elapsed() < PATIENCE, "still waiting: {what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn group_client(&self) -> BaseConsumer {
        let mut config = self.kafka.client();
        config.set("group.id", self.topic("admit").as_ref()).create().unwrap()
    }

    /// The group's offsets in its topic.
    pub fn committed(&self) -> Vec<i64> {
        self.committed_in(&self.topic("in"))
    }

    fn committed_in(&self, topic: &str) -> Vec<i64> {
        let mut tpl = TopicPartitionList::new();
        tpl.add_partition_range(topic, 0, PARTITIONS - 1);
        // A coordinator that is still electing itself knows of no commit; the callers ask again.
        let Ok(committed) = self.group_client().committed_offsets(tpl, PATIENCE) else {
            return vec![0; PARTITIONS as usize];
        };
        let offset = |e: rdkafka::topic_partition_list::TopicPartitionListElem<'_>| match e.offset() {
            Offset::Offset(offset) => offset,
            _ => 0,
        };
        committed.elements().into_iter().map(offset).collect()
    }
}
