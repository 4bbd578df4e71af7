//! What the kernel remembers about the names of a file: what any of them needs, the file needs by whatever name.

use std::fs::{self, File, OpenOptions};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use policy::access::{Access, Masks};
use policy::compiled::{Compiled, Label};

use crate::kernel::KernelError;
use crate::links::{inode_of, names};
use crate::skeleton::bartizan::types;
use crate::tables::Tables;
use crate::wire::bytes;

/// What the names of a file need, taken together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OtherNames {
    /// What the kernel asks for beside what the name needs by which the file is reached.
    pub need: Masks,
    /// Whether one of the names is Bartizan's own.
    pub own: bool,
    /// The names that are there now and mean something, with what each needs.
    pub names: Vec<(PathBuf, Masks)>,
    /// Whether this is told of the file itself: numbers of files are used again, and some file systems do not tell which is
    /// which.
    pub certain: bool,
}

/// Asks the kernel about a file; `known`: what this access needs by the name under which it is asked for. Nothing: the kernel
/// asks for nothing beside that.
pub(crate) fn look(
    tables: &Tables,
    compiled: &Compiled,
    path: &Path,
    access: Access,
    known: u64,
) -> Result<Option<OtherNames>, KernelError> {
    let Some(facts) = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file) else { return Ok(None) };
    // It may be something else by now: nothing that opening waits for.
    let quick = libc::O_NONBLOCK | libc::O_NOFOLLOW;
    let Ok(file) = OpenOptions::new().read(true).custom_flags(quick).open(path) else { return Ok(None) };
    let (dev, ino) = inode_of(&facts);
    let key = types::bz_inode_key { dev, ino };
    let Some(link): Option<types::bz_link> = tables.lookup("links", &bytes(&key))? else { return Ok(None) };
    let generation = generation(&file);
    // What generation_of() in kern/link.bpf.h makes of it. 0: nobody has touched the file since it was entered.
    let same = generation.map(|generation| link.generation == 0 || link.generation == u64::from(generation) | 1 << 32);
    if same == Some(false) {
        return Ok(None);
    }
    let own = link.label.need.get(Access::Write as usize) == Some(&u64::MAX);
    let mut need = Masks(link.label.need);
    if own {
        need.remove(Access::Write, u64::MAX);
    }
    if need.get(access) & !known == 0 && !own {
        return Ok(None);
    }
    let named = |(path, label): (PathBuf, Label)| (path, label.need);
    let names = names(compiled, (dev, ino)).into_iter().map(named).collect();
    Ok(Some(OtherNames { need, own, names, certain: same.is_some() || link.generation == 0 }))
}

/// The number of the file's life, where its file system tells (ioctl_fs(2), FS_IOC_GETVERSION).
fn generation(file: &File) -> Option<u32> {
    /// `_IOR('v', 1, long)`.
    const FS_IOC_GETVERSION: libc::c_ulong = 0x8008_7601;
    let mut found: u64 = 0;
    // SAFETY: the descriptor is open for the whole call, and the kernel writes at most a long to the address, for which there is
    // room; file systems write 32 bits of it.
    let result = unsafe { libc::ioctl(file.as_raw_fd(), FS_IOC_GETVERSION as _, &raw mut found) };
    // The other half stays 0, whatever the order of bytes.
    (result == 0).then_some((found | found >> 32) as u32)
}
