//! Times as people give them.

use jiff::civil::{Date, DateTime, Time};
use jiff::{Timestamp, ToSpan as _, Zoned};

use crate::config::time;

/// What [`moment`] understands.
pub const EXPECTED: &str = "2h (so long ago), 14:30, 2026-11-28, \"2026-11-28 14:30\", today, yesterday or RFC 3339";

/// The time that a text means: so long before `now`, or a time of the calendar in the zone of `now`. `None`: it is no time.
pub fn moment(text: &str, now: &Zoned) -> Option<Timestamp> {
    let text = text.trim();
    let civil = |at: DateTime| at.to_zoned(now.time_zone().clone()).ok().map(|at| at.timestamp());
    if let Some(ago) = time(text) {
        return now.timestamp().checked_sub(jiff::SignedDuration::try_from(ago).ok()?).ok();
    }
    match text {
        "now" => return Some(now.timestamp()),
        "today" => return civil(now.date().to_datetime(Time::midnight())),
        "yesterday" => return civil(now.date().checked_sub(1.day()).ok()?.to_datetime(Time::midnight())),
        _ => {}
    }
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(timestamp);
    }
    if let Ok(date) = text.parse::<Date>()
        && !text.contains(':')
    {
        return civil(date.to_datetime(Time::midnight()));
    }
    if let Ok(at) = text.parse::<DateTime>() {
        return civil(at);
    }
    text.parse::<Time>().ok().and_then(|at| civil(now.date().to_datetime(at)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_understood_as_people_mean_them() {
        let now: Zoned = "2026-11-28T15:00:30+01:00[Europe/Vienna]".parse().unwrap();
        for (text, expected) in [
            ("2h", "2026-11-28T12:00:30Z"),
            ("7d", "2026-11-21T14:00:30Z"),
            ("1h 30m", "2026-11-28T12:30:30Z"),
            ("now", "2026-11-28T14:00:30Z"),
            ("today", "2026-11-27T23:00:00Z"),
            ("yesterday", "2026-11-26T23:00:00Z"),
            ("14:30", "2026-11-28T13:30:00Z"),
            ("2026-11-25", "2026-11-24T23:00:00Z"),
            ("2026-11-25 08:00", "2026-11-25T07:00:00Z"),
            ("2026-11-25T08:00:01", "2026-11-25T07:00:01Z"),
            ("2026-11-25T18:22:02.120Z", "2026-11-25T18:22:02.12Z"),
            ("2026-11-25T18:22:02+02:00", "2026-11-25T16:22:02Z"),
        ] {
            assert_eq!(moment(text, &now).map(|at| at.to_string()).as_deref(), Some(expected), "{text}");
        }
        for text in ["", "soon", "2h ago?", "25:00", "2026-13-01", "-2h", "99999999999999999999d", "\u{1b}[2J"] {
            assert_eq!(moment(text, &now), None, "{text:?}");
        }
    }
}
