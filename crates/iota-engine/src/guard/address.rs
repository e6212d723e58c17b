//! Internet addresses and networks in texts, as Python's `ipaddress` reads them; where that is not certain there is no answer.
//! Knows no records.

use std::net::IpAddr;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AddressTest {
    Address,
    Version4,
    Version6,
    /// Private or public: the ranges differ between versions of Python.
    Range,
    /// An address in one of these networks.
    Within(Vec<Network>),
    /// A network with one of these addresses in it.
    Holds(Vec<IpAddr>),
}

impl AddressTest {
    /// The answer for a text; `None` where only Python knows it.
    pub(super) fn passes(&self, text: &[u8]) -> Option<bool> {
        if let Self::Holds(addresses) = self {
            let network = network(text)?;
            return Some(network.is_some_and(|network| addresses.iter().any(|address| network.holds(*address))));
        }
        let Some(address) = address(text)? else { return Some(false) };
        match self {
            Self::Address => Some(true),
            Self::Version4 => Some(address.is_ipv4()),
            Self::Version6 => Some(address.is_ipv6()),
            Self::Range => None,
            Self::Within(networks) => Some(networks.iter().any(|network| network.holds(address))),
            Self::Holds(_) => None,
        }
    }
}

/// The addresses that share their first bits with one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    fn holds(self, other: IpAddr) -> bool {
        match (self.address, other) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                (own.to_bits() ^ other.to_bits()).checked_shr(32 - self.bits).unwrap_or(0) == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                (own.to_bits() ^ other.to_bits()).checked_shr(128 - self.bits).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

/// `ipaddress.ip_address`: the address, or that it is none.
pub(super) fn address(text: &[u8]) -> Option<Option<IpAddr>> {
    if text.iter().any(|byte| !(byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.' | b'%'))) && !text.contains(&b'%') {
        return Some(None);
    }
    // A zone may follow `%`. What is written with colons and is no address here is left to Python.
    match parsed(text) {
        Some(address) => Some(Some(address)),
        None if text.contains(&b'%') || text.contains(&b':') => None,
        None => Some(None),
    }
}

/// `ipaddress.ip_network(text, strict=False)`: the network, or that it is none. Masks in dots are left to Python.
pub(super) fn network(text: &[u8]) -> Option<Option<Network>> {
    if text.iter().any(|byte| !(byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.' | b'/' | b'%'))) && !text.contains(&b'%') {
        return Some(None);
    }
    let slash = text.iter().position(|byte| *byte == b'/');
    let address = parsed(slash.map_or(text, |slash| &text[..slash]))?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = match slash {
        None => most,
        Some(slash) => {
            let digits = str::from_utf8(&text[slash + 1..]).ok()?;
            let plain = (1..4).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
            digits.parse().ok().filter(|bits| plain && *bits <= most)?
        }
    };
    Some(Some(Network { address, bits }))
}

fn parsed(text: &[u8]) -> Option<IpAddr> {
    str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_certain_and_what_is_left_to_python() {
        let passes = |test: &AddressTest, text: &str| test.passes(text.as_bytes());
        for (text, is_address) in [
            ("10.0.0.1", Some(true)),
            ("::1", Some(true)),
            ("2001:db8::ffff", Some(true)),
            ("010.0.0.1", Some(false)),
            ("10.0.0", Some(false)),
            ("10.0.0.1/8", Some(false)),
            ("ec2.amazonaws.com", Some(false)),
            ("", Some(false)),
            ("é", Some(false)),
            ("fe80::1%eth0", None),
            ("1:2", None),
        ] {
            assert_eq!(passes(&AddressTest::Address, text), is_address, "{text}");
        }
        let networks: Vec<Network> = ["10.0.0.0/8", "192.168.1.7", "2001:db8::/32", "172.16.5.4/12"]
            .iter()
            .map(|text| network(text.as_bytes()).flatten().expect("a network"))
            .collect();
        let within = AddressTest::Within(networks);
        for (text, inside) in [
            ("10.255.0.1", true),
            ("11.0.0.0", false),
            ("192.168.1.7", true),
            ("192.168.1.8", false),
            ("172.31.255.255", true),
            ("172.32.0.0", false),
            ("2001:db8:1::", true),
            ("::ffff:10.0.0.1", false),
        ] {
            assert_eq!(passes(&within, text), Some(inside), "{text}");
        }
        let all: Network = network(b"0.0.0.0/0").flatten().expect("a network");
        assert!(all.holds("8.8.8.8".parse().expect("an address")) && !all.holds("::".parse().expect("an address")));
        assert_eq!(network(b"10.0.0.0/255.0.0.0"), None);
        assert_eq!(network(b"10.0.0.0/33"), None);
        let holds = AddressTest::Holds(vec!["8.8.8.8".parse().expect("an address")]);
        assert_eq!(passes(&holds, "8.0.0.0/7"), Some(true));
        assert_eq!(passes(&holds, "not a network"), Some(false));
    }
}
