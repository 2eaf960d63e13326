//! The workers as pure functions of a record: the handlers of the stack behind no broker, with what the repository ships.

use audit_log::{DigestKey, Tree};
use audit_sink::project::{Position, Projections, identity};
use audit_sink::seal::seal;
use audit_sink::source::Sources;
use decision::DecisionHandler;
use ingest::{AdmitHandler, ReceiveHandler};
use prometheus::Registry;
use runtime::kafka::KafkaConfig;
use runtime::stream::harness::Harness;
use runtime::stream::{Offset, OwnedInput};
use schemas::Topic;
use schemas::control::ACTIVATED;
use schemas::envelope::header;
use scorer::ScorerHandler;
use scorer::handler::Outlets;
use std::path::Path;

/// Topics by the first byte of an input.
const TOPICS: &[Topic] = Topic::ALL;

/// Every worker that reads records.
pub struct Workers {
    receive: Harness<ReceiveHandler>,
    admit: Harness<AdmitHandler>,
    scorer: Harness<ScorerHandler>,
    decision: Harness<DecisionHandler>,
    key: DigestKey,
    sources: Sources,
}

impl Workers {
    /// As the stack ships them.
    pub fn new() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let (kafka, config) = (KafkaConfig::default(), ingest::Config::default());
        let metrics = ingest::Metrics::new(&Registry::new()).expect("metrics");
        let receive = ReceiveHandler::new(&config, &kafka, metrics.clone()).expect("receive");
        let admit = AdmitHandler::new(&config, &kafka, metrics).expect("admit");
        let library = scorer::Library::read(&root.join("models")).expect("models");
        let routes = scorer::Routes::read(&root.join("routes"), "standard@1.0.0", &library).expect("routes");
        let metrics = scorer::metrics::Metrics::new(&Registry::new(), &routes).expect("metrics");
        let outlets = Outlets { risk: "credit.risk.v1".into(), shadow: "credit.shadow.v1".into() };
        let scorer = ScorerHandler::new(library, routes, outlets, 1, metrics).expect("scorer");
        let library = decision::Library::read(&root.join("policies"), "standard@1.0.0").expect("policies");
        let metrics = decision::metrics::Metrics::new(&Registry::new()).expect("metrics");
        let decision = DecisionHandler::new(library, "credit.decisions.v1".into(), runtime::clock::now, metrics);
        Self {
            receive: Harness::new(receive),
            admit: Harness::new(admit),
            scorer: Harness::new(scorer),
            decision: Harness::new(decision),
            key: DigestKey::new("k", &[7; 32]).expect("a key"),
            sources: Sources::new("", &[]),
        }
    }

    /// Hands a record to everybody who reads its topic. An error is an answer too: the loop holds then.
    pub fn take(&mut self, record: &OwnedInput) {
        let is_control = record.as_input().header(header::TYPE) == Some(ACTIVATED.as_bytes());
        let block = std::slice::from_ref(record);
        let topic = Topic::of_name("", &record.topic);
        let fed = match topic {
            Some(Topic::LoanApplications) => self.receive.feed(block),
            Some(Topic::Intake) => self.admit.feed(block),
            Some(Topic::Applications) if is_control => self.scorer.control(record),
            Some(Topic::Applications) => self.scorer.feed(block),
            Some(Topic::Risk) if is_control => self.decision.control(record),
            Some(Topic::Risk) => self.decision.feed(block),
            _ => Ok(Default::default()),
        };
        drop(fed);
        if let Some(topic) = topic.filter(|topic| topic.is_audited()) {
            let sealed =
                seal(block, &self.sources, &self.key, 1 << 20, Tree::default()).expect("every record has an entry");
            assert_eq!(sealed.entries.len(), 1);
            Projections::default().add(topic, &record.as_input(), Position { log: 0, seq: 0 });
            if topic == Topic::Identities {
                identity(&record.as_input());
            }
        }
    }
}

impl Default for Workers {
    fn default() -> Self {
        Self::new()
    }
}

/// A record out of parts: topic, key, value, then name and value of each header. The first byte of the topic's part says which,
/// its second what is absent.
pub fn record(parts: &[Vec<u8>]) -> OwnedInput {
    let part = |at: usize| parts.get(at).cloned().unwrap_or_default();
    let head = part(0);
    let byte = |at: usize| head.get(at).copied().unwrap_or_default();
    let headers = parts.get(3..).unwrap_or_default().chunks(2).map(|pair| {
        let name = String::from_utf8_lossy(&pair[0]).into_owned();
        (name, pair.get(1).cloned())
    });
    OwnedInput {
        topic: TOPICS[usize::from(byte(0)) % TOPICS.len()].base_name().to_owned(),
        partition: 0,
        offset: Offset::default(),
        timestamp_ms: 1_795_132_800_000,
        key: Some(part(1)).filter(|_| byte(1) & 1 == 0),
        payload: Some(part(2)).filter(|_| byte(1) & 2 == 0),
        headers: headers.collect(),
    }
}
