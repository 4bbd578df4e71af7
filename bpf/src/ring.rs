//! A ring buffer of the kernel, as its only reader. libbpf gives up each record as soon as it was looked at; here records
//! stay in the ring until what they told is taken care of, many at a time. The layout is that of the kernel's
//! Documentation/bpf/ringbuf.rst: a page with the reader's position, one with the writer's, and the data, mapped twice so
//! that no record is in two pieces.

use std::ffi::c_void;
use std::io;
use std::marker::PhantomData;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, BorrowedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use nix::unistd::{SysconfVar, sysconf};

/// Of a record's length: it is being written, or was given up (`BPF_RINGBUF_BUSY_BIT`, `BPF_RINGBUF_DISCARD_BIT`).
const BUSY: u32 = 1 << 31;
const DISCARDED: u32 = 1 << 30;
/// Bytes before each record; records begin at multiples of it.
const HEADER: u64 = 8;

/// Memory that is unmapped with this.
#[derive(Debug)]
struct Mapped {
    start: NonNull<c_void>,
    length: usize,
}

impl Mapped {
    fn new(file: BorrowedFd<'_>, length: usize, protection: ProtFlags, offset: usize) -> io::Result<Mapped> {
        let size = NonZeroUsize::new(length).ok_or(io::ErrorKind::InvalidInput)?;
        let offset = i64::try_from(offset).map_err(io::Error::other)?;
        // SAFETY: the address is the kernel's choice, so that nothing which is mapped already changes.
        let start = unsafe { mmap(None, size, protection, MapFlags::MAP_SHARED, file, offset) }?;
        Ok(Mapped { start, length })
    }

    /// A position at the start of it.
    fn position(&self) -> &AtomicU64 {
        // SAFETY: it is at least a page, aligned as one, and both sides only touch the position as a whole.
        unsafe { self.start.cast::<AtomicU64>().as_ref() }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        // SAFETY: it is ours, and whatever was borrowed of it is gone.
        let _ = unsafe { munmap(self.start, self.length) };
    }
}

/// The reader's side.
#[derive(Debug)]
pub(crate) struct Ring<'a> {
    file: BorrowedFd<'a>,
    reader: Mapped,
    /// The writer's position, and behind that page the data.
    writer: Mapped,
    page: usize,
    size: u64,
    /// Moving the reader's position needs this thread alone.
    _one: PhantomData<*const ()>,
}

impl<'a> Ring<'a> {
    /// Maps a ring of so many bytes.
    pub(crate) fn open(file: BorrowedFd<'a>, size: u32) -> io::Result<Ring<'a>> {
        let page = sysconf(SysconfVar::PAGE_SIZE)?.and_then(|page| usize::try_from(page).ok()).unwrap_or(4096);
        if !size.is_power_of_two() {
            return Err(io::Error::other(format!("a ring has a power of two of bytes, not {size}")));
        }
        let reader = Mapped::new(file, page, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, 0)?;
        let writer = Mapped::new(file, page + 2 * size as usize, ProtFlags::PROT_READ, page)?;
        Ok(Ring { file, reader, writer, page, size: u64::from(size), _one: PhantomData })
    }

    /// Shows at most so many records, the oldest first, and leaves them where they are. Up to where they reach, for
    /// [`Ring::release`]; `None`: there are none.
    pub(crate) fn look(&self, most: usize, each: &mut dyn FnMut(&[u8])) -> Option<u64> {
        let begin = self.reader.position().load(Ordering::Relaxed);
        let end = self.writer.position().load(Ordering::Acquire);
        let (mut at, mut shown) = (begin, 0);
        while at < end && shown < most {
            let length = self.length(at).load(Ordering::Acquire);
            if length & BUSY != 0 {
                break;
            }
            let bytes = u64::from(length & !DISCARDED);
            if length & DISCARDED == 0 {
                each(self.bytes(at + HEADER, bytes)?);
                shown += 1;
            }
            at += (HEADER + bytes).next_multiple_of(HEADER);
        }
        (at > begin).then_some(at)
    }

    /// Gives up all records before a position that [`Ring::look`] told.
    pub(crate) fn release(&self, before: u64) {
        self.reader.position().store(before, Ordering::Release);
    }

    fn offset(&self, at: u64) -> usize {
        // Less than the size, which is that of memory.
        self.page + (at & (self.size - 1)) as usize
    }

    fn length(&self, at: u64) -> &AtomicU32 {
        // SAFETY: within the mapping, as the offset is below page and size; records are aligned to eight bytes.
        unsafe { self.writer.start.byte_add(self.offset(at)).cast::<AtomicU32>().as_ref() }
    }

    /// `None`: more than the ring holds, which the kernel never writes.
    fn bytes(&self, at: u64, length: u64) -> Option<&[u8]> {
        if length > self.size {
            return None;
        }
        // SAFETY: the offset is within the mapping, as in `length`.
        let start = unsafe { self.writer.start.byte_add(self.offset(at)).cast::<u8>() };
        // SAFETY: it begins in the first copy of the data and is no longer than the ring, so it ends in the second at most;
        // nobody writes to a record that was handed over until it is given up.
        Some(unsafe { std::slice::from_raw_parts(start.as_ptr(), length as usize) })
    }
}

impl AsFd for Ring<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs::File;
    use std::os::unix::fs::FileExt as _;

