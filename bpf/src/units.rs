//! The cgroup tree as it is when the programs are attached: what `kern/unit.bpf.h` sees from then on, for what came
//! before.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use policy::slice;

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

/// Most slices that are gone through, and most entries in them: any root process can make directories there. Services beyond
/// have no slice, and those whose slice is known from before keep it.
const SLICES_MAX: usize = 4096;
const ENTRIES_MAX: usize = 1 << 16;

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

/// So often the tree is gone through although no cgroup came or went.
const ANYWAY: Duration = Duration::from_secs(60);

/// Where services were when the tree was gone through last. A cgroup stays where it was made, so that as long as there are the
/// same ones, each service is where it was.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// When that was, if what was found is settled.
    at: Option<Instant>,
    units: BTreeMap<u64, u32>,
    slices: BTreeMap<u32, String>,
}

impl Places {
    /// The slice of each service, as [`slices`] has it.
    pub(crate) fn slices(&mut self, units: BTreeMap<u64, u32>) -> BTreeMap<u32, String> {
        if self.units != units || self.at.is_none_or(|at| at.elapsed() >= ANYWAY) {
            let slices = slices(&units);
            // A cgroup may be known to the kernel a moment before it can be found; what is in no slice stays so.
            let all_found = units.values().all(|number| slices.contains_key(number));
            let is_settled = all_found || (self.units == units && self.slices == slices);
            *self = Places { at: is_settled.then(Instant::now), units, slices };
        }
        self.slices.clone()
    }
}

/// The slice of each service, by its number, without `.slice`. `units`: the service of every cgroup that PID 1 made for one; what
/// a service has made itself says nothing about where it is.
fn slices(units: &BTreeMap<u64, u32>) -> BTreeMap<u32, String> {
    let mountinfo = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    hierarchy(&mountinfo).map(|root| slices_below(&root, units)).unwrap_or_default()
}

/// Goes through the outer slices first, so that deep ones keep none of those out.
fn slices_below(root: &Path, units: &BTreeMap<u64, u32>) -> BTreeMap<u32, String> {
    let mut found: BTreeMap<u32, String> = BTreeMap::new();
    let mut open = VecDeque::from([(root.to_owned(), slice::ROOT.to_owned())]);
    let (mut slices, mut entries) = (1, 0);
    while let Some((directory, inside)) = open.pop_front() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            entries += 1;
            if entries > ENTRIES_MAX {
                return found;
            }
            let file = entry.file_name();
            let Some(name) = file.to_str() else { continue };
            if let Some(deeper) = name.strip_suffix(".slice").filter(|name| slice::is_valid(name)) {
                if slices < SLICES_MAX {
                    open.push_back((entry.path(), deeper.to_owned()));
                    slices += 1;
                }
            } else if unit_of_name(name).0.is_some()
                && let Some(number) = entry.metadata().ok().and_then(|facts| units.get(&facts.ino()))
            {
                let before = found.get(number).map(|before| slice::common(before, &inside));
                found.insert(*number, before.unwrap_or_else(|| inside.clone()));
            }
        }
    }
    found
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
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_in_the_slice_in_which_pid_1_has_put_it() {
        let root = tempfile::tempdir().unwrap();
        let made = |path: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(&path).unwrap();
            fs::metadata(path).unwrap().ino()
        };
        let units = BTreeMap::from([
            (made("system.slice/nginx.service"), 1),
            (made("system.slice/system-web.slice/app.service"), 2),
            (made("user.slice/user-0.slice/user@0.service"), 3),
            (made("user.slice/user-1.slice/user@1.service"), 3),
            (made("user.slice/user-1.slice/user@1.service/app.slice/nginx.service"), 3),
            (made("init.scope/web.slice/web.service"), 4),
        ]);
        // Made by a service: it is in no table.
        made("evil.slice/nginx.service");
        let expected =
            [(1, "system"), (2, "system-web"), (3, "user")].map(|(number, slice)| (number, slice.to_owned()));
        assert_eq!(slices_below(root.path(), &units), expected.into());
    }

    #[test]
    fn the_walk_ends_however_many_slices_there_are() {
        let root = tempfile::tempdir().unwrap();
        let made = |path: &Path| {
            fs::create_dir_all(path).unwrap();
            fs::metadata(path).unwrap().ino()
        };
        let mut units = BTreeMap::from([(made(&root.path().join("system.slice/nginx.service")), 0)]);
        for number in 1..=5000 {
            units.insert(made(&root.path().join(format!("evil.slice/evil-{number}.slice/a.service"))), number);
        }
        let found = slices_below(root.path(), &units);
        assert_eq!(found.get(&0).map(String::as_str), Some("system"));
        // The root, system.slice and evil.slice are slices as well.
        assert_eq!(found.len(), SLICES_MAX - 3 + 1);
    }

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
