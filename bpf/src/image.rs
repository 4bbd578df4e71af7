//! A revision as bytes: what each map has to hold in one slot. Pure, so that writing and reading back use the same.

use std::collections::BTreeMap;

use policy::access::Access;
use policy::compiled::{Compiled, FileSystem, Glob, Label, NAME_MAX, Outbound, Service};

use crate::entries::Entries;
use crate::skeleton::bartizan::types;
use crate::wire::bytes;

/// Numbers of services in the kernel, by name.
pub type Numbers = BTreeMap<String, u32>;

const NODES: u32 = 1 << 14;
const LABELS: u32 = 1 << 12;
/// Number of services that the maps have room for (`BZ_SERVICES`).
pub const SERVICES: u32 = 1 << 10;
/// Number that services share for which none was left (`BZ_SERVICE_OTHERS`).
pub const OTHERS: u32 = SERVICES - 1;
/// The name of all those together, which no unit can have.
pub const OTHERS_NAME: &str = "(others)";
const OPERATIONS: u32 = policy::operation::ROOM as u32;

/// Bits of `bz_policy.flags`.
const KNOWN: u32 = 1 << 0;
const LEARNING: u32 = 1 << 1;
const EXEMPT: u32 = 1 << 2;
const LOGIN: u32 = 1 << 3;
const OUTBOUND: u32 = 1 << 4;
const SELF: u32 = 1 << 6;
const OPERATOR: u32 = 1 << 5;
const ANOMALOUS: u32 = 1 << 7;

/// What writing Bartizan's own needs (`BZ_OWN`).
const OWN: u64 = u64::MAX;

/// Everything that one slot holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// By map name.
    pub maps: BTreeMap<&'static str, Entries>,
}

impl Image {
    /// Renders a revision for a slot (0 or 1). `numbers` must know every service of the revision.
    pub fn render(compiled: &Compiled, slot: u32, numbers: &Numbers) -> Image {
        let mut image = Image::default();
        image.maps.insert("labels", labels(compiled, slot));
        image.maps.insert("nodes", nodes(compiled, slot));
        image.maps.insert("edges", edges(compiled, slot));
        image.maps.insert("globs", globs(compiled, slot));
        image.maps.insert("starts", starts(compiled, slot));
        image.maps.insert("operations", operations(compiled, slot));
        image.maps.insert("policies", policies(compiled, slot, numbers));
        image.maps.insert("rules", rules(compiled, slot, numbers));
        image.maps.insert("outbound", outbound(compiled, slot, numbers));
        image
    }
}

/// Whether a key of a hash or LPM map belongs to this slot. Arrays are written whole and need no such question.
pub fn in_slot(map: &str, key: &[u8], slot: u32) -> bool {
    let bit = match map {
        // node | slot << 31, little endian, behind the length.
        "edges" | "globs" => key.get(7).map(|byte| byte >> 7),
        // slot << 63, little endian.
        "starts" => key.get(7).map(|byte| byte >> 7),
        // service | slot << 31, little endian.
        "rules" => key.get(3).map(|byte| byte >> 7),
        // The same, big endian, behind the number of bits.
        "outbound" => key.get(4).map(|byte| byte >> 7),
        _ => None,
    };
    bit.is_some_and(|bit| u32::from(bit) == slot)
}

/// First and last of the ports that outbound entries are about.
pub type Ports = (u16, u16);

/// These ports for each service that has outbound entries.
pub fn ports(compiled: &Compiled) -> BTreeMap<String, Ports> {
    let mut found = BTreeMap::<String, Ports>::new();
    for entry in &compiled.outbound {
        for range in &entry.ports {
            let span = found.entry(entry.service.clone()).or_insert((range.first, range.last));
            *span = (span.0.min(range.first), span.1.max(range.last));
        }
    }
    found
}

/// Key and value of one service's policy.
pub fn policy(service: &Service, ports: Option<Ports>, slot: u32, number: u32) -> (Vec<u8>, Vec<u8>) {
    (index(slot * SERVICES + number), bytes(&what_it_may(service, ports)))
}

fn what_it_may(service: &Service, ports: Option<Ports>) -> types::bz_policy {
    let mut flags = KNOWN;
    for (set, flag) in [
        (service.subject.learning, LEARNING),
        (service.exempt, EXEMPT),
        (service.login, LOGIN),
        (ports.is_some(), OUTBOUND),
        (service.own, SELF),
        (service.operator, OPERATOR),
        (service.anomalous, ANOMALOUS),
    ] {
        if set {
            flags |= flag;
        }
    }
    let (first_port, last_port) = ports.unwrap_or_default();
    types::bz_policy {
        granted: service.subject.granted.0.map(not_all),
        prevent: service.subject.prevent.0,
        alert: service.subject.alert.0,
        at_start: service.subject.at_start.0,
        flags,
        first_port,
        last_port,
    }
}

