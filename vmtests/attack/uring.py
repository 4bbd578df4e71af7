# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Opening a file through io_uring, where no system call names it. The layouts are those of linux/io_uring.h."""

import ctypes
import mmap
import os
import struct

from victim import AT_FDCWD, checked, libc

SETUP, ENTER = 425, 426
OPENAT, GETEVENTS = 18, 1
SQES_AT = 0x10000000
ENTRIES = 4


def opened_by_ring(path, flags):
    params = ctypes.create_string_buffer(120)
    ring = checked(libc.syscall(SETUP, ENTRIES, params))
    try:
        result = one_open(ring, params, path, flags)
    finally:
        os.close(ring)
    if result < 0:
        raise OSError(-result, "io_uring")
    os.close(result)


def one_open(ring, params, path, flags):
    """Submits the only entry and waits for its answer."""
    sq, cq = struct.unpack_from("10I", params, 40), struct.unpack_from("10I", params, 80)
    sq_entries, cq_entries = struct.unpack_from("2I", params, 0)
    _, tail, _, _, _, _, array = sq[:7]
    cqes = cq[5]
    length = max(array + 4 * sq_entries, cqes + 16 * cq_entries)
    name = ctypes.create_string_buffer(path.encode())
    with mmap.mmap(ring, length) as rings, mmap.mmap(ring, 64 * sq_entries, offset=SQES_AT) as entries:
        entries[:64] = struct.pack("BBHiQQIIQ", OPENAT, 0, 0, AT_FDCWD, 0, ctypes.addressof(name), 0, flags, 7).ljust(64, b"\0")
        rings[array:array + 4] = struct.pack("I", 0)
        rings[tail:tail + 4] = struct.pack("I", 1)
        checked(libc.syscall(ENTER, ring, 1, 1, GETEVENTS, None, 0))
        return struct.unpack_from("Qi", rings, cqes)[1]
