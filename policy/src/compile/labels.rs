//! Which paths need what on this host: the catalogue's patterns with homes, program directories and symlinks resolved.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::CompileError;
use super::resolve::Resolver;
use crate::access::Access;
use crate::capability::{Catalogue, program_paths};
use crate::compiled::Label;
use crate::host::HostFacts;
use crate::operation::{EXECUTED, KINDS, OPERATIONS, ROOM};
use crate::pattern::Pattern;
use crate::selftest;

/// Paths of systemd's executor (systemd 255 and newer).
const EXECUTOR: [&str; 2] = ["/usr/lib/systemd/systemd-executor", "/lib/systemd/systemd-executor"];

/// Every pattern with what it needs.
pub(super) type Patterns = BTreeMap<Pattern, Label>;

/// Gathers all patterns.
pub(super) fn patterns(catalogue: &Catalogue, own: &[PathBuf], host: &dyn HostFacts) -> Result<Patterns, CompileError> {
    let mut patterns = Patterns::new();
    let mut resolver = Resolver::new(host);
    for capability in catalogue.iter() {
        let mask = 1u64 << capability.bit;
        for (access, text) in capability.patterns() {
            need(&mut patterns, &mut resolver, text, access, mask)?;
        }
        for path in capability.programs().flat_map(program_paths) {
            need(&mut patterns, &mut resolver, &path, Access::Execute, mask)?;
        }
    }
    for capability in catalogue.iter() {
        let only = capability.programs.iter().filter_map(|programs| programs.only.as_ref()).flatten();
        for text in only {
            let paths: Vec<String> =
                if text.starts_with(['/', '~']) { vec![text.clone()] } else { program_paths(text).collect() };
            for path in paths {
                for place in places(&mut resolver, &path)? {
                    patterns.entry(place).or_default().spared |= 1 << capability.bit;
                }
            }
        }
    }
    if let Some(bit) = catalogue.index(selftest::CAPABILITY) {
        for access in [Access::Execute, Access::Read, Access::Write, Access::Connect] {
            need(&mut patterns, &mut resolver, &format!("{}/**", selftest::DIRECTORY), access, 1 << bit)?;
        }
    }
    for path in own {
        for place in resolver.tree(path) {
            patterns.entry(place).or_default().own = true;
        }
    }
    for path in EXECUTOR {
        for place in resolver.places(Path::new(path)) {
            patterns.entry(place).or_default().executor = true;
        }
    }
    Ok(patterns)
}

fn need(
    patterns: &mut Patterns,
    resolver: &mut Resolver<'_>,
    text: &str,
    access: Access,
    mask: u64,
) -> Result<(), CompileError> {
    for place in places(resolver, text)? {
        patterns.entry(place).or_default().need.insert(access, mask);
    }
    Ok(())
}

fn places(resolver: &mut Resolver<'_>, text: &str) -> Result<BTreeSet<Pattern>, CompileError> {
    resolver.patterns(text).map_err(|message| CompileError::Path { path: text.to_owned(), message })
}

/// Bits that each operation and each kind of file needs, by its number in wire.h.
pub(super) fn operations(catalogue: &Catalogue) -> Vec<u64> {
    let mut needs = vec![0; ROOM];
    for capability in catalogue.iter() {
        let named =
            |(name, _): &&(&str, u8)| capability.operations.iter().chain(&capability.kinds).any(|one| one == name);
        for (_, number) in OPERATIONS.iter().chain(&KINDS).filter(named) {
            if let Some(need) = needs.get_mut(usize::from(*number)) {
                *need |= 1 << capability.bit;
            }
        }
        if capability.programs.as_ref().is_some_and(|programs| programs.only.is_some())
            && let Some(need) = needs.get_mut(usize::from(EXECUTED))
        {
            *need |= 1 << capability.bit;
        }
    }
    needs
}
