//! What a distribution calls things that others call differently: `catalogue/distribution/*.toml`, beside the catalogue proper,
//! which holds what was verified on Debian and what is the same everywhere.
//!
//! Such names count on the hosts they are for. On a host of which nobody knows what it is like, all of them count: a name too many
//! means nothing where no file has it, and one too few would leave a file unguarded.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::capability::Catalogue;
use crate::capability::known::Entries;

/// What a host says it is: os-release(5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Release {
    /// `ID`, lower case; empty where the host does not say.
    pub id: String,
    /// `ID_LIKE`, the closest first.
    pub like: Vec<String>,
}

/// The names of one distribution.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Distribution {
    name: String,
    /// What its hosts and those of its kin say in `ID` or `ID_LIKE`.
    ids: Vec<String>,
    entries: Vec<Entries>,
}

const TEXTS: [&str; 4] = [
    include_str!("../catalogue/distribution/alpine.toml"),
    include_str!("../catalogue/distribution/fedora.toml"),
    include_str!("../catalogue/distribution/rhel.toml"),
    include_str!("../catalogue/distribution/ubuntu.toml"),
];

/// Where the catalogue proper was verified.
const VERIFIED_ON: &str = "debian";

static DISTRIBUTIONS: LazyLock<Vec<Distribution>> = LazyLock::new(|| {
    // The test below keeps a file that does not parse from being built.
    TEXTS.iter().filter_map(|text| toml::from_str(text).ok()).collect()
});

impl Release {
    /// Reads the text of `/etc/os-release`: the first word of each is enough, in quotes or without.
    pub fn parse(text: &str) -> Release {
        let value = |key: &str| {
            let line = text.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='));
            line.unwrap_or_default().trim_matches(['"', '\'']).to_ascii_lowercase()
        };
        Release { id: value("ID"), like: value("ID_LIKE").split_whitespace().map(str::to_owned).collect() }
    }

    fn is(&self, id: &str) -> bool {
        self.id == id || self.like.iter().any(|like| like == id)
    }

    fn is_of(&self, distribution: &Distribution) -> bool {
        distribution.ids.iter().any(|id| self.is(id))
    }

    /// Whether the catalogue knows what such a host is like.
    pub fn is_known(&self) -> bool {
        self.is(VERIFIED_ON) || DISTRIBUTIONS.iter().any(|one| self.is_of(one))
    }

    fn counting(&self) -> impl Iterator<Item = &'static Distribution> {
        let known = self.is_known();
        DISTRIBUTIONS.iter().filter(move |one| !known || self.is_of(one))
    }

    /// One sentence for people: which names count on this host.
    pub fn in_words(&self) -> String {
        let names: Vec<&str> = self.counting().map(|one| one.name.as_str()).collect();
        let id = if self.id.is_empty() { "(no ID)".to_owned() } else { self.id.escape_debug().to_string() };
        match (self.is_known(), names.as_slice()) {
            (true, []) => format!("{id}: the names that the catalogue has for every host count"),
            (true, names) => format!("{id}: the names for every host count, and those for {}", names.join(", ")),
            (false, names) => format!(
                "{id} is not known: the names for every distribution count here ({})",
                [&["every host"], names].concat().join(", ")
            ),
        }
    }
}

