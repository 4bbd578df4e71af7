//! What a service is known to do, and the file that keeps it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::access::Access;
use crate::capability::Grants;
use crate::knowledge::{Granted, Knowledge, PROGRAMS_MAX, Programs};
use crate::maturity::Progress;

pub use crate::evidence::{Evidence, Seen, Sighting};

mod format_one;

/// Version of the file format that this build writes; it reads all formats before it. Format 2 did not tell what only a
/// start needs: all of it is granted for good. Before format 4 the sum left out the number of the format.
pub const FORMAT: u32 = 4;
const MAGIC: &[u8; 4] = b"BZMD";

/// Where a service stands, see design section 9.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// What it does becomes its model.
    #[default]
    Learning,
    /// Learning until an operator says otherwise.
    Manual,
    /// Its model counts.
    Active,
    /// The unit is gone; the model is kept.
    Archived,
}

impl State {
    /// The name used in JSON and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            State::Learning => "learning",
            State::Manual => "manual",
            State::Active => "active",
            State::Archived => "archived",
        }
    }
}

/// A service's model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// Name without `.service`; templates keep their `@`.
    pub service: String,
    /// Where it stands.
    pub state: State,
    /// Entry into the state, milliseconds since 1970, UTC.
    pub since: i64,
    /// Where an archived one stands again when its unit is back.
    #[serde(default)]
    pub returns_to: Option<State>,
    /// What it needed.
    pub granted: Granted,
    /// Programs that it ran.
    pub programs: Programs,
    /// What it has gone through while learning.
    #[serde(default)]
    pub progress: Progress,
}

