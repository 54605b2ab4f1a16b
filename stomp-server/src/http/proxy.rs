//! Where a request really comes from: the peer, or who a trusted proxy says.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::ConnectInfo,
    http::{Extensions, HeaderMap, HeaderName, header},
};
use ipnet::IpNet;

use crate::arrival::{Arrival, Carrier, is_loopback};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The networks of the proxies whose word is taken.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// These networks.
    pub fn new(networks: impl IntoIterator<Item = IpNet>) -> Self {
        Self(networks.into_iter().collect())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The client of a request, as far as it counts against a limit of its address: only what
    /// a trusted proxy says, and never this machine itself.
    pub fn counted(&self, headers: &HeaderMap, extensions: &Extensions) -> Option<IpAddr> {
        self.arrival(headers, extensions, |_| false).behind_proxy
    }

    fn trust(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// How the client of this request reached us. `is_ours` knows the names of this machine
    /// beside those that nobody else can have.
    pub(crate) fn arrival(
        &self,
        headers: &HeaderMap,
        extensions: &Extensions,
        is_ours: impl Fn(&str) -> bool,
    ) -> Arrival {
        let peer = extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0);
        let mut arrival = Arrival::now(Carrier::WebSocket, peer);
        let through_proxy =
            headers.contains_key(X_FORWARDED_FOR) || headers.contains_key(header::FORWARDED);
        arrival.is_local = peer.is_some_and(is_loopback)
            && !through_proxy
            && self.is_empty()
            && host(headers).is_none_or(|name| is_this_machine(name) || is_ours(name));
        if let Some(peer) = peer.filter(|peer| self.trust(peer.ip())) {
            let client = self.client(headers).unwrap_or(peer.ip());
            arrival.address = Some(SocketAddr::new(client, 0));
            arrival.behind_proxy = Some(client).filter(|client| !client.is_loopback());
        }
        arrival
    }

    /// Proxies add to the right, so what stands left of the last stranger is hearsay.
    fn client(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let hops = if headers.contains_key(X_FORWARDED_FOR) {
            x_forwarded_for(headers)
        } else {
            forwarded(headers)
        };
        let mut client = None;
        for hop in hops.into_iter().rev() {
            let Some(address) = hop else { break };
            client = Some(address);
            if !self.trust(address) {
                break;
            }
        }
        client
    }
}

/// The name by which this server was called, without a port.
fn host(headers: &HeaderMap) -> Option<&str> {
    Some(name_of(headers.get(header::HOST)?.to_str().unwrap_or("unreadable")))
}

/// The name before the port.
pub(super) fn name_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|octet| octet.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Whether this can only be the name of the machine that the client is on, or an address.
///
/// Any other name can be made to lead here by whoever owns it, after their page was loaded:
/// for the browser that page is then of the same host as this server.
fn is_this_machine(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let plain = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    name == "localhost"
        || name.ends_with(".localhost")
        || plain.unwrap_or(&name).parse::<IpAddr>().is_ok()
}

fn values<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter();
    values.flat_map(|value| value.to_str().unwrap_or("unreadable").split(','))
}

fn x_forwarded_for(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    values(headers, &X_FORWARDED_FOR).map(address).collect()
}

/// The `for` of each element of RFC 7239.
fn forwarded(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let node = |element: &str| {
        element.split(';').find_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            name.eq_ignore_ascii_case("for").then(|| address(value.trim_matches('"')))?
        })
    };
    values(headers, &header::FORWARDED).map(node).collect()
}

