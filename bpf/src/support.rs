//! Facts about the running kernel, and what follows from them: which program fits which hook.

use std::collections::BTreeMap;

use libbpf_rs::btf::types::{Func, FuncProto, Typedef};
use libbpf_rs::btf::{Btf, BtfType};

/// Why nothing can be enforced here.
#[derive(Debug, thiserror::Error)]
pub enum SupportError {
    /// The kernel has no type information.
    #[error(
        "the kernel's type information (/sys/kernel/btf/vmlinux) cannot be read: {0}; it takes a kernel with CONFIG_DEBUG_INFO_BTF"
    )]
    NoBtf(libbpf_rs::Error),
    /// The kernel has no such hook.
    #[error("the kernel has no LSM hook {0}; it takes a kernel of 6.1 or newer with CONFIG_BPF_LSM")]
    NoHook(String),
    /// The hook is there, but not as any program of ours expects it.
    #[error(
        "LSM hook {hook} takes ({found}) on this kernel, and no program of Bartizan expects that; a newer Bartizan may"
    )]
    UnknownPrototype {
        /// The hook.
        hook: String,
        /// Its parameters' types.
        found: String,
    },
    /// The kernel would take our programs and never call them.
    #[error("bpf is not among the active LSMs ({0}); add it to the list: boot with `lsm=…,bpf`")]
    NotListed(String),
    /// The v2 hierarchy is what tells services apart.
    #[error("there is no cgroup v2 hierarchy (unified or hybrid); boot with systemd.unified_cgroup_hierarchy=1")]
    NoHierarchy,
}

/// Where the kernel says which LSMs it calls.
pub const LSM_LIST: &str = "/sys/kernel/security/lsm";

/// That the kernel calls BPF programs at LSM hooks. It loads and attaches them all the same, and they are never run (seen on
/// 6.12 with `lsm=lockdown,capability,yama`). Where nobody has mounted securityfs the list cannot be read, and nothing is said.
pub(crate) fn called() -> Result<(), SupportError> {
    match std::fs::read_to_string(LSM_LIST) {
        Ok(list) if !lists_bpf(&list) => Err(SupportError::NotListed(list.trim().to_owned())),
        _ => Ok(()),
    }
}

/// Whether `bpf` is in a list of LSMs, as [`LSM_LIST`] gives it.
pub fn lists_bpf(list: &str) -> bool {
    list.trim().split(',').any(|name| name == "bpf")
}

