//! From a path as the catalogue writes it to the places where the host really has it: homes put in, symlinks followed.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use crate::compiled::DEPTH_MAX;
use crate::host::HostFacts;
use crate::pattern::{Component, Pattern};

/// Files with many names, of which one says nothing about the others: a name that leads to them is not resolved.
const MANY_NAMES: [&str; 4] = ["busybox", "coreutils", "toybox", "kmod"];

/// Follows symlinks, each directory once.
pub(super) struct Resolver<'a> {
    host: &'a dyn HostFacts,
    homes: Vec<PathBuf>,
    directories: HashMap<PathBuf, Option<PathBuf>>,
}

impl<'a> Resolver<'a> {
    /// Nothing is known yet.
    pub(super) fn new(host: &'a dyn HostFacts) -> Resolver<'a> {
        Resolver { host, homes: host.homes(), directories: HashMap::new() }
    }

    /// The places of a pattern: as written, and where symlinks lead. For a glob its directory is resolved. The error
    /// says what was expected.
    pub(super) fn patterns(&mut self, text: &str) -> Result<BTreeSet<Pattern>, String> {
        let Some(rest) = text.strip_prefix('~') else {
            Pattern::parse(text)?;
            let (literal, glob) = split_at_glob(text);
            let places = self.places(Path::new(literal));
            return Ok(append(places, &parse_glob(glob)?));
        };
        Pattern::parse(&format!("/home{rest}"))?;
        let (literal, glob) = split_at_glob(rest);
        let homes = self.homes.clone();
        let places = homes.iter().flat_map(|home| self.home_places(home, literal)).collect();
        Ok(append(places, &parse_glob(glob)?))
    }

    /// The places of a directory or file and of everything below it.
    pub(super) fn tree(&mut self, path: &Path) -> BTreeSet<Pattern> {
        append(self.places(path), &[Component::AnyDepth])
    }

    /// The places of a path without globs.
    pub(super) fn places(&mut self, path: &Path) -> BTreeSet<Pattern> {
        let real = self.real(path).filter(|real| !leads_astray(path, real));
        real.iter().map(PathBuf::as_path).chain([path]).map(Pattern::literal).collect()
    }

    /// A user may point a name in a home anywhere, at the files of a service for one, which would then need what the
    /// name needs: such a symlink counts only inside the home.
    fn home_places(&mut self, home: &Path, rest: &str) -> BTreeSet<Pattern> {
        let below = rest.trim_start_matches('/');
        let real_home = self.real(home).unwrap_or_else(|| home.to_path_buf());
        let path = real_home.join(below);
        let real = self.real(&path).filter(|real| real.starts_with(&real_home) && *real != real_home);
        [home.join(below), path].iter().chain(&real).map(|path| Pattern::literal(path)).collect()
    }

    /// The path with all symlinks followed as far as it exists: what is created later will be there.
    fn real(&mut self, path: &Path) -> Option<PathBuf> {
        if let Some(real) = self.host.canonical(path) {
            return Some(real);
        }
        let (parent, name) = (path.parent()?, path.file_name()?);
        let known = self.directories.get(parent).cloned();
        let parent_real = known.unwrap_or_else(|| {
            let real = self.real(parent);
            self.directories.insert(parent.to_path_buf(), real.clone());
            real
        });
        parent_real.map(|real| real.join(name))
    }
}

/// Adds the part with globs to each place. A place too deep for the kernel is covered from above.
fn append(places: BTreeSet<Pattern>, glob: &[Component]) -> BTreeSet<Pattern> {
    let whole = places.into_iter().map(|mut place| {
        place.0.extend(glob.iter().cloned());
        let depth = place.0.iter().filter(|component| **component != Component::AnyDepth).count();
        if depth > DEPTH_MAX {
            place.0.truncate(DEPTH_MAX);
            place.0.push(Component::AnyDepth);
        }
        place
    });
    whole.collect()
}

fn parse_glob(glob: &str) -> Result<Vec<Component>, String> {
    if glob.is_empty() { Ok(Vec::new()) } else { Pattern::parse(glob).map(|pattern| pattern.0) }
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
fn leads_astray(path: &Path, real: &Path) -> bool {
    let name = real.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    path != real && (real.starts_with("/dev") && !path.starts_with("/dev") || MANY_NAMES.contains(&name.as_str()))
}
