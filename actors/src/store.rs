//! A store for queries beside the trail: SQLite, on a thread of its own with a queue of its own. The trail is the truth.
//! What the queue did not take is read from the trail again; a store that is broken is set aside and made anew from it.

mod block;
mod chapters;
mod classes;
mod entry;
mod fill;
mod insertion;
mod keeper;
mod loose;
mod packed;
mod query;
mod reader;
mod retention;
mod schema;
mod span;
mod state;
mod trouble;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::record::Record;
use crate::written::Written;
pub use fill::fill;
use keeper::Keeper;
use reader::Kept;
pub use reader::Reader;

/// The file, below the trail's directory.
pub const FILE: &str = "store.sqlite";

/// Records that may wait; what comes then is read from the trail later.
const QUEUE: usize = 4096;

/// How much the store holds; what is older is found in the trail, slower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes.
    pub total: u64,
    /// Age.
    pub keep: Duration,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds { total: 512 << 20, keep: Duration::from_secs(90 * 24 * 3600) }
    }
}

/// How far the store has come.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// It answers: everything up to `last` is in it, but for what its bounds exclude.
    whole: bool,
    last: u64,
    /// How many files were set aside before this one.
    file: u64,
    /// A reader found damage in it.
    damaged: bool,
}

/// Records on their way to the store's thread.
type Queue = SyncSender<Arc<Vec<Written>>>;

/// What the store's thread and its readers share.
#[derive(Debug, Default)]
struct Shared {
    /// The newest record of the trail, as far as the store was told.
    newest: AtomicU64,
    /// The newest record that the queue did not take.
    missed: AtomicU64,
    /// Records in the queue.
    queued: AtomicUsize,
    /// Readers that wait for what is in the queue.
    awaited: AtomicUsize,
    /// The daemon ends: what is not read from the trail yet will be at the next start.
    ending: AtomicBool,
    progress: Mutex<Progress>,
    moved: Condvar,
    /// With it readers wake the store's thread, as long as the store is open.
    wake: Mutex<Option<Queue>>,
}

impl Shared {
    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, whole: bool, last: u64) {
        let mut progress = self.progress();
        progress.whole = whole && !progress.damaged;
        progress.last = last;
        self.moved.notify_all();
    }

    /// Whether what was asked of this file is an answer: it was not set aside meanwhile, and nobody found it damaged.
    fn is_still(&self, file: u64) -> bool {
        let progress = self.progress();
        progress.whole && progress.file == file
    }

    /// A reader found this file damaged: nobody asks it any more, and it is set aside soon.
    fn report(&self, file: u64) {
        let mut progress = self.progress();
        if progress.file != file {
            return;
        }
        (progress.damaged, progress.whole) = (true, false);
        self.moved.notify_all();
        drop(progress);
        // Where the queue is full the thread is awake.
        let _ = self.wake().as_ref().map(|queue| queue.try_send(Arc::default()));
    }

    fn is_damaged(&self) -> bool {
        self.progress().damaged
    }

    /// The file is set aside, and there will be another.
    fn begin_anew(&self) {
        let mut progress = self.progress();
        *progress = Progress { file: progress.file + 1, ..Progress::default() };
        self.moved.notify_all();
    }

    fn wake(&self) -> MutexGuard<'_, Option<Queue>> {
        self.wake.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the store holds everything up to a record; the number of the file that does.
    fn reaches(&self, id: u64, patience: Duration) -> Option<u64> {
        self.awaited.fetch_add(1, Ordering::AcqRel);
        let reached = self.waits(id, patience);
        self.awaited.fetch_sub(1, Ordering::AcqRel);
        reached
    }

    fn waits(&self, id: u64, patience: Duration) -> Option<u64> {
        let deadline = Instant::now() + patience;
        let mut progress = self.progress();
        loop {
            if !progress.whole || progress.last >= id {
                return progress.whole.then_some(progress.file);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            (progress, _) = self.moved.wait_timeout(progress, left).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// The store. Dropping it waits until what is queued is in.
#[derive(Debug)]
pub struct Store {
    queue: Option<Queue>,
    thread: Option<JoinHandle<()>>,
    reader: Reader,
    /// For [`Store::recall`], which is asked often, on the thread of the audit log.
    kept: Mutex<Option<Kept>>,
}

impl Store {
    /// Opens the store at `path` for the trail in `trail`. `tell` is given sentences for the trail.
    pub fn open(
        path: PathBuf,
        trail: PathBuf,
        bounds: Bounds,
        tell: impl Fn(String) + Send + 'static,
    ) -> io::Result<Store> {
        let shared = Arc::new(Shared::default());
        let reader = Reader::new(path.clone(), trail.clone(), shared.clone());
        let (queue, records) = sync_channel(QUEUE);
        *shared.wake() = Some(queue.clone());
        let keeper = Keeper::new(path, trail, bounds, shared, Box::new(tell));
        let thread = std::thread::Builder::new().name("audit-store".to_owned()).spawn(move || keeper.run(&records))?;
        Ok(Store { queue: Some(queue), thread: Some(thread), reader, kept: Mutex::default() })
    }

    /// Gives it records that are in the trail. Never waits.
    pub fn put(&self, written: &Arc<Vec<Written>>) {
        let (Some(last), Some(queue)) = (written.last(), &self.queue) else { return };
        let shared = &self.reader.shared;
        shared.newest.fetch_max(last.record.id, Ordering::AcqRel);
        // What it does not take now is read from the trail later.
        if shared.queued.fetch_add(written.len(), Ordering::AcqRel) >= QUEUE || queue.try_send(written.clone()).is_err()
        {
            shared.missed.fetch_max(last.record.id, Ordering::AcqRel);
            shared.queued.fetch_sub(written.len(), Ordering::AcqRel);
        }
    }

    /// The record with this id; `None`: it is not in the store any more. An error of the kind [`io::ErrorKind::WouldBlock`]: the
    /// store cannot tell yet. Never waits for that.
    pub fn recall(&self, id: u64) -> io::Result<Option<Record>> {
        let file = self.reader.shared.reaches(id, Duration::ZERO).ok_or(io::ErrorKind::WouldBlock)?;
        let found = self.reader.recall(id, file, &mut self.kept()).map_err(|error| {
            tracing::error!("{FILE}: record {id} cannot be read: {error}");
            io::ErrorKind::WouldBlock
        })?;
        Ok(found)
    }

    fn kept(&self) -> MutexGuard<'_, Option<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many records it has yet to take in.
    pub fn waiting(&self) -> u64 {
        let shared = &self.reader.shared;
        shared.newest.load(Ordering::Acquire).saturating_sub(shared.progress().last)
    }

    /// Somebody to ask.
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.reader.shared.ending.store(true, Ordering::Release);
        // Who closes the file last tidies up, which a connection that only reads cannot.
        drop((self.queue.take(), self.reader.shared.wake().take(), self.kept().take()));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The newest record of a store that is not open; 0 where there is none, or it cannot be read, or is damaged: what a changed bit
/// says is no reason to doubt the trail.
pub fn newest(path: &Path) -> u64 {
    let newest = || {
        let base = schema::open_to_read(path)?;
        schema::check(&base)?;
        schema::newest(&base)
    };
    newest().unwrap_or(0)
}

#[cfg(test)]
#[path = "store/tests.rs"]
mod tests;
