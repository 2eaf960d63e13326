//! Every forged, worn or misdirected token that we know of, each against a server with one key and one with a set of them.

use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ed25519_dalek::Signer as _;
use serde_json::{Value, json};

const WHO: (&str, &str, &[&str]) = ("ana", "bank-a", &["Officer"]);

/// Signs whatever header and claims, as texts.
fn signed(private_pem: &str, header: &str, claims: &str) -> String {
    let said = format!("{}.{}", BASE64.encode(header), BASE64.encode(claims));
    let key = SigningKey::from_pkcs8_pem(private_pem).expect("a key");
    let signature = BASE64.encode(key.sign(said.as_bytes()).to_bytes());
    format!("{said}.{signature}")
}

/// The claims of a good token, changed.
fn claims(change: impl FnOnce(&mut Value)) -> String {
    let now = clock::now().timestamp();
    let mut claims = json!({"sub": "ana", "iss": "defaultx", "aud": READ_AUDIENCE, "exp": now + 600, "nbf": now, "iat": now,
        "jti": "t-1", "roles": ["Officer"], "tenant": "bank-a"});
    change(&mut claims);
    claims.to_string()
}

/// One row: its name, the token, whether it opens.
type Row = (String, String, bool);

fn rows(private: &str, public: &str, stranger: &str) -> Vec<Row> {
    let kid = keys::thumbprint(public).expect("a key");
    let head = |more: &str| format!(r#"{{"alg":"EdDSA","kid":"{kid}"{more}}}"#);
    let good = signed(private, &head(r#","typ":"JWT""#), &claims(|_| ()));
    let parts: Vec<&str> = good.split('.').collect();
    let now = clock::now().timestamp();
    let mut rows: Vec<Row> = Vec::new();
    let mut row = |name: &str, token: String, opens: bool| rows.push((name.to_owned(), token, opens));

    row("good", good.clone(), true);
    row("without typ", signed(private, &head(""), &claims(|_| ())), true);
    row("an access token of RFC 9068", signed(private, &head(r#","typ":"at+jwt""#), &claims(|_| ())), true);
    row("typ with its tree", signed(private, &head(r#","typ":"application/at+JWT""#), &claims(|_| ())), true);
    row("minted", mint(private, &Realm::default(), WHO, 60).expect("a key"), true);
    row("expired within the leeway", mint(private, &Realm::default(), WHO, -2).expect("a key"), true);
    row("of exactly the longest life", signed(private, &head(""), &claims(|c| c["exp"] = json!(now + 720 * 60))), true);

    // Algorithms and headers (RFC 8725, 3.1, 3.2, 3.10, 3.11).
    for (name, header) in [
        ("alg none", r#"{"alg":"none","typ":"JWT"}"#.to_owned()),
        ("alg None", r#"{"alg":"None"}"#.to_owned()),
        ("alg nOnE", r#"{"alg":"nOnE"}"#.to_owned()),
        ("alg empty", r#"{"alg":""}"#.to_owned()),
        ("no alg", "{}".to_owned()),
        ("alg null", r#"{"alg":null}"#.to_owned()),
        ("alg as a list", r#"{"alg":["EdDSA"]}"#.to_owned()),
        ("HS256", head("").replace("EdDSA", "HS256")),
        ("RS256", head("").replace("EdDSA", "RS256")),
        ("ES256", head("").replace("EdDSA", "ES256")),
        ("alg in small letters", head("").replace("EdDSA", "eddsa")),
        ("alg twice, the good one first", head(r#","alg":"none""#)),
        ("alg twice, the good one last", format!(r#"{{"alg":"none","alg":"EdDSA","kid":"{kid}"}}"#)),
        ("crit unknown", head(r#","crit":["exp2"],"exp2":1"#)),
        ("crit empty", head(r#","crit":[]"#)),
        ("crit b64", head(r#","crit":["b64"],"b64":false"#)),
        ("b64 without crit", head(r#","b64":false"#)),
        ("zip", head(r#","zip":"DEF""#)),
        ("typ of another kind", head(r#","typ":"secevent+jwt""#)),
        ("typ JOSE", head(r#","typ":"JOSE""#)),
        ("typ as a number", head(r#","typ":7"#)),
        ("no JSON", "EdDSA".to_owned()),
        ("kid twice", head(r#","kid":"other""#)),
        ("kid as a number", r#"{"alg":"EdDSA","kid":7}"#.to_owned()),
    ] {
        row(name, signed(private, &header, &claims(|_| ())), false);
        row(&format!("{name}, unsigned"), format!("{}.{}.", BASE64.encode(&header), parts[1]), false);
    }
    // Keys that a token brings along are nobody's.
    let own = BASE64.encode(SigningKey::from_pkcs8_pem(stranger).expect("a key").verifying_key().as_bytes());
    let brought = format!(r#","jwk":{{"kty":"OKP","crv":"Ed25519","x":"{own}"}}"#);
    row("signed by the key that it brings", signed(stranger, &head(&brought), &claims(|_| ())), false);
    row(
        "a place to fetch a key from",
        signed(stranger, &head(r#","jku":"http://127.0.0.1/jwks""#), &claims(|_| ())),
        false,
    );
    row(
        "certificates of its own",
        signed(stranger, &head(r#","x5u":"http://127.0.0.1/c","x5c":["AA"]"#), &claims(|_| ())),
        false,
    );
    row("another key under this one's name", signed(stranger, &head(""), &claims(|_| ())), false);
    row("another key under its own name", mint(stranger, &Realm::default(), WHO, 60).expect("a key"), false);
    let path = signed(stranger, r#"{"alg":"EdDSA","kid":"../../../dev/null"}"#, &claims(|_| ()));
    row("kid as a path", path, false);
    row("kid as SQL", signed(stranger, r#"{"alg":"EdDSA","kid":"x' OR '1'='1"}"#, &claims(|_| ())), false);

    // The signature covers what was said.
    let altered = claims(|c| c["roles"] = json!(["Admin"]));
    row("altered claims", format!("{}.{}.{}", parts[0], BASE64.encode(altered), parts[2]), false);
    row("altered header", format!("{}.{}.{}", BASE64.encode(head(r#","typ":"at+jwt""#)), parts[1], parts[2]), false);
    row("no signature", format!("{}.{}.", parts[0], parts[1]), false);
    row("two parts", format!("{}.{}", parts[0], parts[1]), false);
    row("four parts", format!("{good}.{}", parts[2]), false);
    row("a signature of zeros", format!("{}.{}.{}", parts[0], parts[1], BASE64.encode([0; 64])), false);
    row("half a signature", format!("{}.{}.{}", parts[0], parts[1], &parts[2][..40]), false);
    row("base64 with padding", format!("{}=.{}.{}", parts[0], parts[1], parts[2]), false);
    row("a space within", good.replacen('.', " .", 1), false);
    row("nothing", String::new(), false);
    row("dots", "..".to_owned(), false);
    row("nonsense", "a.b.c".to_owned(), false);
    row("too long", signed(private, &head(""), &claims(|c| c["more"] = json!("x".repeat(9000)))), false);
    row("encrypted (five parts)", "a.b.c.d.e".to_owned(), false);
    row("JSON serialisation", format!(r#"{{"payload":"{}"}}"#, parts[1]), false);

    // Claims.
    for claim in ["sub", "iss", "aud", "exp", "nbf", "iat", "jti", "roles", "tenant"] {
        let without = claims(|c| drop(c.as_object_mut().map(|c| c.remove(claim))));
        row(&format!("without {claim}"), signed(private, &head(""), &without), false);
        row(&format!("{claim} is null"), signed(private, &head(""), &claims(|c| c[claim] = Value::Null)), false);
    }
    let others: [(&str, &str, Value); 28] = [
        ("for the door", "aud", json!(DOOR_AUDIENCE)),
        ("for two", "aud", json!([READ_AUDIENCE, DOOR_AUDIENCE])),
        ("for one like us", "aud", json!("DEFAULTX-API")),
        ("for nobody", "aud", json!("")),
        ("by another issuer", "iss", json!("elsewhere")),
        ("by an issuer like ours", "iss", json!("defaultx/")),
        ("expired", "exp", json!(now - 30)),
        ("expired long ago", "exp", json!(-1)),
        ("a second longer than it may", "exp", json!(now + 720 * 60 + 1)),
        ("for ever", "exp", json!(i64::MAX)),
        ("for ever and a day", "exp", json!(u64::MAX)),
        ("for ever, as a fraction", "exp", json!(1e300)),
        ("exp as text", "exp", json!("9999999999")),
        ("exp as a fraction", "exp", json!(now as f64 + 600.5)),
        ("not yet good", "nbf", json!(now + 60)),
        ("made in the future", "iat", json!(now + 60)),
        ("made in the far future", "iat", json!(i64::MAX)),
        ("made long before", "iat", json!(i64::MIN)),
        ("nobody", "sub", json!("")),
        ("a line break in its subject", "sub", json!("ana\nINFO forged")),
        ("an endless subject", "sub", json!("x".repeat(129))),
        ("no id", "jti", json!("")),
        ("a number as id", "jti", json!(7)),
        ("an endless id", "jti", json!("x".repeat(129))),
        ("a role as a text", "roles", json!("Admin")),
        ("too many roles", "roles", json!(vec!["Officer"; 17])),
        ("no tenant", "tenant", json!("")),
        ("two tenants", "tenant", json!(["bank-a", "bank-b"])),
    ];
    for (name, claim, value) in others {
        row(name, signed(private, &head(""), &claims(|c| c[claim] = value)), false);
    }
    let twice = claims(|_| ()).replacen('{', r#"{"tenant":"*","#, 1);
    row("a tenant twice", signed(private, &head(""), &twice), false);
    row("claims that are no object", signed(private, &head(""), "[]"), false);
    row("claims that are a token", signed(private, &head(r#","cty":"JWT""#), &good), false);
    rows
}

#[test]
fn only_a_good_token_opens() {
    let (private, public) = generate().expect("a key");
    let (stranger, other) = generate().expect("a key");
    let set = keys::jwks(&[generate().expect("a key").1, public.clone()]).expect("keys");
    let both = keys::jwks(&[public.clone(), other]).expect("keys");
    let rows = rows(&private, &public, &stranger);
    assert!(rows.iter().filter(|(.., opens)| !opens).count() > 100);
    for key in [&public, &set] {
        let verifier = Verifier::new(key, &Realm::default(), 720).expect("keys");
        for (name, token, opens) in &rows {
            let verified = verifier.verify(token);
            assert_eq!(verified.is_ok(), *opens, "{name}: {verified:?}");
        }
    }
    let rotating = Verifier::new(&both, &Realm::default(), 720).expect("keys");
    let by_another = mint(&stranger, &Realm::default(), WHO, 60).expect("a key");
    assert!(rotating.verify(&by_another).is_ok(), "both keys are good while they overlap");
    assert!(rotating.verify(&signed(&stranger, r#"{"alg":"EdDSA"}"#, &claims(|_| ()))).is_err(), "which of them?");
}

#[test]
fn one_key_without_a_name_checks_tokens_of_any_kid() {
    let (private, public) = generate().expect("a key");
    let verifier = Verifier::new(&public, &Realm::default(), 720).expect("a key");
    for header in [r#"{"alg":"EdDSA"}"#, r#"{"alg":"EdDSA","kid":"2026-11"}"#] {
        assert!(verifier.verify(&signed(&private, header, &claims(|_| ()))).is_ok(), "{header}");
    }
}

#[test]
fn a_server_without_an_issuer_takes_any_and_one_with_a_shorter_cap_takes_less() {
    let (private, public) = generate().expect("a key");
    let elsewhere = Realm { issuer: "https://idp.example".to_owned(), ..Realm::default() };
    let token = mint(&private, &elsewhere, WHO, 600).expect("a key");
    let any = Realm { issuer: String::new(), ..Realm::default() };
    let opens = |realm: &Realm, minutes| Verifier::new(&public, realm, minutes).expect("a key").verify(&token).is_ok();
    assert!(opens(&any, 10) && opens(&elsewhere, 10));
    assert!(!opens(&any, 9) && !opens(&Realm::default(), 10));
}

#[test]
fn claims_say_what_they_open() {
    let (private, public) = generate().expect("a key");
    assert_eq!(public_of(&private).expect("a key"), public);
    let token = mint(&private, &Realm::default(), WHO, 60).expect("a key");
    let claims = Verifier::new(&public, &Realm::default(), 60).expect("a key").verify(&token).expect("good");
    assert!(claims.has_role("Officer") && !claims.has_role("Admin"));
    assert!(claims.opens("bank-a") && !claims.opens("bank-b"));
    assert_eq!(claims.jti.len(), 32);
}
