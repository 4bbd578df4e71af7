//! The thread of one sink: delivers records in their order, from its queue while that follows on, else from the trail.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::cursor::{self, Cursor};
use super::{Failure, Sink, State, Tell};
use crate::record::{Kind, Record};
use crate::trail;

/// Records that are delivered at once.
const BATCH: usize = 256;
/// The first pause after a failure; it doubles up to the last.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(60);
/// How often the cursor is kept.
const SAVE: Duration = Duration::from_secs(1);
/// How long nothing may happen before it is looked around.
const IDLE: Duration = Duration::from_secs(60);
/// While a sink is down, its losses are told so often; telling them makes a record, which has to be delivered, too.
const TELL: Duration = Duration::from_secs(3600);

/// A record on its way.
pub(super) struct Item {
    pub(super) record: Arc<Record>,
    /// The sink has it already.
    pub(super) told: bool,
}

/// A sink that fails.
struct Failing {
    pause: Duration,
    again: Instant,
}

/// Delivers to one sink.
pub(super) struct Delivery {
    name: String,
    sink: Box<dyn Sink>,
    backlog: u64,
    trail: PathBuf,
    file: PathBuf,
    newest: Arc<AtomicU64>,
    tell: Tell,
    cursor: Cursor,
    /// What the disk has, and since when.
    saved: (Cursor, Instant),
    failing: Option<Failing>,
    told: Option<Instant>,
    state: Arc<State>,
    /// Losses that were told.
    lost_before: u64,
}

impl Delivery {
    pub(super) fn new(
        name: &str,
        sink: Box<dyn Sink>,
        backlog: u64,
        trail: &Path,
        newest: Arc<AtomicU64>,
        tell: Tell,
    ) -> Delivery {
        let file = cursor::path(trail, name);
        let cursor = cursor::read(&file, newest.load(Ordering::Acquire));
        let (trail, name, saved) = (trail.to_owned(), name.to_owned(), (cursor, Instant::now()));
        let (failing, told, state, lost_before) = (None, None, Arc::default(), 0);
        Delivery { name, sink, backlog, trail, file, newest, tell, cursor, saved, failing, told, state, lost_before }
    }

    /// Has it show here how it is, from the beginning.
    pub(super) fn shown(self, state: Arc<State>) -> Delivery {
        let delivery = Delivery { state, ..self };
        delivery.show();
        delivery
    }

    fn show(&self) {
        self.state.after.store(self.cursor.after, Ordering::Relaxed);
        self.state.skipped.store(self.lost_before + self.cursor.lost, Ordering::Relaxed);
        self.state.failing.store(self.failing.is_some(), Ordering::Relaxed);
    }

    /// Until the other end of the queue is gone.
    pub(super) fn run(mut self, items: &Receiver<Item>) {
        self.save(true);
        let mut wait = Duration::ZERO;
        loop {
            let batch: Vec<Item> = match items.recv_timeout(wait) {
                Ok(first) => std::iter::once(first).chain(items.try_iter().take(BATCH - 1)).collect(),
                Err(RecvTimeoutError::Timeout) => Vec::new(),
                Err(RecvTimeoutError::Disconnected) => break,
            };
            self.bound();
            if self.failing.as_ref().is_none_or(|failing| failing.again <= Instant::now()) {
                self.advance(batch);
            }
            self.tell_losses();
            self.save(false);
            wait = self.pause();
        }
        self.save(true);
    }

    fn pause(&self) -> Duration {
        match &self.failing {
            Some(failing) => failing.again.saturating_duration_since(Instant::now()),
            None if self.newest.load(Ordering::Acquire) > self.cursor.after => Duration::ZERO,
            None if self.cursor != self.saved.0 => SAVE,
            None => IDLE,
        }
    }

    /// Skips what may not wait any longer.
    fn bound(&mut self) {
        let oldest = self.newest.load(Ordering::Acquire).saturating_sub(self.backlog);
        if oldest > self.cursor.after {
            self.cursor.lost += oldest - self.cursor.after;
            self.cursor.after = oldest;
        }
    }

