//! The whole detail of one application.

use crate::events::Loan;
use crate::stack::{database, run};
use crate::stand::{Stand, shared, token};
use serde_json::{Value, json};

#[test]
fn a_detail_is_whole() {
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
        assert_eq!((&score["route"]["entry"], &score["route"]["bucket"]), (&"cards".into(), &17.into()));
        assert_eq!(score["reasons"][0]["code"], "delinquent_obligations");
        assert_eq!(score["reports"][0]["status"], "thin");

        let decisions = detail["decisions"].as_array().unwrap();
        let told: Vec<_> =
            decisions.iter().map(|d| (d["outcome"].as_str().unwrap(), d["automation"].as_str().unwrap())).collect();
        assert_eq!(told, [("decline", "automatic"), ("approve", "human")]);
        assert_eq!(decisions[0]["principal_reasons"][0]["text"], "Delinquent");
        let rule = &decisions[0]["rules"][0];
        assert_eq!((&rule["threshold"], &rule["comparisons"][0]["operator"]), (&"560".into(), &"at_least".into()));
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
        assert_eq!(conflict["warnings"], json!(["unknown_word"]));
        assert_eq!(conflict["warning_details"][0]["pointer"], "/requested/purpose");
        assert_eq!(detail["withdrawals"].as_array().unwrap().len(), 1);

        let earlier = stand.get(&reviewer, "/v1/applications/L-1?revision=1").await.good();
        assert_eq!(earlier["decisions"].as_array().unwrap().len(), 1);
        assert_eq!(earlier["decisions"][0]["outcome"], "refer");
        assert_eq!(stand.get(&reviewer, "/v1/applications/L-1?revision=3").await.problem(), "not_found");
    });
}

