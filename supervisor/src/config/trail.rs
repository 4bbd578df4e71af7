//! `[audit]`: bounds of the audit trail.

use actors::trail::Bounds;
use serde::Deserialize;
use toml::Spanned;

/// Smallest segment, in bytes: one holds more than a few records.
const SEGMENT_MIN: u64 = 64 << 10;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Raw {
    segment_size: Option<Spanned<String>>,
    total_size: Option<Spanned<String>>,
    keep: Option<Spanned<String>>,
}

impl Raw {
    /// `wrong` makes the message for a word, of what was expected.
    pub(super) fn bounds(&self, wrong: &impl Fn(&Spanned<String>, &str) -> String) -> Result<Bounds, String> {
        let mut bounds = Bounds::default();
        if let Some(word) = &self.segment_size {
            let size = size(word.get_ref()).filter(|size| *size >= SEGMENT_MIN);
            bounds.segment = size.ok_or_else(|| wrong(word, "a size of at least 64KiB, such as \"32MiB\""))?;
        }
        let least = bounds.segment.saturating_mul(2);
        if let Some(word) = &self.total_size {
            let size = size(word.get_ref()).filter(|size| *size >= least);
            let expected = || wrong(word, "a size of at least two segments, such as \"1GiB\"");
            bounds.total = size.ok_or_else(expected)?;
        } else if let Some(word) = self.segment_size.as_ref().filter(|_| bounds.total < least) {
            return Err(wrong(word, "no more than half of total_size, which is 1GiB unless it is given,"));
        }
        if let Some(word) = &self.keep {
            let day = std::time::Duration::from_secs(24 * 3600);
            let time = super::time(word.get_ref()).filter(|time| *time >= day);
            bounds.keep = time.ok_or_else(|| wrong(word, "a time of at least one day, such as \"365d\""))?;
        }
        Ok(bounds)
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
        let found = parse("c", text).unwrap_or_default().trail;
        let keep = std::time::Duration::from_secs(30 * 86_400);
        assert_eq!(found, Bounds { segment: 1 << 20, total: 2 << 20, keep });
        for (text, told) in [
            ("[audit]\nsegment_size = \"1KiB\"", "c.toml:2:16: expected a size of at least 64KiB"),
            ("[audit]\ntotal_size = \"1MiB\"", "c.toml:2:14: expected a size of at least two segments"),
            ("[audit]\nsegment_size = \"2GiB\"", "c.toml:2:16: expected no more than half of total_size"),
            ("[audit]\nkeep = \"1h\"", "c.toml:2:8: expected a time of at least one day"),
            ("[audit]\nsize = \"1GiB\"", "c.toml:2:1: unknown field `size`"),
        ] {
            let found = parse("c.toml", text).err().unwrap_or_default();
            assert!(found.starts_with(told), "{found}");
        }
    }
}
