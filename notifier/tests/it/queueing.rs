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
    other.outcomes = vec![domain::Outcome::Decline.into()];
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
        let work = prepared(&mut handler, &batch);
        handler.apply(&tx, work).await.unwrap();
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

/// One decision with such a text, or with revision 0, stopped every delivery for good.
#[tokio::test(flavor = "multi_thread")]
async fn a_decision_that_no_row_holds_is_counted_and_the_queue_goes_on() {
    let database = database("hostile").await;
    let registry = Registry::new();
    let all = vec![subscription("all", "http://127.0.0.1:1/")];
    let mut handler = Queueing::new(all.into(), Meter::new(&registry).unwrap(), Arc::new(Notify::new()));
    let changed = |n: usize, change: &dyn Fn(&mut serde_json::Value)| {
        let mut record = decision("credit.decisions.v1", n);
        let mut body = serde_json::from_slice(record.payload.as_deref().unwrap()).unwrap();
        change(&mut body);
        record.payload = Some(body.to_string().into_bytes());
        record
    };
    let mut batch: Vec<OwnedInput> = (0..10).map(|n| decision("credit.decisions.v1", n)).collect();
    batch.extend([
        changed(10, &|body| body["application"]["tenant"] = "de\0mo".into()),
        changed(11, &|body| body["application"]["application_id"] = "k".repeat(12_000).into()),
        changed(12, &|body| body["application"]["revision"] = 0.into()),
        changed(13, &|body| body["application"]["revision"] = u32::MAX.into()),
        changed(14, &|body| body["outcome"] = "ap\0prove".into()),
    ]);
    let mut echoed = decision("credit.decisions.v1", 15);
    for (name, value) in &mut echoed.headers {
        if name == "ce_correlationid" || name == "traceparent" {
            *value = Some(b"a\0b".to_vec());
        }
    }
    batch.push(echoed);
    let mut session = client(&database).await;
    let demand = "ALTER TABLE defaultx.deliveries ADD CHECK (application_id <> 'L-7')";
    session.batch_execute(demand).await.unwrap();
    let tx = session.transaction().await.unwrap();
    let work = prepared(&mut handler, &batch);
    handler.apply(&tx, work).await.unwrap();
    tx.commit().await.unwrap();
    handler.committed();
    assert_eq!(rows(&session, "pending").await, 9 + 2, "an outcome stands in the body alone, escaped");
    let bare = "SELECT count(*) FROM defaultx.deliveries WHERE correlation_id IS NULL AND traceparent IS NULL";
    assert_eq!(session.query_one(bare, &[]).await.unwrap().get::<_, i64>(0), 1, "told without what is only echoed");
    let families = registry.gather();
    let family = families.iter().find(|family| family.name() == "defaultx_deliveries_total").unwrap();
    let unreadable = family.get_metric().iter().find(|metric| metric.get_label()[0].value() == "unreadable").unwrap();
    assert_eq!(unreadable.get_counter().get_value() as u64, 5, "four that cannot be read and one that is refused");
}
