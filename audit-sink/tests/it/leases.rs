//! Who writes a shard, against a real PostgreSQL. Time is an argument.

use crate::stand::{client, database};
use runtime::pg::lease::{Candidate, Lease, PATIENCE, Standing};
use std::time::{Duration, Instant};
use tokio_postgres::Client;

async fn stand(candidate: &mut Candidate, client: &Client, now: Instant) -> Option<Lease> {
    match candidate.stand(client, now).await.unwrap() {
        Standing::Writes(lease) => Some(lease),
        Standing::Behind | Standing::Unsure => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_taken_from_one_who_stands_still_and_fences_him() {
    let url = database("leases").await;
    let (mut first_session, session) = (client(&url).await, client(&url).await);
    let start = Instant::now();
    let after = |seconds| start + Duration::from_secs(seconds);
    let [mut first, mut second] = ["a", "b"].map(|instance| Candidate::new("it.worker", 0, instance));
    let held = stand(&mut first, &first_session, start).await.unwrap();
    assert_eq!(second.stand(&session, start).await.unwrap(), Standing::Unsure, "one look says nothing");
    assert!(held.renew(&first_session).await.unwrap());
    assert_eq!(second.stand(&session, after(1)).await.unwrap(), Standing::Behind);

    // A long transaction is not taken over half-way; once it has not moved for long, nobody is sure of it.
    let tx = first_session.transaction().await.unwrap();
    assert!(held.renew(&tx).await.unwrap());
    assert_eq!(second.stand(&session, after(9)).await.unwrap(), Standing::Behind);
    assert_eq!(second.stand(&session, after(30)).await.unwrap(), Standing::Unsure);
    tx.commit().await.unwrap();
    assert_eq!(second.stand(&session, after(31)).await.unwrap(), Standing::Behind);

    // It stands still: another takes it, and whatever the first one had under way is rolled back.
    let taken = stand(&mut second, &session, after(31) + PATIENCE).await.unwrap();
    assert!(!held.renew(&first_session).await.unwrap());
    first.lost();
    assert_eq!(stand(&mut first, &first_session, after(42)).await, None);
    assert!(taken.renew(&session).await.unwrap());

    // A process that was killed is replaced under its own id at once; one that ended in order, by anybody.
    let mut again = Candidate::new("it.worker", 0, "b");
    let replaced = stand(&mut again, &session, after(43)).await.unwrap();
    assert!(!taken.renew(&session).await.unwrap());
    replaced.release(&session).await.unwrap();
    assert!(stand(&mut first, &first_session, after(44)).await.is_some());
    assert!(!replaced.renew(&session).await.unwrap());
    assert!(stand(&mut Candidate::new("it.worker", 1, "b"), &session, start).await.is_some(), "another shard is free");
}

/// A machine that lost its power kept its session, and what the session had locked, for two hours.
#[tokio::test(flavor = "multi_thread")]
async fn both_sides_of_a_session_look_for_the_other_within_seconds() {
    let url = database("keepalives").await;
    let client = client(&url).await;
    for (setting, expected) in [("idle", "10"), ("interval", "5"), ("count", "3")]
        .map(|(name, value)| (format!("tcp_keepalives_{name}"), value))
    {
        let row = client.query_one(&format!("SHOW {setting}"), &[]).await.unwrap();
        assert_eq!(row.get::<_, &str>(0), expected, "the server's {setting}");
    }
    let timeout = "SELECT setting FROM pg_settings WHERE name = 'tcp_user_timeout'"; // milliseconds, in every version
    assert_eq!(client.query_one(timeout, &[]).await.unwrap().get::<_, &str>(0), "30000");

    // Our own side, as the kernel has it: the timer of keepalives, in hundredths of a second. It runs once what was sent has been
    // acknowledged.
    let port = client.query_one("SELECT inet_client_port()", &[]).await.unwrap().get::<_, i32>(0);
    let local = format!(":{port:04X}");
    let started = Instant::now();
    loop {
        let sockets = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
        let mut sockets = sockets.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let socket = sockets.find(|fields| fields[1].ends_with(&local)).unwrap();
        let (kind, left) = socket[5].split_once(':').unwrap();
        let left = u64::from_str_radix(left, 16).unwrap();
        if kind == "02" && left <= 1_000 {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "timer {kind}, {left} hundredths of a second");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