/// This catalogue with the names of the distributions that count on such a host.
pub fn on(catalogue: &Catalogue, release: &Release) -> Catalogue {
    let mut whole = catalogue.clone();
    for distribution in release.counting() {
        for entries in &distribution.entries {
            whole.take_in(entries, &distribution.name);
        }
    }
    whole
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::access::Access;
    use crate::capability::pattern_problem;

    fn names(id: &str, like: &[&str]) -> Vec<&'static str> {
        let release = Release { id: id.to_owned(), like: like.iter().map(|one| (*one).to_owned()).collect() };
        release.counting().map(|one| one.name.as_str()).collect()
    }

    #[test]
    fn names_count_on_the_hosts_they_are_for() {
        assert!(names("debian", &[]).is_empty());
        assert_eq!(names("ubuntu", &["debian"]), ["ubuntu"]);
        assert_eq!(names("linuxmint", &["ubuntu", "debian"]), ["ubuntu"]);
        assert_eq!(names("fedora", &[]), ["fedora", "rhel"]);
        assert_eq!(names("rhel", &[]), ["rhel"]);
        assert_eq!(names("rocky", &["rhel", "centos", "fedora"]), ["fedora", "rhel"]);
        assert_eq!(names("alpine", &[]), ["alpine"]);
    }

    #[test]
    fn on_an_unknown_host_all_count_and_it_is_told() {
        for release in [Release::default(), Release { id: "slackware".to_owned(), like: Vec::new() }] {
            assert_eq!(release.counting().count(), TEXTS.len());
            assert!(release.in_words().contains("is not known"), "{}", release.in_words());
            let whole = on(Catalogue::builtin(), &release);
            let net = whole.iter().find(|one| one.name == "NET").expect("NET");
            assert!(net.files.write.iter().any(|one| one == "/etc/sysconfig/network"));
        }
        let debian = Release::parse("PRETTY_NAME=\"Debian\"\nID=debian\n");
        assert!(debian.is_known() && !debian.in_words().contains("not known"));
        let net = on(Catalogue::builtin(), &debian).iter().find(|one| one.name == "NET").cloned().expect("NET");
        assert!(!net.files.write.iter().any(|one| one.starts_with("/etc/sysconfig")));
    }

    #[test]
    fn os_release_is_read() {
        let text = "NAME=\"Rocky Linux\"\nVERSION_ID=\"9.4\"\nID=\"rocky\"\nID_LIKE='rhel centos fedora'\n";
        let expected = Release { id: "rocky".to_owned(), like: ["rhel", "centos", "fedora"].map(str::to_owned).into() };
        assert_eq!(Release::parse(text), expected);
        assert_eq!(Release::parse("nonsense"), Release::default());
    }

    #[test]
    fn the_files_are_whole_and_say_nothing_twice() {
        let mut said: BTreeMap<(String, Access, String), String> = BTreeMap::new();
        for capability in Catalogue::builtin().iter() {
            for (access, text) in capability.every_name() {
                let before =
                    said.insert((capability.name.clone(), access, text.to_owned()), "the catalogue".to_owned());
                assert_eq!(before, None, "{}: {text}", capability.name);
            }
        }
        for text in TEXTS {
            let one: Distribution = toml::from_str(text).expect("a distribution's file parses");
            assert!(!one.ids.is_empty(), "{}", one.name);
            for entries in &one.entries {
                let name = entries.capability.clone().expect("names its capability");
                assert!(Catalogue::builtin().index(&name).is_some(), "{name}");
                let lists = [
                    (Access::Execute, &entries.executables),
                    (Access::Connect, &entries.sockets),
                    (Access::Read, &entries.read),
                    (Access::Write, &entries.write),
                ];
                for (access, text) in
                    lists.into_iter().flat_map(|(access, list)| list.iter().map(move |text| (access, text)))
                {
                    if text.starts_with(['/', '~']) {
                        assert_eq!(pattern_problem(text), None, "{}: {text}", one.name);
                    }
                    let before = said.insert((name.clone(), access, text.clone()), one.name.clone());
                    assert_eq!(before, None, "{}: {name} has {text} already", one.name);
                }
            }
        }
    }

    #[test]
    fn every_name_has_one_mark_and_no_two_files_disagree() {
        let whole = on(Catalogue::builtin(), &Release::default());
        let mut marks = BTreeMap::new();
        for capability in whole.iter() {
            for (_, text) in capability.every_name() {
                let mark = capability.marks.get(text).expect("a mark");
                let before = marks.insert(text.to_owned(), mark.clone()).unwrap_or_else(|| mark.clone());
                assert_eq!(&before, mark, "{text} in {}", capability.name);
            }
        }
    }
}
