//! Techniques of MITRE ATT&CK that acts show, as data: `attack/techniques.toml`.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::access::Access;

const TEXT: &str = include_str!("../attack/techniques.toml");

/// A technique.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Technique {
    /// Its id in version 19, such as `T1685.006`.
    pub id: String,
    /// The id that it had before, where that is another.
    pub older: Option<String>,
    /// What it is called.
    pub name: String,
    /// What shows it: `CAPABILITY.access`, perhaps with `:NAME` of the operation or of the object, or the kind of a record.
    told_by: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: String,
    none: Vec<String>,
    technique: Vec<Technique>,
}

/// What shows a technique: by the capability or the kind of a record the access, the name where only that shows it, and the
/// technique.
type Shown = HashMap<&'static str, Vec<(Option<&'static str>, Option<&'static str>, &'static Technique)>>;

static FILE: LazyLock<File> = LazyLock::new(|| {
    #[allow(clippy::expect_used)]
    // The file is part of the program, and the tests read it.
    toml::from_str(TEXT).expect("attack/techniques.toml parses")
});

static SHOWN: LazyLock<Shown> = LazyLock::new(|| {
    let mut shown = Shown::new();
    for technique in &FILE.technique {
        for word in &technique.told_by {
            let split =
                |text: &'static str, at| text.split_once(at).map_or((text, None), |(one, other)| (one, Some(other)));
            let (act, name) = split(word, ':');
            let (key, access) = split(act, '.');
            shown.entry(key).or_default().push((access, name, technique));
        }
    }
    shown
});

/// Version of ATT&CK whose ids these are.
pub fn version() -> &'static str {
    &FILE.version
}

/// Capabilities and kinds of records of which no technique can be told.
pub fn showing_none() -> &'static [String] {
    &FILE.none
}

/// What an act shows that needed this capability. `name`: the operation, or the last component of the object's path.
pub fn of_act<'a>(
    capability: &str,
    access: Access,
    name: &'a str,
) -> impl Iterator<Item = &'static Technique> + use<'a> {
    of_word(capability, Some(access.name()), name)
}

/// What a record of this kind shows, whatever the capability.
pub fn of_kind(kind: &str) -> impl Iterator<Item = &'static Technique> + use<> {
    of_word(kind, None, "")
}

fn of_word<'a>(
    word: &str,
    access: Option<&'static str>,
    name: &'a str,
) -> impl Iterator<Item = &'static Technique> + use<'a> {
    let found = SHOWN.get(word).map(Vec::as_slice).unwrap_or_default();
    let shows = move |by: &Option<&str>, only: &Option<&str>| *by == access && only.is_none_or(|only| only == name);
    found.iter().filter(move |(by, only, _)| shows(by, only)).map(|(_, _, technique)| *technique)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::capability::Catalogue;
    use crate::operation::OPERATIONS;

    fn ids<'a>(found: impl Iterator<Item = &'a Technique>) -> Vec<&'a str> {
        found.map(|one| one.id.as_str()).collect()
    }

    #[test]
    fn acts_show_techniques() {
        assert_eq!(ids(of_act("SHELL", Access::Execute, "dash")), ["T1059.004"]);
        assert_eq!(ids(of_act("USERS_ADMIN", Access::Read, "shadow")), ["T1003.008"]);
        assert!(ids(of_act("USERS_ADMIN", Access::Read, "sudoers")).is_empty());
        assert_eq!(ids(of_act("PRIVILEGED_PROCESSES", Access::Operate, "ptrace")), ["T1055.008"]);
        let older: Vec<_> = of_kind("tamper").map(|one| (one.id.as_str(), one.older.as_deref())).collect();
        assert_eq!((older, ids(of_kind("escape")).len()), (vec![("T1685", Some("T1562.001"))], 0));
    }

    #[test]
    fn every_capability_shows_something_or_is_listed_as_showing_nothing() {
        let shows: BTreeSet<&str> = SHOWN.keys().map(|key| key.split('.').next().unwrap_or(key)).collect();
        for capability in Catalogue::builtin().iter() {
            let (shows, none) = (shows.contains(capability.name.as_str()), showing_none().contains(&capability.name));
            assert!(shows != none, "{} shows something or nothing: {shows}, {none}", capability.name);
        }
    }

    #[test]
    fn ids_are_well_formed_and_given_once() {
        let fits = |id: &str| {
            let digits = |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
            let (main, sub) = id.split_once('.').map_or((id, None), |(main, sub)| (main, Some(sub)));
            main.strip_prefix('T').is_some_and(|main| digits(main, 4)) && sub.is_none_or(|sub| digits(sub, 3))
        };
        let mut seen = BTreeSet::new();
        for one in &FILE.technique {
            assert!(fits(&one.id) && seen.insert(one.id.as_str()), "{}", one.id);
            assert!(one.older.as_ref().is_none_or(|older| fits(older) && *older != one.id), "{}", one.id);
            assert!(!one.name.is_empty() && !one.told_by.is_empty(), "{}", one.id);
            assert_eq!(one.told_by.iter().collect::<BTreeSet<_>>().len(), one.told_by.len(), "{}", one.id);
        }
        assert_eq!(version(), "19");
    }

    #[test]
    fn what_shows_a_technique_exists() {
        let catalogue = Catalogue::builtin();
        for word in FILE.technique.iter().flat_map(|one| &one.told_by) {
            let (key, name) = word.split_once(':').unwrap_or((word, ""));
            let Some((capability, access)) = key.split_once('.') else {
                assert_eq!(key, "tamper");
                continue;
            };
            assert!(catalogue.iter().any(|one| one.name == capability), "{word}");
            let Some(access) = Access::ALL.into_iter().find(|one| one.name() == access) else { panic!("{word}") };
            let operation = OPERATIONS.iter().any(|(known, _)| *known == name);
            assert!((access == Access::Operate) == operation, "{word}");
        }
    }
}
