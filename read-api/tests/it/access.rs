//! Who gets in, and what they may see.

use crate::events::{Loan, SECRET};
use crate::stack::run;
use crate::stand::{KEYS, shared, token};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, Mac};
use hyper::Method;
use runtime::auth::{Realm, generate, mint};
use sha2::Sha256;

const WHO: (&str, &str, &[&str]) = ("ana", "doors", &["Officer"]);

/// A token whose header names another algorithm, signed as that one would.
fn confused(header: &str, secret: Option<&str>) -> String {
    let good = mint(&KEYS.0, &Realm::default(), WHO, 600).unwrap();
    let said = format!("{}.{}", BASE64.encode(header), good.split('.').nth(1).unwrap());
    let signature = secret.map(|secret| {
        let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        BASE64.encode(mac.chain_update(said.as_bytes()).finalize().into_bytes())
    });
    format!("{said}.{}", signature.unwrap_or_default())
}

#[test]
fn only_a_good_token_opens_the_door() {
    run(async {
        let stand = shared().await;
        let realm = Realm::default();
        let signed =
            |realm: &Realm, who, lifetime_s| format!("Bearer {}", mint(&KEYS.0, realm, who, lifetime_s).unwrap());
        let stranger = mint(&generate().unwrap().0, &realm, WHO, 600).unwrap();
        let other_audience = Realm { audience: "another".to_owned(), ..Realm::default() };
        let for_the_door = Realm { audience: runtime::auth::DOOR_AUDIENCE.to_owned(), ..Realm::default() };
        let other_issuer = Realm { issuer: "another".to_owned(), ..Realm::default() };
        let cases = [
            ("good", Some(signed(&realm, WHO, 600)), 200),
            ("scheme in small letters", Some(signed(&realm, WHO, 600).replace("Bearer", "bearer")), 200),
            ("scheme in capitals", Some(signed(&realm, WHO, 600).replace("Bearer", "BEARER")), 200),
            ("scheme in both", Some(signed(&realm, WHO, 600).replace("Bearer", "bEaReR")), 200),
            ("none", None, 401),
            ("empty", Some("Bearer ".to_owned()), 401),
            ("another scheme", Some(signed(&realm, WHO, 600).replace("Bearer", "Basic")), 401),
            ("another audience", Some(signed(&other_audience, WHO, 600)), 401),
            ("another issuer", Some(signed(&other_issuer, WHO, 600)), 401),
            ("expired", Some(signed(&realm, WHO, -60)), 401),
            ("another key", Some(format!("Bearer {stranger}")), 401),
            ("alg none", Some(format!("Bearer {}", confused(r#"{"alg":"none","typ":"JWT"}"#, None))), 401),
            (
                "HS256 keyed by the public key",
                Some(format!("Bearer {}", confused(r#"{"alg":"HS256"}"#, Some(&KEYS.1)))),
                401,
            ),
            ("no role", Some(signed(&realm, ("ana", "doors", &[]), 600)), 403),
            ("an auditor's", Some(signed(&realm, ("ana", "doors", &["Auditor"]), 600)), 200),
            ("for the door", Some(signed(&for_the_door, WHO, 600)), 401),
            ("for longer than it may", Some(signed(&realm, WHO, 721 * 60)), 401),
            ("a role of somebody else's", Some(signed(&realm, ("ana", "doors", &["admin"]), 600)), 403),
        ];
        for (name, authorization, status) in cases {
            let answer = stand.ask(Method::GET, "/v1/applications", authorization.as_deref(), "").await;
            assert_eq!(answer.status, status, "{name}");
            if status == 401 {
                assert_eq!(answer.problem(), "unauthorized", "{name}");
                assert_eq!(answer.headers["www-authenticate"], "Bearer", "{name}");
                assert!(answer.body.get("detail").is_none(), "{name}: a stranger learns nothing");
            }
        }
        let good = signed(&realm, WHO, 600);
        for twice in [[good.as_str(), good.as_str()], ["Basic eDp5", good.as_str()]] {
            let answer = stand.ask_with(Method::GET, "/v1/applications", &twice, "").await;
            assert_eq!((answer.status, answer.problem()), (401, "unauthorized"), "two Authorization headers");
        }
        for status in ["401", "403"] {
            let labels = [("route", "/v1/applications"), ("status", status)];
            assert!(stand.counted(read_api::metrics::REQUESTS_TOTAL, &labels) >= 2.0, "{status} is counted");
        }
    });
}

#[test]
fn another_tenants_applications_do_not_exist() {
    run(async {
        let stand = shared().await;
        let mine = Loan { amount_minor: 1, ..Loan::new("iso-a", "L-1") };
        let theirs = Loan { amount_minor: 2, ..Loan::new("iso-b", "L-1") };
        stand.tell(&[mine, theirs, Loan::new("iso-a", "only-a")]).await;
        let (a, b) = (token("iso-a", "Admin"), token("iso-b", "Admin"));

        for path in ["/v1/applications/{}", "/v1/applications/{}/identities"] {
            let hidden = stand.get(&b, &path.replace("{}", "only-a")).await;
            let absent = stand.get(&b, &path.replace("{}", "nobody-has-this")).await;
            assert_eq!((hidden.status, hidden.problem()), (404, "not_found"), "{path}");
            assert_eq!(hidden.body, absent.body, "{path}: hidden and absent look the same");
            assert_eq!(stand.get(&a, &path.replace("{}", "only-a")).await.status, 200, "{path}");
        }
        for (token, tenant, amount) in [(&a, "iso-a", 1), (&b, "iso-b", 2)] {
            let detail = stand.get(token, "/v1/applications/L-1").await.good();
            assert_eq!(detail["application"]["amount_minor"], amount);
            let list = stand.get(token, "/v1/applications").await.good();
            assert!(list["items"].as_array().unwrap().iter().all(|item| item["tenant"] == tenant), "{list}");
            let kpis = stand.get(token, "/v1/kpis?from=2026-09-01&to=2026-10-01").await.good();
            assert_eq!(kpis["total"]["applications"], if tenant == "iso-a" { 2 } else { 1 });
        }
        for path in
            ["/v1/applications", "/v1/applications/L-1", "/v1/applications/L-1/identities", "/v1/kpis", "/v1/stream"]
        {
            let asked = format!("{path}?tenant=iso-a");
            assert_eq!(stand.get(&b, &asked).await.problem(), "forbidden", "{path}");
            assert_eq!(stand.get(&a, &asked).await.status, 200, "{path}");
            let every = token("*", "Admin");
            assert_eq!(stand.get(&every, path).await.problem(), "bad_request", "{path}: one must be chosen");
            assert_eq!(stand.get(&every, &asked).await.status, 200, "{path}");
        }
    });
}

#[test]
fn who_applied_is_for_officers_and_admins() {
    run(async {
        let stand = shared().await;
        let loan = Loan::new("people", "L-1");
        stand.tell(std::slice::from_ref(&loan)).await;
        // The same revision sent again with another body: refused, but stripped and stored before that.
        let conflicting = [loan.identity(&"f".repeat(64), "Somebody Else"), loan.replied("conflict")];
        stand.writer.lock().await.write(&conflicting).await;

        let path = "/v1/applications/L-1/identities";
        for (role, status) in [("Admin", 200), ("Officer", 200), ("Reviewer", 403), ("Auditor", 403)] {
            let answer = stand.get(&token("people", role), path).await;
            assert_eq!(answer.status, status, "{role}");
            if status == 200 {
                assert_eq!(
                    answer.body["applicants"][0]["identity"]["full_name"], SECRET,
                    "the accepted body's, {role}"
                );
                assert_eq!(answer.body["applicants"].as_array().unwrap().len(), 1);
                assert!(stand.counted(read_api::metrics::IDENTITY_READS_TOTAL, &[("role", role)]) >= 1.0);
            }
            for other in ["/v1/applications", "/v1/applications/L-1", "/v1/kpis", "/v1/stream"] {
                let body = stand.get(&token("people", role), other).await.good().to_string();
                assert!(!body.contains(SECRET) && !body.contains("c-1"), "{role} reads {other}");
            }
        }
        let client = crate::stack::client(stand.service.database.as_ref().unwrap()).await;
        assert!(audit_sink::identity::erase(&client, "people", "L-1").await.unwrap() >= 1);
        assert_eq!(stand.get(&token("people", "Officer"), path).await.problem(), "not_found", "erased is gone");
        assert_eq!(stand.get(&token("people", "Officer"), "/v1/applications/L-1").await.status, 200);
    });
}

#[test]
fn a_reviewer_sees_what_the_contracts_call_plain() {
    run(async {
        let mut classes = domain::FieldClasses::default();
        classes.used(domain::Free::Attribute, "limit_bal");
        classes.feature("m-classes", "1.0.0", "age_of_file", domain::FieldClass::Restricted);
        let database = crate::stack::database("classes").await;
        let stand = crate::stand::Stand::new(database, |config| config.classes = classes).await;
        let loan = Loan { model: "m-classes", ..Loan::new("classes", "L-1") };
        let mut records = loan.records();
        let accepted = records.iter_mut().find(|record| record.topic == "credit.applications.v1").unwrap();
        let mut body: serde_json::Value = serde_json::from_slice(accepted.payload.as_deref().unwrap()).unwrap();
        body["attributes"]["Anna Svensson"] = 1.into();
        accepted.payload = Some(body.to_string().into_bytes());
        stand.writer.lock().await.write(&records).await;
        for (role, withheld) in [("Reviewer", 2), ("Officer", 0), ("Admin", 0)] {
            let detail = stand.get(&token("classes", role), "/v1/applications/L-1").await.good();
            let features = detail["scores"][0]["features"].as_array().unwrap().len();
            assert_eq!(
                (detail["withheld"].as_u64(), features),
                (Some(withheld), if withheld > 0 { 1 } else { 2 }),
                "{role}"
            );
            assert_eq!(detail["request"]["attributes"]["limit_bal"], 20000, "{role}");
            assert_eq!(detail.to_string().contains("Anna"), withheld == 0, "{role}");
        }
    });
}
