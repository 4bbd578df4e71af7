//! The objects that are acted upon: made for the test, in a directory of their own, and gone after it.

use std::fs;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};

use policy::selftest::DIRECTORY;
use rustix::fs::{XattrFlags, setxattr};

/// A directory, and where the units see it a second time, as a mount.
pub(super) const BOUND: &str = "bound";
pub(super) const BOUND_HERE: &str = "umount";
/// The attribute that is set and removed; its namespace needs no support by the file system's type.
pub(super) const ATTRIBUTE: &str = "trusted.bartizan-selftest";
/// Listens where units connect to.
pub(super) const SOCKET: &str = "socket";

const FILES: [&str; 13] = [
    "open-write",
    "open-read",
    "link-from",
    "unlink",
    "rename-from",
    "chmod",
    "chown",
    "times",
    "truncate",
    "setxattr",
    "removexattr",
    "set-acl",
    "remove-acl",
];
const DIRECTORIES: [&str; 6] = [BOUND, BOUND_HERE, "rmdir", "mount", "move-mount", "chroot"];

/// Two tests at a time would act on each other's objects. A name that no file system holds is free again at any end.
const ONLY_ONE: &[u8] = b"bartizan-selftest";

/// The objects, as long as this lives.
#[derive(Debug)]
pub(super) struct Ground {
    _socket: UnixListener,
    _only_one: UnixListener,
}

/// The path of an object.
pub(super) fn at(name: &str) -> PathBuf {
    Path::new(DIRECTORY).join(name)
}

impl Ground {
    /// Makes everything. What a test that was killed left behind goes first.
    pub(super) fn prepare() -> io::Result<Ground> {
        let only_one = UnixListener::bind_addr(&SocketAddr::from_abstract_name(ONLY_ONE)?)
            .map_err(|error| io::Error::new(error.kind(), "another self-test is under way"))?;
        let _ = fs::remove_dir_all(DIRECTORY);
        fs::create_dir(DIRECTORY)?;
        let made = fill();
        if made.is_err() {
            clear();
        }
        Ok(Ground { _socket: made?, _only_one: only_one })
    }

    /// A process that is not the service's, whose memory it must not read.
    pub(super) fn target(&self) -> u32 {
        std::process::id()
    }
}

fn fill() -> io::Result<UnixListener> {
    FILES.iter().try_for_each(|name| fs::write(at(name), "for `bartizan selftest`\n"))?;
    DIRECTORIES.iter().try_for_each(|name| fs::create_dir(at(name)))?;
    // Where the file system has no such attributes, removing one fails for another reason, and that is told.
    let _ = setxattr(at("removexattr"), ATTRIBUTE, b"1", XattrFlags::empty());
    UnixListener::bind(at(SOCKET))
}

fn clear() {
    if let Err(error) = fs::remove_dir_all(DIRECTORY) {
        eprintln!("bartizan: {DIRECTORY} is left behind: {error}");
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        clear();
    }
}
