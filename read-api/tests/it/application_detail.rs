//! The whole detail of one application.

use crate::events::Loan;
use crate::stack::{database, run};
use crate::stand::{Stand, shared, token};
use serde_json::{Value, json};

#[test]
fn a_story_is_whole() {
    run(async {
        let stand = shared().await;
        let first = Loan { outcome: Some("refer"), ..Loan::new("detail", "L-1") };
        let second = Loan {
            revision: 2,
            amount_minor: 7,
            outcome: Some("decline"),
            received_ms: first.received_ms + 60_000,
            ..first.clone()
        };
        stand.tell(&[first.clone(), second.clone()]).await;
        let human = Loan { automation: "human", ..second.clone() };
        let more =
            [second.replied("duplicate"), second.replied("conflict"), human.decided(2, "approve"), second.withdrawn()];
        let mut writer = stand.writer.lock().await;
        writer.write(&more).await;
        let due = "INSERT INTO defaultx.deliveries (id, subscription, event_type, event_id, tenant, application_id, revision, body)
                   VALUES (gen_random_uuid(), 'late', 'decision.made.v1', 'e2', 'detail', 'L-1', 2, '{}')";
        writer.client.execute(due, &[]).await.unwrap();
        drop(writer);

        let reviewer = token("detail", "Reviewer");
        let detail = stand.get(&reviewer, "/v1/applications/L-1").await.good();
        assert_eq!(detail["revisions"], json!([2, 1]));
        let brief = &detail["application"];
        assert_eq!(
            (&brief["revision"], &brief["amount_minor"], &brief["currency"]),
            (&2.into(), &7.into(), &"TWD".into())
        );
        assert_eq!(
            (&brief["received_at"], &brief["as_of"]),
            (&"2026-09-21T14:14:20.123Z".into(), &"2026-09-01".into())
        );
        assert_eq!(brief["decision"]["decision_number"], 2, "the last decision stands");
        let request = &detail["request"];
        assert_eq!(request["requested"]["purpose"], "car");
        assert_eq!(request["applicants"][0]["facts"], json!({"of_legal_age": true, "dependants": 2}));

        let score = &detail["scores"][0];
        assert_eq!(
            (&score["status"], &score["score"], &score["model_role"]),
            (&"scored".into(), &612.into(), &"champion".into())
        );
        assert_eq!(score["event_id"], second.event("score.computed.v1", "champion"));
        let features = json!([{"name": "limit_bal", "value": 20000.0, "contribution": 0.5},
                              {"name": "age_of_file", "value": -1e9, "flag": "missing", "contribution": 0.125}]);
        assert_eq!(score["features"], features);
        assert_eq!(score["explanation"]["method"], "scorecard_exact");
        assert_eq!(score["reasons"][0]["code"], "delinquent_obligations");
        assert_eq!(score["reports"][0]["status"], "thin");

        let decisions = detail["decisions"].as_array().unwrap();
        let told: Vec<_> =
            decisions.iter().map(|d| (d["outcome"].as_str().unwrap(), d["automation"].as_str().unwrap())).collect();
        assert_eq!(told, [("decline", "automatic"), ("approve", "human")]);
        assert_eq!(decisions[0]["principal_reasons"][0]["text"], "Delinquent");
        assert_eq!(decisions[0]["rules"][0]["threshold"], "560");
        assert_eq!(
            (&decisions[0]["adverse_action"], &decisions[0]["notice"]["recipients"][0]),
            (&true.into(), &"primary".into())
        );
        assert_eq!((&decisions[1]["supersedes"], &decisions[1]["policy_digest"]), (&1.into(), &"cc".into()));

        let deliveries = detail["deliveries"].as_array().unwrap();
        let mut told: Vec<_> =
            deliveries.iter().map(|d| (d["subscription"].as_str().unwrap(), d["status"].as_str().unwrap())).collect();
        told.sort_unstable();
        assert_eq!(told, [("all", "delivered"), ("late", "pending")]);
        let replies = detail["replies"].as_array().unwrap();
        assert_eq!(replies.len(), 4, "of both revisions");
        let conflict = replies.iter().find(|reply| reply["status"] == "conflict").unwrap();
        assert_eq!(
            (&conflict["problem"], &conflict["origin_topic"]),
            (&"conflict".into(), &"loan.applications.v1".into())
        );
        assert_eq!(detail["withdrawals"].as_array().unwrap().len(), 1);

        let earlier = stand.get(&reviewer, "/v1/applications/L-1?revision=1").await.good();
        assert_eq!(earlier["decisions"].as_array().unwrap().len(), 1);
        assert_eq!(earlier["decisions"][0]["outcome"], "refer");
        assert_eq!(stand.get(&reviewer, "/v1/applications/L-1?revision=3").await.problem(), "not_found");
    });
}

