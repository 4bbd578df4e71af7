//! Watches for services that start, in whatever slice: a unit may have been moved to another one meanwhile, and rules may
//! name slices.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use actors::directory::Directory;
use actors::messages::Look;
use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use policy::host::parse_mountinfo;

/// Services that start together are looked at together.
const TOGETHER: Duration = Duration::from_millis(100);
/// From one look to the next, as each goes through all slices and any root process can make some. What comes meanwhile waits
/// in the kernel and is looked at then.
const BETWEEN: Duration = Duration::from_secs(1);
/// Most slices that are watched; what starts in others is looked at every 15 s.
const WATCHES_MAX: usize = 4096;

/// The slices that are watched.
struct Watch {
    inotify: Inotify,
    slices: HashMap<WatchDescriptor, PathBuf>,
    /// Whether it was said that there are too many.
    said: bool,
}

/// Starts the thread. It ends with the process.
pub fn watch(directory: Directory) -> io::Result<()> {
    let mounts = parse_mountinfo(&actors::host::mountinfo());
    let root = mounts.into_iter().find(|mount| mount.kind == "cgroup2" && mount.root == Path::new("/"));
    let root = root.ok_or_else(|| io::Error::other("there is no cgroup v2 hierarchy"))?.point;
    let mut watch = Watch { inotify: Inotify::init(InitFlags::IN_CLOEXEC)?, slices: HashMap::new(), said: false };
    watch.add(&root);
    std::thread::Builder::new().name("slices".to_owned()).spawn(move || watch.run(&root, &directory))?;
    Ok(())
}

impl Watch {
    /// Watches a slice and those that are in it by now, the outer ones first.
    fn add(&mut self, slice: &Path) {
        let mut open = VecDeque::from([slice.to_owned()]);
        while let Some(slice) = open.pop_front() {
            if self.slices.len() >= WATCHES_MAX {
                return self.say(&format!("there are more than {WATCHES_MAX}"));
            }
            let watch = match self.inotify.add_watch(&slice, AddWatchFlags::IN_CREATE | AddWatchFlags::IN_ONLYDIR) {
                Ok(watch) => watch,
                Err(Errno::ENOSPC) => return self.say("root has no watches left, see fs.inotify.max_user_watches"),
                // It is gone again.
                Err(_) => continue,
            };
            let below = std::fs::read_dir(&slice).into_iter().flatten().flatten();
            open.extend(below.map(|entry| entry.path()).filter(|path| is_slice(path)));
            self.slices.insert(watch, slice);
        }
    }

    fn say(&mut self, why: &str) {
        if !self.said {
            tracing::error!("not every slice is watched, and what starts in the others is looked at every 15 s: {why}");
        }
        self.said = true;
    }

    fn run(mut self, root: &Path, directory: &Directory) {
        loop {
            let events = match self.inotify.read_events() {
                Ok(events) => events,
                Err(Errno::EINTR) => continue,
                Err(error) => {
                    tracing::error!("slices cannot be watched any more, and are looked at every 15 s: {error}");
                    return;
                }
            };
            for event in events {
                if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
                    // What has gone was not told either.
                    self.slices.clear();
                    self.add(root);
                } else if event.mask.contains(AddWatchFlags::IN_IGNORED) {
                    self.slices.remove(&event.wd);
                } else if let (Some(slice), Some(name)) = (self.slices.get(&event.wd), &event.name)
                    && is_slice(Path::new(name))
                {
                    let path = slice.join(name);
                    self.add(&path);
                }
            }
            std::thread::sleep(TOGETHER);
            if let Some(registry) = directory.registry()
                && let Err(error) = registry.try_send(Look)
            {
                tracing::warn!("a service that has started is looked at within 15 s only: {error}");
            }
            std::thread::sleep(BETWEEN.saturating_sub(TOGETHER));
        }
    }
}

fn is_slice(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "slice")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn no_more_slices_are_watched_than_may_be() {
        let root = tempfile::tempdir().unwrap();
        for number in 0..WATCHES_MAX + 10 {
            std::fs::create_dir(root.path().join(format!("{number}.slice"))).unwrap();
        }
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC).unwrap();
        let mut watch = Watch { inotify, slices: HashMap::new(), said: false };
        watch.add(root.path());
        assert!(watch.said);
        assert!(watch.slices.len() <= WATCHES_MAX);
        assert!(watch.slices.values().any(|slice| slice == root.path()), "the outer one first");
    }
}
