//! The thread of one sink: delivers records in their order, from its queue while that follows on, else from the trail.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::cursor::{self, Cursor};
use super::{Failure, Reach, Sink, Tell};
use crate::record::{Kind, Record};
use crate::trail;
use crate::written::Written;

/// Records that are delivered at once.
const BATCH: usize = 256;
/// Records seldom come alone: where there are fewer, those that come so soon after the first are delivered with it.
const FEW: usize = 64;
const GATHER: Duration = Duration::from_millis(20);
/// The first pause after a failure; it doubles up to the last.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(60);
/// How often the cursor is kept.
const SAVE: Duration = Duration::from_secs(1);
/// How long nothing may happen before it is looked around.
const IDLE: Duration = Duration::from_secs(60);
/// While a sink is down, its losses are told so often; telling them makes a record, which has to be delivered, too.
const TELL: Duration = Duration::from_secs(3600);

/// Records on their way.
pub(super) struct Item {
    pub(super) records: Arc<Vec<Written>>,
    /// The sink has them already.
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
    reach: Arc<Reach>,
    tell: Tell,
    cursor: Cursor,
    /// What the disk has, and since when.
    saved: (Cursor, Instant),
    /// The newest record that was in the queue.
    passed: u64,
    failing: Option<Failing>,
    told: Option<Instant>,
    /// Losses that were told.
    lost_before: u64,
}

impl Delivery {
    pub(super) fn new(
        name: &str,
        sink: Box<dyn Sink>,
        backlog: u64,
        trail: &Path,
        reach: Arc<Reach>,
        tell: Tell,
    ) -> Delivery {
        let file = cursor::path(trail, name);
        let cursor = cursor::read(&file, reach.newest.load(Ordering::Acquire));
        let (trail, name, saved) = (trail.to_owned(), name.to_owned(), (cursor, Instant::now()));
        let (passed, failing, told, lost_before) = (0, None, None, 0);
        let delivery = Delivery {
            name,
            sink,
            backlog,
            trail,
            file,
            reach,
            tell,
            cursor,
            saved,
            passed,
            failing,
            told,
            lost_before,
        };
        delivery.show();
        delivery
    }

    /// How it is, for whoever asks.
    fn show(&self) {
        self.reach.after.store(self.cursor.after, Ordering::Relaxed);
        self.reach.skipped.store(self.lost_before + self.cursor.lost, Ordering::Relaxed);
        self.reach.failing.store(self.failing.is_some(), Ordering::Relaxed);
    }

    /// Until the other end of the queue is gone.
    pub(super) fn run(mut self, items: &Receiver<Item>) {
        self.save(true);
        let mut wait = Duration::ZERO;
        loop {
            let batch: Vec<Item> = match items.recv_timeout(wait) {
                Ok(first) => self.gather(first, items),
                Err(RecvTimeoutError::Timeout) => Vec::new(),
                Err(RecvTimeoutError::Disconnected) => break,
            };
            self.bound();
            if self.failing.as_ref().is_none_or(|failing| failing.again <= Instant::now()) {
                self.advance(&batch);
            }
            // What was taken from the queue and not delivered is in the trail.
            let newest = batch.last().and_then(|item| item.records.last()).map_or(0, |last| last.record.id);
            self.passed = self.passed.max(newest);
            self.tell_losses();
            self.save(false);
            wait = self.pause();
        }
        self.save(true);
    }

    /// What is in the queue behind the first, up to a batch.
    fn gather(&self, first: Item, items: &Receiver<Item>) -> Vec<Item> {
        // A flood fills the queue while the last batch is on its way; waiting as well would let the queue run over, and
        // what it does not hold is read from the trail, which costs several times as much.
        if self.reach.queued.load(Ordering::Acquire) < FEW {
            std::thread::sleep(GATHER);
        }
        let mut count = first.records.len();
        let mut batch = vec![first];
        while count < BATCH
            && let Ok(more) = items.try_recv()
        {
            count += more.records.len();
            batch.push(more);
        }
        self.reach.queued.fetch_sub(count, Ordering::AcqRel);
        batch
    }

    fn pause(&self) -> Duration {
        match &self.failing {
            Some(failing) => failing.again.saturating_duration_since(Instant::now()),
            None if self.is_behind() => Duration::ZERO,
            None if self.cursor != self.saved.0 => SAVE,
            None => IDLE,
        }
    }

    /// Whether there are records that only the trail has.
    fn is_behind(&self) -> bool {
        self.reach.missed.load(Ordering::Acquire).max(self.passed) > self.cursor.after
    }

    /// Skips what may not wait any longer.
    fn bound(&mut self) {
        let oldest = self.reach.newest.load(Ordering::Acquire).saturating_sub(self.backlog);
        if oldest > self.cursor.after {
            self.cursor.lost += oldest - self.cursor.after;
            self.cursor.after = oldest;
        }
    }

    fn advance(&mut self, batch: &[Item]) {
        let all = batch.iter().flat_map(|item| item.records.iter().map(|one| (one, item.told)));
        let new: Vec<(&Written, bool)> = all.filter(|(one, _)| one.record.id > self.cursor.after).collect();
        let follows = new.iter().zip(self.cursor.after + 1..).all(|((one, _), id)| one.record.id == id);
        if !new.is_empty() && follows {
            // What was told in another way is passed over.
            let through = new.last().map_or(self.cursor.after, |(one, _)| one.record.id);
            let records: Vec<&Written> = new.into_iter().filter(|(_, told)| !told).map(|(one, _)| one).collect();
            self.deliver(&records, through);
        } else if !new.is_empty() || self.is_behind() {
            self.catch_up();
        }
    }

    /// Delivers from the trail what the queue did not hold.
    fn catch_up(&mut self) {
        let (trail, mut batch, mut good) = (self.trail.clone(), Vec::new(), true);
        let newest = self.reach.newest.load(Ordering::Acquire);
        let walked = trail::walk(&trail, self.cursor.after, &mut |record| {
            let last = record.id >= newest;
            match Written::try_from(record) {
                Ok(one) => batch.push(one),
                // It was read as text: it is counted as lost.
                Err(error) => tracing::error!("a record is no text: {error}"),
            }
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
    fn deliver_from_trail(&mut self, records: &[Written]) -> bool {
        let Some(last) = records.last() else { return true };
        let before = self.cursor.after;
        let good = self.deliver(&records.iter().collect::<Vec<_>>(), last.record.id);
        let after = self.cursor.after;
        let there = records.iter().filter(|one| one.record.id <= after).count();
        self.cursor.lost += (after - before).saturating_sub(u64::try_from(there).unwrap_or(u64::MAX));
        good
    }

    /// Delivers records, the last of which is `through`. Whether all were taken.
    fn deliver(&mut self, records: &[&Written], through: u64) -> bool {
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
                    self.cursor.after = last.record.id;
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