#[test]
fn a_detail_without_an_end_is_told_so_far() {
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

/// A delivery that somebody had sent again has a receipt for each end. The newest counts; while it is pending again, none does.
#[test]
fn a_delivery_that_was_sent_again_is_one_and_says_how_it_stands() {
    run(async {
        let stand = shared().await;
        let loan = Loan { outcome: Some("approve"), ..Loan::new("again", "L-1") };
        stand.tell(std::slice::from_ref(&loan)).await;
        let officer = token("again", "Officer");
        let told = async || {
            let detail = stand.get(&officer, "/v1/applications/L-1").await.good();
            let deliveries = detail["deliveries"].as_array().unwrap().clone();
            let again: Vec<Value> = deliveries.into_iter().filter(|one| one["subscription"] == "again").collect();
            assert_eq!(again.len(), 1, "{again:?}");
            (again[0]["status"].as_str().unwrap().to_owned(), again[0]["attempts"].as_i64().unwrap())
        };
        stand.writer.lock().await.write(&[loan.ended(1, "failed")]).await;
        assert_eq!(told().await, ("failed".to_owned(), 1));
        let due = "INSERT INTO defaultx.deliveries (id, subscription, event_type, event_id, tenant, application_id, revision, body, resends)
                   VALUES ($1::text::uuid, 'again', 'decision.made.v1', 'e', 'again', 'L-1', 1, '{}', 1)";
        let writer = stand.writer.lock().await;
        writer.client.execute(due, &[&loan.event("delivery", "again")]).await.unwrap();
        drop(writer);
        assert_eq!(told().await, ("pending".to_owned(), 0), "it waits, whatever became of it before");
        let mut writer = stand.writer.lock().await;
        writer.write(&[loan.ended(2, "delivered")]).await;
        let done = "UPDATE defaultx.deliveries SET status = 'delivered', ended_at = now() WHERE subscription = 'again'";
        writer.client.execute(done, &[]).await.unwrap();
        drop(writer);
        assert_eq!(told().await, ("delivered".to_owned(), 2));
    });
}

/// Every position in a detail.
fn positions(detail: &Value) -> Vec<&Value> {
    let groups = ["scores", "decisions", "withdrawals", "deliveries", "replies"];
    let rows = groups.iter().flat_map(|group| detail[*group].as_array().unwrap());
    rows.map(|row| &row["audit"]).chain([&detail["audit"]]).collect()
}

#[test]
fn a_detail_says_where_the_log_holds_it_and_shows_tampering() {
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

/// A row that was changed by hand shows what was logged, and is not said to be intact.
#[test]
fn a_detail_shows_what_was_logged_whatever_the_rows_say() {
    run(async {
        let stand = Stand::new(database("rewritten").await, |_| ()).await;
        let loans = ["L-1", "L-2"].map(|id| Loan { outcome: Some("decline"), ..Loan::new("bank", id) });
        let other = Loan { outcome: Some("approve"), ..Loan::new("other", "L-1") };
        stand.tell(&[loans[0].clone(), loans[1].clone(), other]).await;
        stand.writer.lock().await.write(&[loans[0].withdrawn()]).await;
        let officer = token("bank", "Officer");
        let before = stand.get(&officer, "/v1/applications/L-1").await.good();
        assert!(positions(&before).iter().all(|at| at["intact"] == true && at.get("not_intact").is_none()), "{before}");
        let writer = stand.writer.lock().await;
        writer.client.batch_execute("SET session_replication_role = replica").await.unwrap();
        let to_another =
            "decisions SET outcome = 'approve', seq = (SELECT seq FROM defaultx.decisions WHERE tenant = 'other')";
        let to_a_score = "decisions SET seq = (SELECT seq FROM defaultx.scores s WHERE s.tenant = 'bank' AND s.application_id = 'L-1')";
        // What is changed, where the detail says so, how, and whether what is shown is as before.
        let rows = [
            ("decisions SET outcome = 'approve'", "/decisions/0", "row_differs", true),
            ("decisions SET policy_digest = 'dd'", "/decisions/0", "row_differs", true),
            ("scores SET pd = 0.5, score = 850", "/scores/0", "row_differs", true),
            ("replies SET status = 'rejected'", "/replies/0", "row_differs", true),
            ("receipts SET status = 'failed', attempts = 9", "/deliveries/0", "row_differs", true),
            ("withdrawals SET withdrawn_at = now()", "/withdrawals/0", "row_differs", true),
            ("applications SET amount_minor = 1, product = 'car'", "", "row_differs", true),
            (to_another, "/decisions/0", "another_event", false),
            (to_a_score, "/decisions/0", "another_event", false),
        ];
        for (change, pointer, word, is_as_before) in rows {
            let table = change.split(' ').next().unwrap();
            let kept = format!("CREATE TABLE public.kept AS SELECT * FROM defaultx.{table}");
            writer.client.batch_execute(&kept).await.unwrap();
            let change = format!("UPDATE defaultx.{change} WHERE tenant = 'bank' AND application_id = 'L-1'");
            writer.client.batch_execute(&change).await.unwrap();
            let mut detail = stand.get(&officer, "/v1/applications/L-1").await.good();
            let audit = detail.pointer(&format!("{pointer}/audit")).unwrap().clone();
            assert_eq!((&audit["intact"], &audit["not_intact"]), (&false.into(), &word.into()), "{change}: {audit}");
            let is_brief = pointer == "/decisions/0" || pointer == "/scores/0";
            if is_brief {
                assert_eq!(detail["audit"]["not_intact"], "part_not_intact", "{change}");
                assert_eq!(detail["audit"]["intact"], Value::Null, "{change}");
            }
            if is_as_before {
                *detail.pointer_mut(&format!("{pointer}/audit")).unwrap() =
                    before.pointer(&format!("{pointer}/audit")).unwrap().clone();
                detail["audit"] = before["audit"].clone();
                assert_eq!(detail, before, "{change}");
            } else {
                assert_eq!(
                    detail["decisions"][0]["principal_reasons"],
                    json!([]),
                    "nothing of another event: {change}"
                );
            }
            let back = format!(
                "TRUNCATE defaultx.{table}; INSERT INTO defaultx.{table} SELECT * FROM public.kept; DROP TABLE public.kept"
            );
            writer.client.batch_execute(&back).await.unwrap();
        }
        assert_eq!(stand.get(&officer, "/v1/applications/L-1").await.good(), before);
    });
}

/// An event has one row. Where somebody has put a second one beside it, under another id, neither is said to be intact.
#[test]
fn a_row_beside_that_of_its_event_is_not_intact() {
    run(async {
        let stand = Stand::new(database("doubled").await, |_| ()).await;
        let loan = Loan { outcome: Some("decline"), ..Loan::new("bank", "L-1") };
        stand.tell(std::slice::from_ref(&loan)).await;
        let writer = &mut *stand.writer.lock().await;
        writer.write(&[loan.withdrawn()]).await;
        let officer = token("bank", "Officer");
        for (table, group) in [("replies", "replies"), ("withdrawals", "withdrawals"), ("receipts", "deliveries")] {
            let before = stand.get(&officer, "/v1/applications/L-1").await.good();
            assert!(positions(&before).iter().all(|at| at["intact"] == true), "{before}");
            let beside = format!(
                "INSERT INTO defaultx.{table} SELECT (jsonb_populate_record(r, jsonb_build_object('event_id', gen_random_uuid()))).*
                 FROM defaultx.{table} r"
            );
            writer.client.batch_execute(&beside).await.unwrap();
            let story = stand.get(&officer, "/v1/applications/L-1").await.good();
            let shown = story[group].as_array().unwrap();
            assert_eq!(shown.len(), 2, "{group}");
            assert!(shown.iter().all(|row| row["audit"]["not_intact"] == "row_differs"), "{group}: {shown:?}");
            let back = format!(
                "SET session_replication_role = replica; DELETE FROM defaultx.{table} WHERE ctid NOT IN (SELECT min(ctid) FROM defaultx.{table})"
            );
            writer.client.batch_execute(&back).await.unwrap();
        }
    });
}