/// A hook, the parameters that a program expects (by type; `*` for a pointer), and the program.
type Variant = (&'static str, &'static [&'static str], &'static str);

/// Every LSM program. Prototypes are those of shared/domain/lsm-hooks-*.txt, read from the BTF of 6.1, 6.12 and 7.3.
/// A hook with several entries changed between kernels: what works on attributes has an idmap in front since 6.3, where
/// hooks for extended attributes had a user namespace before; `bpf` says who asks since 6.15 (seen on 7.3).
const VARIANTS: [Variant; 51] = [
    ("bprm_check_security", &["linux_binprm*"], "bprm_check_security"),
    ("bprm_creds_from_file", &["linux_binprm*", "file*"], "bprm_creds_from_file"),
    ("mmap_file", &["file*", "long unsigned int", "long unsigned int", "long unsigned int"], "mmap_file"),
    ("file_mprotect", &["vm_area_struct*", "long unsigned int", "long unsigned int"], "file_mprotect"),
    ("file_open", &["file*"], "file_open"),
    ("file_receive", &["file*"], "file_receive"),
    ("file_ioctl", &["file*", "unsigned int", "long unsigned int"], "file_ioctl"),
    ("file_ioctl_compat", &["file*", "unsigned int", "long unsigned int"], "file_ioctl_compat"),
    ("inode_create", &["inode*", "dentry*", "umode_t"], "inode_create"),
    ("inode_mkdir", &["inode*", "dentry*", "umode_t"], "inode_mkdir"),
    ("inode_mknod", &["inode*", "dentry*", "umode_t", "dev_t"], "inode_mknod"),
    ("inode_symlink", &["inode*", "dentry*", "char*"], "inode_symlink"),
    ("inode_rmdir", &["inode*", "dentry*"], "inode_rmdir"),
    ("inode_link", &["dentry*", "inode*", "dentry*"], "inode_link"),
    ("inode_unlink", &["inode*", "dentry*"], "inode_unlink"),
    ("inode_rename", &["inode*", "dentry*", "inode*", "dentry*"], "inode_rename"),
    ("inode_setattr", &["dentry*", "iattr*"], "inode_setattr_dentry"),
    ("inode_setattr", &["mnt_idmap*", "dentry*", "iattr*"], "inode_setattr_idmap"),
    ("inode_setxattr", &["user_namespace*", "dentry*", "char*", "void*", "size_t", "int"], "inode_setxattr_userns"),
    ("inode_setxattr", &["mnt_idmap*", "dentry*", "char*", "void*", "size_t", "int"], "inode_setxattr_idmap"),
    ("inode_removexattr", &["user_namespace*", "dentry*", "char*"], "inode_removexattr_userns"),
    ("inode_removexattr", &["mnt_idmap*", "dentry*", "char*"], "inode_removexattr_idmap"),
    ("inode_set_acl", &["mnt_idmap*", "dentry*", "char*", "posix_acl*"], "inode_set_acl_idmap"),
    ("inode_remove_acl", &["mnt_idmap*", "dentry*", "char*"], "inode_remove_acl_idmap"),
    ("inode_file_setattr", &["dentry*", "file_kattr*"], "inode_file_setattr"),
    ("inode_free_security", &["inode*"], "inode_free_security"),
    ("socket_connect", &["socket*", "sockaddr*", "int"], "socket_connect"),
    ("unix_stream_connect", &["sock*", "sock*", "sock*"], "unix_stream_connect"),
    ("sb_mount", &["char*", "path*", "char*", "long unsigned int", "void*"], "sb_mount"),
    ("sb_set_mnt_opts", &["super_block*", "void*", "long unsigned int", "long unsigned int*"], "sb_set_mnt_opts"),
    ("move_mount", &["path*", "path*"], "move_mount"),
    ("sb_umount", &["vfsmount*", "int"], "sb_umount"),
    ("sb_remount", &["super_block*", "void*"], "sb_remount"),
    ("sb_pivotroot", &["path*", "path*"], "sb_pivotroot"),
    ("path_chroot", &["path*"], "path_chroot"),
    ("userns_create", &["cred*"], "userns_create"),
    ("ptrace_access_check", &["task_struct*", "unsigned int"], "ptrace_access_check"),
    ("task_kill", &["task_struct*", "kernel_siginfo*", "int", "cred*"], "task_kill"),
    ("file_send_sigiotask", &["task_struct*", "fown_struct*", "int"], "file_send_sigiotask"),
    ("task_setrlimit", &["task_struct*", "unsigned int", "rlimit*"], "task_setrlimit"),
    ("task_setscheduler", &["task_struct*"], "task_setscheduler"),
    ("task_setnice", &["task_struct*", "int"], "task_setnice"),
    ("kernel_module_request", &["char*"], "kernel_module_request"),
    ("kernel_read_file", &["file*", "kernel_read_file_id", "bool"], "kernel_read_file"),
    ("kernel_load_data", &["kernel_load_data_id", "bool"], "kernel_load_data"),
    ("bpf", &["int", "bpf_attr*", "unsigned int"], "bpf_size"),
    ("bpf", &["int", "bpf_attr*", "unsigned int", "bool"], "bpf_kernel"),
    ("bpf_map", &["bpf_map*", "fmode_t"], "bpf_map"),
    ("bpf_prog", &["bpf_prog*"], "bpf_prog"),
    ("syslog", &["int"], "syslog"),
    ("capable", &["cred*", "user_namespace*", "int", "unsigned int"], "capable"),
];

/// Hooks that a kernel may lack: those for access lists came with 6.2, `inode_file_setattr` with 6.17 (before, what they
/// see went by another hook, or unseen), and `path_chroot` takes CONFIG_SECURITY_PATH, which RHEL does without.
const OPTIONAL: [&str; 4] = ["inode_set_acl", "inode_remove_acl", "inode_file_setattr", "path_chroot"];

/// Programs that hang on tracepoints and functions, whose arguments the loader checks itself.
const TRACED: [(&str, &str); 7] = [
    ("cgroup_mkdir", "cgroup_mkdir"),
    ("cgroup_rmdir", "cgroup_rmdir"),
    ("task_newtask", "task_newtask"),
    ("cgroup_attach_task", "cgroup_attach_task"),
    ("sched_process_exec", "sched_process_exec"),
    ("d_move", "d_move"),
    ("d_exchange", "d_exchange"),
];

/// The program for each hook in use, by the hook's name. Refuses a hook whose prototype no program expects: a stale
/// one loads silently on 6.1 and misreads its arguments.
pub fn choose(btf: &Btf<'_>) -> Result<BTreeMap<String, String>, SupportError> {
    let mut chosen: BTreeMap<String, String> =
        TRACED.iter().map(|(hook, program)| ((*hook).to_owned(), (*program).to_owned())).collect();
    for (hook, _, _) in VARIANTS {
        let found = match prototype(btf, hook) {
            Err(SupportError::NoHook(_)) if OPTIONAL.contains(&hook) => continue,
            found => found?,
        };
        chosen.insert(hook.to_owned(), program_for(hook, &found)?.to_owned());
    }
    Ok(chosen)
}

/// The hook of a program.
pub fn hook_of(program: &str) -> &str {
    VARIANTS.iter().find(|(_, _, known)| *known == program).map_or(program, |(hook, _, _)| hook)
}

fn program_for(hook: &str, found: &[String]) -> Result<&'static str, SupportError> {
    VARIANTS
        .iter()
        .find(|(name, expected, _)| *name == hook && expected.iter().eq(found.iter()))
        .map(|(_, _, program)| *program)
        .ok_or_else(|| SupportError::UnknownPrototype { hook: hook.to_owned(), found: found.join(", ") })
}

