//! What is asked of the kernel.

use std::fs;
use std::path::Path;

use bpf::kernel::KernelError;
use bpf::support::{LSM_LIST, lists_bpf};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::utsname::uname;

use super::{Finding, State};

const SECURITYFS: &str = "/sys/kernel/security";
const LOCKDOWN: &str = "/sys/kernel/security/lockdown";
const IMA: &str = "/sys/kernel/security/ima";

fn release() -> String {
    uname().map(|name| name.release().to_string_lossy().into_owned()).unwrap_or_default()
}

/// Major and minor number.
fn numbers(release: &str) -> (u32, u32) {
    let mut numbers = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

pub(super) fn version() -> Finding {
    let release = release();
    let good = numbers(&release) >= (6, 1);
    Finding::needed("kernel", good, release, "boot a kernel of 6.1 or newer")
}

pub(super) fn lsm_list() -> Finding {
    let (list, remark) = match fs::read_to_string(LSM_LIST) {
        Ok(list) => (list, ""),
        Err(_) => (unmounted_list(), " (securityfs is not mounted here; a mount of our own was asked)"),
    };
    let good = lists_bpf(&list);
    let seen = match list.trim() {
        "" => format!("{LSM_LIST} cannot be read"),
        list => format!("active: {list}{remark}"),
    };
    let mend = "add bpf to the list: boot with `lsm=…,bpf` (it takes a kernel with CONFIG_BPF_LSM)";
    Finding::needed("LSM list", good, seen, mend)
}

/// The list where nobody has mounted securityfs: read through a mount that only this process sees, and that later
/// findings use as well. Empty on failure.
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

pub(super) fn btf() -> Finding {
    let good = Path::new("/sys/kernel/btf/vmlinux").exists();
    let seen = if good { "the kernel describes its types" } else { "/sys/kernel/btf/vmlinux is missing" };
    Finding::needed("BTF", good, seen, "use a kernel with CONFIG_DEBUG_INFO_BTF")
}

/// Whether the kernel really takes an LSM program: being listed is not enough.
pub(super) fn load(listed: bool) -> Finding {
    let (good, seen) = match bpf::load::probe() {
        Ok(()) => (true, "the kernel takes Bartizan's LSM programs".to_owned()),
        Err(KernelError::Refused { source }) if listed => {
            (false, format!("the kernel refuses LSM programs although `bpf` is listed: {source}"))
        }
        Err(error) => (false, error.to_string()),
    };
    let mend = "look for lockdown (/sys/kernel/security/lockdown), a container or sandbox without CAP_BPF and CAP_MAC_ADMIN, \
                or a provider that forbids BPF LSM; a machine of your own or a full virtual machine will do";
    Finding::needed("LSM program", good, seen, mend)
}

/// Under confidentiality BPF may not read the kernel's memory, which every hook does.
pub(super) fn lockdown() -> Finding {
    let text = fs::read_to_string(LOCKDOWN).unwrap_or_default();
    let mode = text.split_whitespace().find_map(|word| word.strip_prefix('[')?.strip_suffix(']'));
    let seen = mode.unwrap_or("none: the kernel has no lockdown, or does not show it");
    let mend = "boot without lockdown=confidentiality: lockdown=integrity does no harm";
    Finding::needed("lockdown", mode != Some("confidentiality"), seen, mend)
}

pub(super) fn ima() -> Finding {
    if Path::new(IMA).exists() {
        return Finding::new("IMA", State::Good, "the kernel can digest programs", "");
    }
    let seen = "absent: the kernel cannot tell programs by their digest. Nothing in this version needs that";
    Finding::new("IMA", State::Note, seen, "use a kernel with CONFIG_IMA (no policy of IMA is needed)")
}

/// Where labels cannot be kept with tasks and inodes, tasks are known by their pid and labels are computed each time.
pub(super) fn storage() -> Finding {
    let (major, minor) = numbers(&release());
    let flags = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let narrow = cfg!(target_arch = "x86_64") && !flags.split_whitespace().any(|flag| flag == "cx16");
    if narrow && major >= 7 {
        let seen = "this kernel makes no storage for tasks and inodes on a processor without cmpxchg16b: slower, and \
                    `bartizan status` counts it as loss `subjects` and `labels`";
        return Finding::new(
            "label storage",
            State::Note,
            seen,
            "use a processor (or a CPU model of the hypervisor) with cx16",
        );
    }
    let preempt = fs::read_to_string("/sys/kernel/debug/sched/preempt").unwrap_or_default();
    if (major, minor) < (6, 2) && preempt.contains("(full)") {
        let seen = "under full preemption this kernel fails to make storage for about one task in a hundred; those are \
                    known by their pid";
        return Finding::new("label storage", State::Note, seen, "boot without preempt=full, or a newer kernel");
    }
    Finding::new("label storage", State::Good, "labels are kept with tasks and inodes", "")
}
