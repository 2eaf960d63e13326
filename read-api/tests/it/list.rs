//! Pages and filters.

use crate::events::{DAY_MS, Loan, NOON_MS};
use crate::stack::run;
use crate::stand::{Stand, shared, token};
use serde_json::Value;
use std::collections::BTreeSet;

fn ids(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|item| item["application_id"].as_str().unwrap().to_owned()).collect()
}

async fn page(stand: &Stand, token: &str, cursor: Option<&str>) -> Value {
    let cursor = cursor.map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
    stand.get(token, &format!("/v1/applications?limit=10{cursor}")).await.good()
}

#[test]
fn pages_hold_every_row_once_while_others_come_in() {
    run(async {
        let stand = shared().await;
        // Three of each share a moment.
        let at = |n: i64| NOON_MS + n / 3 * 1000;
        let first: Vec<_> =
            (0..57).map(|n| Loan { received_ms: at(n), ..Loan::new("pages", format!("L-{n:02}")) }).collect();
        stand.tell(&first).await;
        let token = token("pages", "Reviewer");
        let (mut seen, mut times, mut cursor, mut rounds) = (Vec::new(), Vec::new(), None, 0);
        loop {
            let page = page(stand, &token, cursor.as_deref()).await;
            seen.extend(ids(&page));
            times.extend(
                page["items"].as_array().unwrap().iter().map(|item| item["received_at"].as_str().unwrap().to_owned()),
            );
            rounds += 1;
            let newer = Loan { received_ms: NOON_MS + DAY_MS + rounds, ..Loan::new("pages", format!("new-{rounds}")) };
            stand.tell(&[newer]).await;
            match page["next"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => break,
            }
        }
        let distinct: BTreeSet<_> = seen.iter().cloned().collect();
        let expected: BTreeSet<_> = first.iter().map(|loan| loan.id.clone()).collect();
        assert_eq!((seen.len(), distinct), (57, expected), "each once, and none that came later");
        assert_eq!(rounds, 6);
        assert!(times.is_sorted_by(|a, b| a >= b), "newest first");
    });
}

#[test]
fn the_last_page_says_so() {
    run(async {
        let stand = shared().await;
        let loans: Vec<_> = (0..10).map(|n| Loan::new("last-page", format!("L-{n}"))).collect();
        stand.tell(&loans).await;
        let page = page(stand, &token("last-page", "Officer"), None).await;
        assert_eq!(ids(&page).len(), 10, "exactly a page");
        assert!(page.get("next").is_none());
        let empty = self::page(stand, &token("nobody", "Officer"), None).await;
        assert_eq!(empty, serde_json::json!({"items": []}));
    });
}

#[test]
fn filters_narrow_the_list() {
    run(async {
        let stand = shared().await;
        let of = |id: &str| Loan::new("filters", id);
        let replaced = Loan { product: "term_loan", ..of("revised") };
        stand
            .tell(&[
                Loan { product: "term_loan", channel: "branch", ..of("branch") },
                Loan { jurisdiction: "US-CA", outcome: Some("decline"), ..of("declined") },
                Loan { score: Some(480), band: "E", outcome: Some("refer"), ..of("referred") },
                Loan { model: "sba_net", policy: "strict", ..of("strict") },
                Loan { outcome: None, received_ms: NOON_MS + DAY_MS, ..of("undecided") },
                Loan { intent: "score_only", outcome: None, received_ms: NOON_MS - DAY_MS, ..of("portfolio") },
                replaced.clone(),
                Loan { revision: 2, product: "credit_card", outcome: Some("counteroffer"), ..replaced },
            ])
            .await;
        let token = token("filters", "Officer");
        let cases: [(&str, &[&str]); 17] = [
            ("product=term_loan", &["branch"]),
            ("product=term_loan&all_revisions=true", &["branch", "revised"]),
            ("channel=branch", &["branch"]),
            ("jurisdiction=US-CA", &["declined"]),
            ("intent=score_only", &["portfolio"]),
            ("outcome=decline", &["declined"]),
            ("outcome=approve", &["branch", "strict"]),
            ("outcome=approve&product=credit_card", &["strict"]),
            ("outcome=counteroffer", &["revised"]),
            ("band=E", &["referred"]),
            ("model=sba_net", &["strict"]),
            ("policy=strict", &["strict"]),
            ("from=2026-09-22", &["undecided"]),
            ("to=2026-09-21", &["portfolio"]),
            ("from=2026-09-21T14:13:20.123Z&to=2026-09-21T14:13:20.124Z&outcome=refer", &["referred"]),
            ("to=2026-09-21T14:13:20.123Z", &["portfolio"]),
            ("product=none_such", &[]),
        ];
        for (query, expected) in cases {
            let page = stand.get(&token, &format!("/v1/applications?{query}")).await.good();
            let mut found = ids(&page);
            found.sort();
            assert_eq!(found, expected, "{query}");
        }
        let all = stand.get(&token, "/v1/applications").await.good();
        assert_eq!(ids(&all).len(), 7, "an application is listed once, by its newest revision");
        let undecided = &all["items"][0];
        assert_eq!((&undecided["application_id"], &undecided["decision"]), (&"undecided".into(), &Value::Null));
        assert_eq!(undecided["score"]["band"], "B");
    });
}