/// The types of a hook's parameters on this kernel, from its `bpf_lsm_` function in BTF.
pub fn prototype(btf: &Btf<'_>, hook: &str) -> Result<Vec<String>, SupportError> {
    let absent = || SupportError::NoHook(hook.to_owned());
    let proto = btf
        .type_by_name::<Func<'_>>(&format!("bpf_lsm_{hook}"))
        .and_then(|function| function.next_type())
        .and_then(|proto| FuncProto::try_from(proto).ok())
        .ok_or_else(absent)?;
    proto
        .iter()
        .map(|parameter| btf.type_by_id::<BtfType<'_>>(parameter.ty).map(spell))
        .collect::<Option<Vec<String>>>()
        .ok_or_else(absent)
}

/// `struct file *` is `file*`; qualifiers are left out.
fn spell(mut of: BtfType<'_>) -> String {
    let mut stars = String::new();
    loop {
        match of.kind() {
            libbpf_rs::btf::BtfKind::Ptr => stars.push('*'),
            libbpf_rs::btf::BtfKind::Const | libbpf_rs::btf::BtfKind::Volatile => {}
            _ => break,
        }
        match of.next_type() {
            Some(next) => of = next,
            None => break,
        }
    }
    let name = of.name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = if of.kind() == libbpf_rs::btf::BtfKind::Void { "void" } else { &name };
    format!("{name}{stars}")
}

/// The number of the next program that the kernel holds: also the most harmless thing that can be asked of bpf(), which
/// `selftest` does where it must not.
pub fn program_after(id: u32) -> std::io::Result<u32> {
    let mut next = 0;
    // SAFETY: the kernel writes one integer to `next`, which lives until the call has returned.
    let result = unsafe { libbpf_sys::bpf_prog_get_next_id(id, &raw mut next) };
    if result < 0 { Err(std::io::Error::from_raw_os_error(-result)) } else { Ok(next) }
}

/// A hook in use, as `doctor` tells it.
#[derive(Debug)]
pub struct Surveyed {
    /// The kernel's name for it.
    pub hook: String,
    /// The types of its parameters on this kernel; `None`: this kernel has no such hook.
    pub prototype: Option<Vec<String>>,
    /// Whether it is a tracepoint or a function, for which the loader compares the parameters itself.
    pub traced: bool,
    /// The program chosen for it; `None`: this kernel lacks the hook, and Bartizan does without it.
    pub program: Result<Option<String>, SupportError>,
}

/// Every hook in use and what was found of it, whether or not it can be used.
pub fn survey() -> Result<Vec<Surveyed>, SupportError> {
    let btf = Btf::from_vmlinux().map_err(SupportError::NoBtf)?;
    let chosen = choose(&btf);
    let mut hooks: Vec<&str> = VARIANTS.iter().map(|(hook, _, _)| *hook).collect();
    hooks.dedup();
    let judged = hooks.into_iter().map(|hook| {
        let found = prototype(&btf, hook);
        let prototype = found.as_ref().ok().cloned();
        let program = match &chosen {
            Ok(chosen) => Ok(chosen.get(hook).cloned()),
            Err(_) => found.and_then(|found| program_for(hook, &found).map(|program| Some(program.to_owned()))),
        };
        Surveyed { hook: hook.to_owned(), prototype, traced: false, program }
    });
    let traced = TRACED.iter().map(|(hook, program)| {
        let prototype = traced_prototype(&btf, hook);
        let absent = || SupportError::NoHook((*hook).to_owned());
        let program = prototype.as_ref().map(|_| Some((*program).to_owned())).ok_or_else(absent);
        Surveyed { hook: (*hook).to_owned(), prototype, traced: true, program }
    });
    Ok(judged.chain(traced).collect())
}

/// The types of a tracepoint's parameters, or of a function's.
fn traced_prototype(btf: &Btf<'_>, name: &str) -> Option<Vec<String>> {
    let tracepoint = btf.type_by_name::<Typedef<'_>>(&format!("btf_trace_{name}")).and_then(|of| of.next_type());
    let function = || btf.type_by_name::<Func<'_>>(name).and_then(|function| function.next_type());
    let proto = tracepoint.and_then(|pointer| pointer.next_type()).or_else(function)?;
    let types: Vec<String> = FuncProto::try_from(proto)
        .ok()?
        .iter()
        .map(|parameter| btf.type_by_id::<BtfType<'_>>(parameter.ty).map(spell))
        .collect::<Option<_>>()?;
    // A tracepoint's first one is the kernel's own.
    let from = usize::from(types.first().is_some_and(|first| first == "void*"));
    Some(types.into_iter().skip(from).collect())
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    fn owned(types: &[&str]) -> Vec<String> {
        types.iter().map(|one| (*one).to_owned()).collect()
    }

    #[test]
    fn a_prototype_that_is_not_known_is_refused() {
        let chosen = |types: &[&str]| program_for("inode_setattr", &owned(types));
        assert_eq!(chosen(&["dentry*", "iattr*"]).expect("6.1"), "inode_setattr_dentry");
        assert_eq!(chosen(&["mnt_idmap*", "dentry*", "iattr*"]).expect("6.12"), "inode_setattr_idmap");
        let refused = chosen(&["user_namespace*", "dentry*", "iattr*"]).expect_err("5.12 to 6.2 on other hooks");
        assert!(refused.to_string().contains("inode_setattr takes (user_namespace*, dentry*, iattr*)"), "{refused}");
    }
}
