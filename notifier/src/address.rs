//! Where a webhook may go. The filter stands between resolving a name and connecting, so a name that resolves otherwise the
//! second time finds no gap; addresses written out in a URL never reach a resolver and are checked when the URL is.

use ipnet::IpNet;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

/// Networks that are not the public internet (IANA's special-purpose registries), and broadcast and multicast.
const FORBIDDEN: &[&str] = &[
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "192.175.48.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
    "2001::/23",
    "2001:db8::/32",
    "2620:4f:8000::/48",
    "3fff::/20",
];
/// Of IPv6 only this is given out; all else is special.
const GLOBAL_V6: &str = "2000::/3";

/// Every address of a name is forbidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("every address of the name is private or special")]
pub struct Forbidden;

/// Whether an address belongs to the public internet.
pub fn is_public(address: IpAddr) -> bool {
    let address = match address {
        IpAddr::V6(v6) => embedded(v6).map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    };
    let within = |net: &str| net.parse::<IpNet>().is_ok_and(|net| net.contains(&address));
    let global = address.is_ipv4() || within(GLOBAL_V6);
    global && !FORBIDDEN.iter().any(|net| within(net))
}

/// The IPv4 address that an IPv6 address stands for: mapped, NAT64, 6to4.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let join = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match (a, b) {
        (0, 0) if [c, d, e] == [0; 3] && f == 0xffff => Some(join(g, h)),
        (0x64, 0xff9b) if [c, d, e, f] == [0; 4] => Some(join(g, h)),
        (0x2002, _) => Some(join(b, c)),
        _ => None,
    }
}

/// Parses a receiver's URL.
///
/// # Errors
/// Why it may not be one, in words that hold nothing of it.
pub fn endpoint(text: &str, allow_private: bool) -> Result<Url, String> {
    if !text.contains("://") {
        return Err("has a url without a scheme: write https://HOST/PATH".to_owned());
    }
    let url = Url::parse(text).map_err(|error| format!("has a url that does not parse: {error}"))?;
    match url.scheme() {
        "https" => {}
        "http" if allow_private => {}
        "http" => {
            return Err(
                "has a url with http: use https, or set [notifier] allow_private_addresses = true, which takes \
                        http and inside addresses, for one machine or a network that is trusted as a whole"
                    .to_owned(),
            );
        }
        _ => return Err("must have an https url, https://HOST/PATH".to_owned()),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("has a url with a user or password".to_owned());
    }
    let host = url.host_str().unwrap_or_default();
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    if literal.is_ok_and(|address| !allow_private && !is_public(address)) {
        return Err("has a url with a private or special address: [notifier] allow_private_addresses = true takes it"
            .to_owned());
    }
    Ok(url)
}

/// Resolves by the system.
#[derive(Debug, Clone, Copy)]
pub struct System;

impl Resolve for System {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Lets only public addresses through, of what a resolver finds. What it lets through is what is connected to: nobody resolves the
/// name a second time.
#[derive(Clone)]
pub struct PublicOnly {
    /// Who resolves names.
    pub resolver: Arc<dyn Resolve>,
    /// Lets every address through.
    pub allow_private: bool,
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let (found, allow_private) = (self.resolver.resolve(name), self.allow_private);
        Box::pin(async move {
            let allowed = allowed(found.await?.collect(), allow_private)?;
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

fn allowed(found: Vec<SocketAddr>, allow_private: bool) -> Result<Vec<SocketAddr>, Forbidden> {
    let allowed: Vec<_> = found.into_iter().filter(|address| allow_private || is_public(address.ip())).collect();
    if allowed.is_empty() { Err(Forbidden) } else { Ok(allowed) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_network_parses() {
        assert!(FORBIDDEN.iter().chain([&GLOBAL_V6]).all(|net| net.parse::<IpNet>().is_ok()));
    }

    #[test]
    fn only_the_public_internet_is_public() {
        let public = ["1.1.1.1", "93.184.216.34", "172.15.0.1", "172.32.0.1", "2606:4700::1111", "64:ff9b::101:101"];
        let private = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "192.0.0.1",
            "198.18.0.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "2001::1",
            "2001:db8::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "ff02::1",
            "fec0::1",
        ];
        for (addresses, wanted) in [(&public[..], true), (&private[..], false)] {
            for address in addresses {
                assert_eq!(is_public(address.parse().unwrap()), wanted, "{address}");
            }
        }
    }

    #[test]
    fn urls_are_checked_as_a_browser_reads_them() {
        let cases = [
            ("https://los.example.com/hook?token=1", false, true),
            ("http://los.example.com/", false, false),
            ("https://127.0.0.1/", false, false),
            ("https://127.1/", false, false),
            ("https://0x7f000001/", false, false),
            ("https://2130706433/", false, false),
            ("https://[::1]/", false, false),
            ("https://[::ffff:169.254.169.254]/", false, false),
            ("https://1.1.1.1/", false, true),
            ("https://user:pw@los.example.com/", false, false),
            ("http://127.0.0.1:8080/", true, true),
            ("file:///etc/passwd", true, false),
            ("not a url", true, false),
        ];
        for (url, allow_private, wanted) in cases {
            assert_eq!(endpoint(url, allow_private).is_ok(), wanted, "{url} with allow_private {allow_private}");
        }
    }

    #[test]
    fn private_addresses_are_dropped_from_what_a_name_resolves_to() {
        let at = |text: &str| SocketAddr::new(text.parse().unwrap(), 0);
        let mixed = vec![at("10.0.0.1"), at("1.1.1.1")];
        assert_eq!(allowed(mixed.clone(), false), Ok(vec![at("1.1.1.1")]));
        assert_eq!(allowed(mixed.clone(), true), Ok(mixed));
        assert_eq!(allowed(vec![at("10.0.0.1"), at("::1")], false), Err(Forbidden));
        assert_eq!(allowed(Vec::new(), true), Err(Forbidden));
    }
}
