//! Which outbound rule a connection meets, as the kernel looks it up.

use std::net::IpAddr;

use crate::compiled::{Outbound, PortRange};

/// An address as the table has it: IPv4 as `::ffff:a.b.c.d`.
pub fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(four) => four.to_ipv6_mapped().octets(),
        IpAddr::V6(six) => six.octets(),
    }
}

/// What is said about a connection of a service: the longest prefix decides, and in it the first range that has the port.
pub fn decides<'a>(entries: &'a [Outbound], service: &str, address: IpAddr, port: u16) -> Option<&'a PortRange> {
    let address = u128::from_be_bytes(octets(address));
    let holds = |entry: &&Outbound| {
        let all = u128::MAX.checked_shl(128 - u32::from(entry.bits)).unwrap_or(0);
        entry.service == service && (u128::from_be_bytes(entry.address) ^ address) & all == 0
    };
    let entry = entries.iter().filter(holds).max_by_key(|entry| entry.bits)?;
    entry.ports.iter().find(|range| (range.first..=range.last).contains(&port))
}
