//! `token`: mints one, calls one back, or writes the set of keys that tokens are checked with.

use crate::cli::token::Server;
use crate::cli::{PlaceArgs, TokenArgs, TokenCommand};
use crate::place::{Keys, Needs, settle};
use crate::settings::Settings;
use anyhow::{Context, Result, bail};
use chrono::DateTime;
use runtime::auth::revocations::{key_of_subject, key_of_token};
use runtime::auth::{self, LONGEST_NAME, Realm, keys};
use runtime::clock;
use runtime::kafka::KafkaConfig;
use runtime::stream::{Output, Route, Transactions};
use schemas::event_id::event_id;
use schemas::token::{REVOKED, Revoked};
use schemas::{Envelope, Topic};
use std::path::Path;

const SOURCE: &str = "/defaultx/token";
/// Milliseconds that any call to the broker may take.
const TIMEOUT_MS: u64 = 10_000;

/// Runs it.
pub async fn run(settings: Settings, place: &PlaceArgs, args: TokenArgs) -> Result<i32> {
    match args.command {
        None => println!("{}", minted(&settings, place, &args)?),
        Some(TokenCommand::Jwks { keys }) => {
            let pems: Vec<String> = keys.iter().map(|path| read(path)).collect::<Result<_>>()?;
            println!("{}", keys::jwks(&pems).context("public keys, as `openssl pkey -pubout` writes them")?);
        }
        Some(TokenCommand::Revoke { jti, subject, not_before, by, why }) => {
            let revoked = revocation((jti, subject, not_before), (by, why), clock::rfc3339(clock::now()))?;
            let what = revoke(settings, place, revoked).await?;
            println!("{what}");
        }
    }
    Ok(0)
}

fn minted(settings: &Settings, place: &PlaceArgs, args: &TokenArgs) -> Result<String> {
    let (realm, max_minutes, knob) = realm(settings, args.server);
    if !(1..=max_minutes).contains(&args.minutes) {
        bail!("--minutes {}: must be 1 to {max_minutes}, which is what {knob} lets the server take", args.minutes);
    }
    if args.server == Server::Door && args.tenant == auth::EVERY_TENANT {
        bail!("--tenant *: the token of a sender names its tenant");
    }
    for (flag, name) in [("--subject", &args.subject), ("--tenant", &args.tenant)] {
        if name.is_empty() || name.len() > LONGEST_NAME || name.chars().any(char::is_control) {
            bail!("{flag}: must be 1 to {LONGEST_NAME} bytes without control characters");
        }
    }
    let private = match &args.key {
        Some(path) => read(path)?,
        None => Keys::of(&place.stack)?.token_private,
    };
    let roles: Vec<&str> = args.roles.iter().map(String::as_str).collect();
    Ok(auth::mint(&private, &realm, (&args.subject, &args.tenant, &roles), i64::from(args.minutes) * 60)?)
}

/// Whom a server's tokens are by and for, how many minutes they may be good, and the knob that says so.
pub fn realm(settings: &Settings, server: Server) -> (Realm, u32, &'static str) {
    let (api, door) = (&settings.read_api, &settings.ingest);
    match server {
        Server::ReadApi => {
            let realm = Realm { issuer: api.token_issuer.clone(), audience: api.token_audience.clone() };
            (realm, api.token_max_minutes, "[read-api] token_max_minutes")
        }
        Server::Door => {
            let realm = Realm { issuer: door.door_token_issuer.clone(), audience: door.door_token_audience.clone() };
            (realm, door.door_token_max_minutes, "[ingest] door_token_max_minutes")
        }
    }
}

fn revocation(
    (token_id, subject, not_before): (Option<String>, Option<String>, Option<String>),
    (revoked_by, why): (String, Option<String>),
    revoked_at: String,
) -> Result<Revoked> {
    let fits = |text: &String, most: usize| (1..=most).contains(&text.len()) && !text.chars().any(char::is_control);
    let rules = [
        ("--jti", token_id.as_ref(), LONGEST_NAME),
        ("--subject", subject.as_ref(), LONGEST_NAME),
        ("--by", Some(&revoked_by), 256),
        ("--why", why.as_ref(), 1024),
    ];
    for (flag, text, most) in rules {
        if text.is_some_and(|text| !fits(text, most)) {
            bail!("{flag}: must be 1 to {most} bytes without control characters");
        }
    }
    let not_before = match (not_before, &subject) {
        (Some(text), _) => {
            let at = DateTime::parse_from_rfc3339(&text);
            let at = at.with_context(|| format!("--not-before {text}: expected RFC 3339, such as {revoked_at}"))?;
            Some(clock::rfc3339(at.to_utc()))
        }
        (None, Some(_)) => Some(revoked_at.clone()),
        (None, None) => None,
    };
    Ok(Revoked { token_id, subject, not_before, revoked_by, revoked_at, why })
}

