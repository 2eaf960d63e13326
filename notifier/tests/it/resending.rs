//! What failed for good is counted, shown and sent again under its id; what came while an endpoint was gone is kept and sent.

use crate::receiver::{Answer, Receiver};
use crate::stand::*;
use domain::DeliveryStatus;
use notifier::filters::Known;
use notifier::listing::{self, EndpointState, Selection};
use notifier::resend::{Asked, Resent, Which, enable, resend};
use notifier::store::{Claimed, Outcome};
use runtime::clock;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_postgres::Client;
use uuid::Uuid;

const NOT_ARRIVED: [DeliveryStatus; 2] = [DeliveryStatus::Failed, DeliveryStatus::Disabled];

fn of(subscription: &str) -> Which {
    Which::Of { subscription: subscription.to_owned(), since: None }
}

fn asked<'a>(which: Which, ended: &'a [DeliveryStatus]) -> Asked<'a> {
    Asked { which, ended, by: "ana", why: Some("they were down"), dry_run: false, patience: PATIENCE }
}

async fn again(client: &Client, which: Which, ended: &[DeliveryStatus]) -> Resent {
    resend(client, &asked(which, ended), |done, total| assert!(done <= total)).await.unwrap()
}

fn queued(queued: u64) -> Resent {
    Resent { queued, ..Resent::default() }
}

/// A receiver whose answer can be changed.
async fn changing(status: u16) -> (Receiver, Arc<AtomicU16>) {
    let answer = Arc::new(AtomicU16::new(status));
    let script = answer.clone();
    (Receiver::start(move |_| Answer::Status(script.load(Ordering::SeqCst))).await, answer)
}

