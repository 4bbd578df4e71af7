//! The thread that writes the store.

use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::classes::Classes;
use super::trouble::Trouble;
use super::{Bounds, Shared, insertion, retention, schema};
use crate::record::Record;
use crate::trail;
use crate::written::Written;

/// Records in one transaction.
const BATCH: usize = 1_000;
/// Records seldom come alone: those that come so soon after the first share its transaction, whose pages of few records cost more
/// than the records do. A reader waits for one step at most.
const GATHER: Duration = Duration::from_millis(200);
const STEP: Duration = Duration::from_millis(50);
/// How often the bounds are looked at, and how often a store that failed is tried again.
const TEND: Duration = Duration::from_secs(60);
const AGAIN: Duration = Duration::from_secs(1);
/// The bounds are also looked at after so many records, or after one for so many bytes that the store may have: a small one would
/// have many times its size otherwise.
const MANY: u64 = 50_000;
const PART: u64 = 4_096;

/// Writes the store.
pub(super) struct Keeper {
    path: PathBuf,
    trail: PathBuf,
    bounds: Bounds,
    shared: Arc<Shared>,
    tell: Box<dyn Fn(String) + Send>,
    base: Option<Connection>,
    classes: Classes,
    last: u64,
    tended: Option<Instant>,
    /// Records that came since.
    untended: usize,
    /// What was told last, so that one trouble is told once.
    said: String,
}

impl Keeper {
    pub(super) fn new(
        path: PathBuf,
        trail: PathBuf,
        bounds: Bounds,
        shared: Arc<Shared>,
        tell: Box<dyn Fn(String) + Send>,
    ) -> Keeper {
        let (base, last, tended, untended, said) = (None, 0, None, 0, String::new());
        let classes = Classes::default();
        Keeper { path, trail, bounds, shared, tell, base, classes, last, tended, untended, said }
    }

