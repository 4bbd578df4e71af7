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
    // Each record has one, so it is written by hand: the general way takes as long as all else that is done with a record.
    let (day, within) = (ms.div_euclid(DAY), ms.rem_euclid(DAY));
    let (year, month, day) = date_of(day);
    if !(0..=9999).contains(&year) {
        return Timestamp::from_millisecond(ms).map(|time| format!("{time:.3}")).unwrap_or_default();
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
    text.iter().map(|byte| char::from(*byte)).collect()
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
    text.parse::<Timestamp>().map_or(0, |time| time.as_millisecond())
}

/// The same for nearly all times, which are as [`rfc3339`] writes them, without the general way through texts of all kinds.
pub fn ms_of_own(text: &str) -> i64 {
    fixed(text.as_bytes()).unwrap_or_else(|| ms_of_text(text))
}

/// Milliseconds since 1970 of `0000-00-00T00:00:00.000Z`; nothing for what looks otherwise, and for times that may not be.
fn fixed(text: &[u8]) -> Option<i64> {
    let shape = b"0000-00-00T00:00:00.000Z";
    let digits =
        text.iter().zip(shape).all(|(byte, shape)| if *shape == b'0' { byte.is_ascii_digit() } else { byte == shape });
    let number = |at: usize, digits: usize| {
        text.iter().skip(at).take(digits).fold(0, |number, digit| number * 10 + i64::from(digit - b'0'))
    };
    if text.len() != shape.len() || !digits {
        return None;
    }
    let (year, month, day) = (number(0, 4), number(5, 2), number(8, 2));
    let (hour, minute, second) = (number(11, 2), number(14, 2), number(17, 2));
    // Leap seconds are left to the general way.
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days_of(year, month, day);
    (date_of(days) == (year, month, day))
        .then(|| ((days * 24 + hour) * 60 + minute) * 60_000 + second * 1000 + number(20, 3))
}

/// The other way round than [`date_of`].
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// How far apart two times are that [`rfc3339`] wrote; without end where one is something else.
pub fn apart(one: &str, other: &str) -> Duration {
    match (one.parse::<Timestamp>(), other.parse::<Timestamp>()) {
        (Ok(one), Ok(other)) => one.duration_since(other).unsigned_abs(),
        _ => Duration::MAX,
    }
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
            assert_eq!(super::ms_of_own(&super::rfc3339(ms)), ms);
        }
    }

    proptest::proptest! {
        #[test]
        fn a_time_is_read_as_the_general_way_reads_it(
            text in "[0-2][0-9]{3}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9]\\.[0-9]{3}Z|[0-9TZ:.-]{0,30}",
        ) {
            proptest::prop_assert_eq!(super::ms_of_own(&text), super::ms_of_text(&text));
        }
    }
}
