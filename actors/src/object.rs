//! An object of an act as the kernel would find it: where its name leads, and what it is.

use std::fs::{self, Metadata};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use bpf::other_names::OtherNames;
use policy::access::{Access, Masks};
use policy::capability::{Capability, Catalogue, program_paths};
use policy::compiled::Compiled;
use policy::distribution;
use policy::explain::Walk;
use policy::host::HostFacts;
use policy::locate::real;
use policy::operation::{KINDS, OPERATIONS};
use policy::pattern::Pattern;

/// What an act on an object needs, and where that comes from.
#[derive(Debug, Default)]
pub struct Object {
    /// Where the name leads; the name itself for an operation.
    pub name: String,
    /// What it needs.
    pub need: Masks,
    /// Whether it is Bartizan's own.
    pub own: bool,
    /// `SSH.write by /etc/ssh/**`, one for each pattern and kind.
    pub from: Vec<String>,
    /// What cannot be told from outside the kernel.
    pub unknown: Vec<String>,
    /// How many names the file has; 0: it is no file.
    pub names: u64,
}

/// The object of an operation, by its name in the catalogue.
pub fn operation(name: &str, compiled: &Compiled, catalogue: &Catalogue) -> Result<Object, String> {
    let known = || OPERATIONS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let Some((_, number)) = OPERATIONS.iter().find(|(known, _)| *known == name) else {
        return Err(format!("expected an operation, one of {}: `{}`", known(), name.escape_debug()));
    };
    let mask = compiled.operations.get(usize::from(*number)).copied().unwrap_or(0);
    let mut need = Masks::NONE;
    need.insert(Access::Operate, mask);
    let from = catalogue.names(mask).into_iter().map(|one| format!("{one}.operate for {name}")).collect();
    Ok(Object { name: name.to_owned(), need, from, ..Object::default() })
}

/// The object that a path leads to.
pub fn path(
    asked: &Path,
    access: Access,
    compiled: &Compiled,
    catalogue: &Catalogue,
    host: &dyn HostFacts,
) -> Result<Object, String> {
    if !asked.is_absolute() {
        return Err(format!("expected an absolute path: `{}`", asked.display().to_string().escape_debug()));
    }
    let real = real(asked, host);
    let walk = Walk::new(compiled);
    let label = walk.label_at(&real, &host.mounts());
    let mut object = Object { name: real.display().to_string(), own: label.own, ..Object::default() };
    object.need.insert(access, label.need.get(access));
    let here = distribution::on(catalogue, &host.release());
    object.from = patterns(&here, label.need.get(access), access, &[asked, &real], host);
    if access == Access::Execute {
        object.add(catalogue, access, walk.unlisted(&label), "as a program that is on no list");
    }
    if let Ok(facts) = fs::metadata(&real) {
        object.kinds(&facts, access, compiled, catalogue);
    }
    Ok(object)
}

impl Object {
    fn add(&mut self, catalogue: &Catalogue, access: Access, mask: u64, why: &str) {
        self.need.insert(access, mask);
        self.from.extend(catalogue.names(mask).into_iter().map(|one| format!("{one}.{} {why}", access.name())));
    }

    /// Adds what the kernel says about the other names of the file, or that nobody could ask it.
    pub fn other_names(&mut self, catalogue: &Catalogue, access: Access, said: Result<Option<OtherNames>, String>) {
        let said = match said {
            Ok(said) => said,
            Err(_) if self.names < 2 => None,
            Err(why) => {
                let names = self.names;
                return self.unknown.push(format!("it has {names} names and needs what any of them needs; {why}"));
            }
        };
        let Some(said) = said else { return };
        let (by_own, asked) = (self.need.get(access), PathBuf::from(&self.name));
        for (path, need) in said.names.iter().filter(|(path, _)| *path != asked) {
            let more = need.get(access) & said.need.get(access) & !by_own;
            self.add(catalogue, access, more, &format!("by its other name {}", path.display()));
        }
        let rest = said.need.get(access) & !self.need.get(access);
        self.add(catalogue, access, rest, "by a name that it had, or has where it cannot be seen");
        self.own |= said.own;
        if !said.certain {
            let what =
                "its file system does not tell whether the kernel remembers this file or an earlier one of its number";
            self.unknown.push(what.to_owned());
        }
    }

    /// What it needs for what it is, see docs/policy.md.
    fn kinds(&mut self, facts: &Metadata, access: Access, compiled: &Compiled, catalogue: &Catalogue) {
        let kind = |name: &str| {
            let number = KINDS.iter().find(|(known, _)| *known == name).map_or(0, |(_, number)| usize::from(*number));
            compiled.operations.get(number).copied().unwrap_or(0)
        };
        if access == Access::Write && facts.is_file() && facts.mode() & 0o111 != 0 {
            self.add(catalogue, access, kind("program"), "as a file that may be executed");
        }
        if matches!(access, Access::Read | Access::Write) && is_raw(facts) {
            self.add(catalogue, access, kind("device"), "as a disk or memory");
        }
        self.names = if facts.is_file() { facts.nlink() } else { 0 };
        if access == Access::Execute && facts.is_file() {
            let more = catalogue.names(kind("written")).join(", ");
            self.unknown.push(format!("if a service wrote it that may not install, it needs {more} as well"));
        }
    }
}

/// Disks, and the character devices that `is_raw` in kern/written.bpf.h names.
fn is_raw(facts: &Metadata) -> bool {
    let (major, minor) = (nix::sys::stat::major(facts.rdev()), nix::sys::stat::minor(facts.rdev()));
    let memory = facts.file_type().is_char_device() && (major == 21 || major == 1 && matches!(minor, 1 | 2 | 4));
    facts.file_type().is_block_device() || memory
}

/// The patterns of the catalogue that fit a path under one of its names.
fn patterns(catalogue: &Catalogue, mask: u64, access: Access, paths: &[&Path], host: &dyn HostFacts) -> Vec<String> {
    let fits = |text: &str| {
        let expanded: Vec<String> = match text.strip_prefix('~') {
            Some(rest) => host.homes().iter().map(|home| format!("{}{rest}", home.display())).collect(),
            None => vec![text.to_owned()],
        };
        expanded
            .iter()
            .filter_map(|text| Pattern::parse(text).ok())
            .any(|pattern| paths.iter().any(|path| pattern.fits_path(path)))
    };
    let mut found = Vec::new();
    for capability in catalogue.iter().filter(|capability| mask >> capability.bit & 1 == 1) {
        let named = |text: &str| format!("{}.{} by {text}{}", capability.name, access.name(), capability.remark(text));
        let before = found.len();
        found.extend(
            capability.patterns().filter(|(one, text)| *one == access && fits(text)).map(|(_, text)| named(text)),
        );
        if access == Access::Execute {
            found.extend(by_name(capability, paths).map(named));
        }
        if found.len() == before {
            found.push(format!("{}.{} by another name of the same place", capability.name, access.name()));
        }
    }
    found
}

fn by_name<'a>(capability: &'a Capability, paths: &'a [&Path]) -> impl Iterator<Item = &'a str> {
    capability.programs().filter(|name| program_paths(name).any(|path| paths.contains(&Path::new(&path))))
}
