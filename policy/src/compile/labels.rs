//! Which paths need what on this host: the catalogue's patterns with homes, program directories and symlinks resolved.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::CompileError;
use crate::access::Access;
use crate::capability::{Catalogue, program_paths};
use crate::compiled::Label;
use crate::host::HostFacts;
use crate::pattern::{Component, Pattern};

/// Paths of systemd's executor (systemd 255 and newer).
const EXECUTOR: [&str; 2] = ["/usr/lib/systemd/systemd-executor", "/lib/systemd/systemd-executor"];
/// Files with many names, of which one says nothing about the others: a name that leads to them is not resolved.
const MANY_NAMES: [&str; 4] = ["busybox", "coreutils", "toybox", "kmod"];

/// Every pattern with what it needs.
pub(super) type Patterns = BTreeMap<Pattern, Label>;

/// Gathers all patterns.
pub(super) fn patterns(catalogue: &Catalogue, own: &[PathBuf], host: &dyn HostFacts) -> Result<Patterns, CompileError> {
    let mut patterns = Patterns::new();
    let homes = host.homes();
    for capability in catalogue.iter() {
        let mask = 1u64 << capability.bit;
        for (access, text) in capability.patterns() {
            for path in expand(text, &homes) {
                need(&mut patterns, parse(&path)?, access, mask);
                resolved(&mut patterns, &path, access, mask, host)?;
            }
        }
        for path in capability.programs().flat_map(program_paths) {
            need(&mut patterns, parse(&path)?, Access::Execute, mask);
            resolved(&mut patterns, &path, Access::Execute, mask, host)?;
        }
    }
    for path in own {
        let mut pattern = Pattern::literal(&path.to_string_lossy());
        pattern.0.push(Component::AnyDepth);
        patterns.entry(pattern).or_default().own = true;
    }
    for path in EXECUTOR {
        patterns.entry(parse(path)?).or_default().executor = true;
    }
    Ok(patterns)
}

/// Bits that each operation needs, by its number in wire.h.
pub(super) fn operations(catalogue: &Catalogue) -> Vec<u64> {
    ["mount", "umount"]
        .iter()
        .map(|name| {
            let needs = catalogue.iter().filter(|one| one.operations.iter().any(|operation| operation == name));
            needs.fold(0, |mask, capability| mask | 1 << capability.bit)
        })
        .collect()
}

fn need(patterns: &mut Patterns, pattern: Pattern, access: Access, mask: u64) {
    patterns.entry(pattern).or_default().need.insert(access, mask);
}

fn parse(text: &str) -> Result<Pattern, CompileError> {
    Pattern::parse(text).map_err(|message| CompileError::Path { path: text.to_owned(), message })
}

/// `~/x` for every home; anything else as it is.
fn expand(text: &str, homes: &[PathBuf]) -> Vec<String> {
    match text.strip_prefix('~') {
        Some(rest) => homes.iter().map(|home| format!("{}{rest}", home.display())).collect(),
        None => vec![text.to_owned()],
    }
}

/// The same need at the place to which symlinks lead: only that place has dentries. For a glob its directory is
/// resolved.
fn resolved(
    patterns: &mut Patterns,
    path: &str,
    access: Access,
    mask: u64,
    host: &dyn HostFacts,
) -> Result<(), CompileError> {
    let (literal, rest) = split_at_glob(path);
    let Some(real) = host.canonical(Path::new(literal)) else { return Ok(()) };
    if real == Path::new(literal) || (rest.is_empty() && leads_astray(literal, &real)) {
        return Ok(());
    }
    let text = format!("{}{rest}", real.display());
    // A place too deep or too long for a pattern cannot be labelled under this name; its own entries still hold.
    if let Ok(pattern) = Pattern::parse(&text) {
        need(patterns, pattern, access, mask);
    }
    Ok(())
}

/// The part before the first component with a glob, and the rest with its slash.
fn split_at_glob(path: &str) -> (&str, &str) {
    match path.find('*') {
        None => (path, ""),
        Some(star) => {
            let slash = path.get(..star).and_then(|before| before.rfind('/')).unwrap_or(0);
            path.split_at(slash)
        }
    }
}

/// Symlinks to null devices and multi-call programs are not the file that was meant.
fn leads_astray(literal: &str, real: &Path) -> bool {
    let name = real.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    real.starts_with("/dev") && !literal.starts_with("/dev") || MANY_NAMES.contains(&name.as_str())
}
