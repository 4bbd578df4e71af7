//! The acts, each with the hook that must refuse it. One that succeeds does no harm: it meets objects made for the test, a
//! mount namespace that ends with the unit, or a call that the kernel would turn down later for another reason.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use nix::sys::stat::{Mode, SFlag, mknod};
use policy::selftest::PORT;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, XattrFlags, removexattr, setxattr, utimensat};
use rustix::mount::{MountFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount, move_mount, open_tree, unmount};

use super::Answer;
use super::ground::{ATTRIBUTE, BOUND_HERE, SOCKET, at};
use super::groups::Group;

type Perform = fn(u32) -> io::Result<()>;

/// One act.
#[derive(Clone, Copy)]
pub(super) struct Act {
    group: Group,
    pub(super) hook: &'static str,
    /// What it does, and what the record's message has to contain.
    words: &'static str,
    perform: Perform,
}

impl Act {
    /// Does it; `target` is a process outside the unit.
    pub(super) fn perform(&self, target: u32) -> Answer {
        let errno = match (self.perform)(target) {
            Ok(()) => 0,
            // An error without a number is none of the kernel's.
            Err(error) => error.raw_os_error().unwrap_or(-1),
        };
        Answer { hook: self.hook.to_owned(), words: self.words.to_owned(), errno }
    }
}

/// The acts of a group.
pub(super) fn of(group: Group) -> impl Iterator<Item = &'static Act> {
    ALL.iter().flat_map(|table| table.iter()).filter(move |act| act.group == group)
}

/// Hooks that refuse nothing: they follow tasks and names.
pub(super) fn watches(hook: &str) -> bool {
    const WATCHING: [&str; 8] = [
        "cgroup_mkdir",
        "cgroup_rmdir",
        "task_newtask",
        "cgroup_attach_task",
        "sched_process_exec",
        "d_move",
        "d_exchange",
        "inode_free_security",
    ];
    WATCHING.contains(&hook)
}

const fn act(group: Group, hook: &'static str, words: &'static str, perform: Perform) -> Act {
    Act { group, hook, words, perform }
}

const ALL: [&[Act]; 4] = [FILES, ATTRIBUTES, CONNECTIONS, OPERATIONS];

macro_rules! here {
    ($verb:literal, $name:literal) => {
        concat!($verb, " /run/bartizan-selftest/", $name)
    };
}

const FILES: &[Act] = &[
    // Programs of the system: what lies below /run cannot be executed anyway.
    act(Group::Execution, "bprm_check_security", "capability SHELL by executing", |_| {
        Command::new("/bin/sh").args(["-c", ":"]).stdin(Stdio::null()).status().map(drop)
    }),
    act(Group::Execution, "mmap_file", "capability PRIVILEGED_PROCESSES by executing /usr/bin/mount", |_| {
        map(&["/usr/bin/mount", "--version"])
    }),
    act(Group::Open, "file_open", here!("writing", "open-write"), |_| {
        OpenOptions::new().write(true).open(at("open-write")).map(drop)
    }),
    act(Group::Open, "file_open", here!("reading", "open-read"), |_| File::open(at("open-read")).map(drop)),
    act(Group::Names, "inode_create", here!("writing", "create"), |_| File::create_new(at("create")).map(drop)),
    act(Group::Names, "inode_mkdir", here!("writing", "mkdir"), |_| fs::create_dir(at("mkdir"))),
    act(Group::Names, "inode_mknod", here!("writing", "mknod"), |_| {
        Ok(mknod(&at("mknod"), SFlag::S_IFIFO, Mode::S_IRUSR, 0)?)
    }),
    act(Group::Names, "inode_symlink", here!("writing", "symlink"), |_| {
        std::os::unix::fs::symlink("nowhere", at("symlink"))
    }),
    act(Group::Names, "inode_link", here!("writing", "link-from"), |_| fs::hard_link(at("link-from"), at("link-to"))),
    act(Group::Names, "inode_unlink", here!("writing", "unlink"), |_| fs::remove_file(at("unlink"))),
    act(Group::Names, "inode_rmdir", here!("writing", "rmdir"), |_| fs::remove_dir(at("rmdir"))),
    act(Group::Names, "inode_rename", here!("writing", "rename-from"), |_| {
        fs::rename(at("rename-from"), at("rename-to"))
    }),
];

const ATTRIBUTES: &[Act] = &[
    act(Group::Attributes, "inode_setattr", here!("writing", "chmod"), |_| {
        fs::set_permissions(at("chmod"), fs::Permissions::from_mode(0o600))
    }),
    act(Group::Attributes, "inode_setattr", here!("writing", "chown"), |_| {
        std::os::unix::fs::chown(at("chown"), Some(1), Some(1))
    }),
    act(Group::Attributes, "inode_setattr", here!("writing", "times"), |_| {
        let long_ago = Timestamps { last_access: EPOCH, last_modification: EPOCH };
        Ok(utimensat(CWD, at("times"), &long_ago, AtFlags::empty())?)
    }),
    act(Group::Attributes, "inode_setattr", here!("writing", "truncate"), |_| {
        Ok(nix::unistd::truncate(&at("truncate"), 0)?)
    }),
    act(Group::Attributes, "inode_setxattr", here!("writing", "setxattr"), |_| {
        Ok(setxattr(at("setxattr"), ATTRIBUTE, b"1", XattrFlags::empty())?)
    }),
    act(Group::Attributes, "inode_removexattr", here!("writing", "removexattr"), |_| {
        Ok(removexattr(at("removexattr"), ATTRIBUTE)?)
    }),
    act(Group::Attributes, "inode_set_acl", here!("writing", "set-acl"), |_| {
        Ok(setxattr(at("set-acl"), ACL, &ACL_OF_MODE_600, XattrFlags::empty())?)
    }),
    act(Group::Attributes, "inode_remove_acl", here!("writing", "remove-acl"), |_| {
        Ok(removexattr(at("remove-acl"), ACL)?)
    }),
];