async fn listed(client: &Client, states: &[&str]) -> Vec<listing::Listed> {
    let states = states.iter().map(|state| (*state).to_owned()).collect();
    listing::deliveries(client, &Selection { states, ..Selection::default() }, 100).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_for_good_is_counted_listed_and_sent_again_under_its_id() {
    let database = database("resent").await;
    let (receiver, answer) = changing(500).await;
    let los = subscription("los", &receiver.url());
    queue(&database, std::slice::from_ref(&los), 0..3).await;
    let worker = Worker::start(&database, &los, pace(), 5_000);
    let client = client(&database).await;
    until_rows(&client, "failed", 3).await;
    until("they are counted", || worker.failed("los", "server_error") == 3).await;
    let failed = listed(&client, &["failed"]).await;
    assert_eq!(failed.len(), 3);
    for delivery in &failed {
        assert_eq!(
            (delivery.attempts, delivery.http_status, delivery.reason.as_deref()),
            (3, Some(500), Some("server_error"))
        );
        assert_eq!((delivery.resends, &delivery.resent_by, &delivery.next_at), (0, &None, &None));
    }
    assert!(listed(&client, &["pending", "delivered"]).await.is_empty());
    let (asked_first, ids): (usize, BTreeSet<String>) =
        (receiver.seen().len(), receiver.seen().iter().map(|request| request.id()).collect());
    assert_eq!((asked_first, ids.len()), (9, 3));

    // One by its id, which fails again: it had a whole schedule before it.
    let one = Uuid::parse_str(&failed[0].id).unwrap();
    let nobody = Uuid::from_u128(7);
    let done = again(&client, Which::Ids(vec![one, nobody]), &NOT_ARRIVED).await;
    assert_eq!(done, Resent { queued: 1, unknown: vec![nobody], ..Resent::default() });
    until("a second schedule", || receiver.seen().len() == 12).await;
    until_rows(&client, "failed", 3).await;
    let once_more = listed(&client, &[]).await.into_iter().find(|delivery| delivery.id == failed[0].id).unwrap();
    assert_eq!((once_more.attempts, once_more.resends, once_more.resent_by.as_deref()), (3, 1, Some("ana")));

    // All of them. Whoever asks twice sends nothing twice.
    answer.store(200, Ordering::SeqCst);
    let dry = resend(&client, &Asked { dry_run: true, ..asked(of("los"), &NOT_ARRIVED) }, |_, _| {}).await.unwrap();
    assert_eq!((dry, receiver.seen().len()), (queued(3), 12));
    assert_eq!(again(&client, of("other"), &NOT_ARRIVED).await, queued(0));
    let tomorrow =
        Which::Of { subscription: "los".to_owned(), since: Some(clock::now() + Duration::from_secs(86_400)) };
    assert_eq!(again(&client, tomorrow, &NOT_ARRIVED).await, queued(0));
    let first = again(&client, of("los"), &NOT_ARRIVED).await;
    let second = again(&client, of("los"), &NOT_ARRIVED).await;
    assert_eq!((first.queued, second.queued), (3, 0));
    until_rows(&client, "delivered", 3).await;
    assert_eq!(again(&client, of("los"), &NOT_ARRIVED).await, queued(0));
    let ids_now: BTreeSet<String> = receiver.seen().iter().map(|request| request.id()).collect();
    assert_eq!((receiver.seen().len(), ids_now), (15, ids.clone()), "no other webhook-id");
    let bodies: BTreeSet<_> = receiver.seen().iter().map(|request| request.body.clone()).collect();
    assert_eq!(bodies.len(), 3, "nor another body");

    // What was delivered only by those words.
    let left = again(&client, Which::Ids(vec![one]), &NOT_ARRIVED).await;
    assert_eq!(left, Resent { left: 1, ..Resent::default() });
    assert_eq!(again(&client, Which::Ids(vec![one]), DeliveryStatus::ALL).await, queued(1));
    until("once more", || receiver.seen().len() == 16).await;

    // Each end has its receipt, and each act stands with who asked for it and how it had ended.
    let ledger = worker.ledger.clone();
    until("receipts", || ledger.taken.lock().unwrap().len() == 8).await;
    worker.stop().await;
    let told: Vec<(String, String, u32)> = {
        let taken = ledger.taken.lock().unwrap();
        let of_one = taken.iter().filter(|told| told.receipt.delivery_id == failed[0].id);
        of_one.map(|told| (told.receipt.status.to_string(), told.receipt.attempts.to_string(), told.resends)).collect()
    };
    let text = |status: &str, attempts: &str, resends| (status.to_owned(), attempts.to_owned(), resends);
    let wanted = [text("failed", "3", 0), text("failed", "3", 1), text("delivered", "1", 2), text("delivered", "1", 3)];
    assert_eq!(told, wanted);
    let noted = "SELECT was, attempts, http_status, last_error, resent_by, why FROM defaultx.delivery_resends
                 WHERE delivery_id = $1 ORDER BY resent_at";
    let noted: Vec<(String, i32, Option<i32>, Option<String>)> =
        client.query(noted, &[&one]).await.unwrap().iter().map(|r| (r.get(0), r.get(1), r.get(2), r.get(3))).collect();
    let failed_so = || ("failed".to_owned(), 3, Some(500), Some("server_error".to_owned()));
    assert_eq!(noted, [failed_so(), failed_so(), ("delivered".to_owned(), 1, Some(200), None)]);
    for change in ["UPDATE defaultx.delivery_resends SET resent_by = 'x'", "DELETE FROM defaultx.delivery_resends"] {
        assert!(client.batch_execute(change).await.is_err(), "{change}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_while_an_endpoint_was_gone_is_kept_and_sent_once_it_is_enabled() {
    let database = database("kept").await;
    let (receiver, answer) = changing(410).await;
    let los = subscription("los", &receiver.url());
    queue(&database, std::slice::from_ref(&los), 0..1).await;
    let worker = Worker::start(&database, &los, pace(), 5_000);
    let client = client(&database).await;
    until_rows(&client, "disabled", 1).await;
    queue(&database, std::slice::from_ref(&los), 1..40).await;
    until_rows(&client, "disabled", 40).await;
    until("they are counted", || worker.failed("los", "gone") == 40).await;
    assert_eq!(receiver.seen().len(), 1, "nothing is sent there");
    let standing = listing::endpoints(&client, std::slice::from_ref(&los)).await.unwrap().remove(0);
    assert_eq!((standing.endpoint, standing.kept, standing.pending), (EndpointState::Disabled, 40, 0));
    assert!(standing.disabled_at.is_some());

    // The receipts that say so go first: until then nothing is sent again, and nothing is lost.
    assert_eq!(enable(&client, "los", "ana", None).await.unwrap(), 1);
    let hasty = Asked { patience: Duration::ZERO, ..asked(of("los"), &[DeliveryStatus::Disabled]) };
    let early = resend(&client, &hasty, |_, _| {}).await.unwrap();
    assert_eq!((early.queued, early.held), (1, 39), "the receipt of the one that was answered had gone out");
    // The receiver is gone still, which disables it once more.
    until("the second 410", || receiver.seen().len() == 2).await;
    until_rows(&client, "disabled", 40).await;

    answer.store(204, Ordering::SeqCst);
    let sweeping = runtime::task::spawn("sweep", worker.delivery_worker.clone().sweep(Vec::new()));
    assert_eq!(enable(&client, "los", "ana", Some("they are back")).await.unwrap(), 1);
    assert_eq!(again(&client, of("los"), &[DeliveryStatus::Disabled]).await, queued(40));
    until_rows(&client, "delivered", 40).await;
    let standing = listing::endpoints(&client, std::slice::from_ref(&los)).await.unwrap().remove(0);
    assert_eq!((standing.endpoint, standing.kept), (EndpointState::Enabled, 0));
    assert_eq!(enable(&client, "los", "ana", None).await.unwrap(), 0, "it is enabled");
    worker.stop().await;
    sweeping.await.unwrap().unwrap();
    let ids: BTreeSet<String> = receiver.seen().iter().map(|request| request.id()).collect();
    assert_eq!((receiver.seen().len(), ids.len()), (42, 40));
    let noted = "SELECT subscription, enabled_by, why FROM defaultx.endpoint_enablings ORDER BY enabled_at";
    let noted: Vec<(String, String, Option<String>)> =
        client.query(noted, &[]).await.unwrap().iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    let by = |why: Option<&str>| ("los".to_owned(), "ana".to_owned(), why.map(str::to_owned));
    assert_eq!(noted, [by(None), by(Some("they are back"))]);
}

/// The look at the endpoint and the giving up are two statements: what is enabled between them loses nothing.
#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_enabled_meanwhile_gives_nothing_up() {
    let database = database("meanwhile").await;
    let los = subscription("los", "http://127.0.0.1:1/");
    queue(&database, std::slice::from_ref(&los), 0..5).await;
    let (store, url) = (store(&database), endpoint(&los).url_sha256);
    assert_eq!(store.retire("los", &url).await.unwrap(), 0);
    assert_eq!(rows(&client(&database).await, "pending").await, 5);
}

/// A result that was on its way when somebody sent the delivery again is of the lease of before.
#[tokio::test(flavor = "multi_thread")]
async fn a_result_of_before_does_not_end_what_was_sent_again() {
    let database = database("late_result").await;
    let los = subscription("los", "http://127.0.0.1:1/");
    queue(&database, std::slice::from_ref(&los), 0..1).await;
    let store = store(&database);
    let Claimed::Rows(rows_of) = store.claim("los", &[0; 32], 1, Duration::from_secs(30)).await.unwrap() else {
        panic!()
    };
    let row = &rows_of[0];
    let failed = [Outcome {
        id: row.id,
        claims: row.claims,
        ended: Some(DeliveryStatus::Failed),
        wait: Duration::ZERO,
        http_status: None,
        last_error: Some("timeout"),
        receipt_due: false,
        at: clock::now(),
    }];
    assert_eq!(store.finish(&failed).await.unwrap(), 1);
    let client = client(&database).await;
    assert_eq!(again(&client, of("los"), &NOT_ARRIVED).await, queued(1));
    assert_eq!(store.finish(&failed).await.unwrap(), 0, "written again because the first answer was lost");
    assert_eq!(rows(&client, "pending").await, 1);
}

/// The queue of the version before: its rows, its statement that adds to them, and one that was given up.
#[tokio::test(flavor = "multi_thread")]
async fn rows_of_the_version_before_go_on() {
    let database = database("of_before").await;
    let receiver = Receiver::start(|_| Answer::Status(200)).await;
    let los = subscription("los", &receiver.url());
    let client = client(&database).await;
    let before = "INSERT INTO defaultx.deliveries (id, subscription, event_type, event_id, tenant, application_id, revision, body, status, \
                  ended_at, last_error) VALUES \
                  (gen_random_uuid(), 'los', 'decision.made.v1', 'e-1', 'demo', 'L-1', 1, '{}', 'pending', NULL, NULL), \
                  (gen_random_uuid(), 'los', 'decision.made.v1', 'e-2', 'demo', 'L-2', 1, '{}', 'disabled', now(), 'gone'), \
                  (gen_random_uuid(), 'los', 'decision.made.v1', 'e-3', 'demo', 'L-3', 1, '{}', 'failed', now(), 'timeout')";
    client.batch_execute(before).await.unwrap();
    let worker = Worker::start(&database, &los, pace(), 5_000);
    until_rows(&client, "delivered", 1).await;
    assert_eq!(again(&client, of("los"), &NOT_ARRIVED).await, queued(2));
    until_rows(&client, "delivered", 3).await;
    worker.stop().await;
}

/// More than one statement takes, in whatever order their ids are.
#[tokio::test(flavor = "multi_thread")]
async fn many_go_back_each_once() {
    let database = database("many").await;
    let los = subscription("los", "http://127.0.0.1:1/");
    queue(&database, std::slice::from_ref(&los), 0..2_345).await;
    let client = client(&database).await;
    client.batch_execute("UPDATE defaultx.deliveries SET status = 'failed', ended_at = now()").await.unwrap();
    let heard = Mutex::new(Vec::new());
    let progress = |done, total| heard.lock().unwrap().push((done, total));
    let done = resend(&client, &asked(of("los"), &NOT_ARRIVED), progress).await.unwrap();
    assert_eq!(done, queued(2_345));
    assert_eq!(*heard.lock().unwrap(), [(1_000, 2_345), (2_000, 2_345), (2_345, 2_345)]);
    let noted = "SELECT count(*), count(DISTINCT command) FROM defaultx.delivery_resends";
    let noted = client.query_one(noted, &[]).await.unwrap();
    assert_eq!((noted.get::<_, i64>(0), noted.get::<_, i64>(1)), (2_345, 1));
}

#[test]
fn nobody_is_known_where_nobody_is_told() {
    let config = notifier::Config {
        subscriptions: vec![subscription("los", "https://a.example/")],
        ..notifier::Config::default()
    };
    assert!(config.check().unwrap_err().to_string().contains("tenants[0]"));
    assert!(notifier::Config { known: known(), ..config.clone() }.check().is_ok());
    let bare = Known { tenants: Vec::new(), ..known() };
    let config = notifier::Config { known: bare, known_tenants: vec!["demo".to_owned()], ..config };
    assert!(config.check().is_ok(), "a process without the keys of tenants names them");
}