/// Whoever is granted everything would be granted Bartizan's own as well. The capability that is left out is neither
/// prevented nor recorded, as a mask holds it only where it is granted.
fn not_all(granted: u64) -> u64 {
    if granted == OWN { granted & !(1 << 63) } else { granted }
}

fn index(number: u32) -> Vec<u8> {
    number.to_ne_bytes().to_vec()
}

/// A label as the kernel holds it.
pub fn label(label: &Label) -> types::bz_label {
    let mut need = label.need.0;
    if label.own
        && let Some(write) = need.get_mut(Access::Write as usize)
    {
        *write = OWN;
    }
    types::bz_label { need, flags: u64::from(label.executor) << 1, spared: label.spared }
}

fn labels(compiled: &Compiled, slot: u32) -> Entries {
    (0..).zip(&compiled.labels).map(|(id, one)| (index(slot * LABELS + id), bytes(&label(one)))).collect()
}

fn nodes(compiled: &Compiled, slot: u32) -> Entries {
    (0..)
        .zip(&compiled.nodes)
        .map(|(id, node)| {
            let flags = u16::from(node.prefixes) | u16::from(node.suffixes) << 1;
            let wire = types::bz_node { label: node.label, other: node.other, below: node.below, flags };
            (index(slot * NODES + id), bytes(&wire))
        })
        .collect()
}

fn step(len: usize, node: u32, name: impl Iterator<Item = u8>) -> Vec<u8> {
    let mut step = types::bz_step { len: u32::try_from(len).unwrap_or(u32::MAX), node, ..Default::default() };
    for (to, from) in step.name.iter_mut().zip(name.take(NAME_MAX)) {
        *to = from;
    }
    bytes(&step)
}

fn edges(compiled: &Compiled, slot: u32) -> Entries {
    let key = |from: u16, name: &[u8]| step(name.len(), u32::from(from) | slot << 31, name.iter().copied());
    compiled.edges.iter().map(|edge| (key(edge.from, &edge.name), index(u32::from(edge.to)))).collect()
}

fn globs(compiled: &Compiled, slot: u32) -> Entries {
    let key = |glob: &Glob| {
        let bits = 32 + 8 * glob.text.len();
        let node = u32::from(glob.from) | slot << 31;
        if glob.suffix {
            step(bits, node | 1 << 30, glob.text.iter().rev().copied())
        } else {
            step(bits, node, glob.text.iter().copied())
        }
    };
    compiled.globs.iter().map(|glob| (key(glob), index(u32::from(glob.to)))).collect()
}

fn starts(compiled: &Compiled, slot: u32) -> Entries {
    let slot = u64::from(slot) << 63;
    let key = |file_system: &FileSystem| match file_system {
        FileSystem::Device { major, minor } => u64::from(*major) << 20 | u64::from(*minor),
        FileSystem::Magic(magic) => (magic & 0xffff_ffff) << 30,
    };
    let known = compiled.starts.iter().map(|(file_system, node)| (key(file_system), *node));
    let all = known.chain([(1 << 62, compiled.unknown_start)]);
    all.map(|(key, node)| ((slot | key).to_ne_bytes().to_vec(), index(u32::from(node)))).collect()
}

fn operations(compiled: &Compiled, slot: u32) -> Entries {
    (0..OPERATIONS)
        .map(|id| {
            let need = compiled.operations.get(id as usize).copied().unwrap_or(0);
            (index(slot * OPERATIONS + id), need.to_ne_bytes().to_vec())
        })
        .collect()
}

fn policies(compiled: &Compiled, slot: u32, numbers: &Numbers) -> Entries {
    let mut unlisted = what_it_may(&compiled.unlisted, None);
    unlisted.flags &= !KNOWN;
    let unlisted = (0..SERVICES).map(|number| (index(slot * SERVICES + number), bytes(&unlisted)));
    let ports = ports(compiled);
    let listed = compiled
        .services
        .iter()
        .filter_map(|(name, service)| Some(policy(service, ports.get(name).copied(), slot, *numbers.get(name)?)));
    unlisted.chain(listed).collect()
}

fn rules(compiled: &Compiled, slot: u32, numbers: &Numbers) -> Entries {
    // Number 0 stands for every service that the revision does not know.
    let known = compiled.services.iter().filter_map(|(name, service)| Some((*numbers.get(name)?, service)));
    let of = |(number, service): (u32, &'_ Service)| {
        let entry = move |((capability, access), rule): (&(u8, u8), &u16)| {
            let key = types::bz_rule_key {
                service: number | slot << 31,
                capability: u16::from(*capability),
                access: u16::from(*access),
            };
            (bytes(&key), index(u32::from(*rule)))
        };
        service.rules.iter().filter(|(_, rule)| **rule != 0).map(entry).collect::<Vec<_>>()
    };
    known.chain([(0, &compiled.unlisted)]).flat_map(of).collect()
}

