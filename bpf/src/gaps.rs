//! Whether every event that the kernel numbered has come, or is counted as lost.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::kernel::KernelError;
use crate::skeleton::bartizan::types;
use crate::tables::Tables;

/// How long a number may be missing before it counts: tasks of one CPU may overtake one another between taking a number and
/// a place in the ring, and between that and the counting of a loss.
const SETTLED: Duration = Duration::from_secs(3);

/// A CPU in a ring.
pub(crate) type Source = (Ring, u32);

/// The rings, with their keys in the map `sequences` (`enum bz_ring` in wire.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ring {
    /// What was refused or recorded.
    Violations = 0,
    /// What learning services do, and which services there are.
    Observations = 1,
}

/// What has come of a source.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// Number of the first event, and what had been lost before it.
    first: u64,
    lost: u64,
    /// The highest number, and how many have come since the first.
    highest: u64,
    come: u64,
}

/// What the ring thread has seen, shared with whoever asks for losses.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seens(Arc<Mutex<BTreeMap<Source, Seen>>>);

impl Seens {
    /// An event has come. `lost`: of its source, before it.
    pub(crate) fn came(&self, source: Source, number: u64, lost: u64) {
        if number == 0 {
            return;
        }
        let mut seens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match seens.get_mut(&source) {
            // One that was overtaken by the very first.
            Some(seen) if number < seen.first => {}
            Some(seen) => {
                seen.highest = seen.highest.max(number);
                seen.come += 1;
            }
            None => {
                seens.insert(source, Seen { first: number, lost, highest: number, come: 0 });
            }
        }
    }

    /// Events that are missing and that the kernel does not count as lost. `lost`: what it counts of a source until now.
    pub(crate) fn missing(&self, lost: impl Fn(Source) -> u64) -> u64 {
        let seens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |(source, seen): (&Source, &Seen)| {
            let missing = (seen.highest - seen.first).saturating_sub(seen.come);
            missing.saturating_sub(lost(*source).saturating_sub(seen.lost))
        };
        seens.iter().map(of).sum()
    }
}

/// What is missing of what has come, by the kernel's own counts.
pub(crate) fn missing(seens: &Seens, tables: &Tables) -> Result<u64, KernelError> {
    let of = |ring: Ring| tables.per_cpu::<types::bz_sequence>("sequences", &(ring as u32).to_ne_bytes());
    let (violations, observations) = (of(Ring::Violations)?, of(Ring::Observations)?);
    Ok(seens.missing(|(ring, cpu)| {
        let all = if ring == Ring::Violations { &violations } else { &observations };
        usize::try_from(cpu).ok().and_then(|cpu| all.get(cpu)).map_or(0, |sequence| sequence.lost)
    }))
}

/// The gaps that stayed.
#[derive(Debug, Default)]
pub(crate) struct Gaps {
    told: u64,
    /// Of that, of what came before the numbers were looked at anew.
    before: u64,
    /// Since when more have been missing, and how many all the time.
    waiting: Option<(Instant, u64)>,
}

impl Gaps {
    /// From now on others look at the numbers.
    pub(crate) fn begin_anew(&mut self) {
        (self.before, self.waiting) = (self.told, None);
    }

    /// So many are missing now; how many are missing for good. That only ever rises.
    pub(crate) fn settle(&mut self, now: Instant, missing: u64) -> u64 {
        let missing = self.before + missing;
        if missing <= self.told {
            self.waiting = None;
            return self.told;
        }
        let (since, least) = self.waiting.get_or_insert((now, missing));
        *least = missing.min(*least);
        if now.duration_since(*since) >= SETTLED {
            self.told = *least;
            self.waiting = None;
        }
        self.told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Source = (Ring::Violations, 3);

    #[test]
    fn a_gap_that_no_loss_accounts_for_is_missing() {
        let seens = Seens::default();
        seens.came(HERE, 10, 2);
        seens.came(HERE, 11, 2);
        assert_eq!(seens.missing(|_| 2), 0);
        seens.came(HERE, 15, 4);
        assert_eq!((seens.missing(|_| 4), seens.missing(|_| 5), seens.missing(|_| 9)), (1, 0, 0));
        seens.came(HERE, 13, 3);
        assert_eq!(seens.missing(|_| 4), 0, "one that was overtaken");
        seens.came((Ring::Observations, 3), 1, 0);
        seens.came((Ring::Observations, 3), 3, 0);
        assert_eq!(
            seens.missing(|(ring, _)| if ring == Ring::Violations { 4 } else { 0 }),
            1,
            "rings are counted apart"
        );
    }

    #[test]
    fn events_without_a_number_and_from_before_the_first_say_nothing() {
        let seens = Seens::default();
        seens.came(HERE, 0, 0);
        seens.came(HERE, 5, 0);
        seens.came(HERE, 4, 0);
        seens.came(HERE, 7, 0);
        assert_eq!(seens.missing(|_| 0), 1);
    }

    #[test]
    fn only_what_is_missing_for_a_while_counts() {
        let mut gaps = Gaps::default();
        let start = Instant::now();
        assert_eq!(gaps.settle(start, 3), 0);
        assert_eq!(gaps.settle(start + SETTLED / 2, 1), 0);
        assert_eq!(gaps.settle(start + SETTLED, 2), 1, "as many as were missing all the time");
        assert_eq!(gaps.settle(start + SETTLED, 1), 1);
        assert_eq!(gaps.settle(start + SETTLED * 3, 2), 1, "the time begins anew");
        assert_eq!(gaps.settle(start + SETTLED * 4, 2), 2);
        assert_eq!(gaps.settle(start + SETTLED * 4, 0), 2, "what was told stays told");
        gaps.begin_anew();
        assert_eq!((gaps.settle(start, 1), gaps.settle(start + SETTLED, 1)), (2, 3), "and more is added to it");
    }
}