const CONNECTIONS: &[Act] = &[
    act(Group::UnixSocket, "unix_stream_connect", here!("connecting to", "socket"), |_| {
        UnixStream::connect(at(SOCKET)).map(drop)
    }),
    // A UDP socket sends nothing by being connected.
    act(Group::Network, "socket_connect", "an outbound connection to 127.0.0.1:9/udp", |_| {
        UdpSocket::bind("127.0.0.1:0")?.connect(("127.0.0.1", PORT))
    }),
];

// What would change the process itself comes last.
const OPERATIONS: &[Act] = &[
    act(Group::Operations, "sb_mount", here!("performing mount on", "mount"), |_| {
        Ok(mount("tmpfs", at("mount"), "tmpfs", MountFlags::empty(), None)?)
    }),
    act(Group::Operations, "move_mount", here!("performing mount on", "move-mount"), |_| copy_mount("move-mount")),
    // The record names what is mounted there.
    act(Group::Operations, "sb_umount", here!("performing umount on", "bound"), |_| {
        Ok(unmount(at(BOUND_HERE), UnmountFlags::empty())?)
    }),
    act(Group::Operations, "ptrace_access_check", "performing ptrace", read_memory),
    act(Group::Operations, "kernel_load_data", "performing module", |_| {
        // What is shorter than an ELF header is turned down before the hook is asked.
        Ok(rustix::system::init_module(&[0; 4096], c"")?)
    }),
    act(Group::Operations, "kernel_read_file", "performing module", |_| {
        Ok(rustix::system::finit_module(File::open("/proc/self/exe")?, c"", 0)?)
    }),
    act(Group::Operations, "bpf", "performing bpf", |_| bpf::support::program_after(0).map(drop)),
    act(Group::Operations, "userns_create", "performing user_namespace", |_| {
        Ok(nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWUSER)?)
    }),
    act(Group::Operations, "path_chroot", "performing chroot", |_| std::os::unix::fs::chroot(at("chroot"))),
    act(Group::OwnSafety, "inode_create", "tamper with Bartizan by writing /run/bartizan/self-test", |_| {
        File::create_new("/run/bartizan/self-test")?;
        fs::remove_file("/run/bartizan/self-test")
    }),
    act(Group::OwnSafety, "inode_mkdir", "tamper with Bartizan by writing /sys/fs/bpf/bartizan/self-test", |_| {
        fs::create_dir("/sys/fs/bpf/bartizan/self-test")?;
        fs::remove_dir("/sys/fs/bpf/bartizan/self-test")
    }),
    act(Group::OwnSafety, "inode_setattr", "tamper with Bartizan by writing /etc/bartizan", |_| {
        let kept = fs::metadata("/etc/bartizan")?.permissions();
        fs::set_permissions("/etc/bartizan", kept)
    }),
];

const EPOCH: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
const ACL: &str = "system.posix_acl_access";
/// Version 2, and an entry each for the owner (rw), the group and others (nothing): what mode 600 says as well.
const ACL_OF_MODE_600: [u8; 28] =
    [2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 4, 0, 0, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255];

/// Has the dynamic loader map a program, which executes it past its own execution.
fn map(command: &[&str]) -> io::Result<()> {
    let loaders = ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"];
    let loader = loaders.into_iter().find(|path| fs::exists(path).unwrap_or(false));
    let done = Command::new(loader.unwrap_or("/lib64/ld-linux-x86-64.so.2")).args(command).output()?;
    let refused = String::from_utf8_lossy(&done.stderr).contains("failed to map segment");
    if refused { Err(io::Error::from_raw_os_error(nix::errno::Errno::EPERM as i32)) } else { Ok(()) }
}

/// The newer way to a bind mount, which never calls mount(2).
fn copy_mount(name: &str) -> io::Result<()> {
    let tree = open_tree(CWD, at("mount"), OpenTreeFlags::OPEN_TREE_CLONE)?;
    Ok(move_mount(tree, "", CWD, at(name), MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?)
}

/// Reads nothing: no memory is mapped at this address.
fn read_memory(target: u32) -> io::Result<()> {
    use nix::sys::uio::{RemoteIoVec, process_vm_readv};
    let mut byte = [0u8];
    let target = nix::unistd::Pid::from_raw(i32::try_from(target).unwrap_or(0));
    let mut here = [io::IoSliceMut::new(&mut byte)];
    process_vm_readv(target, &mut here, &[RemoteIoVec { base: 0, len: 1 }])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use policy::selftest::DIRECTORY;

    #[test]
    fn every_group_has_an_act_and_every_object_is_where_the_rule_looks() {
        for group in Group::ALL {
            assert!(of(group).next().is_some(), "{}", group.name());
        }
        for one in Group::ALL.into_iter().flat_map(of) {
            let ours = one.words.contains(DIRECTORY) || one.words.contains("127.0.0.1");
            let whole = ["performing", "tamper", "capability"].iter().any(|word| one.words.starts_with(word));
            assert!(ours || whole, "{}", one.words);
        }
    }
}
