//! May this address be called? What kind of network an address is in, for literals in the configuration and for
//! what names resolve to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The kind of network that an address belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The Internet.
    Public,
    /// A network of one's own, or one that is reserved: called only if the administrator allows private endpoints.
    Private,
    /// This host.
    Loopback,
    /// Never called: link-local addresses, where clouds keep their metadata, multicast, broadcast and nobody's.
    Forbidden,
}

impl Reach {
    /// The kind of an address. Addresses that carry an IPv4 address in them are judged by it.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => of_v4(address),
            IpAddr::V6(address) => of_v6(address),
        }
    }
}

fn of_v4(address: Ipv4Addr) -> Reach {
    const AZURE_METADATA: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);
    const ALIBABA_METADATA: Ipv4Addr = Ipv4Addr::new(100, 100, 100, 200);
    let [a, b, c, _] = address.octets();
    let metadata = [AZURE_METADATA, ALIBABA_METADATA].contains(&address);
    if metadata || a == 0 || address.is_link_local() || address.is_multicast() || address.is_broadcast() {
        return Reach::Forbidden;
    }
    if address.is_loopback() {
        return Reach::Loopback;
    }
    let shared = a == 100 && (64..128).contains(&b);
    let benchmark = a == 198 && (18..20).contains(&b);
    let assigned_to_protocols = (a, b, c) == (192, 0, 0);
    let reserved = a >= 240;
    if address.is_private() || address.is_documentation() || shared || benchmark || assigned_to_protocols || reserved {
        return Reach::Private;
    }
    Reach::Public
}

fn of_v6(address: Ipv6Addr) -> Reach {
    const AWS_METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    if address.is_loopback() {
        return Reach::Loopback;
    }
    if address.is_unspecified() || address.is_multicast() || address == AWS_METADATA {
        return Reach::Forbidden;
    }
    match address.segments() {
        // Mapped, compatible and translated (NAT64) addresses, and 6to4: what counts is the IPv4 address inside.
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            of_v4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)))
        }
        [0xfe80..=0xfebf, ..] => Reach::Forbidden,
        [0xfc00..=0xfdff | 0xfec0..=0xfeff, ..]
        | [0x64, 0xff9b, 1, ..]
        | [0x100, 0, 0, 0, ..]
        | [0x2001, 0..=0x1ff | 0xdb8, ..]
        | [0x3fff, 0..=0xfff, ..]
        | [0x5f00, ..] => Reach::Private,
        [0x2000..=0x3fff, ..] => Reach::Public,
        _ => Reach::Private,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_network_is_known() {
        for (reach, addresses) in [
            (Reach::Public, &["8.8.8.8", "104.16.0.1", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"][..]),
            (
                Reach::Private,
                &[
                    "10.1.2.3",
                    "172.16.0.1",
                    "192.168.1.1",
                    "100.64.0.1",
                    "198.18.0.1",
                    "192.0.0.8",
                    "203.0.113.7",
                    "240.0.0.1",
                    "fc00::1",
                    "fd12:3456::1",
                    "fec0::1",
                    "2001:db8::1",
                    "64:ff9b::a01:203",
                    "2002:a01:203::1",
                    "::ffff:192.168.0.1",
                    "64:ff9b:1::1",
                    "2001::1",
                    "4000::1",
                ],
            ),
            (Reach::Loopback, &["127.0.0.1", "127.255.0.3", "::1", "::ffff:127.0.0.1"]),
            (
                Reach::Forbidden,
                &[
                    "169.254.169.254",
                    "0.0.0.0",
                    "0.1.2.3",
                    "224.0.0.1",
                    "255.255.255.255",
                    "168.63.129.16",
                    "100.100.100.200",
                    "fe80::1",
                    "febf::1",
                    "ff02::1",
                    "::",
                    "fd00:ec2::254",
                    "::ffff:169.254.169.254",
                    "::169.254.169.254",
                    "64:ff9b::a9fe:a9fe",
                    "2002:a9fe:a9fe::1",
                    "::ffff:0.0.0.0",
                ],
            ),
        ] {
            for address in addresses {
                assert_eq!(Reach::of(address.parse().unwrap()), reach, "{address}");
            }
        }
    }
}
