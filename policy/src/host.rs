//! What compiling needs to know about the host; gathered elsewhere, so that this crate stays pure.

use std::path::{Path, PathBuf};

use crate::distribution::Release;

/// One line of `/proc/self/mountinfo`, as far as labels need it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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

/// A directory that an overlay shows: what is below it has a second name below the mount point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// The overlay.
    pub overlay: Mount,
    /// The directory, as it was named when the overlay was mounted.
    pub directory: PathBuf,
}

/// Facts about the host that turn names of policy into places in file systems.
pub trait HostFacts {
    /// The name of the host, which rules may name.
    fn name(&self) -> String {
        String::new()
    }
    /// What the host says it is; empty where nothing is known.
    fn release(&self) -> Release {
        Release::default()
    }
    /// All mounts of the host's namespace.
    fn mounts(&self) -> Vec<Mount>;
    /// The layers of all overlays among them.
    fn layers(&self) -> Vec<Layer> {
        Vec::new()
    }
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

/// Reads the text of `/proc/PID/mountinfo` (format: proc_pid_mountinfo(5)). Lines that do not fit the format are left
/// out; octal escapes of blanks and backslashes are undone.
pub fn parse_mountinfo(text: &str) -> Vec<Mount> {
    text.lines().filter_map(parse_mount).collect()
}

fn parse_mount(line: &str) -> Option<Mount> {
    let (front, back) = line.split_once(" - ")?;
    let mut fields = front.split(' ').skip(2);
    let (major, minor) = fields.next()?.split_once(':')?;
    let root = unescape(fields.next()?);
    let point = unescape(fields.next()?);
    let kind = back.split(' ').next()?.to_owned();
    Some(Mount { major: major.parse().ok()?, minor: minor.parse().ok()?, root, point, kind })
}

/// Reads the layers of overlays from the same text. Relative ones, as container engines use them, are left out.
pub fn parse_layers(text: &str) -> Vec<Layer> {
    text.lines().filter_map(parse_overlay).flatten().collect()
}

fn parse_overlay(line: &str) -> Option<Vec<Layer>> {
    let overlay = parse_mount(line).filter(|mount| mount.kind == "overlay")?;
    let options = line.split_once(" - ")?.1.split(' ').nth(2)?;
    let named = options.split(',').filter_map(|option| option.split_once('='));
    // `lowerdir+` is one layer at a time, as the newer way to mount has it.
    let layers = named.filter(|(key, _)| ["lowerdir", "lowerdir+", "upperdir"].contains(key));
    let directories = layers.flat_map(|(_, value)| value.split(':')).filter(|directory| directory.starts_with('/'));
    Some(directories.map(|one| Layer { overlay: overlay.clone(), directory: unescape(one) }).collect())
}

fn unescape(field: &str) -> PathBuf {
    use std::os::unix::ffi::OsStringExt as _;

    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let octal = after.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        let value = octal.and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match (first, value) {
            (b'\\', Some(byte)) => {
                bytes.push(byte);
                rest = after.get(3..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mountinfo_is_read_with_its_escapes_and_optional_fields() {
        let text = "36 35 98:0 /mnt1 /mnt/with\\040blank rw,noatime master:1 - ext3 /dev/root rw\n\
                    37 35 0:21 / /proc rw - proc proc rw\nnonsense\n";
        let mounts = parse_mountinfo(text);
        assert_eq!(mounts.len(), 2);
        assert_eq!(
            mounts.first(),
            Some(&Mount {
                major: 98,
                minor: 0,
                root: "/mnt1".into(),
                point: "/mnt/with blank".into(),
                kind: "ext3".into()
            })
        );
    }

    #[test]
    fn layers_of_overlays_are_read() {
        let text = "90 1 0:50 / /merged rw - overlay e2e rw,lowerdir=/a\\040b:/c,upperdir=/u,workdir=/w,xino=off\n\
                    91 1 0:51 / /container rw - overlay overlay rw,lowerdir=l/ABC:l/DEF,upperdir=/x/diff,workdir=/x/work\n\
                    92 1 8:1 / / rw - ext4 /dev/sda1 rw,upperdir=/no\n";
        let layers = parse_layers(text);
        let found: Vec<_> = layers.iter().map(|one| (one.overlay.minor, one.directory.to_str())).collect();
        assert_eq!(found, [(50, Some("/a b")), (50, Some("/c")), (50, Some("/u")), (51, Some("/x/diff"))]);
    }
}
