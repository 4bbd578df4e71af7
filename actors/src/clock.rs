//! Time as models and records keep it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use policy::maturity::Moment;

use crate::deadline;

/// Now, in milliseconds since 1970, UTC.
pub fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// Now, as a moment of this boot, which setting the time of day leaves alone.
pub fn moment() -> Moment {
    Moment { boot: deadline::boot(), at: deadline::since_boot() }
}

/// RFC 3339 in UTC with milliseconds, e.g. `2026-11-25T18:22:02.120Z`.
pub fn rfc3339(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map(|time| format!("{time:.3}")).unwrap_or_default()
}

/// The day in UTC, e.g. `20261125`.
pub fn day(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map(|time| time.strftime("%Y%m%d").to_string()).unwrap_or_default()
}

/// Milliseconds since 1970 of a system time; 0 for times before.
pub fn ms_of(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).ok().and_then(|since| i64::try_from(since.as_millis()).ok()).unwrap_or(0)
}

/// Milliseconds since 1970 of a time that [`rfc3339`] wrote; 0 for anything else.
pub fn ms_of_text(text: &str) -> i64 {
    text.parse::<Timestamp>().map_or(0, |time| time.as_millisecond())
}

/// How far apart two times are that [`rfc3339`] wrote; without end where one is something else.
pub fn apart(one: &str, other: &str) -> Duration {
    match (one.parse::<Timestamp>(), other.parse::<Timestamp>()) {
        (Ok(one), Ok(other)) => one.duration_since(other).unsigned_abs(),
        _ => Duration::MAX,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_are_utc_with_milliseconds() {
        assert_eq!(super::rfc3339(1_795_630_434_319), "2026-11-25T18:13:54.319Z");
        assert_eq!(super::day(1_795_630_434_319), "20261125");
    }
}
