//! A batch file may be sent again.

use crate::kafka;
use defaultx::reader::read_to_end;
use defaultx::{rows, topics};
use ingest::Config;
use ingest::batch::{Options, run};
use runtime::kafka::KafkaConfig;
use schemas::Topic;

fn letters(kafka: &KafkaConfig) -> u64 {
    read_to_end(kafka, [&*kafka.topic(Topic::DeadLetters.base_name())], |_| Ok(())).unwrap()
}

#[tokio::test]
async fn a_file_sent_twice_sets_its_refused_rows_aside_once() {
    let kafka = kafka("batch.");
    topics::apply(&kafka, &[]).await.unwrap();
    let sent = move || {
        let folder = tempfile::tempdir().unwrap();
        let known = run(&Options::default(), &Config::default(), &kafka, |_| unreachable!(), |_| unreachable!())
            .unwrap_err()
            .to_string();
        assert!(known.contains("allow_demonstration_key"), "{known}");
        let config = Config { allow_demonstration_key: true, ..Config::default() };
        let send = |name: &str, content: &str| {
            let file = folder.path().join(name);
            std::fs::write(&file, content).unwrap();
            let options = Options { file, quiet: true, group_rows: 2, ..Options::default() };
            let summary = run(&options, &config, &kafka, |file| Ok(rows::set_aside(&kafka, file).unwrap()), |_| Ok(()));
            (summary.unwrap().refused, letters(&kafka))
        };
        assert_eq!(send("a.ndjson", "{\n[\n\n1\n"), (3, 3));
        assert_eq!(send("a.ndjson", "{\n[\n\n1\n"), (3, 3), "the same file");
        assert_eq!(send("b.ndjson", "{\n[\n\n1\n"), (3, 3), "the same content under another name");
        assert_eq!(send("b.ndjson", "{\n[\n\n2\n"), (3, 6), "another file");
    };
    tokio::task::spawn_blocking(sent).await.unwrap();
}
