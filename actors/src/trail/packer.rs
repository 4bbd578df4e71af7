//! Compresses closed segments, on a thread of its own: nobody waits for it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::segment::packed;

/// The thread, once there is something to do. Dropping it waits until all is done.
#[derive(Debug, Default)]
pub(super) struct Packer {
    thread: Option<(Sender<PathBuf>, JoinHandle<()>)>,
    waiting: Arc<AtomicUsize>,
}

impl Packer {
    /// Has a closed segment compressed. One that cannot be stays as it is, and the next start tries again.
    pub(super) fn pack(&mut self, path: PathBuf) {
        if self.thread.is_none() {
            let (sender, paths) = channel::<PathBuf>();
            let waiting = self.waiting.clone();
            let started = std::thread::Builder::new().name("audit-packer".to_owned()).spawn(move || {
                for path in paths {
                    if let Err(error) = pack(&path) {
                        tracing::error!("{} cannot be compressed and stays as it is: {error}", path.display());
                    }
                    waiting.fetch_sub(1, Ordering::Release);
                }
            });
            match started {
                Ok(thread) => self.thread = Some((sender, thread)),
                Err(error) => return tracing::error!("{} stays uncompressed: {error}", path.display()),
            }
        }
        if let Some((sender, _)) = &self.thread {
            self.waiting.fetch_add(1, Ordering::Release);
            // The thread ends only after the sender.
            let _ = sender.send(path);
        }
    }

    /// Whether nothing is left to do.
    pub(super) fn idle(&self) -> bool {
        self.waiting.load(Ordering::Acquire) == 0
    }
}

impl Drop for Packer {
    fn drop(&mut self) {
        if let Some((sender, thread)) = self.thread.take() {
            drop(sender);
            let _ = thread.join();
        }
    }
}

/// At any moment the plain file or the whole compressed one is there. Compressing as well as can be would cost more time
/// than all else that is done with a record.
fn pack(plain: &Path) -> io::Result<()> {
    let done = packed(plain);
    let fresh = done.with_extension("gz.new");
    let to = OpenOptions::new().write(true).create(true).truncate(true).mode(0o640).open(&fresh)?;
    let mut encoder = GzEncoder::new(to, Compression::fast());
    let written = io::copy(&mut File::open(plain)?, &mut encoder).and_then(|_| encoder.finish()?.sync_all());
    if let Err(error) = written {
        let _ = fs::remove_file(&fresh);
        return Err(error);
    }
    fs::rename(&fresh, &done)?;
    if let Some(directory) = plain.parent() {
        File::open(directory)?.sync_all()?;
    }
    fs::remove_file(plain)
}
