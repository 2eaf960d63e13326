//! A name that is public when it is looked at and private when it is connected to (DNS rebinding).

use crate::receiver::{Answer, Receiver};
use crate::stand::{endpoint, subscription};
use notifier::Config;
use notifier::address::PublicOnly;
use notifier::deliver::{Attempt, Cause};
use notifier::webhook::Poster;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Answers with a public address once, and with the receiver's own from then on.
#[derive(Default)]
struct Rebinding {
    asked: AtomicUsize,
}

impl Resolve for Rebinding {
    fn resolve(&self, _: Name) -> Resolving {
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        let address: SocketAddr = if asked == 0 { ([1, 1, 1, 1], 0).into() } else { ([127, 0, 0, 1], 0).into() };
        Box::pin(async move { Ok(Box::new(std::iter::once(address)) as Addrs) })
    }
}

fn poster(resolver: &Arc<Rebinding>, allow_private_addresses: bool) -> Poster {
    Poster::resolving(&Config { allow_private_addresses, ..Config::default() }, resolver.clone()).unwrap()
}

#[tokio::test]
async fn a_name_that_turns_private_behind_the_check_reaches_nobody() {
    let receiver = Receiver::start(|_| Answer::Status(200)).await;
    // Plain HTTP, so that the receiver would hear whatever arrives.
    let target = endpoint(&subscription("los", &format!("http://rebound.example:{}/hook", receiver.port)));
    let at = chrono::DateTime::UNIX_EPOCH;

    let resolver = Arc::new(Rebinding::default());
    let looked_at = PublicOnly { resolver: resolver.clone(), allow_private: false };
    let shown: Vec<SocketAddr> = looked_at.resolve("rebound.example".parse().unwrap()).await.unwrap().collect();
    assert_eq!(shown, [([1, 1, 1, 1], 0).into()], "whoever only looks is shown a public address");
    let attempt = poster(&resolver, false).post(&target, uuid::Uuid::nil(), None, "{}".to_owned(), at).await;
    assert_eq!(attempt, Attempt::Unanswered(Cause::AddressForbidden));
    assert_eq!(resolver.asked.load(Ordering::SeqCst), 2, "what is connected to was resolved and checked in one step");
    assert!(receiver.seen().is_empty());

    let attempt = poster(&resolver, true).post(&target, uuid::Uuid::nil(), None, "{}".to_owned(), at).await;
    assert_eq!(attempt, Attempt::Answered { status: 200, retry_after: None }, "the trap is a real one");
    assert_eq!(receiver.seen().len(), 1);
}
