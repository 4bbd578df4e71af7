//! Reads a whole map in few calls. libbpf-rs 0.27 has an iterator for this that ends without a word when the kernel cannot
//! go on; a comparison with the revision must not take that for missing entries.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _};

use libbpf_rs::{MapCore as _, MapHandle};

/// Entries that are asked for first; doubled when one bucket of a hash map holds more.
const FIRST: usize = 8192;
/// Nothing in maps.bpf.h has buckets that long.
const MOST: usize = 1 << 20;

/// Every key and value of an array, hash or LPM map. What changes meanwhile may be there or not.
pub(crate) fn read(map: &MapHandle) -> io::Result<HashMap<Vec<u8>, Vec<u8>>> {
    let (key, value) = (map.key_size() as usize, map.value_size() as usize);
    let mut room = FIRST.min(map.max_entries() as usize).max(1);
    let mut found = HashMap::new();
    // Where the kernel goes on: a key, or the number of a bucket.
    let (mut from, mut next) = (None::<Vec<u8>>, vec![0u8; key.max(4)]);
    loop {
        let (mut keys, mut values) = (vec![0u8; room * key], vec![0u8; room * value]);
        let mut count = u32::try_from(room).unwrap_or(u32::MAX);
        let start = from.as_mut().map_or(std::ptr::null_mut(), |from| from.as_mut_ptr());
        // SAFETY: both tokens are as long as a key and at least four bytes, which is what the kernel reads and writes;
        // keys and values have room for `count` entries; no options are given.
        let result = unsafe {
            libbpf_sys::bpf_map_lookup_batch(
                map.as_fd().as_raw_fd(),
                start.cast(),
                next.as_mut_ptr().cast(),
                keys.as_mut_ptr().cast(),
                values.as_mut_ptr().cast(),
                &raw mut count,
                std::ptr::null(),
            )
        };
        match result.checked_neg().filter(|errno| *errno > 0) {
            Some(libc::ENOSPC) if room < MOST => {
                room *= 2;
                continue;
            }
            Some(libc::EINTR) => continue,
            Some(errno) if errno != libc::ENOENT => return Err(io::Error::from_raw_os_error(errno)),
            ended => {
                let entries = keys.chunks_exact(key).zip(values.chunks_exact(value)).take(count as usize);
                found.extend(entries.map(|(key, value)| (key.to_vec(), value.to_vec())));
                if ended.is_some() {
                    return Ok(found);
                }
            }
        }
        from = Some(next.clone());
    }
}
