//! The units of this host, as the files of systemd name them. It needs no daemon and asks systemd nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use policy::check::Units;

use crate::assemble::UNIT_DIRECTORIES;

/// Where packages put units (systemd.unit(5)), beside [`UNIT_DIRECTORIES`].
const PACKAGED: [&str; 2] = ["/usr/lib/systemd/system", "/lib/systemd/system"];

/// Where the v2 hierarchy of cgroups is mounted (unified or hybrid).
const RUNNING: [&str; 2] = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];

/// The services of this host; `None` where no directory of units can be read, as on a machine without systemd.
pub fn units() -> Option<Units> {
    let mut units = Units::default();
    for directory in UNIT_DIRECTORIES.into_iter().chain(PACKAGED) {
        gather(Path::new(directory), &mut units);
    }
    units.slices.extend(RUNNING.iter().flat_map(|root| slices(Path::new(root))));
    units.aliases.retain(|alias, _| !units.services.contains(alias));
    (!units.services.is_empty()).then_some(units)
}

/// Those of these services that have a unit file, which an alias is as well. systemd does not show a template of which no
/// instance is loaded.
pub fn with_files(services: &BTreeSet<String>) -> BTreeSet<String> {
    let directories = UNIT_DIRECTORIES.into_iter().chain(PACKAGED);
    directories.flat_map(|directory| files_of(Path::new(directory), services)).collect()
}

fn files_of(directory: &Path, services: &BTreeSet<String>) -> BTreeSet<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    // What an alias leads to may be gone.
    let files = entries.filter_map(|entry| Some((service(entry.file_name().to_str()?)?, entry.path())));
    files.filter(|(name, path)| services.contains(name) && path.exists()).map(|(name, _)| name).collect()
}

fn gather(directory: &Path, units: &mut Units) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let file = entry.file_name();
        let Some(file) = file.to_str() else { continue };
        units.slices.extend(file.strip_suffix(".slice").map(str::to_owned));
        let Some(name) = service(file) else { continue };
        let target = fs::canonicalize(entry.path()).ok().filter(|_| entry.path().is_symlink());
        let real = target.and_then(|path| service(path.file_name()?.to_str()?));
        match real.filter(|real| *real != name) {
            Some(real) => drop(units.aliases.insert(name, real)),
            // What is masked leads to /dev/null, and is a unit all the same.
            None => drop(units.services.insert(name)),
        }
    }
}

/// Slices that are in use.
fn slices(root: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            if let Some(slice) = entry.file_name().to_str().and_then(|name| name.strip_suffix(".slice")) {
                found.insert(slice.to_owned());
                open.push(entry.path());
            }
        }
    }
    found
}

/// The service of a unit file; instances of a template are one.
fn service(file: &str) -> Option<String> {
    let name = file.strip_suffix(".service")?;
    let name = name.find('@').and_then(|at| name.get(..=at)).unwrap_or(name);
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn unit_files_are_services_and_links_are_other_names() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["ssh.service", "getty@.service", "dbus.socket", "x.service.d", "web.slice"] {
            fs::write(directory.path().join(name), "").unwrap();
        }
        for (link, to) in
            [("sshd.service", "ssh.service"), ("getty@tty1.service", "getty@.service"), ("off.service", "/dev/null")]
        {
            std::os::unix::fs::symlink(directory.path().join(to), directory.path().join(link)).unwrap();
        }
        let mut units = Units::default();
        gather(directory.path(), &mut units);
        assert_eq!(units.services, ["getty@", "off", "ssh"].map(str::to_owned).into());
        assert_eq!(units.slices, ["web".to_owned()].into());
        fs::create_dir_all(directory.path().join("a.slice/a-b.slice/x.service")).unwrap();
        assert!(slices(directory.path()).is_superset(&["a", "a-b"].map(str::to_owned).into()));
        assert_eq!(units.aliases, [("sshd".to_owned(), "ssh".to_owned())].into());
    }

    #[test]
    fn a_unit_is_here_while_a_file_or_an_alias_names_it() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["ssh.service", "ssh@.service", "one@two.service", "gone.service.d", "gone.socket"] {
            fs::write(directory.path().join(name), "").unwrap();
        }
        for (link, to) in [("sshd.service", "ssh.service"), ("gone@.service", "nothing@.service")] {
            std::os::unix::fs::symlink(directory.path().join(to), directory.path().join(link)).unwrap();
        }
        let asked = ["ssh", "ssh@", "one@", "sshd", "gone", "gone@", "ss"].map(str::to_owned).into();
        let here = ["ssh", "ssh@", "one@", "sshd"].map(str::to_owned).into();
        assert_eq!(files_of(directory.path(), &asked), here);
    }
}
