//! Which rule a number meant in which generation, and which revision that was. Kept on disk below /run, since events that an earlier start's
//! programs decided are told after a restart too.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::atomic;

/// Generations that are remembered.
const KEPT: usize = 16;

/// Names of rules by generation.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct RuleNames {
    /// Of these programs; freshly loaded ones count generations from the start again.
    load: u64,
    generations: BTreeMap<u64, Vec<String>>,
    /// Earlier versions did not keep them.
    #[serde(default)]
    revisions: BTreeMap<u64, u64>,
    #[serde(skip)]
    file: PathBuf,
}

impl RuleNames {
    /// Reads the file; a missing or broken one gives an empty list.
    pub fn read(file: PathBuf) -> RuleNames {
        let found = std::fs::read(&file).ok().and_then(|text| serde_json::from_slice(&text).ok());
        RuleNames { file, ..found.unwrap_or_default() }
    }

    /// Remembers the rules of a generation before it comes into force.
    pub fn remember(&mut self, load: u64, generation: u64, revision: u64, rules: &[String]) -> std::io::Result<()> {
        if load != self.load {
            self.generations.clear();
            self.revisions.clear();
            self.load = load;
        }
        self.generations.insert(generation, rules.to_vec());
        self.revisions.insert(generation, revision);
        while self.generations.len() > KEPT {
            self.generations.pop_first();
        }
        while self.revisions.len() > KEPT {
            self.revisions.pop_first();
        }
        atomic::write(&self.file, &serde_json::to_vec(self)?)
    }

    /// The revision that a generation was compiled from.
    pub fn revision(&self, generation: u64) -> Option<u64> {
        self.revisions.get(&generation).copied()
    }

    /// The name of a rule: `number` is its index plus one.
    pub fn name(&self, generation: u64, number: u16) -> Option<&str> {
        let rules = self.generations.get(&generation)?;
        rules.get(usize::from(number).checked_sub(1)?).map(String::as_str)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_outlive_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("generations.json");
        let mut names = RuleNames::read(file.clone());
        for generation in 0..20 {
            names.remember(1, generation, generation / 2, &[format!("rule of {generation}")]).unwrap();
        }
        let mut again = RuleNames::read(file);
        assert_eq!(again.name(19, 1), Some("rule of 19"));
        assert_eq!((again.revision(19), again.revision(2)), (Some(9), None));
        assert_eq!((again.name(19, 2), again.name(19, 0), again.name(2, 1)), (None, None, None));
        again.remember(2, 1, 7, &["of a fresh load".to_owned()]).unwrap();
        assert_eq!((again.name(1, 1), again.name(19, 1)), (Some("of a fresh load"), None));
        assert_eq!((again.revision(1), again.revision(19)), (Some(7), None));
    }
}
