//! Command lines that were looked through a moment ago: in a flood a few processes act again and again.

use std::collections::HashMap;

use bpf::event::Command;
use compact_str::CompactString;
use sha2::{Digest as _, Sha256};

use super::Redaction;

/// How many are kept; then all are forgotten.
const KEPT: usize = 256;

/// What commands became, by their digest: nothing keeps a secret beyond its event.
#[derive(Debug, Default)]
pub struct Recent(HashMap<[u8; 32], Option<CompactString>>);

impl Recent {
    /// What [`Redaction::command`] makes of this.
    pub fn command(&mut self, by: &Redaction, command: &Command) -> Option<CompactString> {
        let mut digest = Sha256::new();
        digest.update([u8::from(command.cut)]);
        digest.update(&command.bytes);
        let digest = digest.finalize().into();
        if let Some(known) = self.0.get(&digest) {
            return known.clone();
        }
        if self.0.len() >= KEPT {
            self.0.clear();
        }
        let safe = by.command(command);
        self.0.insert(digest, safe.clone());
        safe
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_becomes_the_same_each_time() {
        let (mut recent, by) = (Recent::default(), Redaction::default());
        for number in (0..KEPT * 3).map(|number| number / 2) {
            for cut in [false, true] {
                let bytes = format!("mysql\0-psecret\0-e\0select {number}\0").into_bytes();
                let command = Command { bytes, cut };
                assert_eq!(recent.command(&by, &command), by.command(&command));
            }
        }
        assert!(recent.0.len() <= KEPT && !format!("{recent:?}").contains("secret"));
        assert_eq!(recent.command(&by, &Command::default()), None);
    }
}