/// An address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let plain = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let parsed = plain.parse().ok();
    parsed
        .or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
        .map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(trusted: &[&str], peer: &str, headers: &[(&'static str, &str)]) -> Arrival {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo::<SocketAddr>(peer.parse().unwrap()));
        let trusted = trusted.iter().map(|network| network.parse().unwrap());
        TrustedProxies::new(trusted).arrival(&map, &extensions, |name| name == "devbox")
    }

    fn client(trusted: &[&str], headers: &[(&'static str, &str)]) -> String {
        let arrival = arrival(trusted, "10.0.0.1:1", headers);
        arrival.behind_proxy.map_or_else(|| "none".to_owned(), |client| client.to_string())
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        let told = [("x-forwarded-for", "203.0.113.7")];
        assert_eq!(client(&["10.0.0.0/8"], &told), "203.0.113.7");
        assert_eq!(client(&["10.9.0.0/16"], &told), "none");
        assert_eq!(client(&[], &told), "none");
    }

    #[test]
    fn what_a_client_made_up_stands_left_and_is_not_believed() {
        let trusted = ["10.0.0.0/8"];
        for (headers, expected) in [
            (vec![("x-forwarded-for", "1.1.1.1, 203.0.113.7")], "203.0.113.7"),
            (
                vec![("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "203.0.113.7")],
                "203.0.113.7",
            ),
            (vec![("x-forwarded-for", "1.1.1.1, 203.0.113.7, 10.0.0.2")], "203.0.113.7"),
            (vec![("x-forwarded-for", "203.0.113.7"), ("forwarded", "for=1.1.1.1")], "203.0.113.7"),
            (
                vec![("forwarded", "for=1.1.1.1, For=\"[2001:db8::7]:4711\";proto=https")],
                "2001:db8::7",
            ),
            (vec![("x-forwarded-for", "203.0.113.7:55")], "203.0.113.7"),
            (vec![("x-forwarded-for", "::ffff:203.0.113.7")], "203.0.113.7"),
            (vec![("x-forwarded-for", "1.1.1.1, rubbish")], "10.0.0.1"),
            (vec![("forwarded", "for=_hidden")], "10.0.0.1"),
            (vec![], "10.0.0.1"),
        ] {
            assert_eq!(client(&trusted, &headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn loopback_is_local_only_without_a_proxy() {
        let local = |trusted: &[&str], headers: &[(&'static str, &str)]| {
            arrival(trusted, "127.0.0.1:5", headers).is_local
        };
        assert!(local(&[], &[]));
        assert!(arrival(&[], "[::ffff:127.0.0.1]:5", &[]).is_local);
        assert!(!local(&["10.0.0.0/8"], &[]));
        assert!(!local(&[], &[("x-forwarded-for", "127.0.0.1")]));
        assert!(!local(&[], &[("forwarded", "for=127.0.0.1")]));
        assert!(!arrival(&[], "203.0.113.7:5", &[]).is_local);
    }

    #[test]
    fn decision_30_a_name_that_others_may_own_is_not_this_machine() {
        let local = |host: &str| arrival(&[], "127.0.0.1:5", &[("host", host)]).is_local;
        for ours in [
            "127.0.0.1",
            "127.0.0.1:15674",
            "[::1]:15674",
            "[::1]",
            "192.168.1.7:80",
            "localhost",
            "LOCALHOST.:15674",
            "chat.localhost:15674",
            "devbox:15674",
        ] {
            assert!(local(ours), "{ours}");
        }
        for foreign in [
            "evil.example",
            "evil.example:15674",
            "localhost.evil.example",
            "evillocalhost",
            "127.0.0.1.evil.example:15674",
            "devbox.evil.example",
            "0x7f000001",
            "",
            ":15674",
        ] {
            assert!(!local(foreign), "{foreign}");
        }
    }

    #[test]
    fn loopback_addresses_are_not_counted() {
        let arrival =
            arrival(&["127.0.0.1/32"], "127.0.0.1:5", &[("x-forwarded-for", "127.0.0.1")]);
        assert_eq!(arrival.behind_proxy, None);
    }

    #[test]
    fn what_counts_is_what_a_trusted_proxy_says() {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "203.0.113.7".parse().unwrap());
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo::<SocketAddr>("10.0.0.1:1".parse().unwrap()));
        let trusted = TrustedProxies::new(["10.0.0.0/8".parse().unwrap()]);
        let told: IpAddr = "203.0.113.7".parse().unwrap();
        assert_eq!(trusted.counted(&headers, &extensions), Some(told));
        assert_eq!(TrustedProxies::default().counted(&headers, &extensions), None);
    }
}
