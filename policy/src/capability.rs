//! The capability catalogue: `catalogue/*.toml`, read at first use.

pub mod known;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use self::known::{Entries, Mark};
use crate::access::{Access, Masks};
use crate::pattern::Pattern;

/// Capabilities by name with accesses, so that what is kept outlives a change of bits.
pub type Grants = BTreeMap<String, BTreeSet<Access>>;

/// Most capabilities in all: each is a bit of a mask.
pub const CAPABILITIES_MAX: usize = 64;

/// One capability: a named bundle of acts that services need and attackers want.
#[derive(Clone, Debug)]
pub struct Capability {
    /// Upper case, e.g. `USERS_ADMIN`.
    pub name: String,
    /// Its bit in every mask; what operators add is numbered by [`Catalogue::with`].
    pub bit: u8,
    /// One line for people.
    pub description: String,
    /// `low`, `medium`, `high` or `critical`.
    pub severity: String,
    /// Other spellings that are accepted on input.
    pub aliases: Vec<String>,
    /// Programs: a bare name stands for the usual directories, see [`program_paths`].
    pub executables: Vec<String>,
    /// Unix sockets that are connected to.
    pub sockets: Vec<String>,
    /// Kernel operations, see [`crate::operation`].
    pub operations: Vec<String>,
    /// Kinds of files that are known by what they are, see [`crate::operation`].
    pub kinds: Vec<String>,
    /// Files per access.
    pub files: Files,
    /// Set for what stands for the `programs` of a rule, see [`Programs`].
    pub programs: Option<Programs>,
    /// How each of its names was verified, by name; nothing for what operators add.
    pub marks: BTreeMap<String, Mark>,
}

/// What a capability is beside a bundle of acts when it stands for the `programs` of a rule: services that no rule names
/// have it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Programs {
    /// Everything that is started as a program needs it, save these.
    pub only: Option<Vec<String>>,
}

/// The name of what stands for the `programs` of a rule.
pub fn programs_of(rule: &str) -> String {
    format!("PROGRAMS({rule})")
}

/// Whether a name is one of [`programs_of`]: nothing that a service learns.
pub fn is_programs(name: &str) -> bool {
    name.starts_with("PROGRAMS(")
}

/// Patterns of files, see [`Pattern`].
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// Reading them needs the capability.
    pub read: Vec<String>,
    /// Changing them or their names needs the capability.
    pub write: Vec<String>,
}

impl Capability {
    /// Every path pattern as written, with the access that needs it; programs given by bare name are left out.
    pub fn patterns(&self) -> impl Iterator<Item = (Access, &str)> {
        self.executables
            .iter()
            .filter(|program| program.starts_with('/'))
            .map(|text| (Access::Execute, text.as_str()))
            .chain(self.files.read.iter().map(|text| (Access::Read, text.as_str())))
            .chain(self.files.write.iter().map(|text| (Access::Write, text.as_str())))
            .chain(self.sockets.iter().map(|text| (Access::Connect, text.as_str())))
    }

    /// Every name as written, programs given by bare name too, with the access that needs the capability.
    pub fn every_name(&self) -> impl Iterator<Item = (Access, &str)> {
        self.patterns().chain(self.programs().map(|name| (Access::Execute, name)))
    }

    /// What a person should know about a name before relying on it, in brackets; empty where there is nothing.
    pub fn remark(&self, text: &str) -> String {
        let remark = self.marks.get(text).and_then(Mark::remark);
        remark.map(|remark| format!(" ({remark})")).unwrap_or_default()
    }

    /// Programs given by bare name.
    pub fn programs(&self) -> impl Iterator<Item = &str> {
        self.executables.iter().map(String::as_str).filter(|program| !program.starts_with('/'))
    }
}

/// Directories in which a program given by bare name is looked for.
const DIRECTORIES: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Every path that a bare program name stands for.
pub fn program_paths(name: &str) -> impl Iterator<Item = String> {
    DIRECTORIES.iter().map(move |directory| format!("{directory}/{name}"))
}

/// All capabilities, in the order of their bits.
#[derive(Clone, Debug)]
pub struct Catalogue {
    capabilities: Vec<Capability>,
}

macro_rules! built_in {
    ($($name:literal)*) => { [$(include_str!(concat!("../catalogue/", $name, ".toml"))),*] };
}

const BUILT_IN: [&str; 15] = built_in! {
    "system_logs" "docker_socket" "docker" "k8s" "openshift" "users" "users_admin" "ssh" "shell" "net" "hosts_config"
    "gcloud" "installer" "service_operator" "privileged_processes"
};

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
    // A file that does not parse would leave its capability out; the test below keeps that from being built.
    let capabilities = BUILT_IN.iter().filter_map(|text| known::read(text).ok()).collect();
    Catalogue { capabilities }
});

