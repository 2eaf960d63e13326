//! Any file of a batch: the first byte says its format, the rest is the file. Every row is taken or refused.
#![no_main]

use defaultx_fuzz::watch;
use ingest::batch::report::Report;
use ingest::batch::rows::Source;
use ingest::batch::{Batch, Options};
use ingest::mapping::Mapping;
use libfuzzer_sys::fuzz_target;
use runtime::kafka::KafkaConfig;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

const FORMATS: [&str; 4] = ["csv", "ndjson", "csv.gz", "ndjson.gz"];

static BATCH: LazyLock<Batch> = LazyLock::new(|| {
    let (config, kafka) = (ingest::Config::default(), KafkaConfig::default());
    Batch::new(&Options::default(), &config, &kafka, &"0".repeat(64), || 1_795_132_800_000).expect("a batch")
});
static MAPPING: LazyLock<Mapping> = LazyLock::new(|| {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../training/data/south_german/mapping.toml");
    Mapping::load(&file).expect("the mapping is the repository's")
});
static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("fuzz-batch-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
});

fuzz_target!(init: watch::begin(), |bytes: &[u8]| {
    watch::watched(|| {
        let Some((format, file)) = bytes.split_first() else { return };
        let path = FOLDER.join("in").with_extension(FORMATS[usize::from(*format) % FORMATS.len()]);
        std::fs::write(&path, file).expect("a file");
        let mut report = Report::create(None).expect("no report");
        let Ok(source) = Source::open(&path) else { return };
        let Ok(rows) = source.rows(Some(&MAPPING), None) else { return };
        for row in rows {
            let Ok(row) = row else { return };
            assert!(!BATCH.records(&row, &mut report).expect("no report to write").is_empty());
        }
    });
});
