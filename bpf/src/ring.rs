//! A ring buffer of the kernel, as its only reader takes records out of it. libbpf gives up each record as soon as it was looked at; here records
//! stay in the ring until what they told is taken care of, many at a time. The layout is that of the kernel's
//! Documentation/bpf/ringbuf.rst: a page with the reader's position, one with the writer's, and the data, mapped twice so
//! that no record is in two pieces. Of the data only a part is mapped at a time ([`WINDOW`]), and none while nothing comes.

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

/// Bytes of the data that are mapped at a time, unless a record is longer. What is mapped counts as memory of this process,
/// page by page, and a ring is large for the sake of rare floods.
const WINDOW: usize = 256 << 10;

/// A part of the data.
#[derive(Debug)]
struct Window {
    mapped: Mapped,
    /// The position of its first byte.
    from: u64,
}

impl Window {
    /// Where these bytes are, if all of them are in it.
    fn of(&self, at: u64, length: usize) -> Option<NonNull<c_void>> {
        let offset = usize::try_from(at.checked_sub(self.from)?).ok()?;
        if offset.checked_add(length)? > self.mapped.length {
            return None;
        }
        // SAFETY: it is no further than the end of the mapping.
        Some(unsafe { self.mapped.start.byte_add(offset) })
    }
}

/// The reader's side.
#[derive(Debug)]
pub(crate) struct Ring<'a> {
    file: BorrowedFd<'a>,
    reader: Mapped,
    writer: Mapped,
    /// The part of the data that was looked at last, while records come.
    window: Option<Window>,
    page: usize,
    size: u64,
    /// Moving the reader's position needs this thread alone.
    _one: PhantomData<*const ()>,
}