    /// Until the other end of the queue is gone.
    pub(super) fn run(mut self, records: &Receiver<Arc<Vec<Written>>>) {
        let mut wait = Duration::ZERO;
        loop {
            let first = match records.recv_timeout(wait) {
                Ok(some) => Some(some),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if first.is_some() {
                self.gather();
            }
            let mut batch: Vec<Arc<Vec<Written>>> = first.into_iter().collect();
            let mut count = batch.iter().map(|some| some.len()).sum();
            while count < BATCH
                && let Ok(more) = records.try_recv()
            {
                count += more.len();
                batch.push(more);
            }
            self.shared.queued.fetch_sub(count, Ordering::AcqRel);
            let mut records = Vec::with_capacity(count);
            batch.iter().for_each(|some| records.extend(some.iter()));
            let outcome = if self.shared.is_damaged() { Err(Trouble::Damaged) } else { self.take(&records) };
            match outcome {
                Ok(()) => self.said.clear(),
                Err(trouble) => self.failed(&trouble),
            }
            wait = match &self.base {
                Some(_) if self.shared.missed.load(Ordering::Acquire) > self.last => Duration::ZERO,
                Some(_) => TEND,
                None => AGAIN,
            };
        }
    }

    /// Leaves records time to come, unless there are enough, or somebody waits for them.
    fn gather(&self) {
        let until = Instant::now() + GATHER;
        let shared = &self.shared;
        // Waiting while there is enough would let the queue run over, and what it does not hold is read from the trail, which
        // costs several times as much.
        let enough = || shared.queued.load(Ordering::Acquire) >= BATCH || shared.ending.load(Ordering::Acquire);
        while !enough() && Instant::now() < until {
            std::thread::sleep(STEP);
            if shared.awaited.load(Ordering::Acquire) > 0 {
                return;
            }
        }
    }

    fn take(&mut self, batch: &[&Written]) -> Result<(), Trouble> {
        if self.base.is_none() {
            self.open()?;
        }
        // Those at the beginning may have been read from the trail.
        let begin = batch.iter().position(|one| one.record.id > self.last).unwrap_or(batch.len());
        let (_, new) = batch.split_at(begin);
        let follows = new.iter().zip(self.last + 1..).all(|(one, id)| one.record.id == id);
        if follows {
            self.insert(new)?;
        } else {
            self.catch_up()?;
        }
        // The queue is empty, and did not take all.
        if batch.len() < BATCH && self.shared.missed.load(Ordering::Acquire) > self.last {
            self.catch_up()?;
        }
        self.shared.set(true, self.last);
        if self.tended.is_none_or(|tended| tended.elapsed() >= TEND) { self.tend() } else { Ok(()) }
    }

    fn open(&mut self) -> Result<(), Trouble> {
        let base = schema::open(&self.path)?;
        schema::check(&base)?;
        self.last = schema::newest(&base)?;
        self.classes = Classes::default();
        self.base = Some(base);
        self.catch_up()
    }

    /// Takes in what the trail has and the store has not.
    fn catch_up(&mut self) -> Result<(), Trouble> {
        let (trail, shared) = (self.trail.clone(), self.shared.clone());
        let (mut batch, mut outcome) = (Vec::new(), Ok(()));
        trail::walk(&trail, self.last, &mut |record| {
            batch.push(record);
            if batch.len() >= BATCH {
                outcome = self.insert_from_trail(std::mem::take(&mut batch));
            }
            let goes_on = outcome.is_ok() && !shared.ending.load(Ordering::Acquire);
            if goes_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        outcome?;
        self.insert_from_trail(batch)
    }

    fn insert_from_trail(&mut self, records: Vec<Record>) -> Result<(), Trouble> {
        let written = records.into_iter().map(Written::try_from).collect::<Result<Vec<_>, _>>()?;
        self.insert(&written.iter().collect::<Vec<_>>())
    }

    fn insert(&mut self, records: &[&Written]) -> Result<(), Trouble> {
        let (Some(base), Some(newest)) = (&mut self.base, records.iter().map(|one| one.record.id).max()) else {
            return Ok(());
        };
        // Nothing is in the store that a power cut could take from the trail; and the trail is written to the disk by this
        // thread, soon, and nobody waits for it.
        trail::sync(&self.trail)?;
        let adding = base.transaction()?;
        insertion::insert(&adding, &mut self.classes, records)?;
        adding.commit()?;
        self.last = self.last.max(newest);
        self.untended += records.len();
        if self.untended as u64 >= MANY.min(self.bounds.total / PART) { self.tend() } else { Ok(()) }
    }

    fn failed(&mut self, trouble: &Trouble) {
        self.base = None;
        self.shared.set(false, 0);
        let said = trouble.to_string();
        let path = self.path.display();
        if trouble.is_final() {
            let set_aside = self.set_aside();
            // What readers still find wrong with it is known, and is not said of the next: only who opens the file from now on
            // has the next number.
            self.shared.begin_anew();
            let message = match &set_aside {
                Ok(to) => format!("{path}: {said}; it is set aside as {to} and made anew from the trail"),
                Err(error) => format!("{path}: {said}, and it cannot be set aside: {error}"),
            };
            if said != self.said {
                tracing::error!("{message}");
                let what = if matches!(trouble, Trouble::Version) { "is made anew" } else { "was broken" };
                (self.tell)(format!("The store for queries {what}: {message}"));
            }
        } else if said != self.said {
            tracing::error!("{path}: queries are answered from the trail until this is mended: {said}");
        }
        self.said = said;
    }

    /// One broken store is kept, the newest.
    fn set_aside(&self) -> std::io::Result<String> {
        let beside = |ending: &str| {
            let mut path = self.path.clone().into_os_string();
            path.push(ending);
            PathBuf::from(path)
        };
        let to = beside(".broken");
        fs::rename(&self.path, &to)?;
        for ending in ["-wal", "-shm"] {
            match fs::remove_file(beside(ending)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(to.file_name().unwrap_or_default().to_string_lossy().into_owned())
    }

    /// Forgets what the bounds exclude.
    fn tend(&mut self) -> Result<(), Trouble> {
        if let Some(base) = &mut self.base
            && retention::tend(base, self.bounds)?
        {
            self.classes = Classes::default();
        }
        (self.tended, self.untended) = (Some(Instant::now()), 0);
        Ok(())
    }
}