async fn revoke(mut settings: Settings, place: &PlaceArgs, revoked: Revoked) -> Result<String> {
    settle(&mut settings, &place.stack, Needs::KAFKA)?;
    let record = record(&settings.kafka, &revoked);
    let kafka = settings.kafka;
    let write = move || Transactions::connect(&kafka, "token", TIMEOUT_MS)?.write([(None, &record)]);
    tokio::task::spawn_blocking(write).await??;
    Ok(match (&revoked.token_id, &revoked.subject, &revoked.not_before) {
        (Some(id), ..) => format!("token {id} is revoked"),
        (None, Some(subject), Some(at)) => format!("tokens of {subject} made before {at} are revoked"),
        _ => bail!("name a token by --jti or a subject by --subject"),
    })
}

fn record(kafka: &KafkaConfig, revoked: &Revoked) -> Output {
    let key = match (&revoked.token_id, &revoked.subject) {
        (Some(id), _) => key_of_token(id),
        (None, subject) => key_of_subject(subject.as_deref().unwrap_or_default()),
    };
    let envelope = Envelope {
        id: event_id(REVOKED, &key, &revoked.revoked_by, 0, &revoked.revoked_at).to_string(),
        source: SOURCE.to_owned(),
        event_type: REVOKED.to_owned(),
        time: Some(revoked.revoked_at.clone()),
        ..Envelope::default()
    };
    Output {
        topic: kafka.topic(Topic::Revocations.base_name()),
        route: Route::ByKey,
        key: Some(key.into_bytes()),
        payload: Some(serde_json::to_vec(revoked).expect("strings are JSON")),
        headers: envelope.to_headers(),
    }
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser as _;

    fn asked(words: &[&str]) -> Result<String, String> {
        let dir = tempfile::tempdir().unwrap();
        let stack = dir.path().to_str().unwrap();
        let first = ["defaultx", "--stack", stack, "token"];
        let cli = Cli::try_parse_from(first.iter().chain(words)).map_err(|error| error.to_string())?;
        let Command::Token(args) = cli.command else { panic!("another command") };
        minted(&Settings::default(), &cli.place, &args).map_err(|error| error.to_string())
    }

    #[test]
    fn only_tokens_that_a_server_takes_are_minted() {
        let rows: [(&[&str], &str); 9] = [
            (&["--role", "Auditor"], ""),
            (&["--minutes", "720"], ""),
            (&["--for", "door", "--role", "Originator", "--tenant", "bank"], ""),
            (&["--minutes", "721"], "1 to 720"),
            (&["--minutes", "99999999"], "1 to 720"),
            (&["--minutes", "0"], "1 to 720"),
            (&["--role", "Boss"], "Auditor"),
            (&["--for", "door", "--tenant", "*"], "names its tenant"),
            (&["--subject", "a\nb"], "--subject"),
        ];
        for (words, wanted) in rows {
            match asked(words) {
                Ok(_) => assert_eq!(wanted, "", "{words:?}"),
                Err(error) => assert!(!wanted.is_empty() && error.contains(wanted), "{words:?}: {error}"),
            }
        }
    }

    #[test]
    fn a_revocation_is_what_its_schema_says_and_what_servers_read() {
        let now = || "2026-11-29T09:15:00.000Z".to_owned();
        let by = || ("operations".to_owned(), None);
        let schema = schemas::catalogue::validator(REVOKED).unwrap();
        for who in [
            (Some("t-1"), None, None),
            (None, Some("ana"), None),
            (None, Some("ana"), Some("2026-01-01T01:00:00+01:00")),
        ] {
            let (id, subject, at) = who;
            let owned = |text: Option<&str>| text.map(str::to_owned);
            let revoked = revocation((owned(id), owned(subject), owned(at)), by(), now()).unwrap();
            let body = serde_json::to_value(&revoked).unwrap();
            assert!(schema.is_valid(&body), "{body}");
        }
        assert!(revocation((None, Some("ana".to_owned()), Some("noon".to_owned())), by(), now()).is_err());
        assert!(revocation((Some(String::new()), None, None), by(), now()).is_err());
    }
}
