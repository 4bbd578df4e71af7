//! What compiling needs to know about the host; gathered elsewhere, so that this crate stays pure.

use std::path::{Path, PathBuf};

/// One line of `/proc/self/mountinfo`, as far as labels need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Major number of the file system's device.
    pub major: u32,
    /// Minor number of the file system's device.
    pub minor: u32,
    /// The directory of the file system that forms the root of this mount.
    pub root: PathBuf,
    /// Where it is mounted in the host's mount namespace.
    pub point: PathBuf,
    /// File system type, e.g. `ext4` or `proc`.
    pub kind: String,
}

/// Facts about the host that turn names of policy into places in file systems.
pub trait HostFacts {
    /// All mounts of the host's namespace.
    fn mounts(&self) -> Vec<Mount>;
    /// Home directories of root and of every real user.
    fn homes(&self) -> Vec<PathBuf>;
    /// The path after all symlinks are followed; `None` when it does not exist.
    fn canonical(&self, path: &Path) -> Option<PathBuf>;
}

/// A host about which nothing is known but one root file system: for tests and for `policy check` elsewhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct BareHost;

impl HostFacts for BareHost {
    fn mounts(&self) -> Vec<Mount> {
        vec![Mount { major: 8, minor: 1, root: "/".into(), point: "/".into(), kind: "ext4".into() }]
    }

    fn homes(&self) -> Vec<PathBuf> {
        vec!["/root".into()]
    }

    fn canonical(&self, path: &Path) -> Option<PathBuf> {
        Some(path.to_path_buf())
    }
}
