//! Why a grant is there: what each host saw of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What was seen in one start may be a chance.
const STARTS: u32 = 2;
/// Most hosts of which one grant keeps what they saw.
pub const HOSTS_MAX: usize = 64;

/// What one host saw. Times are milliseconds since 1970, UTC; texts for people have them as RFC 3339.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sighting {
    /// First time.
    #[serde(with = "time")]
    pub first: i64,
    /// Last time.
    #[serde(with = "time")]
    pub last: i64,
    /// How many observations; the kernel tells each kind of act once.
    pub count: u64,
    /// Program that needed it first.
    pub exe: String,
    /// What it touched first.
    pub object: String,
    /// In how many starts of a unit it was seen, if it was only ever seen early in such; else 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub starts: u32,
}

impl Sighting {
    /// The join of what the same host said at two times. The count is the larger one: adding would count an act twice.
    fn join(&mut self, other: &Sighting) {
        let first = |one: &Sighting| (one.first, one.exe.clone(), one.object.clone());
        (self.first, self.exe, self.object) = first(self).min(first(other));
        self.last = self.last.max(other.last);
        self.count = self.count.max(other.count);
        self.starts = if self.starts == 0 || other.starts == 0 { 0 } else { self.starts.max(other.starts) };
    }
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// Where in the life of its unit something was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// Early in a start. What is seen again within this time (ms) belongs to the same one.
    InStart(i64),
    /// At any other time.
    Later,
}

/// What hosts saw, by name of the host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Evidence {
    /// Never empty in a model.
    pub hosts: BTreeMap<String, Sighting>,
}

impl Evidence {
    /// Adds what a host saw just now. Imports leave room for this host; where an older build has left none, the host that was
    /// the last to see it gives way.
    pub fn observe(&mut self, host: &str, exe: &str, object: &str, now: i64, when: Seen) {
        if let Some(seen) = self.hosts.get_mut(host) {
            seen.starts = match when {
                Seen::Later => 0,
                Seen::InStart(_) if seen.starts == 0 => 0,
                Seen::InStart(long) => seen.starts.saturating_add(u32::from((now - seen.last).abs() >= long)),
            };
            seen.last = seen.last.max(now);
            seen.count = seen.count.saturating_add(1);
            return;
        }
        while self.hosts.len() >= HOSTS_MAX
            && let Some(latest) = self.hosts.iter().max_by_key(|(host, seen)| (seen.first, *host))
        {
            let latest = latest.0.clone();
            self.hosts.remove(&latest);
        }
        let (exe, object) = (exe.to_owned(), object.to_owned());
        let starts = if when == Seen::Later { 0 } else { 1 };
        let seen = Sighting { first: now, last: now, count: 1, exe, object, starts };
        self.hosts.insert(host.to_owned(), seen);
    }

    /// Joins what is known elsewhere: commutative, associative and idempotent.
    pub fn join(&mut self, other: &Evidence) {
        for (host, seen) in &other.hosts {
            self.hosts.entry(host.clone()).or_insert_with(|| seen.clone()).join(seen);
        }
    }

    /// The host that saw it first, and what it saw.
    pub fn earliest(&self) -> Option<(&str, &Sighting)> {
        self.hosts
            .iter()
            .min_by_key(|(host, seen)| (seen.first, host.as_str()))
            .map(|(host, seen)| (host.as_str(), seen))
    }

    /// Whether no host saw it but early in the start of a unit.
    pub fn in_starts(&self) -> bool {
        self.hosts.values().all(|seen| seen.starts > 0)
    }

    /// Whether starts need it, and nothing else: one host has seen it in two of them, and none at any other time.
    pub fn at_start(&self) -> bool {
        self.in_starts() && self.hosts.values().any(|seen| seen.starts >= STARTS)
    }

    /// Last time on any host.
    pub fn last(&self) -> i64 {
        self.hosts.values().map(|seen| seen.last).max().unwrap_or_default()
    }

    /// Observations on all hosts.
    pub fn count(&self) -> u64 {
        self.hosts.values().fold(0, |sum, seen| sum.saturating_add(seen.count))
    }
}

/// Times: numbers for programs, RFC 3339 where people read them.
mod time {
    use jiff::Timestamp;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _, ser::Error as _};

    pub(super) fn serialize<S: Serializer>(ms: &i64, out: S) -> Result<S::Ok, S::Error> {
        if !out.is_human_readable() {
            return out.serialize_i64(*ms);
        }
        let time = Timestamp::from_millisecond(*ms).map_err(S::Error::custom)?;
        out.serialize_str(&format!("{time:.3}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<i64, D::Error> {
        if !input.is_human_readable() {
            return i64::deserialize(input);
        }
        let text = String::deserialize(input)?;
        let expected = || D::Error::custom(format!("expected a time such as 2026-11-25T18:22:02.120Z: {text:?}"));
        text.parse::<Timestamp>().map(Timestamp::as_millisecond).map_err(|_| expected())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_host_finds_room_among_as_many_as_there_may_be() {
        let mut evidence = Evidence::default();
        for (number, now) in (0..HOSTS_MAX).zip(1..) {
            evidence.observe(&format!("h{number}"), "/x", "/y", now, Seen::InStart(5));
        }
        evidence.observe("here", "/x", "/y", 1000, Seen::InStart(5));
        assert!(evidence.in_starts() && !evidence.at_start(), "each host has seen it in one start");
        evidence.observe("here", "/x", "/y", 1001, Seen::InStart(5));
        assert!(!evidence.at_start(), "and that was the same one");
        evidence.observe("here", "/x", "/y", 2000, Seen::InStart(5));
        assert!(evidence.at_start());
        evidence.observe("here", "/x", "/y", 2001, Seen::Later);
        assert!(!evidence.in_starts(), "once is enough");
        assert_eq!((evidence.hosts.len(), evidence.hosts.get("here").map(|seen| seen.count)), (HOSTS_MAX, Some(4)));
        assert_eq!(evidence.earliest().map(|(host, _)| host), Some("h0"));
        assert!(!evidence.hosts.contains_key(&format!("h{}", HOSTS_MAX - 1)));
    }
}
