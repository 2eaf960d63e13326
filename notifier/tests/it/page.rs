//! `docs/receiving.md` says what the code does: each number and name there is one of a constant, a default or an example.

use crate::receiver::{Answer, Receiver};
use crate::stand::*;
use notifier::Config;
use notifier::deliver::MAX_RETRY_AFTER;
use schemas::catalogue;
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP};
use std::collections::BTreeSet;

fn page() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/receiving.md")).unwrap()
}

/// `1 h 5 min 3 s`, without what is zero.
fn written(seconds: u64) -> String {
    let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "min"), (seconds % 60, "s")];
    let parts = parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count} {unit}"));
    parts.collect::<Vec<_>>().join(" ")
}

#[test]
fn every_number_is_that_of_a_deployment_that_sets_none() {
    let (page, config) = (page(), Config::default());
    let waits: Vec<String> = config.retry_after_s.iter().map(|seconds| written(*seconds)).collect();
    let (last, first) = waits.split_last().unwrap();
    let total: u64 = config.retry_after_s.iter().sum();
    let longest = (total as f64 * (1.0 + config.jitter)).round() as u64;
    let said = [
        format!("after {} and {last}: {} attempts", first.join(", "), waits.len() + 1),
        format!("within {}.", written(total)),
        format!("Up to {} % is added", (config.jitter * 100.0).round()),
        format!("makes it {} at most", written(longest)),
        format!("by at most {}", written(MAX_RETRY_AFTER.as_secs())),
        format!(
            "none within {} seconds, of which {} for",
            config.request_timeout_ms / 1000,
            config.connect_timeout_ms / 1000
        ),
        format!("within {} seconds. Work afterwards", config.request_timeout_ms / 1000),
        format!("read to {} KiB", config.response_max_bytes >> 10),
        format!("never more than {} at once from one process", config.concurrency),
        format!("enables it, for {} days", config.keep_days),
        format!("resend`), for {} days", config.keep_days),
        format!("Keep ids for {} days", config.keep_days),
    ];
    said.iter().for_each(|said| assert!(page.contains(said.as_str()), "docs/receiving.md does not say {said:?}"));
    let shown = runtime::config::show(&config).unwrap();
    let knobs = page.split("(`[notifier]`: ").nth(1).unwrap().split(')').next().unwrap();
    for knob in knobs.split(", ").map(|knob| knob.trim_matches('`')) {
        assert!(shown.contains(&format!("{knob} = ")), "{knob} is no knob");
    }
}

#[test]
fn the_body_is_the_example_of_its_schema_and_the_subscription_is_taken() {
    let page = page();
    let block = |language: &str| {
        page.split(&format!("```{language}\n")).nth(1).unwrap().split("```").next().unwrap().to_owned()
    };
    let schema = catalogue::find("webhook.v1").unwrap();
    let example = schema.examples.iter().find(|example| example.name == "good-approve").unwrap();
    assert_eq!(block("json").trim(), example.text.trim());
    let settings: toml::Table = block("toml").parse().unwrap();
    let subscription: notifier::Subscription = settings["notifier"]["subscriptions"][0].clone().try_into().unwrap();
    let config = Config { subscriptions: vec![subscription.clone()], known: known(), ..Config::default() };
    config.check().unwrap();
    let secrets = |count| notifier::Subscription {
        secrets: vec![subscription.secrets[0].clone(); count],
        ..subscription.clone()
    };
    let most =
        (1..10).filter(|count| Config { subscriptions: vec![secrets(*count)], ..config.clone() }.check().is_ok()).max();
    assert!(page.contains(&format!("has up to {} secrets", most.unwrap())));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_headers_are_those_that_come() {
    let database = database("page").await;
    let receiver = Receiver::start(|_| Answer::Status(200)).await;
    let los = subscription("los", &receiver.url());
    queue(&database, std::slice::from_ref(&los), 0..1).await;
    let worker = Worker::start(&database, &los, pace(), 5_000);
    until("one", || !receiver.seen().is_empty()).await;
    worker.stop().await;
    let page = page();
    let table = page.split("| header | what it is |").nth(1).unwrap().split("\n\n").next().unwrap();
    let told: BTreeSet<String> =
        table.lines().filter_map(|line| Some(line.strip_prefix("| `")?.split('`').next()?.to_owned())).collect();
    let of_http = ["host", "content-length", "accept"];
    let came = receiver.seen()[0].headers.clone();
    let came: BTreeSet<String> =
        came.keys().map(|name| name.as_str().to_owned()).filter(|n| !of_http.contains(&n.as_str())).collect();
    assert_eq!(told, came);
    for header in [HEADER_WEBHOOK_ID, HEADER_WEBHOOK_TIMESTAMP, HEADER_WEBHOOK_SIGNATURE] {
        assert!(told.contains(header));
    }
    let agent = receiver.seen()[0].headers["user-agent"].to_str().unwrap().to_owned();
    assert!(agent.starts_with("DefaultX/"), "{agent}");
}

/// The rows of the table of answers, by what becomes of a delivery whose first attempt was answered so.
#[tokio::test(flavor = "multi_thread")]
async fn each_answer_means_what_the_table_says() {
    let page = page();
    let rows = [
        (200, "| 200 to 299 | delivered", "delivered"),
        (299, "| 200 to 299 | delivered", "delivered"),
        (307, "| 300 to 399 | a failed attempt: redirects are never followed", "failed"),
        (410, "| 410 | you want nothing more, of anything: the endpoint is disabled at once", "disabled"),
        (404, "| 400 to 499 otherwise | a failed attempt", "failed"),
        (503, "| 500 to 599 | a failed attempt", "failed"),
    ];
    let database = database("answers").await;
    for (status, said, wanted) in rows {
        assert!(page.contains(said), "docs/receiving.md does not say {said:?}");
        let receiver = Receiver::start(move |_| Answer::Status(status)).await;
        let one = subscription(&format!("s{status}"), &receiver.url());
        queue(&database, std::slice::from_ref(&one), 0..1).await;
        let never_again = notifier::deliver::Schedule { waits: Vec::new(), jitter: 0.0 };
        let worker = Worker::start(&database, &one, notifier::sender::Pace { schedule: never_again, ..pace() }, 5_000);
        let ledger = worker.ledger.clone();
        until("it ends", || !ledger.ended().is_empty()).await;
        worker.stop().await;
        assert_eq!(ledger.ended()[0].1, wanted, "{status}");
    }
}
