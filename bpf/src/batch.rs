//! Reads many entries of a map in few calls. libbpf-rs 0.27 has an iterator for this that ends without a word when the kernel
//! cannot go on; a comparison with the revision must not take that for missing entries.

use std::io;
use std::ops::RangeInclusive;
use std::os::fd::{AsFd as _, AsRawFd as _};

use libbpf_rs::{MapCore as _, MapHandle};

/// Entries that are asked for at first are as many as fit here; twice as many when one bucket of a hash map holds more.
const FIRST: usize = 64 << 10;
/// Nothing in maps.bpf.h has buckets that long.
const MOST: usize = 1 << 20;

/// Shows every key and value of an array, hash or LPM map. What changes meanwhile may be shown or not.
pub(crate) fn all(map: &MapHandle, show: impl FnMut(&[u8], &[u8])) -> io::Result<()> {
    some(map, &mut None, usize::MAX, show).map(drop)
}

/// Shows these entries of an array.
pub(crate) fn range(map: &MapHandle, range: &RangeInclusive<u32>, show: impl FnMut(&[u8], &[u8])) -> io::Result<()> {
    // The kernel goes on behind the index that it is given.
    let mut before = range.start().checked_sub(1).map(|before| before.to_ne_bytes().to_vec());
    some(map, &mut before, range.clone().count(), show).map(drop)
}

/// Shows about so many entries from where it was left: a key or the number of a bucket. Whether these were the last.
pub(crate) fn some(
    map: &MapHandle,
    from: &mut Option<Vec<u8>>,
    mut wanted: usize,
    mut show: impl FnMut(&[u8], &[u8]),
) -> io::Result<bool> {
    let (key, value) = (map.key_size() as usize, map.value_size() as usize);
    let mut room = (FIRST / (key + value)).min(map.max_entries() as usize).min(wanted).max(1);
    let mut next = vec![0u8; key.max(4)];
    let (mut keys, mut values) = (Vec::new(), Vec::new());
    while wanted > 0 {
        keys.resize(room * key, 0u8);
        values.resize(room * value, 0u8);
        let mut count = u32::try_from(room.min(wanted)).unwrap_or(u32::MAX);
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
                wanted = wanted.max(room);
                continue;
            }
            Some(libc::EINTR) => continue,
            Some(errno) if errno != libc::ENOENT => return Err(io::Error::from_raw_os_error(errno)),
            ended => {
                let entries = keys.chunks_exact(key).zip(values.chunks_exact(value)).take(count as usize);
                entries.for_each(|(key, value)| show(key, value));
                if ended.is_some() {
                    return Ok(true);
                }
                wanted = wanted.saturating_sub(count as usize);
            }
        }
        from.get_or_insert_default().clone_from(&next);
    }
    Ok(false)
}
