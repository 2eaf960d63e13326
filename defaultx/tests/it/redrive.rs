//! A dead letter goes back where it came from, byte for byte, once.

use crate::kafka;
use defaultx::cli::LettersArgs;
use defaultx::letters::{Selection, headers_of};
use defaultx::reader::read_to_end;
use defaultx::redrive::{Redriven, redrive};
use defaultx::topics;
use rdkafka::message::{Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use runtime::kafka::KafkaConfig;
use schemas::Topic;
use std::time::Duration;

type Original = (Option<Vec<u8>>, Option<Vec<u8>>, Vec<(String, Option<Vec<u8>>)>);

/// The two originals: one with everything odd that a record may have, one plain.
fn originals() -> [Original; 2] {
    let odd =
        vec![("ce_id".to_owned(), Some(vec![0xff, 0x00])), ("x".to_owned(), None), ("x".to_owned(), Some(vec![]))];
    [(None, Some(vec![0, 1, 0xfe]), odd), (Some(b"k".to_vec()), Some(b"{}".to_vec()), Vec::new())]
}

fn set_aside(kafka: &KafkaConfig) {
    let producer: BaseProducer = kafka.client().create().unwrap();
    let letters = kafka.topic(Topic::DeadLetters.base_name());
    let origin = kafka.topic(Topic::LoanApplications.base_name());
    for ((key, value, headers), offset) in originals().iter().zip(["17", "18"]) {
        let own = [("dl_reason", "not_json"), ("dl_stage", "ingest-receive"), ("dl_detail", ""), ("dl_topic", &origin)];
        let place = [("dl_partition", "2"), ("dl_offset", offset)];
        let all = headers
            .iter()
            .fold(OwnedHeaders::new(), |all, (key, value)| all.insert(Header { key, value: value.as_deref() }));
        let all = own.into_iter().chain(place).fold(all, |all, (key, v)| all.insert(Header { key, value: Some(v) }));
        let mut record = BaseRecord::<[u8], [u8]>::to(&letters).partition(2).headers(all);
        record.key = key.as_deref();
        record.payload = value.as_deref();
        producer.send(record).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(Duration::from_secs(30)).unwrap();
}

fn set_aside_row(kafka: &KafkaConfig) {
    let producer: BaseProducer = kafka.client().create().unwrap();
    let letters = kafka.topic(Topic::DeadLetters.base_name());
    let own = [("dl_reason", "not_a_number"), ("dl_stage", "batch"), ("dl_topic", "batch")];
    let headers = own.into_iter().chain([("dl_partition", "0"), ("dl_offset", "4")]);
    let headers = headers.fold(OwnedHeaders::new(), |all, (key, v)| all.insert(Header { key, value: Some(v) }));
    let record = BaseRecord::<[u8], [u8]>::to(&letters).partition(0).payload(b"row").headers(headers);
    producer.send(record).map_err(|(error, _)| error).unwrap();
    producer.flush(Duration::from_secs(30)).unwrap();
}

fn arrived(kafka: &KafkaConfig) -> Vec<(i32, Original)> {
    let topic = kafka.topic(Topic::LoanApplications.base_name());
    let mut all = Vec::new();
    read_to_end(kafka, [topic.as_ref()], |message| {
        let headers = headers_of(message).into_iter().map(|(k, v)| (k.to_owned(), v.map(<[u8]>::to_vec))).collect();
        let original = (message.key().map(<[u8]>::to_vec), message.payload().map(<[u8]>::to_vec), headers);
        all.push((message.partition(), original));
        Ok(())
    })
    .unwrap();
    all
}

fn again(kafka: &KafkaConfig, args: &LettersArgs, dry_run: bool) -> Redriven {
    redrive(kafka, &Selection::of(args).unwrap(), "ana", dry_run).unwrap()
}

#[tokio::test]
async fn each_original_goes_back_once_however_often_it_is_asked() {
    let kafka = kafka("redrive.");
    topics::apply(&kafka).await.unwrap();
    let done = tokio::task::spawn_blocking(move || {
        set_aside(&kafka);
        let first = LettersArgs { at: vec!["2:0".to_owned()], ..LettersArgs::default() };
        let all = LettersArgs { reason: Some("not_json".to_owned()), ..LettersArgs::default() };
        let told = again(&kafka, &all, true);
        assert_eq!(told, Redriven { selected: 2, published: 2, already: 0, without_topic: 0 });
        assert_eq!(arrived(&kafka), [], "a dry run publishes nothing");

        assert_eq!(again(&kafka, &first, false), Redriven { selected: 1, published: 1, already: 0, without_topic: 0 });
        assert_eq!(again(&kafka, &first, false), Redriven { selected: 1, published: 0, already: 1, without_topic: 0 });
        assert_eq!(again(&kafka, &all, false), Redriven { selected: 2, published: 1, already: 1, without_topic: 0 });
        assert_eq!(again(&kafka, &all, false), Redriven { selected: 2, published: 0, already: 2, without_topic: 0 });
        set_aside_row(&kafka);
        let rows = LettersArgs { stage: Some("batch".to_owned()), ..LettersArgs::default() };
        let nowhere = Redriven { selected: 1, without_topic: 1, ..Redriven::default() };
        assert_eq!(again(&kafka, &rows, false), nowhere, "a row of a file has no topic to go back to");
        let other = LettersArgs { stage: Some("scorer".to_owned()), ..LettersArgs::default() };
        assert_eq!(again(&kafka, &other, false), Redriven::default());

        let [odd, plain] = originals();
        assert_eq!(arrived(&kafka), [(2, odd), (2, plain)], "key, value and headers to the byte, in its partition");
    });
    done.await.unwrap();
}
