//! What the programs count by number: what got lost, and how often each hook refused.

use std::collections::BTreeMap;

use crate::kernel::KernelError;
use crate::tables::Tables;

/// `enum bz_loss` of wire.h.
const LOSSES: [&str; 11] = [
    "violations",
    "observations",
    "floods",
    "services",
    "cgroups",
    "subjects",
    "labels",
    "links",
    "unlabelled_tasks",
    "unresolved_objects",
    "written_files",
];

/// `enum bz_hook` of refusals.bpf.h.
const HOOKS: [&str; 46] = [
    "bprm_check_security",
    "bprm_creds_from_file",
    "mmap_file",
    "file_mprotect",
    "file_open",
    "file_receive",
    "file_ioctl",
    "file_ioctl_compat",
    "inode_mkdir",
    "inode_symlink",
    "inode_unlink",
    "inode_rmdir",
    "inode_create",
    "inode_mknod",
    "inode_link",
    "inode_rename",
    "inode_setattr",
    "inode_setxattr",
    "inode_removexattr",
    "inode_set_acl",
    "inode_remove_acl",
    "inode_file_setattr",
    "socket_connect",
    "unix_stream_connect",
    "sb_mount",
    "sb_set_mnt_opts",
    "move_mount",
    "sb_umount",
    "sb_remount",
    "sb_pivotroot",
    "path_chroot",
    "userns_create",
    "ptrace_access_check",
    "task_kill",
    "file_send_sigiotask",
    "task_setrlimit",
    "task_setscheduler",
    "task_setnice",
    "kernel_module_request",
    "kernel_read_file",
    "kernel_load_data",
    "bpf",
    "bpf_map",
    "bpf_prog",
    "syslog",
    "capable",
];

/// What could not be kept or told since the programs were loaded, by kind.
pub(crate) fn losses(tables: &Tables) -> Result<BTreeMap<&'static str, u64>, KernelError> {
    named(tables, "losses", &LOSSES)
}

/// Acts that each hook refused since the programs were loaded.
pub(crate) fn refusals(tables: &Tables) -> Result<BTreeMap<&'static str, u64>, KernelError> {
    named(tables, "refusals", &HOOKS)
}

fn named(tables: &Tables, map: &str, names: &[&'static str]) -> Result<BTreeMap<&'static str, u64>, KernelError> {
    let count = |(number, name): (u32, &&'static str)| {
        let count: Option<u64> = tables.lookup(map, &number.to_ne_bytes())?;
        Ok((*name, count.unwrap_or(0)))
    };
    (0..).zip(names).map(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_programs() {
        let header = include_str!("../kern/refusals.bpf.h");
        let named: Vec<&str> =
            header.lines().filter_map(|line| line.trim().strip_prefix("BZ_HOOK_")?.strip_suffix(',')).collect();
        assert_eq!(named, HOOKS);
    }
}
