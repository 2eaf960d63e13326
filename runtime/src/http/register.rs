//! PURE but for its locks. Who is connected to a server, and who gives way when it is full: a connection that has no request in
//! hand, never one that has. Knows no socket.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;

/// How many connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Worker {
    /// In all.
    pub connections: usize,
    /// From one address.
    pub per_address: usize,
    /// The last of all, kept for addresses that have none: whoever asks how a process is finds a place.
    pub reserve: usize,
}

/// The open connections of a server.
pub(crate) struct Register {
    worker: Worker,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    next: u64,
    /// In the order of their coming.
    members: BTreeMap<u64, Arc<State>>,
    by_address: HashMap<IpAddr, usize>,
}

struct State {
    address: IpAddr,
    requests: AtomicUsize,
    leave: CancellationToken,
}

/// A connection's own entry. Dropping it gives its place back.
pub(crate) struct Entry {
    register: Arc<Register>,
    id: u64,
    state: Arc<State>,
}

/// While it lives the connection has a request in hand.
pub(crate) struct InHand(Arc<State>);

impl Register {
    pub(crate) fn new(worker: Worker) -> Arc<Self> {
        Arc::new(Self { worker, open: Mutex::default() })
    }

    /// Enters a connection from `address`, in another's place where there is no worker; none where nobody gives way.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Entry> {
        let address = network(address);
        let mut open = self.lock();
        let own = open.by_address.get(&address).copied().unwrap_or_default();
        let common = self.worker.connections.saturating_sub(if own == 0 { 0 } else { self.worker.reserve });
        if own >= self.worker.per_address {
            open.dismiss(address)?;
        } else if open.members.len() >= common {
            let most = open.by_address.iter().max_by_key(|(address, count)| (**count, **address));
            let most = most.map(|(address, _)| *address)?;
            open.dismiss(most)?;
        }
        let state = Arc::new(State { address, requests: AtomicUsize::new(0), leave: CancellationToken::new() });
        let id = open.next;
        open.next += 1;
        open.members.insert(id, state.clone());
        *open.by_address.entry(address).or_default() += 1;
        Some(Entry { register: self.clone(), id, state })
    }

    /// Connections that are open.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.lock().members.len()
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Tells the oldest connection of an address that has nothing in hand to leave; none where all have. It no longer counts.
    fn dismiss(&mut self, address: IpAddr) -> Option<()> {
        let may_leave = |state: &State| state.address == address && state.requests.load(Ordering::Relaxed) == 0;
        let id = *self.members.iter().find(|(_, state)| may_leave(state))?.0;
        let state = self.remove(id)?;
        state.leave.cancel();
        Some(())
    }

    fn remove(&mut self, id: u64) -> Option<Arc<State>> {
        let state = self.members.remove(&id)?;
        if let Some(count) = self.by_address.get_mut(&state.address) {
            *count -= 1;
            if *count == 0 {
                self.by_address.remove(&state.address);
            }
        }
        Some(state)
    }
}

impl Entry {
    /// Marks a request in hand.
    pub(crate) fn begin(&self) -> InHand {
        self.state.requests.fetch_add(1, Ordering::Relaxed);
        InHand(self.state.clone())
    }

    /// Ends once the connection is to make room for another.
    pub(crate) async fn dismissed(&self) {
        self.state.leave.cancelled().await;
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.register.lock().remove(self.id);
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        self.0.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whoever has one address of an IPv6 network of 64 bits has all of them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address => address,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn register() -> Arc<Register> {
        Register::new(Worker { connections: 6, per_address: 3, reserve: 2 })
    }

    fn v4(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    fn is_dismissed(entry: &Entry) -> bool {
        entry.state.leave.is_cancelled()
    }

    #[test]
    fn the_oldest_idle_connection_of_an_address_makes_worker_for_its_next() {
        let register = register();
        let enter = || register.enter(v4(1)).unwrap();
        let (first, second, third) = (enter(), enter(), enter());
        let in_hand = first.begin();
        let fourth = enter();
        assert_eq!([&first, &second, &third].map(is_dismissed), [false, true, false]);
        let (_two, _three) = (third.begin(), fourth.begin());
        assert!(register.enter(v4(1)).is_none(), "all have a request in hand");
        drop(in_hand);
        assert!(register.enter(v4(1)).is_some(), "the first has answered");
        assert!(is_dismissed(&first));
        drop((second, first));
        assert_eq!(register.len(), 2, "who was dismissed is not counted, and not given back twice");
    }

    #[test]
    fn the_last_places_are_for_addresses_that_have_none() {
        let register = register();
        let held: Vec<_> = [1, 1, 2, 2].map(|last| register.enter(v4(last)).unwrap()).into();
        let in_hand: Vec<_> = held.iter().map(Entry::begin).collect();
        assert!(register.enter(v4(1)).is_none(), "two places are a reserve");
        let (_five, _six) = (register.enter(v4(5)).unwrap(), register.enter(v4(6)).unwrap());
        assert!(register.enter(v4(7)).is_none(), "all are taken, and the greatest holders are at work");
        drop(in_hand);
        let _seven = register.enter(v4(7)).unwrap();
        assert_eq!(held.iter().filter(|entry| is_dismissed(entry)).count(), 1);
        assert_eq!(register.len(), 6);
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2::"));
        assert_ne!(of("2001:db8:1:3::"), of("2001:db8:1:2::"));
        assert_eq!(of("::ffff:10.0.0.1"), v4(1));
    }
}
