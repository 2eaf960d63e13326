//! The other ways in as pure functions: a request at the door, a file of a batch. Each row and each event is taken or refused.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use domain::Digest;
use ingest::batch::report::Report;
use ingest::batch::rows::Source;
use ingest::batch::{Batch, Options};
use ingest::data_digest::Secrets;
use ingest::door::request::events;
use ingest::mapping::Mapping;
use ingest::outputs::{Origin, Topics, received};
use ingest::receive::{Arrival, Channel, receive};
use ingest::rules::{Rules, TenantRule};
use runtime::kafka::KafkaConfig;
use std::path::{Path, PathBuf};

/// The time of every arrival: 2026-11-20.
const NOW_MS: i64 = 1_795_132_800_000;
/// Bytes of a row, as ingest ships.
const MAX_ROW_BYTES: usize = 1 << 20;
/// Formats of a file by the first byte of an input.
const FORMATS: [&str; 4] = ["csv", "ndjson", "csv.gz", "ndjson.gz"];

/// The door without its server.
pub struct Door {
    rules: Rules,
    tenant: TenantRule,
    topics: Topics,
    max_lines: usize,
}

impl Door {
    /// As the stack ships it.
    pub fn new() -> Self {
        let config = ingest::Config::default();
        Self {
            rules: Rules::new(&config).expect("rules"),
            tenant: tenant(&config),
            topics: Topics::new(&KafkaConfig::default()),
            max_lines: config.door_max_lines,
        }
    }

    /// Parts are the body, then name and value of each header.
    pub fn take(&self, parts: &[Vec<u8>]) {
        let Some((body, named)) = parts.split_first() else { return };
        let mut headers = HeaderMap::new();
        for pair in named.chunks_exact(2) {
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(&pair[0]), HeaderValue::from_bytes(&pair[1])) {
                headers.append(name, value);
            }
        }
        for (_, event) in events(&headers, body, &self.tenant, self.max_lines).unwrap_or_default() {
            let header_of = |name: &str| event.header(name);
            let arrival = Arrival {
                channel: Channel::Http,
                at_ms: NOW_MS,
                header_of: &header_of,
                body: Some(event.body),
                tenant: &self.tenant,
            };
            if let Ok(taken) = receive(&self.rules, &arrival) {
                let origin = Origin { channel: Channel::Http, place: None, received_at_ms: None, token: None };
                assert!(!received(taken, origin, &self.topics).is_empty());
            }
        }
    }
}

fn tenant(config: &ingest::Config) -> TenantRule {
    let secrets = Secrets::new(config).expect("a key");
    TenantRule::new("demo", ingest::config::DEMO_KEY, &secrets).expect("a tenant")
}

/// A batch without its broker.
pub struct Files {
    batch: Batch,
    mapping: Mapping,
    folder: PathBuf,
}

impl Files {
    /// With the mapping of one of the data sets; `folder` takes the file.
    pub fn new(folder: &Path) -> Self {
        let (config, kafka) = (ingest::Config::default(), KafkaConfig::default());
        let mapping = Path::new(env!("CARGO_MANIFEST_DIR")).join("../training/data/south_german/mapping.toml");
        std::fs::create_dir_all(folder).expect("a folder");
        Self {
            batch: Batch::new(&Options::default(), &config, &kafka, &Digest([0; 32]), || NOW_MS).expect("a batch"),
            mapping: Mapping::load(&mapping).expect("the mapping is the repository's"),
            folder: folder.to_owned(),
        }
    }

    /// The first byte says the format, the rest is the file.
    pub fn take(&self, bytes: &[u8]) {
        let Some((format, file)) = bytes.split_first() else { return };
        let path = self.folder.join(format!("in.{}", FORMATS[usize::from(*format) % FORMATS.len()]));
        std::fs::write(&path, file).expect("a file");
        let mut report = Report::create(None).expect("no report");
        let Ok(source) = Source::open(&path) else { return };
        let Ok(rows) = source.rows(Some(&self.mapping), None, MAX_ROW_BYTES) else { return };
        for row in rows {
            let Ok(row) = row else { return };
            assert!(!self.batch.records(&row, &mut report).expect("no report to write").is_empty());
        }
    }
}
