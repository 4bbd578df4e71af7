//! From a path of the host to the names that the kernel walks: those from the root of the path's own file system.

use std::path::{Path, PathBuf};

use crate::compile::file_system;
use crate::compiled::FileSystem;
use crate::host::{HostFacts, Mount};
use crate::pattern::names;

/// The file system of a path without symlinks, and the names from its root. Nothing is known of a path that no mount covers:
/// it starts where unknown file systems do.
pub fn locate(path: &Path, mounts: &[Mount]) -> (Option<FileSystem>, Vec<Vec<u8>>) {
    let covering = mounts.iter().filter(|mount| path.starts_with(&mount.point));
    // Of several on one point the last is seen.
    let Some(mount) = covering.max_by_key(|mount| mount.point.components().count()) else {
        return (None, names(path));
    };
    let mut all = names(&mount.root);
    all.extend(names(path.strip_prefix(&mount.point).unwrap_or(path)));
    (Some(file_system(mount)), all)
}

/// The path with its symlinks followed, as far as it exists: what is made later will be there.
pub fn real(path: &Path, host: &dyn HostFacts) -> PathBuf {
    let known = path.ancestors().find_map(|above| Some((above, host.canonical(above)?)));
    match known {
        Some((above, real)) if above == path => real,
        Some((above, real)) => real.join(path.strip_prefix(above).unwrap_or(path)),
        None => path.to_path_buf(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mount(minor: u32, root: &str, point: &str, kind: &str) -> Mount {
        Mount { major: 8, minor, root: root.into(), point: point.into(), kind: kind.into() }
    }

    #[test]
    fn the_deepest_mount_and_the_last_one_on_it_count() {
        let mounts = [
            mount(1, "/@", "/", "btrfs"),
            mount(2, "/", "/var", "ext4"),
            mount(3, "/", "/var/log", "ext4"),
            mount(4, "/", "/var/log", "ext4"),
            mount(5, "/", "/proc", "proc"),
        ];
        let found = |path: &str| {
            let (file_system, names) = locate(Path::new(path), &mounts);
            let names: Vec<String> = names.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
            (file_system, names.join("/"))
        };
        let device = |minor| Some(FileSystem::Device { major: 8, minor });
        assert_eq!(found("/etc/passwd"), (device(1), "@/etc/passwd".to_owned()));
        assert_eq!(found("/variable"), (device(1), "@/variable".to_owned()));
        assert_eq!(found("/var/log/syslog"), (device(4), "syslog".to_owned()));
        assert_eq!(found("/proc/1/mem"), (Some(FileSystem::Magic(0x9fa0)), "1/mem".to_owned()));
        assert_eq!(locate(Path::new("/x"), &[]).0, None);
    }
}