    fn advance(&mut self, batch: Vec<Item>) {
        let new: Vec<Item> = batch.into_iter().filter(|item| item.record.id > self.cursor.after).collect();
        let follows = new.iter().zip(self.cursor.after + 1..).all(|(item, id)| item.record.id == id);
        if !new.is_empty() && follows {
            // What was told in another way is passed over.
            let through = new.last().map_or(self.cursor.after, |item| item.record.id);
            let records: Vec<Record> =
                new.into_iter().filter(|item| !item.told).map(|item| Record::clone(&item.record)).collect();
            self.deliver(&records, through);
        } else if self.newest.load(Ordering::Acquire) > self.cursor.after {
            self.catch_up();
        }
    }

    /// Delivers from the trail what the queue did not hold.
    fn catch_up(&mut self) {
        let (trail, mut batch, mut good) = (self.trail.clone(), Vec::new(), true);
        let newest = self.newest.load(Ordering::Acquire);
        let walked = trail::walk(&trail, self.cursor.after, &mut |record| {
            let last = record.id >= newest;
            batch.push(record);
            if batch.len() >= BATCH || last {
                good = self.deliver_from_trail(&std::mem::take(&mut batch));
                self.save(false);
            }
            if good && !last { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        if let Err(error) = walked {
            return self.failed(Failure::of(format!("the trail cannot be read: {error}")));
        }
        // Whatever is missing then is not in the trail any more.
        if good && self.deliver_from_trail(&batch) && newest > self.cursor.after {
            self.cursor.lost += newest - self.cursor.after;
            self.cursor.after = newest;
        }
    }

    /// Records between which others may be missing, as those that the trail's own bounds deleted. Whether all were taken.
    fn deliver_from_trail(&mut self, records: &[Record]) -> bool {
        let Some(last) = records.last() else { return true };
        let before = self.cursor.after;
        let good = self.deliver(records, last.id);
        let after = self.cursor.after;
        let there = records.iter().filter(|record| record.id <= after).count();
        self.cursor.lost += (after - before).saturating_sub(u64::try_from(there).unwrap_or(u64::MAX));
        good
    }

    /// Delivers records, the last of which is `through`. Whether all were taken.
    fn deliver(&mut self, records: &[Record], through: u64) -> bool {
        let outcome = if records.is_empty() { Ok(0) } else { self.sink.deliver(records) };
        match outcome {
            Ok(refused) => {
                self.cursor.lost += refused;
                self.cursor.after = through;
                if self.failing.take().is_some() {
                    tracing::info!("the sink {} takes records again", self.name);
                }
                true
            }
            Err(failure) => {
                if let Some(last) = failure.taken.checked_sub(1).and_then(|at| records.get(at)) {
                    self.cursor.after = last.id;
                }
                self.failed(failure);
                false
            }
        }
    }

    fn failed(&mut self, failure: Failure) {
        let pause = match &self.failing {
            Some(failing) => (failing.pause * 2).min(LAST_PAUSE),
            None => {
                let (name, why, most) = (&self.name, failure.why, self.backlog);
                tracing::warn!("the sink {name} takes nothing, and records wait, {most} at most: {why}");
                FIRST_PAUSE
            }
        };
        self.failing = Some(Failing { pause, again: Instant::now() + pause });
    }

    fn tell_losses(&mut self) {
        let is_time = self.failing.is_none() || self.told.is_none_or(|told| told.elapsed() >= TELL);
        if self.cursor.lost == 0 || !is_time {
            return;
        }
        let message = format!("The sink {} did not get some records", self.name);
        if (self.tell)(Record { count: self.cursor.lost, ..Record::plain(Kind::Loss, message) }) {
            self.lost_before += self.cursor.lost;
            self.cursor.lost = 0;
            self.told = Some(Instant::now());
            self.save(true);
        }
    }

    fn save(&mut self, now: bool) {
        self.show();
        if self.cursor == self.saved.0 && self.file.exists() || !now && self.saved.1.elapsed() < SAVE {
            return;
        }
        match cursor::write(&self.file, self.cursor) {
            Ok(()) => self.saved = (self.cursor, Instant::now()),
            // It is tried again with the next record; at worst records are delivered twice after a restart.
            Err(error) => tracing::debug!("{}: {error}", self.file.display()),
        }
    }
}
