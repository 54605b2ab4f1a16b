//! Addresses that users name, and where requests to them may go.
//!
//! Whoever registers a device makes this server send requests. They must not reach what only
//! this server can reach: itself, its network, the cloud's metadata service.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use axum::http::{Uri, uri::Scheme};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Longest address, in bytes; real ones have some hundreds.
const LONGEST: usize = 2048;

/// Where requests may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// https to public addresses only.
    Public,
    /// http and private addresses too (`--allow-private-push`): tests and intranets.
    Anywhere,
}

/// Why an address is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    #[error("it is no http address of at most {LONGEST} bytes")]
    Form,
    #[error("it must begin with https://")]
    Scheme,
    #[error("it must not hold a user name or password")]
    UserInfo,
    #[error("{0} is not a public address")]
    Private(IpAddr),
}

/// An http or https address, of a form that requests can be sent to.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Endpoint(Uri);

impl Endpoint {
    /// Takes an address in this form; where it leads is for [`Reach`] to say.
    pub(crate) fn parse(text: &str) -> Result<Self, Unfit> {
        if text.len() > LONGEST || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Unfit::Form);
        }
        let uri: Uri = text.parse().map_err(|_| Unfit::Form)?;
        let authority = uri.authority().ok_or(Unfit::Form)?;
        if authority.as_str().contains('@') {
            return Err(Unfit::UserInfo);
        }
        if authority.host().is_empty() || !(is(&uri, &Scheme::HTTPS) || is(&uri, &Scheme::HTTP)) {
            return Err(Unfit::Form);
        }
        Ok(Self(uri))
    }

    pub(crate) fn uri(&self) -> &Uri {
        &self.0
    }

    /// Host and port, as they stand in the address.
    pub(crate) fn authority(&self) -> &str {
        self.0.authority().map_or("", |authority| authority.as_str())
    }

    /// Scheme, host and port: the origin in RFC 6454's words, and the audience of VAPID.
    pub(crate) fn origin(&self) -> String {
        let scheme = self.0.scheme_str().unwrap_or("https");
        let (host, port) = (self.0.host().unwrap_or_default(), self.0.port_u16());
        let host = host.to_ascii_lowercase();
        match port {
            Some(port) if port != default_port(&self.0) => format!("{scheme}://{host}:{port}"),
            _ => format!("{scheme}://{host}"),
        }
    }
}

fn is(uri: &Uri, scheme: &Scheme) -> bool {
    uri.scheme() == Some(scheme)
}

fn default_port(uri: &Uri) -> u16 {
    if is(uri, &Scheme::HTTP) { 80 } else { 443 }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Endpoint {
    /// The path of an endpoint is the permission to push: not for logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/…", self.origin())
    }
}

impl Serialize for Endpoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}

impl Reach {
    /// What can be said about an address without asking anybody.
    pub(crate) fn allows(self, uri: &Uri) -> Result<(), Unfit> {
        if self == Self::Anywhere {
            return Ok(());
        }
        if !is(uri, &Scheme::HTTPS) {
            return Err(Unfit::Scheme);
        }
        match literal(uri) {
            Some(ip) => self.allows_ip(ip),
            None => Ok(()),
        }
    }

    /// Whether a connection may be made to `ip`.
    pub(crate) fn allows_ip(self, ip: IpAddr) -> Result<(), Unfit> {
        if self == Self::Anywhere || is_public(ip) { Ok(()) } else { Err(Unfit::Private(ip)) }
    }
}

/// The host, where it is written as an address.
pub(crate) fn literal(uri: &Uri) -> Option<IpAddr> {
    let host = uri.host()?;
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

/// Everything that IANA's registry of special addresses does not call globally reachable.
fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = matches!(
        (a, b, c),
        (0 | 10 | 127, ..)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (192, 168, _)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
            | (224.., ..)
    );
    !special
}

/// Only what is given out as global unicast, and of that nothing that wraps an IPv4 address or
/// is set aside: mapped, translated, 6to4 and Teredo addresses lead where their inside says.
fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [first, second, ..] = ip.segments();
    let global = first & 0xe000 == 0x2000;
    let protocols = first == 0x2001 && second < 0x0200;
    let documentation = (first == 0x2001 && second == 0x0db8) || first == 0x3fff && second < 0x1000;
    global && !protocols && !documentation && first != 0x2002
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(text: &str) -> Result<(), Unfit> {
        Reach::Public.allows(Endpoint::parse(text)?.uri())
    }

    #[test]
    fn only_https_to_public_addresses_is_taken() {
        for good in [
            "https://fcm.googleapis.com/fcm/send/abc",
            "https://web.push.apple.com/x?y=z",
            "https://93.184.216.34:8443/",
            "https://[2606:4700::1111]/",
        ] {
            assert_eq!(judged(good), Ok(()), "{good}");
        }
        for (bad, why) in [
            ("http://push.example/", Unfit::Scheme),
            ("ftp://push.example/", Unfit::Form),
            ("push.example", Unfit::Form),
            ("https:///x", Unfit::Form),
            ("https://a b/", Unfit::Form),
            ("https://ann:pw@push.example/", Unfit::UserInfo),
            ("https://push.example@127.0.0.1/", Unfit::UserInfo),
        ] {
            assert_eq!(judged(bad), Err(why), "{bad}");
        }
        assert_eq!(judged(&format!("https://a/{}", "x".repeat(LONGEST))), Err(Unfit::Form));
    }

    #[test]
    fn nothing_that_leads_inside_is_public() {
        for inside in [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "192.0.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:93.184.216.34",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
            "fec0::1",
        ] {
            let ip: IpAddr = inside.parse().unwrap();
            assert_eq!(Reach::Public.allows_ip(ip), Err(Unfit::Private(ip)), "{inside}");
            assert_eq!(Reach::Anywhere.allows_ip(ip), Ok(()));
        }
        for outside in ["8.8.8.8", "172.32.0.1", "192.0.1.1", "2606:4700::1111", "2001:4860::1"] {
            assert_eq!(Reach::Public.allows_ip(outside.parse().unwrap()), Ok(()), "{outside}");
        }
        assert!(judged("https://[::1]/").is_err() && judged("https://127.0.0.1/").is_err());
    }

    #[test]
    fn the_origin_is_what_the_service_expects_as_audience() {
        let origin = |text: &str| Endpoint::parse(text).unwrap().origin();
        assert_eq!(origin("https://Push.example:443/a/b"), "https://push.example");
        assert_eq!(origin("http://localhost:8080/x"), "http://localhost:8080");
        assert_eq!(origin("https://[2606::1]:1/x"), "https://[2606::1]:1");
    }
}
