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
use runtime::stream::{OwnedInput, Transactions};
use schemas::Topic;
use std::time::{Duration, Instant};

/// A sender's topic of its own.
const BANK_B: &str = "bank-b.applications.v1";
const PATIENCE: Duration = Duration::from_secs(60);

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
    redrive(kafka, &[BANK_B.to_owned()], &Selection::of(args).unwrap(), "ana", dry_run).unwrap()
}

#[tokio::test]
async fn each_original_goes_back_once_however_often_it_is_asked() {
    let kafka = kafka("redrive.");
    topics::apply(&kafka, &[]).await.unwrap();
    let done = tokio::task::spawn_blocking(move || {
        set_aside(&kafka);
        let first = LettersArgs { at: vec!["2:0".to_owned()], ..LettersArgs::default() };
        let all = LettersArgs { reason: Some("not_json".to_owned()), ..LettersArgs::default() };
        let told = again(&kafka, &all, true);
        assert_eq!(told, Redriven { selected: 2, published: 2, already: 0, without_topic: 0, cut: 0 });
        assert_eq!(arrived(&kafka), [], "a dry run publishes nothing");

        assert_eq!(
            again(&kafka, &first, false),
            Redriven { selected: 1, published: 1, already: 0, without_topic: 0, cut: 0 }
        );
        assert_eq!(
            again(&kafka, &first, false),
            Redriven { selected: 1, published: 0, already: 1, without_topic: 0, cut: 0 }
        );
        assert_eq!(
            again(&kafka, &all, false),
            Redriven { selected: 2, published: 1, already: 1, without_topic: 0, cut: 0 }
        );
        assert_eq!(
            again(&kafka, &all, false),
            Redriven { selected: 2, published: 0, already: 2, without_topic: 0, cut: 0 }
        );
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

/// A letter of `topic`, or the mark that it was published again.
fn record<'a>(letters: &'a str, topic: &str, offset: &str, is_mark: bool) -> BaseRecord<'a, [u8], [u8]> {
    let place = [("dl_topic", topic), ("dl_partition", "0"), ("dl_offset", offset)];
    let mark = [("dl_redriven_by", "ana"), ("dl_redriven_at", "2026-11-29T09:15:00.000Z")];
    let more = if is_mark { &mark[..] } else { &[("dl_reason", "not_json")] };
    let headers = place.into_iter().chain(more.iter().copied());
    let headers = headers.fold(OwnedHeaders::new(), |all, (key, v)| all.insert(Header { key, value: Some(v) }));
    BaseRecord::to(letters).partition(0).payload(b"{}".as_slice()).headers(headers)
}

fn send(producer: &BaseProducer, record: BaseRecord<'_, [u8], [u8]>) {
    producer.send(record).map_err(|(error, _)| error).unwrap();
}

fn transactional(kafka: &KafkaConfig, id: &str) -> BaseProducer {
    let producer: BaseProducer = kafka.client().set("transactional.id", kafka.topic(id).as_ref()).create().unwrap();
    producer.init_transactions(PATIENCE).unwrap();
    producer.begin_transaction().unwrap();
    producer
}

/// Marks behind a transaction that a worker has open cannot be read yet. They count all the same.
#[tokio::test]
async fn a_mark_behind_an_open_transaction_is_waited_for() {
    let kafka = kafka("redrive-open.");
    topics::apply(&kafka, &[]).await.unwrap();
    let done = tokio::task::spawn_blocking(move || {
        let letters = kafka.topic(Topic::DeadLetters.base_name());
        let origin = kafka.topic(Topic::LoanApplications.base_name());
        let plain: BaseProducer = kafka.client().create().unwrap();
        send(&plain, record(&letters, &origin, "1", false));
        plain.flush(PATIENCE).unwrap();
        let worker = transactional(&kafka, "a-worker");
        send(&worker, record(&letters, &origin, "2", false));
        worker.flush(PATIENCE).unwrap();
        send(&plain, record(&letters, &origin, "1", true));
        plain.flush(PATIENCE).unwrap();

        let (asked, all) = (kafka.clone(), LettersArgs::default());
        let redrive = runtime::task::thread("redrive", move || again(&asked, &all, false)).unwrap();
        let until = Instant::now() + Duration::from_secs(2);
        while !redrive.is_finished() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20)); // long enough for one that does not wait
        }
        worker.commit_transaction(PATIENCE).unwrap();
        let wanted = Redriven { selected: 2, published: 1, already: 1, without_topic: 0, cut: 0 };
        assert_eq!(redrive.join().unwrap(), wanted, "the letter of the transaction is new, the other has its mark");
        assert_eq!(arrived(&kafka).len(), 1);
    });
    done.await.unwrap();
}

/// Many transactions, and one before them that a killed redrive left open; letters of a sender's own topic among them.
#[tokio::test]
async fn more_letters_than_a_transaction_holds_go_back_once_after_a_kill() {
    let kafka = kafka("redrive-many.");
    let senders = [BANK_B.to_owned()];
    topics::apply(&KafkaConfig { manage_sender_topics: true, ..kafka.clone() }, &senders).await.unwrap();
    let done = tokio::task::spawn_blocking(move || {
        let letters = kafka.topic(Topic::DeadLetters.base_name());
        let bank_b = kafka.topic(BANK_B);
        let plain: BaseProducer = kafka.client().create().unwrap();
        (0..450).for_each(|n: i32| send(&plain, record(&letters, &bank_b, &n.to_string(), false)));
        plain.flush(PATIENCE).unwrap();
        let killed = transactional(&kafka, "redrive");
        send(&killed, BaseRecord::to(&bank_b).partition(0).payload(b"{}".as_slice()));
        send(&killed, record(&letters, &bank_b, "0", true));
        killed.flush(PATIENCE).unwrap();

        let all = LettersArgs::default();
        let first = again(&kafka, &all, false);
        assert_eq!(first, Redriven { selected: 450, published: 450, already: 0, without_topic: 0, cut: 0 });
        assert_eq!(again(&kafka, &all, false), Redriven { published: 0, already: 450, ..first });
        let mut back = 0;
        read_to_end(&kafka, [bank_b.as_ref()], |_| {
            back += 1;
            Ok(())
        })
        .unwrap();
        assert_eq!(back, 450);
        drop(killed);
    });
    done.await.unwrap();
}

/// One that was overtaken knows nothing of the marks that the other writes: it must not take the id back.
#[tokio::test]
async fn a_redrive_that_was_overtaken_writes_nothing_more() {
    let kafka = kafka("redrive-two.");
    topics::apply(&kafka, &[]).await.unwrap();
    let done = tokio::task::spawn_blocking(move || {
        let topic = kafka.topic(Topic::LoanApplications.base_name()).to_string();
        let original = [OwnedInput { topic, payload: Some(b"{}".to_vec()), ..OwnedInput::default() }];
        let mut first = Transactions::connect_once(&kafka, "redrive", 30_000).unwrap();
        first.repeat(&original).unwrap();
        let mut second = Transactions::connect_once(&kafka, "redrive", 30_000).unwrap();
        for _ in 0..2 {
            assert!(first.repeat(&original).is_err());
        }
        second.repeat(&original).unwrap();
        assert_eq!(arrived(&kafka).len(), 2);
    });
    done.await.unwrap();
}
