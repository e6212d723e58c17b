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
        let of_address = |passes: &dyn Fn(IpAddr) -> bool| Some(address(text).ok()?.is_some_and(passes));
        match self {
            Self::Address => of_address(&|_| true),
            Self::Version4 => of_address(&|address| address.is_ipv4()),
            Self::Version6 => of_address(&|address| address.is_ipv6()),
            Self::Range => address(text).ok()?.is_none().then_some(false),
            Self::Within(networks) => of_address(&|address| networks.iter().any(|network| network.holds(address))),
            Self::Holds(addresses) => {
                let network = network(text).ok()?;
                Some(network.is_some_and(|network| addresses.iter().any(|address| network.holds(*address))))
            }
        }
    }
}

/// Whether a text is an address or network is left to Python.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unsure;

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
pub(super) fn address(text: &[u8]) -> Result<Option<IpAddr>, Unsure> {
    if text.iter().any(|byte| !(byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.' | b'%'))) && !text.contains(&b'%') {
        return Ok(None);
    }
    // A zone may follow `%`. What is written with colons and is no address here is left to Python.
    match parsed(text) {
        None if text.contains(&b'%') || text.contains(&b':') => Err(Unsure),
        address => Ok(address),
    }
}

/// `ipaddress.ip_network(text, strict=False)`: the network, or that it is none. Masks in dots are left to Python.
pub(super) fn network(text: &[u8]) -> Result<Option<Network>, Unsure> {
    if text.iter().any(|byte| !(byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.' | b'/' | b'%'))) && !text.contains(&b'%') {
        return Ok(None);
    }
    let (address, bits) = match text.iter().position(|byte| *byte == b'/') {
        Some(slash) => (&text[..slash], Some(&text[slash + 1..])),
        None => (text, None),
    };
    let address = parsed(address).ok_or(Unsure)?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.map_or(Some(most), |digits| {
        let digits = str::from_utf8(digits).ok()?;
        let plain = (1..4).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|bits| plain && *bits <= most)
    });
    Ok(Some(Network { address, bits: bits.ok_or(Unsure)? }))
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
            .map(|text| network(text.as_bytes()).expect("certain").expect("a network"))
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
        let all = network(b"0.0.0.0/0").expect("certain").expect("a network");
        assert!(all.holds("8.8.8.8".parse().expect("an address")) && !all.holds("::".parse().expect("an address")));
        assert_eq!(network(b"10.0.0.0/255.0.0.0"), Err(Unsure));
        assert_eq!(network(b"10.0.0.0/33"), Err(Unsure));
        let holds = AddressTest::Holds(vec!["8.8.8.8".parse().expect("an address")]);
        assert_eq!(passes(&holds, "8.0.0.0/7"), Some(true));
        assert_eq!(passes(&holds, "not a network"), Some(false));
    }
}
