# SPDX-License-Identifier: Apache-2.0 OR MIT
"""How many instructions the kernel's verifier looks at for each of Bartizan's programs, compared with verifier.tsv.

The count says how near a program is to the verifier's limit, and it jumps when a change makes a loop or a branch hard to
follow. It differs between kernels, so each has lines of its own."""

import ctypes
import os
import pathlib
import struct

PINS = pathlib.Path("/sys/fs/bpf/bartizan")
KEPT = pathlib.Path(__file__).with_name("verifier.tsv")
MOST_RISE = 0.20
# Numbers and offsets of bpf(2), x86-64: part of the kernel's ABI.
SYS_BPF, OBJ_GET, PROG_GET_FD_BY_ID, OBJ_GET_INFO_BY_FD = 321, 7, 13, 15
LINK_PROG_ID, PROG_VERIFIED, INFO_BYTES = 8, 216, 256

libc = ctypes.CDLL(None, use_errno=True)


def bpf(command, attributes):
    attributes = ctypes.create_string_buffer(attributes, 128)
    result = libc.syscall(SYS_BPF, command, attributes, 128)
    if result < 0:
        raise OSError(ctypes.get_errno(), f"bpf command {command}")
    return result


def information(descriptor):
    """What the kernel tells about the object behind a descriptor, which is closed."""
    into = ctypes.create_string_buffer(INFO_BYTES)
    try:
        bpf(OBJ_GET_INFO_BY_FD, struct.pack("=IIQ", descriptor, INFO_BYTES, ctypes.addressof(into)))
    finally:
        os.close(descriptor)
    return into.raw


def verified(pin):
    """The count of the program that is pinned here, or that a link pinned here leads to."""
    path = ctypes.create_string_buffer(str(pin).encode())
    told = information(bpf(OBJ_GET, struct.pack("=Q", ctypes.addressof(path))))
    if pin.parent.name == "links":
        program = struct.unpack_from("=I", told, LINK_PROG_ID)[0]
        told = information(bpf(PROG_GET_FD_BY_ID, struct.pack("=I", program)))
    return struct.unpack_from("=I", told, PROG_VERIFIED)[0]


def loaded():
    """Programs that are pinned, with their counts."""
    return {pin.name: verified(pin) for part in ("links", "programs") for pin in sorted(PINS.glob(f"*/{part}/*"))}


def kernel(release=None):
    """6.12 of 6.12.95+deb12-cloud-amd64."""
    return ".".join((release or os.uname().release).split(".")[:2])


def kept(text=None):
    """The counts by kernel and program; those of the file, if there is one, when no text is given."""
    if text is None:
        text = KEPT.read_text() if KEPT.exists() else ""
    counts = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, program, count = line.split("\t")
            counts.setdefault(name, {})[program] = int(count)
    return counts


def compared(before, now):
    """One sentence for each program that rose too far, is new, or is gone."""
    for program in sorted(before.keys() | now.keys()):
        if program not in now:
            yield f"{program} is not loaded any more"
        elif program not in before:
            yield f"{program} is new, with {now[program]:,} instructions"
        elif now[program] > (1 + MOST_RISE) * before[program]:
            rise = 100 * (now[program] / before[program] - 1)
            yield f"{program} rose by {rise:.0f} %, from {before[program]:,} to {now[program]:,} instructions"


def written(counts):
    """The text of the file."""
    lines = [f"{name}\t{program}\t{count}\n" for name, programs in counts.items() for program, count in sorted(programs.items())]
    head = ("# Instructions that the verifier looks at, by kernel and program; `scripts/bench verifier --write` writes it.\n"
            "# A rise by more than 20 % fails the end-to-end tests.\n")
    return head + "".join(lines)


def lines(name, now):
    """For people, and for scripts/bench verifier."""
    return [f"verified\t{name}\t{program}\t{count}" for program, count in sorted(now.items())]
