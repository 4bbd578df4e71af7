//! The catalogue's files: what each capability names, in groups that say how the names were verified.

use std::fmt;

use serde::Deserialize;

use super::{Capability, Files};

/// How a name of the catalogue, or a baseline, was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
pub enum KnownFrom {
    /// The act on it was watched in a guest.
    #[serde(rename = "traced")]
    Traced,
    /// A package of Debian 12 has it in its list of files, or a Debian 12 as it is installed has it.
    #[serde(rename = "pkg")]
    Package,
    /// Documents say so; nobody has looked at a machine.
    #[serde(rename = "doc")]
    Documents,
}

impl fmt::Display for KnownFrom {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            KnownFrom::Traced => "traced",
            KnownFrom::Package => "from a package",
            KnownFrom::Documents => "known from documents only",
        })
    }
}

/// What is known about a name of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// How it was verified.
    pub known_from: KnownFrom,
    /// The distribution for whose hosts it is; none: for all, verified on Debian if at all.
    pub distribution: Option<&'static str>,
}

impl Mark {
    /// What a person should know before relying on the name; nothing where a machine has shown it.
    pub fn remark(&self) -> Option<String> {
        match (self.known_from, self.distribution) {
            (KnownFrom::Documents, None) => Some(KnownFrom::Documents.to_string()),
            (known_from, Some(distribution)) => Some(format!("for {distribution}, {known_from}")),
            _ => None,
        }
    }
}

/// Names that were verified in the same way.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entries {
    /// Whose names they are, in the file of a distribution.
    pub(crate) capability: Option<String>,
    pub(crate) known_from: KnownFrom,
    #[serde(default)]
    pub(crate) executables: Vec<String>,
    #[serde(default)]
    pub(crate) sockets: Vec<String>,
    #[serde(default)]
    pub(crate) read: Vec<String>,
    #[serde(default)]
    pub(crate) write: Vec<String>,
}

/// One file of the catalogue.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    bit: u8,
    description: String,
    severity: String,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default)]
    operations: Vec<String>,
    #[serde(default)]
    kinds: Vec<String>,
    entries: Vec<Entries>,
}

/// Reads a file of the catalogue.
pub(super) fn read(text: &str) -> Result<Capability, toml::de::Error> {
    let file: File = toml::from_str(text)?;
    let mut capability = Capability {
        name: file.name,
        bit: file.bit,
        description: file.description,
        severity: file.severity,
        aliases: file.aliases,
        executables: Vec::new(),
        sockets: Vec::new(),
        operations: file.operations,
        kinds: file.kinds,
        files: Files::default(),
        programs: None,
        marks: Default::default(),
    };
    file.entries.iter().for_each(|entries| capability.take_in(entries, None));
    Ok(capability)
}

impl Capability {
    /// Adds names. One that is there already keeps its mark.
    pub(crate) fn take_in(&mut self, entries: &Entries, distribution: Option<&'static str>) {
        let mark = Mark { known_from: entries.known_from, distribution };
        let lists = [
            (&mut self.executables, &entries.executables),
            (&mut self.sockets, &entries.sockets),
            (&mut self.files.read, &entries.read),
            (&mut self.files.write, &entries.write),
        ];
        for (mine, more) in lists {
            for text in more {
                self.marks.entry(text.clone()).or_insert_with(|| mark.clone());
                mine.push(text.clone());
            }
        }
    }
}
