//! Time as models and records keep it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use compact_str::{CompactString, format_compact};
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
pub fn rfc3339(ms: i64) -> CompactString {
    // Each record has one, so it is written by hand: the general way takes as long as all else that is done with a record.
    let (day, within) = (ms.div_euclid(DAY), ms.rem_euclid(DAY));
    let (year, month, day) = date_of(day);
    if !(0..=9999).contains(&year) {
        return Timestamp::from_millisecond(ms).map(|time| format_compact!("{time:.3}")).unwrap_or_default();
    }
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let (seconds, ms) = (within / 1000, within % 1000);
    let numbers = [
        (0, 4, year),
        (5, 2, month),
        (8, 2, day),
        (11, 2, seconds / 3600),
        (14, 2, seconds / 60 % 60),
        (17, 2, seconds % 60),
        (20, 3, ms),
    ];
    for (at, digits, mut number) in numbers {
        for digit in text.iter_mut().skip(at).take(digits).rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
    }
    CompactString::from_utf8(text).unwrap_or_default()
}

const DAY: i64 = 24 * 3600 * 1000;

/// Year, month and day of a number of days since 1970, by counting from 1 March 0000 in eras of 400 years, so that the day
/// which is sometimes missing is a year's last.
fn date_of(days: i64) -> (i64, i64, i64) {
    const ERA: i64 = 146_097;
    let from_march = days + 719_468;
    let (era, of_era) = (from_march.div_euclid(ERA), from_march.rem_euclid(ERA));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// The day in UTC, e.g. `20261125`.
pub fn day(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map(|time| time.strftime("%Y%m%d").to_string()).unwrap_or_default()
}

/// The same, made anew only when the day is not that of last time: its first millisecond and its text.
pub fn day_of(last: &mut (i64, String), ms: i64) -> &str {
    let begin = ms - ms.rem_euclid(DAY);
    if last.0 != begin || last.1.is_empty() {
        *last = (begin, day(ms));
    }
    &last.1
}

/// Milliseconds since 1970 of a system time; 0 for times before.
pub fn ms_of(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).ok().and_then(|since| i64::try_from(since.as_millis()).ok()).unwrap_or(0)
}

/// Milliseconds since 1970 of a time that [`rfc3339`] wrote; 0 for anything else.
pub fn ms_of_text(text: &str) -> i64 {
    parsed(text).unwrap_or(0)
}

/// How far apart two times are that [`rfc3339`] wrote; without end where one is something else.
pub fn apart(one: &str, other: &str) -> Duration {
    match (parsed(one), parsed(other)) {
        (Some(one), Some(other)) => Duration::from_millis(one.abs_diff(other)),
        _ => Duration::MAX,
    }
}

fn parsed(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(|time| time.as_millisecond())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    #[test]
    fn times_are_utc_with_milliseconds() {
        assert_eq!(super::rfc3339(1_795_630_434_319), "2026-11-25T18:13:54.319Z");
        assert_eq!(super::day(1_795_630_434_319), "20261125");
        // Every day but one of a month, over leap years and those that are none, and times before 1970.
        for number in 0..200_000_i64 {
            let ms = (number - 60_000) * (86_400_000 - 7_654_321);
            let wanted = jiff::Timestamp::from_millisecond(ms).unwrap();
            assert_eq!(super::rfc3339(ms), format!("{wanted:.3}"));
            assert_eq!(super::ms_of_text(&super::rfc3339(ms)), ms);
        }
    }
}
