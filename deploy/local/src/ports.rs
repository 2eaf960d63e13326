//! Free loopback ports. Never from the kernel's own range of outgoing ports while there is another choice: a client that
//! keeps dialling a broker which is down could be given that very port, connect to itself, and keep the broker out.

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// First port worth trying: below it are the well-known services.
const LOWEST: u16 = 20_000;
/// Where Linux starts handing out outgoing ports unless told otherwise.
const USUAL_EPHEMERAL_START: u16 = 32_768;
/// Candidates tried before the kernel is asked instead.
const CANDIDATES: usize = 64;

/// A port that nobody listened on a moment ago. Somebody may take it before the caller does: callers must be ready to
/// come back for another.
pub fn free() -> io::Result<u16> {
    let end = ephemeral_start();
    (0..CANDIDATES).filter_map(|_| pick(LOWEST, end, random())).find(|&port| is_free(port)).map_or_else(from_kernel, Ok)
}

/// True if the port can be bound right now.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// A port from `start` on and below `end`, if there is any.
fn pick(start: u16, end: u16, random: u64) -> Option<u16> {
    let width = u64::from(end.saturating_sub(start));
    let step = u16::try_from(random.checked_rem(width)?).ok()?;
    start.checked_add(step)
}

fn from_kernel() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn ephemeral_start() -> u16 {
    fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|range| range.split_whitespace().next()?.parse().ok())
        .unwrap_or(USUAL_EPHEMERAL_START)
}

/// Good enough to spread processes over ports; not for secrets.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn picks_stay_inside_the_range() {
        for (start, end, random, expected) in
            [(10, 20, 0, Some(10)), (10, 20, 9, Some(19)), (10, 20, 10, Some(10)), (10, 10, 3, None), (20, 10, 3, None)]
        {
            assert_eq!(pick(start, end, random), expected, "{start}..{end} {random}");
        }
    }

    #[test]
    fn a_bound_port_is_not_free() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, free().unwrap())).unwrap();
        assert!(!is_free(taken.local_addr().unwrap().port()));
    }
}