impl Catalogue {
    /// The 15 capabilities that are built in.
    pub fn builtin() -> &'static Catalogue {
        &CATALOGUE
    }

    /// This catalogue and what operators add. A name keeps the bit that it had before, so that what the kernel counts
    /// under a bit goes on to mean the same; a new one gets a bit that no name has had, as long as there is one.
    pub fn with(mut self, more: impl IntoIterator<Item = Capability>, kept: &Bits) -> Catalogue {
        let more: Vec<Capability> = more.into_iter().collect();
        let built_in = self.all();
        let taken = |names: &dyn Fn(&str) -> bool| {
            kept.iter()
                .filter(|(name, _)| names(name))
                .fold(built_in, |mask, (_, bit)| mask | 1u64.checked_shl((*bit).into()).unwrap_or(0))
        };
        let ever = taken(&|_| true);
        let mut now = taken(&|name| more.iter().any(|one| one.name == name));
        for mut capability in more {
            let free = |mask: u64| (0..64).find(|bit| mask >> bit & 1 == 0);
            let own = kept.get(&capability.name).copied().filter(|bit| built_in >> bit & 1 == 0);
            let Some(bit) = own.or_else(|| free(ever | now)).or_else(|| free(now)) else {
                // `syntax` refuses more than there are bits.
                continue;
            };
            now |= 1 << bit;
            capability.bit = bit;
            self.capabilities.push(capability);
        }
        self.capabilities.sort_by_key(|capability| capability.bit);
        self
    }

    /// Adds names of a distribution to the capability that they belong to.
    pub(crate) fn take_in(&mut self, entries: &Entries, distribution: &'static str) {
        let named = |one: &&mut Capability| Some(&one.name) == entries.capability.as_ref();
        self.capabilities.iter_mut().filter(named).for_each(|one| one.take_in(entries, Some(distribution)));
    }

    /// The bits of what operators added.
    pub fn bits(&self) -> Bits {
        let own = self.iter().filter(|one| Catalogue::builtin().index(&one.name).is_none());
        own.map(|one| (one.name.clone(), one.bit)).collect()
    }

    /// Grants as bits. A capability that is not in this catalogue grants nothing.
    pub fn masks(&self, grants: &Grants) -> Masks {
        let mut masks = Masks::NONE;
        for (name, accesses) in grants {
            if let Some(bit) = self.index(name) {
                accesses.iter().for_each(|access| masks.insert(*access, 1 << bit));
            }
        }
        masks
    }

    /// The bit of a capability by its name or one of its other spellings.
    pub fn index(&self, name: &str) -> Option<u8> {
        self.capabilities
            .iter()
            .find(|capability| capability.name == name || capability.aliases.iter().any(|alias| alias == name))
            .map(|capability| capability.bit)
    }

    /// The name of the capability with this bit.
    pub fn name(&self, index: u8) -> Option<&str> {
        self.iter().find(|capability| capability.bit == index).map(|capability| capability.name.as_str())
    }

    /// The names in a mask, in catalogue order; a bit without a capability is named by its number.
    pub fn names(&self, mask: u64) -> Vec<String> {
        let name = |bit: u8| self.name(bit).map_or_else(|| format!("CAPABILITY_{bit}"), str::to_owned);
        (0..64).filter(|bit| mask >> bit & 1 == 1).map(name).collect()
    }

    /// The mask of every capability there is.
    pub fn all(&self) -> u64 {
        self.iter().fold(0, |mask, capability| mask | 1 << capability.bit)
    }

    /// Every capability.
    pub fn iter(&self) -> impl Iterator<Item = &Capability> {
        self.capabilities.iter()
    }

    /// The known name that looks most like this one, if one does, for messages.
    pub fn nearest(&self, name: &str) -> Option<&str> {
        let wanted = name.to_ascii_uppercase();
        let near = self.iter().map(|capability| (distance(&capability.name, &wanted), capability.name.as_str())).min();
        near.filter(|(distance, _)| *distance <= wanted.len() / 3).map(|(_, name)| name)
    }
}

/// The bits of capabilities that operators added, now or once, by name.
pub type Bits = BTreeMap<String, u8>;

/// The name of a bit, whether its capability is in force or was once.
pub fn name_of(bit: u8, bits: &Bits) -> Cow<'_, str> {
    let own = || bits.iter().find(|(_, known)| **known == bit).map(|(name, _)| name.as_str());
    let known = Catalogue::builtin().name(bit).or_else(own);
    known.map_or_else(|| format!("CAPABILITY_{bit}").into(), Cow::from)
}

/// The names in a mask, in the order of the bits.
pub fn names_of(mask: u64, bits: &Bits) -> impl Iterator<Item = Cow<'_, str>> {
    (0..64).filter(move |bit| mask >> bit & 1 == 1).map(|bit| name_of(bit, bits))
}

/// What is remembered of the bits when these are in force: names that are gone keep theirs until another needs it.
pub fn remembered(kept: &Bits, now: &Bits) -> Bits {
    let gone = kept.iter().filter(|(name, bit)| !now.contains_key(*name) && now.values().all(|used| used != *bit));
    now.iter().chain(gone).map(|(name, bit)| (name.clone(), *bit)).collect()
}

