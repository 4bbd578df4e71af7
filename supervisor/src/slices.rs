//! Watches for services that start, in whatever slice: a unit may have been moved to another one meanwhile, and rules may
//! name slices.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use actors::directory::Directory;
use actors::messages::Look;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use policy::host::parse_mountinfo;

/// Services that start together are looked at together.
const TOGETHER: Duration = Duration::from_millis(100);

/// The slices that are watched.
struct Watch {
    inotify: Inotify,
    slices: HashMap<WatchDescriptor, PathBuf>,
}

/// Starts the thread. It ends with the process.
pub fn watch(directory: Directory) -> io::Result<()> {
    let mounts = parse_mountinfo(&actors::host::mountinfo());
    let root = mounts.into_iter().find(|mount| mount.kind == "cgroup2" && mount.root == Path::new("/"));
    let root = root.ok_or_else(|| io::Error::other("there is no cgroup v2 hierarchy"))?.point;
    let mut watch = Watch { inotify: Inotify::init(InitFlags::IN_CLOEXEC)?, slices: HashMap::new() };
    watch.add(&root);
    std::thread::Builder::new().name("slices".to_owned()).spawn(move || watch.run(&root, &directory))?;
    Ok(())
}

impl Watch {
    /// Watches a slice and those that are in it by now.
    fn add(&mut self, slice: &Path) {
        let mut open = vec![slice.to_owned()];
        while let Some(slice) = open.pop() {
            // It may be gone again.
            let Ok(watch) = self.inotify.add_watch(&slice, AddWatchFlags::IN_CREATE | AddWatchFlags::IN_ONLYDIR) else {
                continue;
            };
            let below = std::fs::read_dir(&slice).into_iter().flatten().flatten();
            open.extend(below.map(|entry| entry.path()).filter(|path| is_slice(path)));
            self.slices.insert(watch, slice);
        }
    }

    fn run(mut self, root: &Path, directory: &Directory) {
        loop {
            let events = match self.inotify.read_events() {
                Ok(events) => events,
                Err(nix::errno::Errno::EINTR) => continue,
                Err(error) => {
                    tracing::error!("slices cannot be watched any more, and are looked at every 15 s: {error}");
                    return;
                }
            };
            for event in events {
                if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
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
        }
    }
}

fn is_slice(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "slice")
}