    use super::*;

    const PAGE: u64 = 4096;
    const SIZE: u64 = 4096;

    /// Writes a record as the kernel does, into both copies of the data, and tells the writer's new position.
    fn write(file: &File, at: u64, text: &[u8], flags: u32) -> u64 {
        let mut record = (text.len() as u32 | flags).to_ne_bytes().to_vec();
        record.extend([0; 4]);
        record.extend(text);
        for copy in [0, SIZE] {
            file.write_all_at(&record, 2 * PAGE + copy + at % SIZE).unwrap();
        }
        // What went over the end of the second copy is at the beginning of the first.
        let over = (at % SIZE + record.len() as u64).saturating_sub(SIZE) as usize;
        file.write_all_at(record.get(record.len() - over..).unwrap(), 2 * PAGE).unwrap();
        let end = at + (record.len() as u64).next_multiple_of(HEADER);
        file.write_all_at(&end.to_ne_bytes(), PAGE).unwrap();
        end
    }

    fn shown(ring: &Ring<'_>, most: usize) -> (Option<u64>, Vec<String>) {
        let mut all = Vec::new();
        let end = ring.look(most, &mut |bytes| all.push(String::from_utf8(bytes.to_vec()).unwrap()));
        (end, all)
    }

    #[test]
    fn records_stay_until_they_are_released() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(2 * PAGE + 3 * SIZE).unwrap();
        let ring = Ring::open(file.as_fd(), SIZE as u32).unwrap();
        assert_eq!(shown(&ring, 9), (None, vec![]));
        let one = write(&file, 0, b"one", 0);
        let given_up = write(&file, one, b"no", DISCARDED);
        let two = write(&file, given_up, b"two", 0);
        assert_eq!(shown(&ring, 1), (Some(one), vec!["one".to_owned()]));
        assert_eq!(shown(&ring, 9), (Some(two), vec!["one".to_owned(), "two".to_owned()]), "nothing was released");
        ring.release(one);
        assert_eq!(shown(&ring, 9), (Some(two), vec!["two".to_owned()]));
        ring.release(two);
        write(&file, two, b"being written", BUSY);
        assert_eq!(shown(&ring, 9), (None, vec![]));
    }

    #[test]
    fn a_record_over_the_end_is_whole() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(2 * PAGE + 3 * SIZE).unwrap();
        let ring = Ring::open(file.as_fd(), SIZE as u32).unwrap();
        let (mut at, text) = (0, "0123456789".repeat(60));
        for _ in 0..20 {
            at = write(&file, at, text.as_bytes(), 0);
            assert_eq!(shown(&ring, 9), (Some(at), vec![text.clone()]));
            ring.release(at);
        }
        assert!(at > 2 * SIZE);
    }
}
