//! What is known of a service without where it stands: what hosts share. Joining is a lattice join, and never leaves
//! anything out; what would be more than a model holds is refused at the doors.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::access::Access;
use crate::capability::CAPABILITIES_MAX;
use crate::evidence::{Evidence, HOSTS_MAX};

/// Most programs that one model names; what comes later is counted in the kernel's own bounds but not kept.
pub const PROGRAMS_MAX: usize = 1024;
/// Longest path in evidence, in bytes (PATH_MAX of limits.h).
const PATH_MAX: usize = 4096;
/// Longest name of a host (gethostname(2)) or a capability, in bytes.
const NAME_MAX: usize = 64;

/// Grants by name of the capability, so that files outlive a change of bits.
pub type Granted = BTreeMap<String, BTreeMap<Access, Evidence>>;
/// Programs, by path.
pub type Programs = BTreeMap<String, Evidence>;

/// Grants and programs of one service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Knowledge {
    /// What it needed.
    #[serde(default)]
    pub granted: Granted,
    /// What it ran.
    #[serde(default)]
    pub programs: Programs,
}

impl Knowledge {
    /// Joins what is known elsewhere: commutative, associative and idempotent.
    pub fn join(&mut self, other: &Knowledge) {
        for (name, accesses) in &other.granted {
            let mine = self.granted.entry(name.clone()).or_default();
            for (access, evidence) in accesses {
                mine.entry(*access).or_default().join(evidence);
            }
        }
        for (path, evidence) in &other.programs {
            self.programs.entry(path.clone()).or_default().join(evidence);
        }
    }

    /// What cannot be in a model, or is more than one holds.
    pub fn problem(&self) -> Option<String> {
        let most = |what: &str, number: usize, most: usize| {
            (number > most).then(|| format!("it has {number} {what}, and a model holds {most}"))
        };
        most("capabilities", self.granted.len(), CAPABILITIES_MAX)
            .or_else(|| most("programs", self.programs.len(), PROGRAMS_MAX))
            .or_else(|| self.granted.keys().find_map(|name| name_problem("a capability", name)))
            .or_else(|| self.programs.keys().find_map(|path| path_problem("a program", path)))
            .or_else(|| self.evidence().find_map(|(of, evidence)| evidence_problem(&of, evidence)))
    }

    /// What of this cannot be in a model of this host: with other hosts' evidence there has to be room for its own.
    pub fn problem_on(&self, host: &str) -> Option<String> {
        let crowded = |(of, evidence): (String, &Evidence)| {
            let others = evidence.hosts.keys().filter(|name| *name != host).count();
            let most = HOSTS_MAX - 1;
            (others > most).then(|| format!("{of} has evidence of {others} other hosts; expected at most {most}"))
        };
        self.problem().or_else(|| self.evidence().find_map(crowded))
    }

    /// Every grant and program with its evidence, named for people.
    fn evidence(&self) -> impl Iterator<Item = (String, &Evidence)> {
        let grants = self.granted.iter().flat_map(|(name, accesses)| {
            accesses.iter().map(move |(access, evidence)| (format!("{name}.{}", access.name()), evidence))
        });
        grants.chain(self.programs.iter().map(|(path, evidence)| (path.clone(), evidence)))
    }
}

fn name_problem(what: &str, name: &str) -> Option<String> {
    let wrong = name.is_empty() || name.len() > NAME_MAX || name.chars().any(char::is_control);
    wrong.then(|| format!("expected the name of {what}, of at most {NAME_MAX} bytes: {name:?}"))
}

fn path_problem(what: &str, path: &str) -> Option<String> {
    (path.len() > PATH_MAX)
        .then(|| format!("the path of {what} has {} bytes, and a path has at most {PATH_MAX}", path.len()))
}

fn evidence_problem(of: &str, evidence: &Evidence) -> Option<String> {
    let hosts = evidence.hosts.len();
    if hosts == 0 || hosts > HOSTS_MAX {
        return Some(format!("{of} has evidence of {hosts} hosts; expected 1 to {HOSTS_MAX}"));
    }
    evidence.hosts.iter().find_map(|(host, seen)| {
        let order = || format!("{of}: {host} saw it {} times, the last time before the first", seen.count);
        name_problem("a host", host)
            .or_else(|| path_problem(&format!("the program that needed {of}"), &seen.exe))
            .or_else(|| path_problem(&format!("what {of} was needed for"), &seen.object))
            .or_else(|| (seen.count == 0 || seen.last < seen.first).then(order))
    })
}

/// What joining would add or what differs, in words: `gains SHELL.execute (web-2: /usr/bin/dash by /usr/sbin/nginx)`.
pub fn gains(from: &Knowledge, to: &Knowledge) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, accesses) in &to.granted {
        for (access, evidence) in accesses {
            let known = from.granted.get(name).and_then(|accesses| accesses.get(access));
            lines.extend(gain(&format!("{name}.{}", access.name()), known, evidence));
        }
    }
    for (path, evidence) in &to.programs {
        lines.extend(gain(&format!("the program {path}"), from.programs.get(path), evidence));
    }
    lines
}

fn gain(what: &str, known: Option<&Evidence>, evidence: &Evidence) -> Option<String> {
    let Some(known) = known else {
        let (host, seen) = evidence.earliest()?;
        return Some(format!("{what} ({host}: {} by {})", seen.object, seen.exe));
    };
    if known.in_starts() && !evidence.in_starts() {
        let (host, seen) = evidence.hosts.iter().find(|(_, seen)| seen.starts == 0)?;
        return Some(format!("{what} for longer than a start ({host}: {} by {})", seen.object, seen.exe));
    }
    let hosts: Vec<&str> =
        evidence.hosts.keys().filter(|host| !known.hosts.contains_key(*host)).map(String::as_str).collect();
    (!hosts.is_empty()).then(|| format!("{what} as {} saw it", hosts.join(", ")))
}