fn outbound(compiled: &Compiled, slot: u32, numbers: &Numbers) -> Entries {
    let entry = |outbound: &Outbound, number: u32| {
        let key = types::bz_outbound_key {
            bits: 32 + u32::from(outbound.bits),
            service: (number | slot << 31).to_be(),
            address: outbound.address,
        };
        let mut value = types::bz_outbound::default();
        for (to, range) in value.ports.iter_mut().zip(&outbound.ports) {
            *to = types::bz_ports {
                first: range.first,
                last: range.last,
                rule: range.rule.saturating_add(1),
                prevent: u16::from(range.prevent),
            };
            value.count += 1;
        }
        (bytes(&key), bytes(&value))
    };
    compiled.outbound.iter().filter_map(|one| numbers.get(&one.service).map(|number| entry(one, *number))).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use policy::compiled::{Edge, Node, PortRange};

    #[test]
    fn every_key_tells_its_slot() {
        let mut compiled = Compiled { unknown_start: 1, ..Compiled::default() };
        compiled.nodes = vec![Node::default(); 3];
        compiled.edges = vec![Edge { from: 1, name: b"etc".to_vec(), to: 2 }];
        compiled.globs = [false, true].map(|suffix| Glob { from: 1, suffix, text: b"ab".to_vec(), to: 2 }).to_vec();
        compiled.services.insert("web".into(), Service { rules: [((3, 2), 1)].into(), ..Service::default() });
        compiled.outbound = vec![Outbound { service: "web".into(), address: [0; 16], bits: 120, ports: Vec::new() }];
        let numbers = Numbers::from([("web".to_owned(), 5)]);
        for slot in [0, 1] {
            let image = Image::render(&compiled, slot, &numbers);
            for map in ["edges", "globs", "starts", "rules", "outbound"] {
                assert!(!image.maps[map].is_empty(), "{map}");
                for (key, _) in image.maps[map].iter() {
                    assert!(in_slot(map, key, slot), "{map} {key:?}");
                    assert!(!in_slot(map, key, 1 - slot), "{map} {key:?}");
                }
            }
        }
    }

    #[test]
    fn the_ports_of_a_service_span_all_its_entries() {
        let entry = |service: &str, first, last| Outbound {
            service: service.into(),
            address: [0; 16],
            bits: 0,
            ports: vec![PortRange { first, last, prevent: true, rule: 0 }],
        };
        let outbound = vec![entry("web", 80, 90), entry("mail", 25, 25), entry("web", 443, 443)];
        let compiled = Compiled { outbound, ..Compiled::default() };
        assert_eq!(ports(&compiled), [("mail".to_owned(), (25, 25)), ("web".to_owned(), (80, 443))].into());
    }

    #[test]
    fn a_service_without_an_entry_is_treated_as_unlisted() {
        let mut compiled = Compiled::default();
        compiled.unlisted.subject.learning = true;
        let image = Image::render(&compiled, 0, &Numbers::new());
        let expected = bytes(&types::bz_policy { flags: LEARNING, ..types::bz_policy::default() });
        assert!(image.maps["policies"].iter().all(|(_, value)| value == expected));
    }

    #[test]
    fn what_is_our_own_is_granted_to_nobody() {
        let mut compiled = Compiled::default();
        compiled.unlisted.subject.granted = policy::access::Masks::ALL;
        compiled.labels = vec![Label { own: true, ..Label::default() }];
        assert_eq!(label(&compiled.labels[0]).need[Access::Write as usize], OWN);
        let image = Image::render(&compiled, 1, &Numbers::new());
        assert_eq!(image.maps["policies"].len(), SERVICES as usize);
        let granted = [u64::MAX >> 1; Access::COUNT].map(u64::to_ne_bytes).concat();
        assert!(image.maps["policies"].iter().all(|(_, value)| value.starts_with(&granted)));
    }

    #[test]
    fn a_suffix_is_stored_backwards() {
        let compiled = Compiled {
            globs: vec![Glob { from: 1, suffix: true, text: b"ab".to_vec(), to: 2 }],
            ..Compiled::default()
        };
        let image = Image::render(&compiled, 0, &Numbers::new());
        let (key, _) = image.maps["globs"].iter().next().unwrap();
        assert_eq!(&key[8..10], b"ba");
    }
}
