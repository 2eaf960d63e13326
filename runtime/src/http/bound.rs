//! Where the servers of a process listen, once they do: port 0 becomes the one that was taken.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::watch;

/// The addresses of a process's servers by their names. Clones share them.
#[derive(Debug, Clone)]
pub struct Bound(Arc<watch::Sender<BTreeMap<&'static str, SocketAddr>>>);

impl Default for Bound {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(BTreeMap::new())))
    }
}

impl Bound {
    /// A server listens.
    pub(super) fn tell(&self, server: &'static str, address: SocketAddr) {
        self.0.send_modify(|bound| {
            bound.insert(server, address);
        });
    }

    /// Waits until a server listens, and gives where; for ever where none of that name comes up.
    pub async fn of(&self, server: &str) -> SocketAddr {
        let mut bound = self.0.subscribe();
        loop {
            let found = bound.borrow_and_update().get(server).copied();
            match found {
                Some(address) => return address,
                // The sender is ours, so this ends only with a change.
                None => drop(bound.changed().await),
            }
        }
    }
}
