//! What a service is known to do, and the file that keeps it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::access::Access;
use crate::capability::{CAPABILITIES_MAX, Grants};

/// Version of the file format that this build writes and reads.
pub const FORMAT: u32 = 1;
const MAGIC: &[u8; 4] = b"BZMD";
/// Most programs that one model names; what comes later is counted in the kernel's own bounds but not kept.
const PROGRAMS_MAX: usize = 1024;

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

/// Why a grant is there. Times are milliseconds since 1970, UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Evidence {
    /// First time.
    pub first: i64,
    /// Last time.
    pub last: i64,
    /// How many observations; the kernel tells each kind of act once.
    pub count: u64,
    /// Program that needed it first.
    pub exe: String,
    /// What it touched first.
    pub object: String,
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
    /// Grants by name of the capability, so that files outlive a change of bits.
    pub granted: BTreeMap<String, BTreeMap<Access, Evidence>>,
    /// Programs that it ran, by path.
    pub programs: BTreeMap<String, Evidence>,
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

    /// Adds an observation. Whether it gave a new grant.
    pub fn observe(&mut self, capability: &str, access: Access, exe: &str, object: &str, now: i64) -> bool {
        let accesses = self.granted.entry(capability.to_owned()).or_default();
        let known = accesses.contains_key(&access);
        touch(accesses.entry(access).or_default(), exe, object, now);
        !known
    }

    /// Adds a program that the service ran. Whether it is a new one.
    pub fn observe_program(&mut self, path: &str, exe: &str, now: i64) -> bool {
        let known = self.programs.contains_key(path);
        if !known && self.programs.len() >= PROGRAMS_MAX {
            return false;
        }
        touch(self.programs.entry(path.to_owned()).or_default(), exe, path, now);
        !known
    }

    /// Moves to another state.
    pub fn enter(&mut self, state: State, now: i64) {
        self.state = state;
        self.since = now;
    }

    /// The grants without their evidence.
    pub fn grants(&self) -> Grants {
        let names = self.granted.iter();
        names.map(|(name, accesses)| (name.clone(), accesses.keys().copied().collect())).collect()
    }

    /// Joins what another model of the same service knows: commutative, associative and idempotent. Of more than a
    /// model may hold, the first by name are kept, as any other choice would depend on the order of joining.
    pub fn merge(&mut self, other: &Model) {
        for (name, accesses) in &other.granted {
            let mine = self.granted.entry(name.clone()).or_default();
            for (access, evidence) in accesses {
                join(mine.entry(*access).or_insert_with(|| evidence.clone()), evidence);
            }
        }
        for (path, evidence) in &other.programs {
            join(self.programs.entry(path.clone()).or_insert_with(|| evidence.clone()), evidence);
        }
        keep_first(&mut self.granted, CAPABILITIES_MAX);
        keep_first(&mut self.programs, PROGRAMS_MAX);
        (self.state, self.since) = (self.state, self.since).max((other.state, other.since));
        self.service = self.service.clone().max(other.service.clone());
    }

    /// The file: `BZMD`, the format (little endian), the SHA-256 of the rest, and the model as MessagePack.
    pub fn encode(&self) -> Result<Vec<u8>, ModelError> {
        let content = rmp_serde::to_vec_named(self)?;
        let mut file = MAGIC.to_vec();
        file.extend(FORMAT.to_le_bytes());
        file.extend(Sha256::digest(&content));
        file.extend(content);
        Ok(file)
    }

    /// Reads a file whole, or says why not.
    pub fn decode(file: &[u8]) -> Result<Model, ModelError> {
        let (magic, rest) = file.split_first_chunk::<4>().ok_or(ModelError::NoModel)?;
        let (format, rest) = rest.split_first_chunk::<4>().ok_or(ModelError::NoModel)?;
        let (sum, content) = rest.split_first_chunk::<32>().ok_or(ModelError::NoModel)?;
        if magic != MAGIC {
            return Err(ModelError::NoModel);
        }
        match u32::from_le_bytes(*format) {
            FORMAT => {}
            other if other > FORMAT => return Err(ModelError::Newer(other)),
            _ => return Err(ModelError::NoModel),
        }
        if Sha256::digest(content).as_slice() != sum {
            return Err(ModelError::Checksum);
        }
        Ok(rmp_serde::from_slice(content)?)
    }
}

fn touch(evidence: &mut Evidence, exe: &str, object: &str, now: i64) {
    if evidence.count == 0 {
        evidence.first = now;
        exe.clone_into(&mut evidence.exe);
        object.clone_into(&mut evidence.object);
    }
    evidence.last = evidence.last.max(now);
    evidence.count += 1;
}

fn keep_first<T>(map: &mut BTreeMap<String, T>, most: usize) {
    while map.len() > most {
        map.pop_last();
    }
}

/// The join of two pieces of evidence. The count is the larger one: adding would count the same act twice.
fn join(mine: &mut Evidence, other: &Evidence) {
    let first = (&mine.first, &mine.exe, &mine.object).min((&other.first, &other.exe, &other.object));
    let (first, exe, object) = (*first.0, first.1.clone(), first.2.clone());
    let (last, count) = (mine.last.max(other.last), mine.count.max(other.count));
    *mine = Evidence { first, last, count, exe, object };
}

#[cfg(test)]
#[path = "model/tests.rs"]
mod tests;
