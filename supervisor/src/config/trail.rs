//! `[audit]`: bounds of the audit trail and of the store for queries, what follows a loss, and which secrets are left out.

use std::time::Duration;

use actors::audit_log::AuditSettings;
use actors::on_loss::OnLoss;
use actors::redaction::{self, Redaction};
use serde::Deserialize;
use toml::Spanned;

/// Smallest segment, in bytes: one holds more than a few records.
const SEGMENT_MIN: u64 = 64 << 10;
/// Smallest store, in bytes: the newest records fit, with their indices.
const STORE_MIN: u64 = 8 << 20;
/// Shortest hold: the kernel's counts are read once a second, and learners look twice in it, every five seconds at most.
const HOLD_MIN: Duration = Duration::from_secs(10);
const A_DAY: Duration = Duration::from_secs(24 * 3600);

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    segment_size: Option<Spanned<String>>,
    total_size: Option<Spanned<String>>,
    keep: Option<Spanned<String>>,
    store_size: Option<Spanned<String>>,
    store_keep: Option<Spanned<String>>,
    #[serde(default)]
    redact: Vec<Spanned<String>>,
    on_loss: Option<Spanned<String>>,
    hold_time: Option<Spanned<String>>,
}

impl Raw {
    /// `wrong` makes the message for a word, of what was expected.
    pub(super) fn settings(&self, wrong: &dyn Fn(&Spanned<String>, &str) -> String) -> Result<AuditSettings, String> {
        let mut settings = AuditSettings::default();
        let bytes = |word: &Option<Spanned<String>>, known: u64, least: u64, expected: &str| match word {
            None => Ok(known),
            Some(word) => {
                let size = size(word.get_ref()).filter(|size| *size >= least);
                size.ok_or_else(|| wrong(word, &format!("a size of at least {expected}")))
            }
        };
        let age = |word: &Option<Spanned<String>>, known| match word {
            None => Ok(known),
            Some(word) => {
                let time = super::time(word.get_ref()).filter(|time| *time >= A_DAY);
                time.ok_or_else(|| wrong(word, "a time of at least one day, such as \"365d\""))
            }
        };
        let (trail, store) = (&mut settings.trail, &mut settings.store);
        trail.segment = bytes(&self.segment_size, trail.segment, SEGMENT_MIN, "64KiB, such as \"32MiB\"")?;
        let least = trail.segment.saturating_mul(2);
        trail.total = bytes(&self.total_size, trail.total, least, "two segments, such as \"1GiB\"")?;
        if let Some(word) = self.segment_size.as_ref().filter(|_| trail.total < least) {
            return Err(wrong(word, "no more than half of total_size, which is 1GiB unless it is given,"));
        }
        trail.keep = age(&self.keep, trail.keep)?;
        store.total = bytes(&self.store_size, store.total, STORE_MIN, "8MiB, such as \"512MiB\"")?;
        store.keep = age(&self.store_keep, store.keep)?;
        for pattern in &self.redact {
            let expected = |why: String| wrong(pattern, &format!("a regular expression of what is left out ({why})"));
            redaction::check(pattern.get_ref()).map_err(expected)?;
        }
        if let Some(first) = self.redact.first() {
            let all: Vec<String> = self.redact.iter().map(|pattern| pattern.get_ref().clone()).collect();
            let too_much =
                |_| wrong(first, "regular expressions that are smaller together than this and those behind it");
            settings.redaction = Redaction::with(&all).map_err(too_much)?;
        }
        if let Some(word) = &self.on_loss {
            let known = OnLoss::ALL.into_iter().find(|one| one.name() == word.get_ref());
            settings.losses.on_loss = known.ok_or_else(|| wrong(word, "log, audit or hold"))?;
        }
        if let Some(word) = &self.hold_time {
            let time = super::time(word.get_ref()).filter(|time| *time >= HOLD_MIN);
            settings.losses.hold_time =
                time.ok_or_else(|| wrong(word, "a time of at least 10 seconds, such as \"1m\""))?;
        }
        Ok(settings)
    }
}

/// `32MiB`, in bytes.
pub(super) fn size(text: &str) -> Option<u64> {
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30)];
    let (number, shift) = units.iter().find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, shift)))?;
    number.trim().parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    #[test]
    fn sizes_have_a_unit() {
        assert_eq!((size("64KiB"), size("3 MiB"), size("1GiB")), (Some(65_536), Some(3 << 20), Some(1 << 30)));
        for wrong in ["", "12", "MiB", "-1MiB", "1MB", "99999999999GiB"] {
            assert_eq!(size(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn bounds_are_read_and_mistakes_told_with_their_place() {
        let text = "[audit]\nsegment_size = \"1MiB\"\ntotal_size = \"2MiB\"\nkeep = \"30d\"\n";
        let found = parse("c", text).unwrap_or_default().audit;
        let keep = Duration::from_secs(30 * 86_400);
        assert_eq!(found.trail, actors::trail::Bounds { segment: 1 << 20, total: 2 << 20, keep });
        let text = "[audit]\nstore_size = \"9MiB\"\nstore_keep = \"2d\"\n";
        let found = parse("c", text).unwrap_or_default().audit;
        assert_eq!(found.store, actors::store::Bounds { total: 9 << 20, keep: Duration::from_secs(2 * 86_400) });
        let found = parse("c", "[audit]\nredact = ['--pin=([0-9]+)']").unwrap_or_default().audit.redaction;
        assert_eq!(Some(found), Redaction::with(&["--pin=([0-9]+)".to_owned()]).ok());
        let losses = |text| parse("c", text).unwrap_or_default().audit.losses;
        assert_eq!((losses("").on_loss, losses("").hold_time), (OnLoss::Audit, Duration::from_secs(60)));
        let found = losses("[audit]\non_loss = \"hold\"\nhold_time = \"5m\"\n");
        assert_eq!((found.on_loss, found.hold_time), (OnLoss::Hold, Duration::from_secs(300)));
        assert_eq!(losses("[audit]\non_loss = \"log\"\n").on_loss, OnLoss::Log);
        for (text, told) in [
            ("[audit]\non_loss = \"block\"", "c.toml:2:11: expected log, audit or hold: `block`"),
            ("[audit]\nhold_time = \"1s\"", "c.toml:2:13: expected a time of at least 10 seconds"),
            ("[audit]\nsegment_size = \"1KiB\"", "c.toml:2:16: expected a size of at least 64KiB"),
            ("[audit]\ntotal_size = \"1MiB\"", "c.toml:2:14: expected a size of at least two segments"),
            ("[audit]\nsegment_size = \"2GiB\"", "c.toml:2:16: expected no more than half of total_size"),
            ("[audit]\nstore_size = \"1MiB\"", "c.toml:2:14: expected a size of at least 8MiB"),
            ("[audit]\nkeep = \"1h\"", "c.toml:2:8: expected a time of at least one day"),
            (
                "[audit]\nredact = [\"a\", \"b(\"]",
                "c.toml:2:16: expected a regular expression of what is left out (unclosed group): `b(`",
            ),
            (
                "[audit]\nredact = [\"x*\"]",
                "c.toml:2:11: expected a regular expression of what is left out (it matches where",
            ),
            ("[audit]\nsize = \"1GiB\"", "c.toml:2:1: unknown field `size`"),
        ] {
            let found = parse("c.toml", text).err().unwrap_or_default();
            assert!(found.starts_with(told), "{found}");
        }
    }
}
