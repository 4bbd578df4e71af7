# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Acts that ask the kernel for what only privilege gets. Each is the mildest form of its kind: it changes nothing that lasts."""

import ctypes
import os
import signal
import struct
import time

from children import in_child, own_mounts
from victim import checked, libc

BPF, KEXEC_LOAD, FINIT_MODULE, SYSLOG, REBOOT = 321, 246, 313, 103, 169
VM_READ, VM_WRITE = 310, 311
MAP_CREATE, PROG_LOAD, OBJ_GET, MAP_BY_ID = 0, 5, 7, 14
COMPRESSED = 4  # MODULE_INIT_COMPRESSED_FILE


def trace(pid):
    """Attaches to a process. The child that does lets go of it by ending."""
    seize = 0x4206
    in_child(lambda: checked(libc.ptrace(seize, pid, None, None)))


class Piece(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def memory(call, pid, address):
    """Reads eight bytes of another process, or writes the eight zeros that are there already."""
    here = ctypes.create_string_buffer(8)
    local, remote = Piece(ctypes.addressof(here), 8), Piece(address, 8)
    checked(libc.syscall(call, pid, ctypes.byref(local), ctypes.c_ulong(1), ctypes.byref(remote), ctypes.c_ulong(1), ctypes.c_ulong(0)))


def memory_file(pid, address):
    with open(f"/proc/{pid}/mem", "r+b", buffering=0) as file:
        file.seek(address)
        file.write(bytes(8))


def module(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        checked(libc.syscall(FINIT_MODULE, descriptor, b"", 0 if path.endswith(".ko") else COMPRESSED))
    finally:
        os.close(descriptor)


def asked(number, *arguments):
    """A system call that answers nothing but whether it was done."""
    checked(libc.syscall(number, *arguments))


def bpf(command, attributes):
    """One call of bpf() whose answer is a descriptor."""
    room = ctypes.create_string_buffer(attributes.ljust(144, b"\0"))
    os.close(checked(libc.syscall(BPF, command, room, 144)))


def bpf_program():
    """A socket filter that drops all."""
    code = ctypes.create_string_buffer(bytes.fromhex("b700000000000000" "9500000000000000"))
    licence = ctypes.create_string_buffer(b"GPL")
    bpf(PROG_LOAD, struct.pack("IIQQ", 1, 2, ctypes.addressof(code), ctypes.addressof(licence)))


def bpf_pin(path):
    name = ctypes.create_string_buffer(path.encode())
    bpf(OBJ_GET, struct.pack("QII", ctypes.addressof(name), 0, 0))


def adjust_clock():
    """Sets the clock's status to what it is."""
    room = ctypes.create_string_buffer(208)
    checked(libc.adjtimex(room))
    struct.pack_into("I", room, 0, 0x10)
    checked(libc.adjtimex(room))


def change_root(directory):
    def action():
        own_mounts()
        checked(libc.syscall(155, f"{directory}".encode(), f"{directory}/old".encode()))

    in_child(action)


def remount(target):
    readonly, remounted, bound = 1, 32, 4096
    checked(libc.mount(None, target.encode(), None, remounted | bound | readonly, None))


def kill_by_descriptor(pid):
    descriptor = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(descriptor, 9)
    finally:
        os.close(descriptor)


def write(path, text):
    """Into a file that is there."""
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


ACTS = {
    "trace": trace, "memory_read": lambda *of: memory(VM_READ, *of), "memory_write": lambda *of: memory(VM_WRITE, *of),
    "memory_file": memory_file, "module": module, "kexec": lambda: asked(KEXEC_LOAD, 0, 0, None, 0),
    "bpf_map": lambda: bpf(MAP_CREATE, struct.pack("IIII", 2, 4, 4, 1)), "bpf_program": bpf_program,
    "bpf_by_id": lambda number: bpf(MAP_BY_ID, struct.pack("III", number, 0, 0)), "bpf_pin": bpf_pin,
    "set_clock": lambda: time.clock_settime(time.CLOCK_REALTIME, time.time()), "adjust_clock": adjust_clock,
    "clear_kernel_log": lambda: asked(SYSLOG, 5, None, 0),
    # What PID 1 has asked for already: Ctrl-Alt-Del sends a signal.
    "ask_reboot": lambda: asked(REBOOT, 0xfee1dead, 672274793, 0, None),
    "ports": lambda: in_child(lambda: checked(libc.iopl(3))),
    "user_namespace": lambda: in_child(lambda: checked(libc.unshare(0x10000000))),
    "change_root": change_root, "chroot": lambda path: in_child(lambda: os.chroot(path)), "remount": remount,
    "kill": os.kill, "kill_by_descriptor": kill_by_descriptor, "write": write,
}
