//! Key figures against rows that were counted by hand.

use crate::events::{DAY_MS, Loan, NOON_MS};
use crate::stack::run;
use crate::stand::{shared, token};
use serde_json::{Value, json};

const PERIOD: &str = "from=2026-09-01&to=2026-10-01";

fn group<'a>(kpis: &'a Value, groups: &str, key: &str, value: &str) -> &'a Value {
    kpis[groups].as_array().unwrap().iter().find(|group| group[key] == value).unwrap()
}

#[test]
fn figures_are_those_of_the_rows() {
    run(async {
        let stand = shared().await;
        let of = |id: &str| Loan::new("kpis", id);
        let term = |id: &str| Loan { product: "term_loan", currency: "USD", model: "sba_net", ..of(id) };
        let revised = Loan { outcome: Some("decline"), ..of("revised") };
        stand
            .tell(&[
                Loan { score: Some(600), amount_minor: 100, ..of("a1") },
                Loan { score: Some(619), amount_minor: 50, ..of("a2") },
                Loan { score: Some(620), outcome: Some("refer"), received_ms: NOON_MS + DAY_MS, ..of("r1") },
                Loan { score: Some(500), band: "E", outcome: Some("decline"), policy: "strict", ..of("d1") },
                Loan { score: None, outcome: Some("refer"), automation: "automatic", ..of("u1") },
                Loan { outcome: None, score: Some(640), ..of("open") },
                term("t1"),
                Loan { outcome: Some("decline"), automation: "human", ..term("t2") },
                // Counted once, by what stands now.
                revised.clone(),
                Loan { revision: 2, outcome: Some("approve"), amount_minor: 7, ..revised },
                Loan { intent: "score_only", outcome: None, ..of("portfolio") },
                Loan { received_ms: NOON_MS - 60 * DAY_MS, ..of("before") },
            ])
            .await;
        let token = token("kpis", "Reviewer");
        let kpis = stand.get(&token, &format!("/v1/kpis?{PERIOD}")).await.good();
        let total = &kpis["total"];
        assert_eq!((&total["applications"], &total["decided"]), (&9.into(), &8.into()));
        assert_eq!(total["outcomes"], json!({"approve": 4, "decline": 2, "refer": 2}));
        assert_eq!((&total["approval_rate"], &total["referral_rate"]), (&0.5.into(), &0.25.into()));
        assert_eq!(total["decline_rate"], 0.25);
        // Of eight a person decided one, and two wait for a person.
        assert_eq!(total["automatic_share"], 0.625);
        assert_eq!(total["unscorable_share"], json!(1.0 / 9.0));
        assert_eq!(total["risky_share"], 0.125);

        assert_eq!(group(&kpis, "by_product", "product", "term_loan")["automatic_share"], 0.5);
        assert_eq!(group(&kpis, "by_product", "product", "credit_card")["applications"], 7);
        assert_eq!(group(&kpis, "by_band", "band", "E")["decline_rate"], 1.0);
        assert_eq!(
            kpis["by_band"][0],
            json!({"scale_id": null, "band": null, "applications": 1, "decided": 1,
            "outcomes": {"refer": 1}, "approval_rate": 0.0, "referral_rate": 1.0, "decline_rate": 0.0,
            "automatic_share": 0.0, "unscorable_share": 1.0, "risky_share": null}),
            "the unscorable have no band"
        );
        let days: Vec<_> = kpis["by_day"].as_array().unwrap().iter().map(|d| (&d["day"], &d["applications"])).collect();
        assert_eq!(days, [(&json!("2026-09-21"), &json!(8)), (&json!("2026-09-22"), &json!(1))]);

        let cards = group(&kpis, "scores", "scale_id", "credit_card.v1");
        assert_eq!((&cards["count"], &cards["median"], &cards["bin_points"]), (&6.into(), &612.into(), &20.into()));
        let bins = json!([{"low": 500, "count": 1}, {"low": 600, "count": 3}, {"low": 620, "count": 1}, {"low": 640, "count": 1}]);
        assert_eq!(cards["bins"], bins);
        let approved = json!([{"currency": "TWD", "count": 3, "amount_minor": 157}, {"currency": "USD", "count": 1, "amount_minor": 100_000}]);
        assert_eq!(kpis["approved"], approved);

        let cases = [
            ("product=term_loan", 2),
            ("model=sba_net", 2),
            ("policy=strict", 1),
            ("intent=score_only", 1),
            ("intent=decide", 9),
            ("channel=branch", 0),
            ("jurisdiction=TW-TPE", 9),
        ];
        for (query, applications) in cases {
            let kpis = stand.get(&token, &format!("/v1/kpis?{PERIOD}&{query}")).await.good();
            assert_eq!(kpis["total"]["applications"], applications, "{query}");
        }
        let nothing = stand.get(&token, "/v1/kpis?from=2020-01-01&to=2020-02-01").await.good();
        assert_eq!((&nothing["total"]["applications"], &nothing["total"]["approval_rate"]), (&0.into(), &Value::Null));
    });
}
