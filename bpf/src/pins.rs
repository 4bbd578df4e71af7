//! Where programs, links and maps are pinned. Each load gets a directory of its own below [`ROOT`], so that a new set
//! stands complete before the old one goes.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::DirEntryExt as _;
use std::path::{Path, PathBuf};

use libbpf_rs::Link;
use serde::{Deserialize, Serialize};

use crate::kernel::KernelError;

/// The directory of all pins.
pub const ROOT: &str = "/sys/fs/bpf/bartizan";
/// What the last load left behind about itself. Gone with a reboot, as the pins are.
pub const RECORD: &str = "/run/bartizan/loaded.json";

/// One load's pins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    root: PathBuf,
}

impl Set {
    /// The set with this number.
    pub fn numbered(number: u32) -> Set {
        Set { root: Path::new(ROOT).join(number.to_string()) }
    }

    /// Directory of the maps.
    pub fn maps(&self) -> PathBuf {
        self.root.join("maps")
    }

    /// Directory of the programs that user space calls.
    pub fn programs(&self) -> PathBuf {
        self.root.join("programs")
    }

    /// Directory of the links: as long as they are here, the hooks run.
    pub fn links(&self) -> PathBuf {
        self.root.join("links")
    }

    /// Makes the directories.
    pub fn create(&self) -> Result<(), KernelError> {
        for directory in [self.maps(), self.programs(), self.links()] {
            fs::create_dir_all(&directory).map_err(at("making", &directory))?;
        }
        Ok(())
    }

    /// The kernel's numbers of the programs behind the pinned links.
    pub fn linked_programs(&self) -> Vec<u32> {
        let pins = fs::read_dir(self.links()).into_iter().flatten().flatten();
        let id = |path: PathBuf| Some(Link::open(path).ok()?.info().ok()?.prog_id);
        pins.filter_map(|pin| id(pin.path())).collect()
    }

    /// The files below which links are pinned, by name, with their numbers: what takes the place of one has another.
    pub(crate) fn link_pins(&self) -> BTreeMap<String, u64> {
        let pins = fs::read_dir(self.links()).into_iter().flatten().flatten();
        pins.map(|pin| (pin.file_name().to_string_lossy().into_owned(), pin.ino())).collect()
    }

    /// Removes the links first, so that the hooks end together, and then the rest.
    pub fn remove(&self) -> Result<(), KernelError> {
        for directory in [self.links(), self.programs(), self.maps()] {
            for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
                fs::remove_file(entry.path()).map_err(at("unpinning", &entry.path()))?;
            }
            remove_if_there(&directory)?;
        }
        remove_if_there(&self.root)
    }
}

fn remove_if_there(directory: &Path) -> Result<(), KernelError> {
    match fs::remove_dir(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at("removing", directory)(error)),
        _ => Ok(()),
    }
}

fn at(what: &str, path: &Path) -> impl FnOnce(io::Error) -> KernelError {
    let what = format!("{what} {}", path.display());
    move |source| KernelError::Bpf { what, source }
}

/// Numbers of all sets that are pinned, smallest first.
pub fn numbers() -> Vec<u32> {
    let mut numbers: Vec<u32> = fs::read_dir(ROOT)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    numbers.sort_unstable();
    numbers
}

/// Removes the sets whose numbers are meant. What cannot be removed is not ours, or not any more: it is told and left.
pub(crate) fn sweep(meant: impl Fn(u32) -> bool) {
    for number in numbers().into_iter().filter(|number| meant(*number)) {
        if let Err(error) = Set::numbered(number).remove() {
            tracing::error!("{ROOT}/{number} stays, although nothing of it is used: {error}");
        }
    }
}

/// What a load says about itself, for the next start to check the pins against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// SHA-256 of the object that was loaded, hexadecimal.
    pub object: String,
    /// Number of the set.
    pub set: u32,
    /// Tag of the program behind each link, hexadecimal, by the program's name.
    pub tags: BTreeMap<String, String>,
    /// The kernel's id of each pinned map and call, by the path below the set's directory.
    #[serde(default)]
    pub pins: BTreeMap<String, u32>,
}

impl Record {
    /// Reads the record; `None` when there is none or it is not whole.
    pub fn read() -> Option<Record> {
        serde_json::from_slice(&fs::read(RECORD).ok()?).ok()
    }

    /// Writes the record in one step.
    pub fn write(&self) -> Result<(), KernelError> {
        let path = Path::new(RECORD);
        let fresh = path.with_extension("new");
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).map_err(at("making", directory))?;
        }
        let text = serde_json::to_vec(self)
            .map_err(|error| KernelError::Bpf { what: format!("writing {RECORD}"), source: error.into() })?;
        fs::write(&fresh, text).map_err(at("writing", &fresh))?;
        fs::rename(&fresh, path).map_err(at("renaming", &fresh))
    }
}
