//! `bartizan doctor`: one line per requirement, each with the mend.

use std::fs;
use std::path::Path;

use bpf::kernel::KernelError;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

use crate::{CANNOT, GOOD};

const SECURITYFS: &str = "/sys/kernel/security";
const LSM_LIST: &str = "/sys/kernel/security/lsm";

/// One requirement.
struct Finding {
    what: &'static str,
    good: bool,
    seen: String,
    mend: &'static str,
}

/// Checks everything and prints it; the exit status.
pub fn run() -> u8 {
    let list = lsm_list();
    let listed = list.good;
    let findings = [root(), version(), list, btf(), hierarchy(), bpffs(), load(listed)];
    for finding in &findings {
        let mark = if finding.good { "good" } else { "BAD " };
        println!("{mark}  {}: {}", finding.what, finding.seen);
        if !finding.good {
            println!("      mend: {}", finding.mend);
        }
    }
    if findings.iter().all(|finding| finding.good) {
        println!("Bartizan can enforce on this machine.");
        return GOOD;
    }
    println!("Bartizan cannot enforce on this machine as it is.");
    CANNOT
}

fn root() -> Finding {
    let good = nix::unistd::geteuid().is_root();
    let seen = if good { "this runs as root" } else { "this does not run as root, so the rest is guesswork" };
    Finding { what: "user", good, seen: seen.to_owned(), mend: "run `sudo bartizan doctor`" }
}

fn version() -> Finding {
    let release =
        nix::sys::utsname::uname().map(|name| name.release().to_string_lossy().into_owned()).unwrap_or_default();
    let mut numbers = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    Finding { what: "kernel", good: found >= (6, 1), seen: release, mend: "boot a kernel of 6.1 or newer" }
}

fn lsm_list() -> Finding {
    let (list, remark) = match fs::read_to_string(LSM_LIST) {
        Ok(list) => (list, ""),
        Err(_) => (unmounted_list(), " (securityfs is not mounted here; a mount of our own was asked)"),
    };
    let good = list.trim().split(',').any(|name| name == "bpf");
    let seen = match list.trim() {
        "" => format!("{LSM_LIST} cannot be read"),
        list => format!("active: {list}{remark}"),
    };
    let mend = "add bpf to the list: boot with `lsm=…,bpf` (it takes a kernel with CONFIG_BPF_LSM)";
    Finding { what: "LSM list", good, seen, mend }
}

/// The list where nobody has mounted securityfs: read through a mount that only this process sees. Empty on failure.
fn unmounted_list() -> String {
    const NONE: Option<&str> = None;
    let alone = unshare(CloneFlags::CLONE_NEWNS)
        .and_then(|()| mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE))
        .and_then(|()| mount(Some("securityfs"), SECURITYFS, Some("securityfs"), MsFlags::empty(), NONE));
    if alone.is_err() {
        return String::new();
    }
    fs::read_to_string(LSM_LIST).unwrap_or_default()
}

fn btf() -> Finding {
    let good = Path::new("/sys/kernel/btf/vmlinux").exists();
    let seen = if good { "the kernel describes its types" } else { "/sys/kernel/btf/vmlinux is missing" };
    Finding { what: "BTF", good, seen: seen.to_owned(), mend: "use a kernel with CONFIG_DEBUG_INFO_BTF" }
}

fn hierarchy() -> Finding {
    let mounts = policy::host::parse_mountinfo(&fs::read_to_string("/proc/self/mountinfo").unwrap_or_default());
    let found = mounts.iter().find(|mount| mount.kind == "cgroup2");
    Finding {
        what: "cgroup v2",
        good: found.is_some(),
        seen: found.map_or_else(|| "it is not mounted".to_owned(), |mount| format!("at {}", mount.point.display())),
        mend: "boot with systemd.unified_cgroup_hierarchy=1 (hybrid does as well)",
    }
}

fn bpffs() -> Finding {
    let mounts = policy::host::parse_mountinfo(&fs::read_to_string("/proc/self/mountinfo").unwrap_or_default());
    let good = mounts.iter().any(|mount| mount.kind == "bpf" && mount.point == Path::new("/sys/fs/bpf"));
    let seen = if good { "at /sys/fs/bpf" } else { "/sys/fs/bpf is not a BPF file system" };
    Finding { what: "bpffs", good, seen: seen.to_owned(), mend: "mount -t bpf bpf /sys/fs/bpf" }
}

/// Whether the kernel really takes an LSM program: being listed is not enough.
fn load(listed: bool) -> Finding {
    let (good, seen) = match bpf::load::probe() {
        Ok(()) => (true, "the kernel takes Bartizan's LSM programs".to_owned()),
        Err(KernelError::Refused { source }) if listed => {
            (false, format!("the kernel refuses LSM programs although `bpf` is listed: {source}"))
        }
        Err(error) => (false, error.to_string()),
    };
    let mend = "look for lockdown (/sys/kernel/security/lockdown), a container or sandbox without CAP_BPF and CAP_MAC_ADMIN, \
                or a provider that forbids BPF LSM; a machine of your own or a full virtual machine will do";
    Finding { what: "LSM program", good, seen, mend }
}