#[test]
fn a_story_without_an_end_is_told_so_far() {
    run(async {
        let stand = shared().await;
        let loan = Loan { score: None, outcome: None, ..Loan::new("so-far", "L-1") };
        stand.writer.lock().await.write(&[loan.accepted()]).await;
        let officer = token("so-far", "Officer");
        let detail = stand.get(&officer, "/v1/applications/L-1").await.good();
        assert_eq!((&detail["scores"], &detail["decisions"], &detail["replies"]), (&json!([]), &json!([]), &json!([])));
        assert_eq!(detail["application"]["score"], Value::Null);
        stand.writer.lock().await.write(&[loan.scored()]).await;
        let detail = stand.get(&officer, "/v1/applications/L-1").await.good();
        assert_eq!(detail["scores"][0]["status"], "unscorable");
        assert_eq!(detail["scores"][0]["unscorable"], json!(["wrong_currency:limit_bal"]));
        assert_eq!(detail["scores"][0]["score"], Value::Null);
    });
}

/// Every position in a detail.
fn positions(detail: &Value) -> Vec<&Value> {
    let groups = ["scores", "decisions", "withdrawals", "deliveries", "replies"];
    let rows = groups.iter().flat_map(|group| detail[*group].as_array().unwrap());
    rows.map(|row| &row["audit"]).chain([&detail["audit"]]).collect()
}

#[test]
fn a_story_says_where_the_log_holds_it_and_shows_tampering() {
    run(async {
        let stand = Stand::new(database("tampered").await, |_| ()).await;
        let loans: Vec<_> = (0..50).map(|n| Loan::new("bank", format!("L-{n}"))).collect();
        stand.tell(&loans).await;
        let writer = stand.writer.lock().await;
        let sql = "INSERT INTO defaultx.audit_checkpoints
                   SELECT log, size, root, format(E'a.example/%s\\n%s\\n%s\\n\\n— a b\\n', log, size, encode(root, 'base64')), now()
                   FROM defaultx.audit_logs;
                   INSERT INTO defaultx.audit_verifications SELECT now(), log, size, root, 0, 5 FROM defaultx.audit_logs";
        writer.client.batch_execute(sql).await.unwrap();
        let officer = token("bank", "Officer");
        let detail = stand.get(&officer, "/v1/applications/L-39").await.good();
        let audit = positions(&detail);
        let behind_tiles: Vec<_> = audit.iter().map(|at| at["seq"].as_i64().unwrap() >= 256).collect();
        assert!(behind_tiles.contains(&true) && behind_tiles.contains(&false), "{audit:?}");
        assert_eq!(audit.len(), 5);
        let topics: Vec<_> = audit.iter().map(|position| position["topic"].as_str().unwrap()).collect();
        assert!(topics.contains(&"credit.risk.v1") && topics.contains(&"loan.replies.v1"), "{topics:?}");
        assert!(audit.iter().all(|position| position["leaf"].as_str().unwrap().len() == 64));
        assert!(audit.iter().all(|position| position["intact"] == true), "{audit:?}");
        let attested = &detail["attested"][0];
        assert_eq!((&attested["size"], &attested["checkpoint"]["size"]), (&300.into(), &300.into()));
        assert_eq!(attested["verification"]["faults"], 0);

        let seq = detail["decisions"][0]["audit"]["seq"].as_i64().unwrap();
        let sql = format!(
            "ALTER TABLE defaultx.audit_tiles DISABLE TRIGGER USER;
             UPDATE defaultx.audit_tiles SET hashes = set_byte(hashes, 32 * {seq}, get_byte(hashes, 32 * {seq}) # 1)"
        );
        writer.client.batch_execute(&sql).await.unwrap();
        let detail = stand.get(&officer, "/v1/applications/L-39").await.good();
        assert_eq!(detail["decisions"][0]["audit"]["intact"], false);
        assert_eq!(detail["scores"][0]["audit"]["intact"], true);
        assert_eq!(detail["replies"][0]["audit"]["intact"], true);

        let sql =
            "ALTER TABLE defaultx.audit_logs DISABLE TRIGGER USER; UPDATE defaultx.audit_logs SET root = sha256(root)";
        writer.client.batch_execute(sql).await.unwrap();
        let detail = stand.get(&officer, "/v1/applications/L-39").await.good();
        assert_eq!(detail["scores"][0]["audit"]["intact"], true);
        assert_eq!(detail["replies"][0]["audit"]["intact"], false, "behind the last tile it is the root that tells");

        let sql =
            "ALTER TABLE defaultx.audit_segments DISABLE TRIGGER USER; UPDATE defaultx.audit_segments SET body = 'x'";
        writer.client.batch_execute(sql).await.unwrap();
        let answer = stand.get(&officer, "/v1/applications/L-39").await;
        assert_eq!((answer.status, answer.problem()), (500, "internal"), "a log that cannot be read is no detail");
    });
}
