//! The types of `kern/wire.h` as bytes, which is what maps, rings and program contexts hold.

use crate::skeleton::bartizan::types;

/// Plain old data: any bytes are a value, and there is no padding between the fields.
///
/// # Safety
/// Implement it only for `repr(C)` types of integers and arrays of integers whose fields leave no gap.
pub unsafe trait Plain: Copy {}

macro_rules! plain {
    ($($name:ident)*) => { $(
        // SAFETY: wire.h lays these out without gaps, of integers only, and the skeleton is generated from its BTF.
        unsafe impl Plain for types::$name {}
    )* };
}

plain! {
    bz_subject bz_policy bz_label bz_node bz_step bz_inode_key bz_own_key bz_link bz_unit bz_service bz_cgroup bz_outbound_key bz_outbound
    bz_rule_key bz_seen bz_sequence bz_flood_key bz_control bz_event bz_call_register bz_call_retire bz_call_flip bz_call_link
}

// SAFETY: an integer is plain.
unsafe impl Plain for u32 {}

// SAFETY: as above.
unsafe impl Plain for u64 {}

/// The bytes of a value, to be written into a map.
pub(crate) fn bytes<T: Plain>(value: &T) -> Vec<u8> {
    // SAFETY: T is plain without padding, so each of its bytes is initialised; the slice ends with the value.
    unsafe { std::slice::from_raw_parts(std::ptr::from_ref(value).cast::<u8>(), size_of::<T>()) }.to_vec()
}

/// The value of these bytes, of which an earlier build wrote `least` at least: what it did not know of is zero.
pub(crate) fn grown<T: Plain>(bytes: &[u8], least: usize) -> Option<T> {
    if bytes.len() >= size_of::<T>() {
        return value(bytes);
    }
    let mut whole = vec![0; size_of::<T>()];
    whole.get_mut(..bytes.len()).filter(|start| start.len() >= least)?.copy_from_slice(bytes);
    value(&whole)
}

/// The value at the start of these bytes where they are, without a copy; `None` when they are too few, or begin where no
/// such value may.
pub(crate) fn viewed<T: Plain>(bytes: &[u8]) -> Option<&T> {
    let start = bytes.as_ptr().cast::<T>();
    if bytes.len() < size_of::<T>() || !start.is_aligned() {
        return None;
    }
    // SAFETY: there are enough bytes, any bytes are a T, the start is aligned, and the bytes are borrowed as long as it is.
    Some(unsafe { &*start })
}

/// The value at the start of these bytes; `None` when they are too few.
pub(crate) fn value<T: Plain>(bytes: &[u8]) -> Option<T> {
    if bytes.len() < size_of::<T>() {
        return None;
    }
    // SAFETY: there are enough bytes, any bytes are a T, and the read does not need alignment.
    Some(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
}
