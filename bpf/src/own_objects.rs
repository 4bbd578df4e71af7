//! Tells the kernel's side which maps and programs are ours, so that no service gets hold of one through `bpf()`.

use std::fs;
use std::path::{Path, PathBuf};

use libbpf_rs::{Link, MapCore as _, MapHandle, ProgramHandle};

use crate::kernel::KernelError;
use crate::pins::Set;
use crate::skeleton::bartizan::types;
use crate::tables::Tables;
use crate::wire::bytes;

/// Enters every map and program of a set by the number that the kernel gave it. Numbers of sets that are gone stay: the
/// kernel gives a number again only after two thousand million others.
pub(crate) fn enter(tables: &Tables, set: &Set) -> Result<(), KernelError> {
    let failed = |what: &str, pin: &Path| {
        let what = format!("asking for the number of the {what} {}", pin.display());
        move |error| KernelError::bpf(what, error)
    };
    for pin in pins(&set.maps()) {
        let info = MapHandle::from_pinned_path(&pin).and_then(|map| map.info()).map_err(failed("map", &pin))?;
        put(tables, info.info.id, false)?;
    }
    for pin in pins(&set.programs()) {
        let program = ProgramHandle::from_pinned_path(&pin).map_err(failed("program", &pin))?;
        put(tables, program.id(), true)?;
    }
    for pin in pins(&set.links()) {
        let info = Link::open(&pin).and_then(|link| link.info()).map_err(failed("link", &pin))?;
        put(tables, info.prog_id, true)?;
    }
    Ok(())
}

fn pins(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn put(tables: &Tables, id: u32, program: bool) -> Result<(), KernelError> {
    let key = types::bz_own_key { id, program: u32::from(program) };
    tables.put("own_objects", &bytes(&key), &1u32.to_ne_bytes())
}