/// Why a model file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// It is not one of ours, or its head is cut off.
    #[error("it is no model file: expected the mark BZMD and a head of 40 bytes")]
    NoModel,
    /// A later Bartizan wrote it.
    #[error(
        "it has format {0}, and this Bartizan reads up to {FORMAT}: use the Bartizan that wrote it, or a newer one"
    )]
    Newer(u32),
    /// It was changed or cut off.
    #[error("its content does not fit its checksum: it was cut off or changed")]
    Checksum,
    /// The checksum holds, and still it cannot be read.
    #[error("it cannot be read: {0}")]
    Content(#[from] rmp_serde::decode::Error),
    /// It cannot be written.
    #[error("it cannot be written: {0}")]
    Encode(#[from] rmp_serde::encode::Error),
}

impl Model {
    /// A model that knows nothing yet.
    pub fn new(service: &str, now: i64) -> Model {
        Model { service: service.to_owned(), since: now, ..Model::default() }
    }

    /// Adds what this host observed. Whether it gave a new grant, or another kind of grant: for starts, or for good.
    pub fn observe(&mut self, host: &str, need: (&str, Access), by: (&str, &str), now: i64, when: Seen) -> bool {
        let ((capability, access), (exe, object)) = (need, by);
        let accesses = self.granted.entry(capability.to_owned()).or_default();
        let kind = |evidence: &Evidence| (evidence.in_starts(), evidence.at_start());
        let before = accesses.get(&access).map(kind);
        let evidence = accesses.entry(access).or_default();
        evidence.observe(host, exe, object, now, when);
        before != Some(kind(evidence))
    }

    /// Adds a program that the service ran on this host. Whether it is a new one.
    pub fn observe_program(&mut self, host: &str, path: &str, exe: &str, now: i64) -> bool {
        let known = self.programs.contains_key(path);
        if !known && self.programs.len() >= PROGRAMS_MAX {
            return false;
        }
        self.programs.entry(path.to_owned()).or_default().observe(host, exe, path, now, Seen::Later);
        !known
    }

    /// Moves to another state. Learning counts anew, unless it only goes on.
    pub fn enter(&mut self, state: State, now: i64) {
        let goes_on = match self.state {
            State::Learning => state == State::Manual,
            State::Manual | State::Archived => true,
            State::Active => false,
        };
        if matches!(state, State::Learning | State::Manual) && !goes_on {
            self.progress = self.progress.again();
        }
        if self.state == State::Archived {
            self.progress.back();
        }
        self.returns_to = (state == State::Archived).then_some(self.state);
        self.state = state;
        self.since = now;
    }

    /// The grants without their evidence.
    pub fn grants(&self) -> Grants {
        let names = self.granted.iter();
        names.map(|(name, accesses)| (name.clone(), accesses.keys().copied().collect())).collect()
    }

    /// Those of them that starts need, and nothing else.
    pub fn at_start(&self) -> Grants {
        self.those(Evidence::at_start)
    }

    /// Those of them that were seen in starts only so far, be it in one.
    pub fn in_starts(&self) -> Grants {
        self.those(Evidence::in_starts)
    }

    fn those(&self, fits: impl Fn(&Evidence) -> bool) -> Grants {
        let of_one = |(name, accesses): (&String, &BTreeMap<Access, Evidence>)| {
            let only = accesses.iter().filter(|(_, evidence)| fits(evidence)).map(|(access, _)| *access);
            (name.clone(), only.collect())
        };
        self.granted.iter().map(of_one).filter(|(_, accesses): &(_, BTreeSet<_>)| !accesses.is_empty()).collect()
    }

    /// What it knows, without where it stands.
    pub fn knowledge(&self) -> Knowledge {
        Knowledge { granted: self.granted.clone(), programs: self.programs.clone() }
    }

    /// Joins what is known elsewhere. Where the service stands is not changed by it. Whoever imports asks
    /// [`Knowledge::problem_on`] before; programs that came meanwhile stay, and those of `other` that then do not fit are left
    /// out.
    pub fn join(&mut self, other: &Knowledge) {
        let (granted, programs) = (std::mem::take(&mut self.granted), std::mem::take(&mut self.programs));
        let mut known = Knowledge { granted, programs };
        let mut room = PROGRAMS_MAX.saturating_sub(known.programs.len());
        let mut other = other.clone();
        other.programs.retain(|path, _| {
            let fits = room > 0 || known.programs.contains_key(path);
            room = room.saturating_sub(usize::from(!known.programs.contains_key(path)));
            fits
        });
        known.join(&other);
        (self.granted, self.programs) = (known.granted, known.programs);
    }

    /// The file: `BZMD`, the format (little endian), the SHA-256 of the format and the rest, and the model as MessagePack.
    pub fn encode(&self) -> Result<Vec<u8>, ModelError> {
        let content = rmp_serde::to_vec_named(self)?;
        let mut file = MAGIC.to_vec();
        file.extend(FORMAT.to_le_bytes());
        file.extend(sum_of(FORMAT, &content));
        file.extend(content);
        Ok(file)
    }

    /// Reads a file whole, or says why not. What an older format does not say is ascribed to this host.
    pub fn decode(file: &[u8], host: &str) -> Result<Model, ModelError> {
        let (magic, rest) = file.split_first_chunk::<4>().ok_or(ModelError::NoModel)?;
        let (format, rest) = rest.split_first_chunk::<4>().ok_or(ModelError::NoModel)?;
        let (sum, content) = rest.split_first_chunk::<32>().ok_or(ModelError::NoModel)?;
        if magic != MAGIC {
            return Err(ModelError::NoModel);
        }
        let format = u32::from_le_bytes(*format);
        if format > FORMAT {
            return Err(ModelError::Newer(format));
        }
        if format == 0 {
            return Err(ModelError::NoModel);
        }
        if sum_of(format, content) != *sum {
            return Err(ModelError::Checksum);
        }
        if format == 1 {
            return Ok(rmp_serde::from_slice::<format_one::Old>(content)?.migrate(host));
        }
        Ok(rmp_serde::from_slice(content)?)
    }
}

/// What stands between the format and the content.
fn sum_of(format: u32, content: &[u8]) -> [u8; 32] {
    let mut sum = Sha256::new();
    if format > 3 {
        sum.update(format.to_le_bytes());
    }
    sum.update(content);
    sum.finalize().into()
}

#[cfg(test)]
#[path = "model/tests.rs"]
mod tests;