/// How many letters are to be added, removed or changed to make one text of the other.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, letter) in one.bytes().enumerate() {
        let mut before = index;
        let mut left = index + 1;
        for (cell, other) in row.iter_mut().skip(1).zip(other.bytes()) {
            let changed = before + usize::from(letter != other);
            before = *cell;
            left = changed.min(left + 1).min(before + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = index + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

/// Whether a pattern of the catalogue can be compiled, for `check` and tests.
pub fn pattern_problem(text: &str) -> Option<String> {
    let plain = text.strip_prefix('~').map_or_else(|| text.to_owned(), |rest| format!("/home{rest}"));
    Pattern::parse(&plain).err()
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_catalogue_is_whole() {
        for text in BUILT_IN {
            known::read(text).expect("a catalogue file parses");
        }
        let catalogue = Catalogue::builtin();
        let bits: Vec<u8> = catalogue.iter().map(|capability| capability.bit).collect();
        assert_eq!(bits, (0..15).collect::<Vec<u8>>(), "files are listed in the order of their bits");
        for capability in catalogue.iter() {
            assert!(!capability.description.is_empty(), "{}", capability.name);
            for (_, pattern) in capability.patterns() {
                assert_eq!(pattern_problem(pattern), None, "{}: {pattern}", capability.name);
            }
        }
    }

    #[test]
    fn both_spellings_of_users_admin_are_accepted() {
        let catalogue = Catalogue::builtin();
        assert_eq!(catalogue.index("USER_ADMIN"), catalogue.index("USERS_ADMIN"));
        assert_eq!(catalogue.index("USERS_ADMIN"), Some(6));
        assert_eq!(catalogue.index("users_admin"), None);
        assert_eq!(catalogue.names(1 << 6 | 1 << 8), ["USERS_ADMIN", "SHELL"]);
    }

    #[test]
    fn a_slip_of_the_pen_finds_the_name_that_was_meant() {
        let nearest = |name| Catalogue::builtin().nearest(name);
        assert_eq!(nearest("USERS_ADMINS"), Some("USERS_ADMIN"));
        assert_eq!(nearest("users_admin"), Some("USERS_ADMIN"));
        assert_eq!(nearest("SHEL"), Some("SHELL"));
        assert_eq!(nearest("HOST_CONFIG"), Some("HOSTS_CONFIG"));
        assert_eq!((nearest("NOPE"), nearest("")), (None, None));
        assert_eq!((distance("kitten", "sitting"), distance("", "abc"), distance("abc", "")), (3, 3, 3));
    }

    #[test]
    fn a_name_keeps_its_bit_and_a_new_one_takes_no_used_one_while_there_are_others() {
        let one = |name: &str| Capability { name: name.to_owned(), ..Catalogue::builtin().capabilities[0].clone() };
        let with = |names: &[&str], kept: &Bits| {
            Catalogue::builtin().clone().with(names.iter().map(|name| one(name)), kept).bits()
        };
        let first = with(&["B", "A"], &Bits::new());
        assert_eq!(first, Bits::from([("B".to_owned(), 15), ("A".to_owned(), 16)]));
        let second = with(&["C", "A"], &first);
        assert_eq!(second, Bits::from([("C".to_owned(), 17), ("A".to_owned(), 16)]));
        let kept = remembered(&first, &second);
        assert_eq!(names_of(1 << 15 | 1 << 17 | 1 << 6, &kept).collect::<Vec<_>>(), ["USERS_ADMIN", "B", "C"]);
        let many: Vec<String> = (0..49).map(|number| format!("M{number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let third = with(&many, &kept);
        assert_eq!(third.len(), 49);
        let distinct: BTreeSet<u8> = third.values().copied().collect();
        assert_eq!((distinct.len(), distinct.first(), distinct.last()), (49, Some(&15), Some(&63)));
        assert_eq!(remembered(&kept, &third), third, "no bit is left for those that are gone");
    }

    #[test]
    fn no_entry_says_what_another_one_says_already() {
        for capability in Catalogue::builtin().iter() {
            let all: Vec<(Access, &str)> = capability.patterns().collect();
            for (access, wide) in all.iter().filter(|(_, wide)| wide.starts_with('/')) {
                let wide_pattern = Pattern::parse(wide).expect("a pattern of the catalogue");
                for (_, other) in all.iter().filter(|(another, other)| another == access && other != wide) {
                    let names: Vec<&[u8]> = other.split('/').skip(1).map(str::as_bytes).collect();
                    let covered = other.starts_with('/') && wide_pattern.fits(&names);
                    assert!(!covered, "{}: {wide} covers {other}", capability.name);
                }
            }
            let mut programs = capability.executables.clone();
            programs.dedup();
            assert_eq!(programs, capability.executables, "{}", capability.name);
        }
    }
}
