//! Leases: nobody posts what another has, a crash is made good, and what is late changes nothing.

use crate::receiver::{Answer, Receiver};
use crate::stand::*;
use domain::DeliveryStatus;
use local::{Ending, Options, Stack};
use notifier::receipts::{Receipts, Told};
use notifier::sender::DeliveryWorker;
use notifier::store::{Claimed, Leased, Outcome, Store};
use prometheus::Registry;
use runtime::clock;
use runtime::pg::DatabaseConfig;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

const LEASE: Duration = Duration::from_secs(30);

async fn claim(store: &Store, rows: usize, lease: Duration) -> Vec<Leased> {
    match store.claim("los", &[0; 32], rows, lease).await.unwrap() {
        Claimed::Rows(rows) => rows,
        Claimed::Disabled => panic!("disabled"),
    }
}

fn delivered(row: &Leased) -> Outcome {
    Outcome {
        id: row.id,
        claims: row.claims,
        ended: Some(DeliveryStatus::Delivered),
        wait: Duration::ZERO,
        http_status: Some(200),
        last_error: None,
        receipt_due: false,
        at: clock::now(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_share_the_queue_and_never_a_row() {
    let database = database("sharing").await;
    let receiver = Receiver::start(|_| Answer::After(Duration::from_millis(2))).await;
    let los = subscription("los", &receiver.url());
    queue(&database, std::slice::from_ref(&los), 0..600).await;
    let workers = [0, 1].map(|_| Worker::start(&database, &los, pace(), 5_000));
    until_rows(&client(&database).await, "delivered", 600).await;

    let mut posts: BTreeMap<String, usize> = BTreeMap::new();
    receiver.seen().iter().for_each(|request| *posts.entry(request.id()).or_default() += 1);
    assert_eq!(posts.len(), 600);
    assert!(posts.values().all(|count| *count == 1), "nothing failed, so nothing is posted twice");
    assert_eq!(receiver.most_at_once_of_one_id(), 1);
    let mut shares = Vec::new();
    for worker in workers {
        shares.push(worker.stop().await.ended().len());
    }
    assert_eq!(shares.iter().sum::<usize>(), 600, "{shares:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_nobody_elses_until_it_ends_and_then_the_old_one_counts_no_more() {
    let database = database("leases").await;
    let (a, b) = (store(&database), store(&database));
    queue(&database, &[subscription("los", "http://127.0.0.1:1/")], 0..3).await;
    let held = claim(&a, 2, LEASE).await;
    assert_eq!(held.len(), 2);
    let rest = claim(&b, 10, LEASE).await;
    assert_eq!(rest.len(), 1, "only what is free");
    assert!(held.iter().all(|row| row.id != rest[0].id));

    let client = client(&database).await;
    client.batch_execute("UPDATE defaultx.deliveries SET next_at = now(), lease_until = now()").await.unwrap();
    let taken_over = claim(&b, 10, LEASE).await;
    assert_eq!(taken_over.len(), 3);
    assert_eq!(a.finish(&held.iter().map(delivered).collect::<Vec<_>>()).await.unwrap(), 0, "the lease was lost");
    assert_eq!(rows(&client, "pending").await, 3);
    assert_eq!(b.finish(&taken_over.iter().map(delivered).collect::<Vec<_>>()).await.unwrap(), 3);
    assert_eq!(b.finish(&taken_over.iter().map(delivered).collect::<Vec<_>>()).await.unwrap(), 0, "ended is ended");
    assert_eq!(rows(&client, "delivered").await, 3);
}

/// Receipts that never come back: the process dies with them under way.
struct Stuck;

impl Receipts for Stuck {
    async fn publish(&self, _: Vec<Told>) -> Vec<bool> {
        std::future::pending().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_post_and_record_posts_again_under_the_same_id() {
    let database = database("crash").await;
    let receiver = Receiver::start(|_| Answer::Status(200)).await;
    let los = subscription("los", &receiver.url());
    queue(&database, std::slice::from_ref(&los), 0..1).await;
    let doomed = runtime::task::thread("doomed", {
        let (database, los, receiver) = (database.clone(), los.clone(), receiver.clone());
        move || {
            let process = tokio::runtime::Runtime::new().unwrap();
            process.block_on(async {
                let delivery_worker = Arc::new(DeliveryWorker {
                    store: store(&database),
                    poster: poster(5_000, true),
                    receipts: Stuck,
                    meter: notifier::metrics::Meter::new(&Registry::new()).unwrap(),
                    standing: notifier::standing::Standing::new(
                        runtime::health::Health::default().component("notifier-send"),
                        1,
                    ),
                    pace: notifier::sender::Pace { lease: Duration::from_millis(10_500), ..pace() },
                    chance: || 0.0,
                    wake: Arc::new(Notify::new()),
                    shutdown: CancellationToken::new(),
                });
                runtime::task::spawn("doomed", delivery_worker.work(endpoint(&los)));
                until("the first post", || receiver.seen().len() == 1).await;
            });
            process.shutdown_background();
        }
    })
    .unwrap();
    tokio::task::spawn_blocking(|| doomed.join().unwrap()).await.unwrap();
    let client = client(&database).await;
    assert_eq!(rows(&client, "pending").await, 1, "nothing was written down");
    client.batch_execute("UPDATE defaultx.deliveries SET next_at = now(), lease_until = now()").await.unwrap();

    let worker = Worker::start(&database, &los, pace(), 5_000);
    until_rows(&client, "delivered", 1).await;
    let ledger = worker.stop().await;
    let ids: Vec<String> = receiver.seen().iter().map(|request| request.id()).collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1]);
    assert_eq!(ledger.ended(), [(ids[0].clone(), "delivered".to_owned(), 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn draining_finishes_what_is_under_way_and_gives_the_rest_back() {
    let database = database("draining").await;
    let receiver = Receiver::start(|_| Answer::After(Duration::from_millis(300))).await;
    let los = subscription("los", &receiver.url());
    queue(&database, std::slice::from_ref(&los), 0..60).await;
    let worker = Worker::start(&database, &los, pace(), 5_000);
    until("the first posts", || !receiver.seen().is_empty()).await;
    worker.stop().await;

    let client = client(&database).await;
    assert_eq!(rows(&client, "delivered").await, receiver.seen().len(), "whatever was posted is written down");
    let free = "SELECT count(*) FROM defaultx.deliveries WHERE status = 'pending' AND next_at <= now() AND lease_until IS NULL";
    let free: i64 = client.query_one(free, &[]).await.unwrap().get(0);
    assert_eq!(usize::try_from(free).unwrap(), 60 - receiver.seen().len(), "all else is free at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_dies_under_way_costs_no_delivery_and_doubles_none() {
    let data = tempfile::tempdir().unwrap();
    let options = Options { kafka: false, ..Options::new(data.path()) };
    let stack = tokio::task::spawn_blocking(move || Stack::start(&options).unwrap()).await.unwrap();
    let database = DatabaseConfig { url: stack.database_url().into(), ..DatabaseConfig::default() };
    schemas::migrations::migrate(&mut client(&database).await).await.unwrap();
    let receiver = Receiver::start(|_| Answer::After(Duration::from_millis(5))).await;
    let los = subscription("los", &receiver.url());
    queue(&database, std::slice::from_ref(&los), 0..400).await;
    let worker = Worker::start(&database, &los, pace(), 5_000);
    until("the first posts", || receiver.seen().len() >= 40).await;

    let (stack, posted) = tokio::task::spawn_blocking({
        let (mut stack, receiver) = (stack, receiver.clone());
        move || {
            stack.stop_database(Ending::Kill).unwrap();
            let posted = receiver.seen().len();
            stack.start_database().unwrap();
            (stack, posted)
        }
    })
    .await
    .unwrap();
    assert!(posted < 400, "it died under way");
    until_rows(&client(&database).await, "delivered", 400).await;
    worker.stop().await;
    let mut posts: BTreeMap<String, usize> = BTreeMap::new();
    receiver.seen().iter().for_each(|request| *posts.entry(request.id()).or_default() += 1);
    assert_eq!(posts.len(), 400);
    assert!(posts.values().all(|count| *count == 1), "results waited for the database within their leases");
    tokio::task::spawn_blocking(move || stack.stop().unwrap()).await.unwrap();
}
