//! What is asked of the rest of the machine.

use std::fs;
use std::path::{Path, PathBuf};

use actors::host::ThisHost;
use policy::host::{HostFacts as _, Mount, parse_mountinfo};

use super::{Finding, State};

/// Memory that the maps take: `bpftool map` summed up to 16.9 MB on 6.1, 16.2 MB on 6.12 and 7.3 after the end-to-end tests; some
/// room is added, as tables grow.
const MAPS_MIB: u64 = 32;
const MIB: u64 = 1 << 20;
/// Where systemd puts the daemon, below the hierarchy.
const DAEMON: &str = "system.slice/bartizand.service";

pub(super) fn user() -> Finding {
    let good = nix::unistd::geteuid().is_root();
    let seen = if good { "this runs as root" } else { "this does not run as root, so the rest is guesswork" };
    Finding::needed("user", good, seen, "run `sudo bartizan doctor`")
}

fn mounts() -> Vec<Mount> {
    parse_mountinfo(&fs::read_to_string("/proc/self/mountinfo").unwrap_or_default())
}

fn hierarchy_at() -> Option<PathBuf> {
    mounts().into_iter().find(|mount| mount.kind == "cgroup2").map(|mount| mount.point)
}

pub(super) fn hierarchy() -> Finding {
    let found = hierarchy_at();
    let hybrid = mounts().iter().any(|mount| mount.kind == "cgroup");
    let seen = match &found {
        Some(point) => format!("{} at {}", if hybrid { "hybrid, version 2" } else { "unified" }, point.display()),
        None => "it is not mounted".to_owned(),
    };
    let mend = "boot with systemd.unified_cgroup_hierarchy=1 (hybrid does as well)";
    Finding::needed("cgroup v2", found.is_some(), seen, mend)
}

pub(super) fn bpffs() -> Finding {
    let good = mounts().iter().any(|mount| mount.kind == "bpf" && mount.point == Path::new("/sys/fs/bpf"));
    let seen = if good { "at /sys/fs/bpf" } else { "/sys/fs/bpf is not a BPF file system" };
    Finding::needed("bpffs", good, seen, "mount -t bpf bpf /sys/fs/bpf")
}

/// The kernel counts maps against the cgroup of whoever makes them: RLIMIT_MEMLOCK has no say since 5.11.
pub(super) fn memory() -> Finding {
    let (limit, whose) = hierarchy_at().and_then(|root| narrowest(&root)).unwrap_or((u64::MAX, String::new()));
    let available = available().unwrap_or(u64::MAX);
    let limited = if limit == u64::MAX {
        "no memory limit on bartizand.service".to_owned()
    } else {
        format!("{whose} is limited to {} MiB", limit / MIB)
    };
    let seen = format!("the maps take about {MAPS_MIB} MiB; {} MiB are available; {limited}", available / MIB);
    let good = limit.min(available) >= MAPS_MIB * MIB;
    let mend =
        "raise MemoryMax= of the unit or slice that is named (systemctl set-property), or give the machine more memory";
    Finding::needed("memory", good, seen, mend)
}

/// The smallest memory.max from the daemon's cgroup up to the root.
fn narrowest(root: &Path) -> Option<(u64, String)> {
    let limits = Path::new(DAEMON).ancestors().filter_map(|below| {
        let text = fs::read_to_string(root.join(below).join("memory.max")).ok()?;
        Some((text.trim().parse::<u64>().ok()?, below.display().to_string()))
    });
    limits.min()
}

fn available() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

/// Which names of the catalogue count here.
pub(super) fn distribution() -> Finding {
    let release = ThisHost.release();
    let state = if release.is_known() { State::Good } else { State::Note };
    let mend = "nothing has to be done: a name that no file has means nothing";
    Finding::new("distribution", state, release.in_words(), mend)
}

/// A machine that can enforce may have been told not to.
pub(super) fn switch() -> Finding {
    match crate::switch::disabled() {
        None => Finding::new("switch", State::Good, "enforcement is not switched off", ""),
        Some(why) => {
            let mend = "`bartizan on`, or boot without bartizan.disable";
            Finding::new("switch", State::Note, format!("enforcement is SWITCHED OFF: {why}"), mend)
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_limit_above_the_daemon_counts() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(narrowest(root.path()), None, "no hierarchy, no limit");
        fs::create_dir_all(root.path().join(DAEMON)).unwrap();
        fs::write(root.path().join(DAEMON).join("memory.max"), "max\n").unwrap();
        assert_eq!(narrowest(root.path()), None);
        fs::write(root.path().join("system.slice/memory.max"), "33554432\n").unwrap();
        assert_eq!(narrowest(root.path()), Some((32 * MIB, "system.slice".to_owned())));
    }
}
