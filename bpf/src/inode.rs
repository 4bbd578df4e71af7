//! Which file a name means: numbers of inodes are used again once one is gone.

use std::fs::{self, File, Metadata};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use nix::fcntl::OFlag;
use nix::sys::stat::{major, minor};

/// An inode, and which of those that had its number one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Inode {
    /// As the kernel numbers it: 20 bits of minor number below the major one.
    pub device: u64,
    pub number: u64,
    /// Not known where the file system does not tell it (overlay; tmpfs, whose numbers are not used again).
    pub generation: Option<u32>,
}

impl Inode {
    /// Of the regular file that has this name now; `None`: there is none. What cannot be opened has no known generation.
    pub(crate) fn of(path: &Path) -> Option<Inode> {
        let facts = fs::symlink_metadata(path).ok().filter(Metadata::is_file)?;
        // It may be something else by now: nothing that opening waits for.
        let quick = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
        let opened = File::options().read(true).custom_flags(quick.bits()).open(path).ok();
        let opened =
            opened.and_then(|file| Some((file.metadata().ok().filter(Metadata::is_file)?, generation(&file)?)));
        let (facts, generation) = opened.map_or((facts, None), |(facts, generation)| (facts, Some(generation)));
        let device = major(facts.dev()) << 20 | minor(facts.dev());
        Some(Inode { device, number: facts.ino(), generation })
    }

    /// As `generation_of` in kern/link.bpf.h makes it; 0: not known.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.map_or(0, |generation| u64::from(generation) | 1 << 32)
    }
}

// ioctl_iflags(2) has it write an `int`, whatever size the number of the request says: fs/ext4/ioctl.c, fs/btrfs/ioctl.c,
// fs/xfs/xfs_ioctl.c of 6.12.
nix::ioctl_read_bad!(get_version, nix::request_code_read!(b'v', 1, size_of::<libc::c_long>()), libc::c_int);

/// What the file system tells its inodes of the same number apart by (`i_generation`).
fn generation(file: &File) -> Option<u32> {
    let mut version = 0;
    // SAFETY: the descriptor is open, and the kernel writes no more than the integer that the pointer leads to.
    unsafe { get_version(file.as_raw_fd(), &raw mut version) }.ok()?;
    Some(version.cast_unsigned())
}
