//! The health of the stream.

use crate::events::{Loan, NOON_MS};
use crate::stack::{database, run};
use crate::stand::{Stand, token};
use serde_json::{Value, json};

#[test]
fn the_stream_says_how_it_is() {
    run(async {
        let stand = Stand::new(database("stream").await, |_| ()).await;
        let older = Loan::new("bank", "L-1");
        stand.tell(&[older, Loan { received_ms: NOON_MS + 1000, ..Loan::new("other", "L-2") }]).await;
        let sql = "INSERT INTO defaultx.stream_offsets VALUES ('audit-sink', 'credit.risk.v1', 1, 77);
                   INSERT INTO defaultx.dead_letters (partition, \"offset\", room, reason, set_aside_at, log, seq)
                     VALUES (0, 1, 'receive', 'schema_violation', now(), 0, 0), (0, 2, 'receive', 'schema_violation', now(), 0, 0),
                            (0, 3, 'receive', 'not_json', now() - interval '2 days', 0, 0);
                   INSERT INTO defaultx.audit_verifications SELECT now(), log, size, root, 3, 5 FROM defaultx.audit_logs";
        stand.writer.lock().await.client.batch_execute(sql).await.unwrap();

        let admin = stand.get(&token("bank", "Admin"), "/v1/stream").await.good();
        assert_eq!(admin["newest_decision"]["at"], "2026-09-21T14:13:20.123Z", "not the other tenant's");
        assert!(admin["newest_decision"]["age_s"].as_i64().unwrap() >= 0);
        assert_eq!((&admin["audit"][0]["log"], &admin["audit"][0]["verification"]["faults"]), (&0.into(), &3.into()));
        assert_eq!(admin["audit"][0]["checkpoint"], Value::Null, "none is signed yet");
        let consumer = json!({"consumer": "audit-sink", "topic": "credit.risk.v1", "partition": 1, "next_offset": 77});
        assert_eq!(admin["consumers"], json!([consumer]));
        assert_eq!(admin["dead_letters"], json!([{"room": "receive", "reason": "schema_violation", "count": 2}]));

        for role in ["Officer", "Reviewer"] {
            let seen = stand.get(&token("bank", role), "/v1/stream").await.good();
            assert!(
                seen.get("consumers").is_none() && seen.get("dead_letters").is_none(),
                "{role}: volumes of all tenants"
            );
            assert_eq!(seen["audit"], admin["audit"]);
        }
        let nobody = stand.get(&token("empty", "Officer"), "/v1/stream").await.good();
        assert_eq!((&nobody["newest_decision"], &nobody["newest_application"]), (&Value::Null, &Value::Null));
    });
}
