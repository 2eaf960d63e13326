//! The reader's half: one row for each pair, whatever is read again.

use crate::stand::*;
use notifier::handler::Queueing;
use notifier::metrics::Meter;
use prometheus::Registry;
use runtime::stream::OwnedInput;
use runtime::stream::pg::PgHandler;
use std::sync::Arc;
use tokio::sync::Notify;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_again_adds_no_row_and_what_cannot_be_read_is_counted() {
    let database = database("queueing").await;
    let mut other = subscription("declines", "http://127.0.0.1:1/");
    other.outcomes = vec!["decline".to_owned()];
    let all = vec![subscription("all", "http://127.0.0.1:1/"), subscription("too", "http://127.0.0.1:1/"), other];
    let registry = Registry::new();
    let mut handler = Queueing::new(all.into(), Meter::new(&registry).unwrap(), Arc::new(Notify::new()));

    let mut batch: Vec<OwnedInput> = (0..10).map(|n| decision("credit.decisions.v1", n)).collect();
    batch.push(OwnedInput { payload: Some(b"not a decision".to_vec()), ..decision("credit.decisions.v1", 10) });
    batch.push(OwnedInput { headers: Vec::new(), ..decision("credit.decisions.v1", 11) });
    batch.push(OwnedInput { payload: None, ..decision("credit.decisions.v1", 12) });

    let mut session = client(&database).await;
    for committed in [false, true, true] {
        let tx = session.transaction().await.unwrap();
        handler.apply(&tx, &batch).await.unwrap();
        if committed {
            tx.commit().await.unwrap();
            handler.committed();
        } else {
            tx.rollback().await.unwrap();
        }
    }
    assert_eq!(rows(&session, "pending").await, 20, "ten decisions for two subscriptions; no outcome is a decline");
    let counted = |result: &str| {
        let families = registry.gather();
        let family = families.iter().find(|family| family.name() == "defaultx_deliveries_total").unwrap();
        let metric = family.get_metric().iter().find(|metric| metric.get_label()[0].value() == result).unwrap();
        metric.get_counter().get_value() as u64
    };
    assert_eq!(counted("queued"), 20, "rolled back and repeated rows do not count");
    assert_eq!(counted("unreadable"), 6, "three in each of the committed batches");
}
