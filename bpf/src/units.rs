//! The cgroup tree as it is when the programs are attached: what `kern/unit.bpf.h` sees from then on, for what came
//! before.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::calls::Calls;
use crate::image::OTHERS;
use crate::kernel::KernelError;
use crate::tables::Tables;

/// The v2 hierarchy's mount point (unified or hybrid), or a refusal.
pub(crate) fn hierarchy(mountinfo: &str) -> Option<PathBuf> {
    policy::host::parse_mountinfo(mountinfo)
        .into_iter()
        .find(|mount| mount.kind == "cgroup2" && mount.root == Path::new("/"))
        .map(|mount| mount.point)
}

/// What a cgroup means by its own name: a service without its suffix (templates keep the `@`), or a login session.
fn unit_of_name(name: &str) -> (Option<&str>, bool) {
    if name.starts_with("session-") && name.ends_with(".scope") {
        return (None, true);
    }
    let Some(service) = name.strip_suffix(".service").filter(|service| !service.is_empty()) else {
        return (None, false);
    };
    match service.find('@') {
        Some(at) => (service.get(..=at), false),
        None => (Some(service), false),
    }
}

/// Enters every cgroup of the tree that belongs to a unit or a session. Services found here were running before.
pub(crate) fn enter(tables: &Tables, calls: &Calls, root: &Path) -> Result<(), KernelError> {
    let mut open = vec![(root.to_owned(), 0u32, false)];
    while let Some((directory, mut service, mut session)) = open.pop() {
        let Ok(facts) = fs::metadata(&directory) else { continue };
        if service == 0 && !session && directory != root {
            let name = directory.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let (unit, is_session) = unit_of_name(name);
            session = is_session;
            if let Some(unit) = unit {
                service = calls.register(unit, true)?.unwrap_or(OTHERS);
            }
        }
        if service != 0 || session {
            tables.put_cgroup(facts.ino(), service, session)?;
        }
        let below = fs::read_dir(&directory).into_iter().flatten().flatten();
        open.extend(
            below
                .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
                .map(|entry| (entry.path(), service, session)),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_means_what_the_kernel_side_takes_it_for() {
        assert_eq!(unit_of_name("nginx.service"), (Some("nginx"), false));
        assert_eq!(unit_of_name("getty@tty1.service"), (Some("getty@"), false));
        assert_eq!(unit_of_name("session-3.scope"), (None, true));
        assert_eq!(unit_of_name("session-store.service"), (Some("session-store"), false));
        assert_eq!(unit_of_name("system.slice"), (None, false));
        assert_eq!(unit_of_name(".service"), (None, false));
    }
}
