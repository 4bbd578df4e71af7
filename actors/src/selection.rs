//! Which audit records somebody wants to see.

use jiff::Timestamp;

use crate::clock;
use crate::record::{Kind, Record};

/// Every kind of record, by the name that it has in JSON.
pub const KINDS: [(&str, Kind); 9] = [
    ("capability", Kind::Capability),
    ("program", Kind::Program),
    ("service", Kind::Service),
    ("outbound", Kind::Outbound),
    ("escape", Kind::Escape),
    ("tamper", Kind::Tamper),
    ("flood", Kind::Flood),
    ("loss", Kind::Loss),
    ("lifecycle", Kind::Lifecycle),
];

/// What a record has to be; everything where nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Its service, without `.service`.
    pub service: Option<String>,
    /// One of these capabilities was missing.
    pub capabilities: Vec<String>,
    /// `deny` or `audit`.
    pub verdict: Option<String>,
    /// It is of one of these kinds.
    pub kinds: Vec<Kind>,
    /// It happened then or later.
    pub since: Option<Timestamp>,
    /// It happened before.
    pub until: Option<Timestamp>,
}

impl Selection {
    /// Whether a record is wanted.
    pub fn has(&self, record: &Record) -> bool {
        // Both are written by the same clock, in UTC and with three digits of a second: the order of the texts is that of time.
        let text = |time: Timestamp| clock::rfc3339(time.as_millisecond());
        (self.service.is_none() || self.service.as_deref() == record.service.as_deref())
            && (self.verdict.is_none() || self.verdict.as_deref() == record.verdict.as_deref())
            && (self.kinds.is_empty() || self.kinds.contains(&record.kind))
            && (self.capabilities.is_empty()
                || record.capabilities.iter().any(|name| self.capabilities.iter().any(|wanted| wanted == name)))
            && self.since.is_none_or(|since| record.time >= text(since))
            && self.until.is_none_or(|until| record.time < text(until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_kinds_is_whole() {
        let wrong =
            serde_json::from_str::<Kind>("\"nonsense\"").err().map(|error| error.to_string()).unwrap_or_default();
        assert_eq!(wrong.matches('`').count() / 2 - 1, KINDS.len(), "{wrong}");
        for (name, kind) in KINDS {
            assert_eq!(serde_json::from_str::<Kind>(&format!("\"{name}\"")).ok(), Some(kind));
        }
    }

    #[test]
    fn each_condition_counts() {
        let record = Record {
            time: "2026-11-28T12:00:00.500Z".into(),
            service: Some("web".into()),
            verdict: Some("deny".into()),
            capabilities: vec!["SHELL".into(), "USERS".into()],
            ..Record::plain(Kind::Capability, "one".to_owned())
        };
        let time = |text: &str| text.parse::<Timestamp>().ok();
        let all = || Selection::default();
        assert!(all().has(&record));
        let wanted = Selection {
            service: Some("web".to_owned()),
            capabilities: vec!["USERS".to_owned()],
            verdict: Some("deny".to_owned()),
            kinds: vec![Kind::Loss, Kind::Capability],
            since: time("2026-11-28T12:00:00.5Z"),
            until: time("2026-11-28T13:00:00.501+01:00"),
        };
        assert!(wanted.has(&record));
        for not in [
            Selection { service: Some("we".to_owned()), ..all() },
            Selection { capabilities: vec!["NET".to_owned()], ..all() },
            Selection { verdict: Some("audit".to_owned()), ..all() },
            Selection { kinds: vec![Kind::Loss], ..all() },
            Selection { since: time("2026-11-28T12:00:00.501Z"), ..all() },
            Selection { until: time("2026-11-28T12:00:00.5Z"), ..all() },
        ] {
            assert!(!not.has(&record), "{not:?}");
        }
    }
}
