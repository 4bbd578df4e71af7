//! How full the ring buffers are, whoever reads them.

use libbpf_rs::{AsRawLibbpf as _, RingBufferBuilder};

use crate::kernel::{KernelError, Ring};
use crate::tables::Tables;

/// The rings of wire.h.
const RINGS: [&str; 2] = ["violations", "observations"];

/// Both rings as they are now. Nothing is taken out of them.
pub(crate) fn rings(tables: &Tables) -> Result<Vec<Ring>, KernelError> {
    RINGS.iter().map(|name| ring(tables, name)).collect()
}

fn ring(tables: &Tables, name: &str) -> Result<Ring, KernelError> {
    let failed = |error| KernelError::bpf(format!("looking at the ring {name}"), error);
    let map = tables.get(name)?;
    let mut builder = RingBufferBuilder::new();
    builder.add(map, |_| 0).map_err(failed)?;
    let ring = builder.build().map_err(failed)?;
    // SAFETY: the manager lives until the end of this function and has one ring, number 0, which lives as long. Both
    // functions only read positions that the kernel and the reader keep in shared memory (libbpf.h).
    let (waiting, size) = unsafe {
        let one = libbpf_sys::ring_buffer__ring(ring.as_libbpf_object().as_ptr(), 0);
        if one.is_null() {
            return Err(KernelError::NotHeld(format!("the ring {name} cannot be looked at")));
        }
        (libbpf_sys::ring__avail_data_size(one), libbpf_sys::ring__size(one))
    };
    Ok(Ring { name: name.to_owned(), waiting, size })
}
