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

/// Days of 400 years, and those from 1 March 0000 to 1970.
const ERA: i64 = 146_097;
const TO_1970: i64 = 719_468;

/// Year, month and day of a number of days since 1970, by counting from 1 March 0000 in eras of 400 years, so that the day
/// which is sometimes missing is a year's last.
fn date_of(days: i64) -> (i64, i64, i64) {
    let from_march = days + TO_1970;
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
    as_written(text.as_bytes()).or_else(|| text.parse::<Timestamp>().ok().map(|time| time.as_millisecond()))
}

/// The same of exactly what [`rfc3339`] writes, as each record has one.
fn as_written(text: &[u8]) -> Option<i64> {
    let shape = text.iter().map(|byte| if byte.is_ascii_digit() { b'0' } else { *byte });
    if !shape.eq(*b"0000-00-00T00:00:00.000Z") {
        return None;
    }
    let number = |at: usize, digits: usize| {
        let digits = text.iter().skip(at).take(digits);
        digits.fold(0, |number, digit| number * 10 + i64::from(digit - b'0'))
    };
    let (year, month, day) = (number(0, 4), number(5, 2), number(8, 2));
    let (hour, minute, second) = (number(11, 2), number(14, 2), number(17, 2));
    let days = days_of(year, month, day);
    // What is no date, or is a leap second, is looked at in the general way.
    let is_time = date_of(days) == (year, month, day) && hour < 24 && minute < 60 && second < 60;
    let ms = days * DAY + (hour * 3600 + minute * 60 + second) * 1000 + number(20, 3);
    (is_time && ms <= Timestamp::MAX.as_millisecond()).then_some(ms)
}

/// The other way round than [`date_of`], for a month that there is.
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    era * ERA + of_era * 365 + of_era / 4 - of_era / 100 + (153 * month + 2) / 5 + day - 1 - TO_1970
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

    #[test]
    fn what_is_read_by_hand_is_what_the_library_reads() {
        let texts = [
            "2026-02-29T00:00:00.000Z",
            "2024-02-29T23:59:59.999Z",
            "2026-13-01T00:00:00.000Z",
            "2026-00-10T00:00:00.000Z",
            "2026-04-31T00:00:00.000Z",
            "2026-01-01T24:00:00.000Z",
            "2026-01-01T00:60:00.000Z",
            "2016-12-31T23:59:60.000Z",
            "0000-01-01T00:00:00.000Z",
            "9999-12-30T22:00:00.999Z",
            "9999-12-30T22:00:01.000Z",
            "9999-12-31T23:59:59.999Z",
            "2026-01-01 00:00:00.000Z",
            "2026-01-01T00:00:00.000+01",
            "2026-01-01T00:00:00Z",
            "",
        ];
        for text in texts {
            let read = text.parse::<jiff::Timestamp>().ok().map(|time| time.as_millisecond());
            assert_eq!(super::parsed(text), read, "{text}");
        }
    }
}
