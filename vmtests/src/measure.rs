//! From single rounds to one number that can be trusted.
//!
//! Under `scripts/vm --icount` a virtual nanosecond is a guest instruction, so a difference of the monotonic clock is an
//! instruction count. The first rounds after a boot are several times too high, hence the repetition.

use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::act::Act;

/// Rounds whose median makes one set.
pub const ROUNDS: usize = 31;
/// Sets after which an act that does not settle is given up.
const MOST_SETS: usize = 60;

/// What was measured of an act.
pub struct Measured {
    /// Instructions per act.
    pub each: f64,
    /// How often it was done.
    pub acts: usize,
}

/// The median of a set of rounds, taken when two sets after one another agree within `tolerance` (a fraction of the
/// value). Fails when the act fails or does not settle.
pub fn instructions(act: &mut dyn Act, per_round: u32, tolerance: f64) -> Result<Measured> {
    let mut acts = 0;
    let each = settled(tolerance, || {
        acts += ROUNDS * per_round as usize;
        act.prepare().context("preparing a set of rounds")?;
        let one = |_| {
            let taken = round(act, per_round);
            act.clear();
            taken
        };
        let rounds: Result<Vec<f64>> = (0..ROUNDS).map(one).collect();
        Ok(median(rounds?))
    })?;
    Ok(Measured { each, acts })
}

/// Instructions per act of one round.
pub fn round(act: &mut dyn Act, per_round: u32) -> Result<f64> {
    let from = Instant::now();
    for _ in 0..per_round {
        act.once()?;
    }
    Ok(from.elapsed().as_nanos() as f64 / f64::from(per_round))
}

/// Takes sets until two after one another agree, and returns the later one.
fn settled(tolerance: f64, mut set: impl FnMut() -> Result<f64>) -> Result<f64> {
    let mut earlier = set()?;
    let mut later = earlier;
    for _ in 1..MOST_SETS {
        later = set()?;
        if (later - earlier).abs() <= tolerance * earlier.min(later) {
            return Ok(later);
        }
        earlier = later;
    }
    bail!("no two of {MOST_SETS} sets of {ROUNDS} rounds agree within {} %: the last was {later:.0}", tolerance * 100.0)
}

/// The middle one of the values, or not a number when there is none.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_ignores_a_round_with_a_timer_tick() {
        assert_eq!(median(vec![900.0, 10.0, 11.0]), 11.0);
    }

    #[test]
    fn the_warm_up_is_repeated_away() {
        let mut sets = [40_000.0, 9_000.0, 6_800.0, 6_775.0].into_iter();
        assert_eq!(settled(0.005, || Ok(sets.next().unwrap())).unwrap(), 6_775.0);
        assert_eq!(sets.next(), None);
    }

    #[test]
    fn what_never_settles_is_an_error() {
        let mut value = 1.0;
        let result = settled(0.005, || {
            value *= 2.0;
            Ok(value)
        });
        assert!(result.unwrap_err().to_string().contains("agree within 0.5 %"));
    }
}
