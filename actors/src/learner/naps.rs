//! How long a learner may leave the clock alone. A hundred that all look at it every few seconds are most of what the daemon
//! does while nothing happens, and mostly nothing can be due.

use std::time::{Duration, Instant};

use actix::prelude::*;
use policy::model::State;

use super::Learner;
use crate::on_loss::OnLoss;

/// Between two looks at the clock of a learner with which something may be due, and what each nap is a multiple of, so that
/// one acts when it would have without naps: each in its own time, as together they did so before a service had done anything.
const TICK: Duration = Duration::from_secs(5);
/// Between two looks of any other.
const SELDOM: Duration = Duration::from_secs(60);

/// When a learner looks at the clock.
#[derive(Debug)]
pub(super) struct Naps {
    began: Instant,
    /// When it wakes, and what cancels that.
    next: Option<(Instant, SpawnHandle)>,
}

impl Default for Naps {
    fn default() -> Naps {
        Naps { began: Instant::now(), next: None }
    }
}

impl Naps {
    /// The first tick that comes after now, and not before this time has passed.
    fn end_after(&self, time: Duration, now: Instant) -> Instant {
        let (passed, tick) = (now.duration_since(self.began), TICK.as_nanos());
        let ticks = (passed + time).as_nanos().div_ceil(tick).max(passed.as_nanos() / tick + 1);
        self.began + TICK * u32::try_from(ticks).unwrap_or(u32::MAX)
    }
}

impl Learner {
    /// Something may be due sooner than it was when the nap began.
    pub(super) fn rouse(&mut self, context: &mut Context<Learner>) {
        let now = Instant::now();
        // Whatever is due waits for a tick, and most acts of a flood come here.
        if self.naps.next.is_some_and(|(planned, _)| planned <= now + TICK) {
            return;
        }
        let end = self.naps.end_after(self.nothing_is_due_for(), now);
        if let Some((planned, handle)) = self.naps.next {
            if planned <= end {
                return;
            }
            context.cancel_future(handle);
        }
        let woken = context.run_later(end.duration_since(now), |learner, context| {
            learner.naps.next = None;
            learner.tick(context);
            learner.rouse(context);
        });
        self.naps.next = Some((end, woken));
    }

    fn nothing_is_due_for(&self) -> Duration {
        if self.unsaved || !self.waiting.is_empty() || self.anomalies.are_due() {
            return Duration::ZERO;
        }
        if !self.learns() {
            return SELDOM;
        }
        let progress = &self.model.progress;
        let part = self.part().saturating_sub(progress.learned().saturating_sub(self.counted));
        let mature = match progress.left(&self.terms.graduation) {
            _ if self.model.state != State::Learning => SELDOM,
            // A phase that is missing is brought by a message.
            Duration::ZERO if !self.is_mature() => SELDOM,
            left => left,
        };
        part.min(mature).min(self.until_a_hold_is_seen()).min(SELDOM)
    }

    /// No hold may begin and end between two looks, as its time would count as learning.
    fn until_a_hold_is_seen(&self) -> Duration {
        let holds = self.directory.holds();
        match (holds.on_loss(), self.held()) {
            (OnLoss::Hold, Some(_)) => Duration::ZERO,
            (OnLoss::Hold, None) => until_seen(holds.hold_time()),
            (OnLoss::Log | OnLoss::Audit, _) => SELDOM,
        }
    }
}

/// A nap goes on to the next tick, and is then never longer than half of a hold.
fn until_seen(hold: Duration) -> Duration {
    (hold / 2).saturating_sub(TICK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn naps_end_with_a_tick_of_the_learners_own() {
        let naps = Naps::default();
        let after = |passed: f64, time: f64| {
            let now = naps.began + Duration::from_secs_f64(passed);
            (naps.end_after(Duration::from_secs_f64(time), now) - naps.began).as_secs_f64()
        };
        assert_eq!((after(0.5, 0.0), after(0.5, 4.5), after(0.5, 4.6), after(61.0, 60.0)), (5.0, 5.0, 10.0, 125.0));
        assert_eq!(after(5.0, 0.0), 10.0, "never at once");
    }

    #[test]
    fn a_hold_is_seen_while_it_lasts_even_by_one_that_wakes_late() {
        let naps = Naps::default();
        for hold in [10, 11, 12, 25, 60, 3_600].map(Duration::from_secs) {
            for passed in (0..400).map(|step| Duration::from_millis(step * 37)) {
                let now = naps.began + passed;
                assert!((naps.end_after(until_seen(hold), now) - now) * 2 <= hold, "{hold:?} after {passed:?}");
            }
        }
    }
}
