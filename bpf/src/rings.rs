//! How full the ring buffers are, whoever reads them.

use std::os::fd::AsFd as _;

use libbpf_rs::MapCore as _;

use crate::kernel::{KernelError, Ring};
use crate::ring;
use crate::tables::Tables;

/// The rings of wire.h.
const RINGS: [&str; 2] = ["violations", "observations"];

/// Both rings as they are now. Nothing is taken out of them.
pub(crate) fn rings(tables: &Tables) -> Result<Vec<Ring>, KernelError> {
    RINGS.iter().map(|name| look(tables, name)).collect()
}

fn look(tables: &Tables, name: &str) -> Result<Ring, KernelError> {
    let map = tables.get(name)?;
    let ring = ring::Ring::open(map.as_fd(), map.max_entries())
        .map_err(|source| KernelError::Bpf { what: format!("looking at the ring {name}"), source })?;
    Ok(Ring { name: name.to_owned(), waiting: ring.waiting(), size: ring.size() })
}