impl<'a> Ring<'a> {
    /// Maps the positions of a ring of so many bytes.
    pub(crate) fn open(file: BorrowedFd<'a>, size: u32) -> io::Result<Ring<'a>> {
        let page = sysconf(SysconfVar::PAGE_SIZE)?.and_then(|page| usize::try_from(page).ok()).unwrap_or(4096);
        if !size.is_power_of_two() {
            return Err(io::Error::other(format!("a ring has a power of two of bytes, not {size}")));
        }
        let reader = Mapped::new(file, page, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, 0)?;
        let writer = Mapped::new(file, page, ProtFlags::PROT_READ, page)?;
        Ok(Ring { file, reader, writer, window: None, page, size: u64::from(size), _one: PhantomData })
    }

    /// Shows at most so many records, the oldest first, and leaves them where they are. Up to where they reach, for
    /// [`Ring::release`]; `None`: there are none. An error: the data cannot be mapped, which may pass.
    pub(crate) fn look(&mut self, most: usize, each: &mut dyn FnMut(&[u8])) -> io::Result<Option<u64>> {
        let begin = self.reader.position().load(Ordering::Relaxed);
        let end = self.writer.position().load(Ordering::Acquire);
        let (mut at, mut shown) = (begin, 0);
        while at < end && shown < most {
            let length = self.length(at)?;
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
        if at == begin {
            self.window = None;
        }
        Ok((at > begin).then_some(at))
    }

    /// Bytes that it holds.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Bytes that wait to be read, headers included.
    pub(crate) fn waiting(&self) -> u64 {
        let begin = self.reader.position().load(Ordering::Acquire);
        self.writer.position().load(Ordering::Acquire).saturating_sub(begin)
    }

    /// Gives up all records before a position that [`Ring::look`] told.
    pub(crate) fn release(&self, before: u64) {
        self.reader.position().store(before, Ordering::Release);
    }

    fn length(&mut self, at: u64) -> io::Result<u32> {
        let start = self.mapped(at, HEADER as usize)?;
        // SAFETY: the window has these bytes, records are aligned to eight of them, and both sides touch the length as a whole.
        Ok(unsafe { start.cast::<AtomicU32>().as_ref() }.load(Ordering::Acquire))
    }

    fn bytes(&mut self, at: u64, length: u64) -> io::Result<&[u8]> {
        if length > self.size {
            return Err(io::Error::other(format!("a record of {length} bytes is longer than its ring")));
        }
        // No more than the size, which is that of memory.
        let length = length as usize;
        let start = self.mapped(at, length)?;
        // SAFETY: the window has these bytes, and stays while they are borrowed; nobody writes to a record that was handed
        // over until it is given up.
        Ok(unsafe { std::slice::from_raw_parts(start.cast::<u8>().as_ptr(), length) })
    }

    /// Where these bytes of the data are, for which the window moves when it has to.
    fn mapped(&mut self, at: u64, length: usize) -> io::Result<NonNull<c_void>> {
        if let Some(start) = self.window.as_ref().and_then(|window| window.of(at, length)) {
            return Ok(start);
        }
        let page = self.page as u64;
        let from = at - at % page;
        let offset = (from & (self.size - 1)) as usize;
        // It begins in the first copy of the data and is no longer than the ring, so that it ends in the second at most.
        let most = usize::try_from(self.size).map_err(io::Error::other)?;
        let needed = (at - from) as usize + length;
        let wanted = WINDOW.min(most).max(needed).next_multiple_of(self.page);
        self.window = None;
        let mapped = Mapped::new(self.file, wanted, ProtFlags::PROT_READ, 2 * self.page + offset)?;
        let window = self.window.insert(Window { mapped, from });
        window.of(at, length).ok_or_else(|| io::Error::other("a record does not fit into its ring"))
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

    fn shown(ring: &mut Ring<'_>, most: usize) -> (Option<u64>, Vec<String>) {
        let mut all = Vec::new();
        let end = ring.look(most, &mut |bytes| all.push(String::from_utf8(bytes.to_vec()).unwrap())).unwrap();
        (end, all)
    }

    #[test]
    fn records_stay_until_they_are_released() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(2 * PAGE + 3 * SIZE).unwrap();
        let mut ring = Ring::open(file.as_fd(), SIZE as u32).unwrap();
        assert_eq!(shown(&mut ring, 9), (None, vec![]));
        let one = write(&file, 0, b"one", 0);
        let given_up = write(&file, one, b"no", DISCARDED);
        let two = write(&file, given_up, b"two", 0);
        assert_eq!((ring.waiting(), ring.size()), (two, SIZE));
        assert_eq!(shown(&mut ring, 1), (Some(one), vec!["one".to_owned()]));
        assert_eq!(shown(&mut ring, 9), (Some(two), vec!["one".to_owned(), "two".to_owned()]), "nothing was released");
        ring.release(one);
        assert_eq!(shown(&mut ring, 9), (Some(two), vec!["two".to_owned()]));
        ring.release(two);
        write(&file, two, b"being written", BUSY);
        assert_eq!(shown(&mut ring, 9), (None, vec![]));
    }

    #[test]
    fn a_record_over_the_end_is_whole() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(2 * PAGE + 3 * SIZE).unwrap();
        let mut ring = Ring::open(file.as_fd(), SIZE as u32).unwrap();
        let (mut at, text) = (0, "0123456789".repeat(60));
        for _ in 0..20 {
            at = write(&file, at, text.as_bytes(), 0);
            assert_eq!(shown(&mut ring, 9), (Some(at), vec![text.clone()]));
            ring.release(at);
        }
        assert!(at > 2 * SIZE);
    }

    #[test]
    fn only_a_part_is_mapped_and_nothing_while_nothing_comes() {
        const LARGE: u64 = 1 << 20;
        let file = tempfile::tempfile().unwrap();
        file.set_len(2 * PAGE + 2 * LARGE).unwrap();
        let mut ring = Ring::open(file.as_fd(), LARGE as u32).unwrap();
        let (mut at, text) = (0, "x".repeat(3000));
        for _ in 0..300 {
            let record = [&(text.len() as u32).to_ne_bytes()[..], &[0; 4], text.as_bytes()].concat();
            file.write_all_at(&record, 2 * PAGE + at).unwrap();
            at += (record.len() as u64).next_multiple_of(HEADER);
        }
        file.write_all_at(&at.to_ne_bytes(), PAGE).unwrap();
        let (end, all) = shown(&mut ring, 1000);
        assert_eq!((end, all.len()), (Some(at), 300));
        assert!(all.iter().all(|one| *one == text));
        assert!(ring.window.as_ref().is_some_and(|window| window.mapped.length == WINDOW && window.from > 0));
        ring.release(at);
        assert_eq!(shown(&mut ring, 9), (None, vec![]));
        assert!(ring.window.is_none());
    }
}
