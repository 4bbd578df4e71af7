//! Addresses per service. The kernel finds the longest prefix only, so each entry also holds what shorter ones say.

use std::collections::BTreeMap;

use super::CompileError;
use crate::compiled::{Compiled, Outbound, PortRange};
use crate::rule::Rule;

type Prefix = ([u8; 16], u8);

/// Fills `outbound` from the rules, for every service that is in `services` by now.
pub(super) fn fill(compiled: &mut Compiled, rules: &[Rule]) -> Result<(), CompileError> {
    let names: Vec<String> = compiled.services.keys().cloned().collect();
    for name in names {
        let mut said: BTreeMap<Prefix, Vec<PortRange>> = BTreeMap::new();
        for (index, rule) in rules.iter().enumerate().filter(|(_, rule)| rule.reach(&name).is_some()) {
            let Some(outbound) = &rule.outbound else { continue };
            let rule = u16::try_from(index).unwrap_or(u16::MAX);
            for to in &outbound.deny {
                let ports = if to.ports.is_empty() { &[(0, u16::MAX)] } else { to.ports.as_slice() };
                let ranges = ports.iter().map(|(first, last)| PortRange {
                    first: *first,
                    last: *last,
                    prevent: outbound.prevent,
                    rule,
                });
                said.entry((to.address, to.bits)).or_default().extend(ranges);
            }
        }
        for (address, bits) in said.keys() {
            let mut ports: Vec<PortRange> = said
                .iter()
                .filter(|(shorter, _)| covers(shorter, &(*address, *bits)))
                .flat_map(|(_, ranges)| ranges.iter().copied())
                .collect();
            // The first range that fits counts: refusals first.
            ports.sort_by_key(|range| (!range.prevent, range.first, range.last, range.rule));
            ports.dedup();
            compiled.outbound.push(Outbound { service: name.clone(), address: *address, bits: *bits, ports });
        }
    }
    Ok(())
}

/// Whether the first prefix holds every address of the second.
fn covers(wide: &Prefix, narrow: &Prefix) -> bool {
    let mask = u128::MAX.checked_shl(128 - u32::from(wide.1)).unwrap_or(0);
    wide.1 <= narrow.1 && u128::from_be_bytes(wide.0) & mask == u128::from_be_bytes(narrow.0) & mask
}
