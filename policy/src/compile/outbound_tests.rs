#![allow(clippy::unwrap_used)]

use std::net::Ipv6Addr;

use super::*;
use crate::syntax::parse;
use proptest::prelude::*;

fn said_by(deny: &str) -> Said {
    let text = format!("[[rule]]\nname = \"r\"\nservices = [\"web\"]\noutbound = {{ deny = [{deny}] }}\n");
    let policy = parse("p", &text).unwrap();
    said(&policy.rules, &Matching::new(&policy).of("web"))
}

/// What the kernel does: the longest prefix, and in it the first range.
fn refused(entries: &Said, address: &str, port: u16) -> bool {
    let address = address.parse::<Ipv6Addr>().unwrap_or_else(|_| format!("::ffff:{address}").parse().unwrap());
    let host = (address.octets(), 128);
    let longest = entries.iter().filter(|(prefix, _)| holds(prefix, &host)).max_by_key(|(prefix, _)| prefix.1);
    let fits = |range: &&PortRange| (range.first..=range.last).contains(&port);
    longest.and_then(|(_, ports)| ports.iter().find(fits)).is_some_and(|range| range.prevent)
}

#[test]
fn every_spelling_of_an_address_is_refused() {
    for written in ["203.0.113.7", "203.0.113.7/32", "::ffff:203.0.113.7", "::ffff:cb00:7107/128"] {
        let entries = entries(&said_by(&format!("{{ to = \"{written}\" }}")));
        assert!(refused(&entries, "203.0.113.7", 80) && refused(&entries, "::ffff:cb00:7107", 80), "{written}");
        assert!(!refused(&entries, "203.0.113.8", 80), "{written}");
    }
}

#[test]
fn the_unspecified_address_is_the_host_itself() {
    let four = entries(&said_by("{ to = \"127.0.0.1\", ports = [6379] }"));
    assert!(refused(&four, "0.0.0.0", 6379) && refused(&four, "::", 6379) && refused(&four, "::ffff:0.0.0.0", 6379));
    assert!(!refused(&four, "0.0.0.0", 80) && !refused(&four, "::1", 6379));
    let six = entries(&said_by("{ to = \"::1\" }"));
    assert!(refused(&six, "::", 1) && !refused(&six, "0.0.0.0", 1) && !refused(&six, "127.0.0.1", 1));
    let eight = entries(&said_by("{ to = \"127.0.0.0/8\" }, { to = \"0.0.0.0\", ports = [1] }"));
    assert!(refused(&eight, "0.0.0.0", 1) && refused(&eight, "0.0.0.0", 2) && refused(&eight, "127.9.9.9", 3));
}

#[test]
fn the_families_are_kept_apart() {
    let six = entries(&said_by("{ to = \"::/0\" }"));
    assert!(refused(&six, "2001:db8::1", 1) && !refused(&six, "192.0.2.1", 1));
    let four = entries(&said_by("{ to = \"0.0.0.0/0\" }"));
    assert!(refused(&four, "192.0.2.1", 1) && !refused(&four, "2001:db8::1", 1));
    let both = entries(&said_by("{ to = \"::/0\" }, { to = \"0.0.0.0/0\", ports = [25] }"));
    assert!(refused(&both, "192.0.2.1", 25) && !refused(&both, "192.0.2.1", 80) && refused(&both, "2001:db8::1", 80));
}

proptest! {
    /// One look-up for the longest prefix says the same as asking every rule.
    #[test]
    fn the_longest_prefix_holds_what_all_say(
        networks in prop::collection::vec((0u32..16, 24u8..=32, 1u16..4), 1..6),
        last in 0u32..16,
        port in 1u16..4,
    ) {
        let base = 0xc000_0200u32;
        let deny: Vec<String> = networks.iter().map(|(last, bits, port)| {
            let address = (base | last << 2) & u32::MAX << (32 - bits);
            format!("{{ to = \"{}/{bits}\", ports = [{port}] }}", std::net::Ipv4Addr::from(address))
        }).collect();
        let expected = networks.iter().any(|(other, bits, wanted)| {
            let mask = u32::MAX << (32 - bits);
            (base | other << 2) & mask == (base | last << 2) & mask && *wanted == port
        });
        let address = std::net::Ipv4Addr::from(base | last << 2).to_string();
        prop_assert_eq!(refused(&entries(&said_by(&deny.join(", "))), &address, port), expected);
    }
}
