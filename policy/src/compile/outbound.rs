//! Addresses per service. The kernel finds the longest prefix only, so each entry also holds what shorter ones say.

use std::collections::BTreeMap;

use crate::compiled::{Compiled, Outbound, PortRange};
use crate::matching::Matching;
use crate::rule::{Policy, Reach, Rule};

type Prefix = ([u8; 16], u8);
/// What rules say about prefixes, each about its own only.
type Said = BTreeMap<Prefix, Vec<PortRange>>;

/// All IPv4 addresses.
const FOUR: Prefix = ([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0], 96);
const LOOPBACK_FOUR: Prefix = ([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 1], 128);
const LOOPBACK_SIX: Prefix = ([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], 128);
/// Connecting to an unspecified address reaches the host itself. `::` can be either family's, by how the socket is bound.
const UNSPECIFIED: [(Prefix, &[Prefix]); 2] =
    [((FOUR.0, 128), &[LOOPBACK_FOUR]), (([0; 16], 128), &[LOOPBACK_SIX, LOOPBACK_FOUR])];

/// Fills `outbound` from the rules, for every service that is in `services` by now.
pub(super) fn fill(compiled: &mut Compiled, policy: &Policy) {
    let matching = Matching::new(policy);
    for name in compiled.services.keys() {
        compiled.outbound.extend(of(policy, &matching, name));
    }
}

/// What the rules say about the connections of one service.
pub fn connections(policy: &Policy, name: &str) -> Vec<Outbound> {
    of(policy, &Matching::new(policy), name).collect()
}

fn of<'a>(policy: &Policy, matching: &Matching<'_>, name: &'a str) -> impl Iterator<Item = Outbound> + use<'a> {
    let said = said(&policy.rules, &matching.of(name));
    entries(&said).into_iter().map(|((address, bits), ports)| Outbound {
        service: name.to_owned(),
        address,
        bits,
        ports,
    })
}

/// `about`: numbers of the rules that are about the service.
fn said(rules: &[Rule], about: &[(usize, Reach)]) -> Said {
    let mut said = Said::new();
    for (index, _) in about {
        let Some(outbound) = rules.get(*index).and_then(|rule| rule.outbound.as_ref()) else { continue };
        let rule = u16::try_from(*index).unwrap_or(u16::MAX);
        for to in &outbound.deny {
            let ports = if to.ports.is_empty() { &[(0, u16::MAX)] } else { to.ports.as_slice() };
            let range =
                |(first, last): &(u16, u16)| PortRange { first: *first, last: *last, prevent: outbound.prevent, rule };
            said.entry((to.address, to.bits)).or_default().extend(ports.iter().map(range));
        }
    }
    said
}

fn entries(said: &Said) -> Said {
    let mut entries: Said = said.keys().map(|prefix| (*prefix, applies(said, &[*prefix]))).collect();
    if said.keys().any(|prefix| holds(prefix, &FOUR)) {
        // Ends the reach of a network such as ::/0, which does not mean IPv4.
        entries.entry(FOUR).or_insert_with(|| applies(said, &[FOUR]));
    }
    for (address, meant) in UNSPECIFIED {
        let ports = applies(said, &[&[address], meant].concat());
        if !applies(said, meant).is_empty() {
            entries.insert(address, ports);
        }
    }
    entries
}

/// All that is said about any of these prefixes. The first range that fits counts: refusals first.
fn applies(said: &Said, prefixes: &[Prefix]) -> Vec<PortRange> {
    let covering = said.iter().filter(|(wide, _)| prefixes.iter().any(|prefix| covers(wide, prefix)));
    let mut ports: Vec<PortRange> = covering.flat_map(|(_, ranges)| ranges.iter().copied()).collect();
    ports.sort_by_key(|range| (!range.prevent, range.first, range.last, range.rule));
    ports.dedup();
    ports
}

/// Whether the first prefix means every address of the second: an IPv6 network does not mean IPv4 addresses.
fn covers(wide: &Prefix, narrow: &Prefix) -> bool {
    holds(wide, narrow) && (wide.1 >= FOUR.1 || !holds(&FOUR, narrow))
}

/// Whether the first prefix holds every address of the second, as numbers.
fn holds(wide: &Prefix, narrow: &Prefix) -> bool {
    let mask = u128::MAX.checked_shl(128 - u32::from(wide.1)).unwrap_or(0);
    wide.1 <= narrow.1 && u128::from_be_bytes(wide.0) & mask == u128::from_be_bytes(narrow.0) & mask
}

#[cfg(test)]
#[path = "outbound_tests.rs"]
mod tests;
