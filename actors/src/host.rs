//! Facts about this host that turn names of policy into places.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use compact_str::CompactString;
use policy::distribution::Release;
use policy::host::{HostFacts, Layer, Mount, parse_layers, parse_mountinfo};

/// How old the name of the host may be in a record.
const FRESH: Duration = Duration::from_millis(100);

/// The host that we run on.
#[derive(Clone, Copy, Debug, Default)]
pub struct ThisHost;

/// The name of this host, which rules may name; empty when it cannot be told.
pub fn name() -> String {
    nix::sys::utsname::uname().map(|name| name.nodename().to_string_lossy().into_owned()).unwrap_or_default()
}

/// The same for a record; nothing when it cannot be told. Asked for once in a while: the kernel would be asked for each record.
pub(crate) fn current() -> Option<CompactString> {
    static LAST: Mutex<Option<(Instant, Option<CompactString>)>> = Mutex::new(None);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    match &*last {
        Some((asked, name)) if asked.elapsed() < FRESH => name.clone(),
        _ => {
            let name = Some(CompactString::from(name())).filter(|name| !name.is_empty());
            *last = Some((Instant::now(), name.clone()));
            name
        }
    }
}

/// The mounts of the host's namespace as text; what [`ThisHost`] reads.
pub fn mountinfo() -> String {
    fs::read_to_string("/proc/1/mountinfo").or_else(|_| fs::read_to_string("/proc/self/mountinfo")).unwrap_or_default()
}

impl HostFacts for ThisHost {
    fn name(&self) -> String {
        name()
    }

    fn release(&self) -> Release {
        let text = fs::read_to_string("/etc/os-release").or_else(|_| fs::read_to_string("/usr/lib/os-release"));
        Release::parse(&text.unwrap_or_default())
    }

    fn mounts(&self) -> Vec<Mount> {
        parse_mountinfo(&mountinfo())
    }

    fn layers(&self) -> Vec<Layer> {
        parse_layers(&mountinfo())
    }

    fn homes(&self) -> Vec<PathBuf> {
        homes(&fs::read_to_string("/etc/passwd").unwrap_or_default())
    }

    fn canonical(&self, path: &Path) -> Option<PathBuf> {
        fs::canonicalize(path).ok()
    }
}

/// Homes of root and of real users (uid 1000 to 59999, the range of adduser) in a passwd file.
fn homes(passwd: &str) -> Vec<PathBuf> {
    let mut homes: Vec<PathBuf> = passwd
        .lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let uid: u32 = fields.get(2)?.parse().ok()?;
            let home = fields.get(5).filter(|home| home.starts_with('/') && home.len() > 1)?;
            (uid == 0 || (1000..60_000).contains(&uid)).then(|| PathBuf::from(home))
        })
        .collect();
    homes.sort();
    homes.dedup();
    homes
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_real_users_have_homes() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1::/usr/sbin:/x\nada:x:1000:1000::/home/ada:/bin/sh\n\
                      nobody:x:65534:65534::/nonexistent:/x\nbroken\n";
        let found = super::homes(passwd);
        assert_eq!(found, ["/home/ada", "/root"].map(std::path::PathBuf::from));
    }
}
