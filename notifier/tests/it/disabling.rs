//! 410 Gone, and receipts that Kafka did not take.

use crate::receiver::{Answer, Receiver};
use crate::stand::*;
use notifier::store::{Backlog, Claimed};
use std::collections::BTreeSet;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_gone_hears_nothing_more_and_others_go_on() {
    let database = database("gone").await;
    let gone = Receiver::start(|_| Answer::Status(410)).await;
    let here = Receiver::start(|_| Answer::Status(200)).await;
    let both = [subscription("gone", &gone.url()), subscription("here", &here.url())];
    queue(&database, &both, 0..100).await;
    let workers = both.clone().map(|subscription| Worker::start(&database, &subscription, pace(), 5_000));
    let client = client(&database).await;
    until_rows(&client, "delivered", 100).await;
    until_rows(&client, "disabled", 100).await;
    let asked = gone.seen().len();
    assert!(asked < 100, "{asked} requests: leased rows may still go out, the rest does not");

    queue(&database, &both, 100..130).await;
    until_rows(&client, "delivered", 130).await;
    until_rows(&client, "disabled", 130).await;
    assert_eq!(gone.seen().len(), asked, "not one more");
    assert_eq!(here.seen().len(), 130);

    // Receipts of rows that were given up unasked are late ones.
    let [first, second] = workers;
    let known =
        vec![("gone".to_owned(), endpoint(&both[0]).url_sha256), ("here".to_owned(), endpoint(&both[1]).url_sha256)];
    let sweeping = runtime::task::spawn("sweep", first.delivery_worker.clone().sweep(known.clone()));
    let ledger = first.ledger.clone();
    until("a receipt for each", || ledger.ended().len() >= 130).await;
    let backlog = first.delivery_worker.store.backlog(&known).await.unwrap();
    assert_eq!(backlog, Backlog { rows: 0, oldest_s: 0.0, disabled_endpoints: 1 });
    first.stop().await;
    second.stop().await;
    sweeping.await.unwrap().unwrap();
    let ended = ledger.ended();
    assert!(ended.iter().all(|(_, status, _)| status == "disabled"));
    assert_eq!(ended.iter().map(|(id, ..)| id.clone()).collect::<BTreeSet<_>>().len(), 130);
    assert_eq!(ended.iter().filter(|(.., attempts)| *attempts == 1).count(), asked);

    // Another URL is another endpoint; deleting the row enables the old one.
    let store = store(&database);
    let lease = Duration::from_secs(30);
    let url = endpoint(&both[0]).url_sha256;
    assert_eq!(store.claim("gone", &url, 1, lease).await.unwrap(), Claimed::Disabled);
    assert_eq!(store.claim("gone", &[7; 32], 1, lease).await.unwrap(), Claimed::Rows(Vec::new()));
    client.batch_execute("DELETE FROM defaultx.disabled_endpoints").await.unwrap();
    assert_eq!(store.claim("gone", &url, 1, lease).await.unwrap(), Claimed::Rows(Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_that_kafka_did_not_take_is_offered_again_and_the_webhook_is_not() {
    let database = database("late").await;
    let receiver = Receiver::start(|_| Answer::Status(200)).await;
    let los = subscription("los", &receiver.url());
    queue(&database, std::slice::from_ref(&los), 0..5).await;
    let worker = Worker::start(&database, &los, pace(), 5_000);
    *worker.ledger.refuses.lock().unwrap() = true;
    let client = client(&database).await;
    until_rows(&client, "delivered", 5).await;
    assert!(worker.ledger.ended().is_empty());
    let sweeping = runtime::task::spawn("sweep", worker.delivery_worker.clone().sweep(Vec::new()));
    *worker.ledger.refuses.lock().unwrap() = false;
    let ledger = worker.ledger.clone();
    until("late receipts", || ledger.ended().len() == 5).await;
    worker.stop().await;
    sweeping.await.unwrap().unwrap();

    assert_eq!(receiver.seen().len(), 5, "each webhook went out once");
    assert!(ledger.ended().iter().all(|(_, status, attempts)| status == "delivered" && *attempts == 1));
    let due: i64 =
        client.query_one("SELECT count(*) FROM defaultx.deliveries WHERE receipt_due", &[]).await.unwrap().get(0);
    assert_eq!(due, 0);
}

/// The table grew for ever.
#[tokio::test(flavor = "multi_thread")]
async fn deliveries_that_ended_long_ago_are_deleted_in_small_batches() {
    let database = database("purge").await;
    let los = subscription("los", "http://127.0.0.1:1/");
    queue(&database, std::slice::from_ref(&los), 0..2_500).await;
    let client = client(&database).await;
    let age = "WITH n AS (SELECT id, row_number() OVER (ORDER BY id) AS n FROM defaultx.deliveries)
               UPDATE defaultx.deliveries d SET created_at = now() - interval '200 days',
               status = CASE WHEN n > 2490 THEN 'pending' ELSE 'delivered' END,
               receipt_due = n BETWEEN 2401 AND 2450,
               ended_at = CASE WHEN n > 2490 THEN NULL WHEN n > 2450 THEN now() - interval '89 days'
                               ELSE now() - interval '91 days' END
               FROM n WHERE d.id = n.id";
    client.batch_execute(age).await.unwrap();
    assert_eq!(store(&database).purge(90).await.unwrap(), 1_000, "no more at once");

    let (registry, ledger) = (prometheus::Registry::new(), Ledger::default());
    *ledger.refuses.lock().unwrap() = true;
    let delivery_worker = std::sync::Arc::new(notifier::sender::DeliveryWorker {
        store: store(&database),
        poster: poster(5_000, true),
        receipts: ledger.clone(),
        meter: notifier::metrics::Meter::new(&registry).unwrap(),
        standing: notifier::standing::Standing::new(runtime::health::Health::default().component("notifier-send"), 1),
        pace: pace(),
        chance: || 0.5,
        wake: std::sync::Arc::default(),
        shutdown: tokio_util::sync::CancellationToken::new(),
    });
    let sweeping = runtime::task::spawn("sweep", delivery_worker.clone().sweep(Vec::new()));
    until_rows(&client, "delivered", 90).await;
    assert_eq!(rows(&client, "pending").await, 10, "what waits is never too old");
    *ledger.refuses.lock().unwrap() = false;
    until_rows(&client, "delivered", 40).await;
    assert_eq!(ledger.ended().len(), 50, "a receipt that was due went out first");
    delivery_worker.shutdown.cancel();
    sweeping.await.unwrap().unwrap();
    let families = registry.gather();
    let family = families.iter().find(|family| family.name() == "defaultx_deliveries_total").unwrap();
    let purged = family.get_metric().iter().find(|metric| metric.get_label()[0].value() == "purged").unwrap();
    assert_eq!(purged.get_counter().get_value() as u64, 1_450);
}
