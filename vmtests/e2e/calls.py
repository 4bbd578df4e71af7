# SPDX-License-Identifier: Apache-2.0 OR MIT
"""The victim's acts that ask something of the kernel itself, or run what has no name. Copied beside victim.py.

What changes the calling process is done in a child of it, so that the victim stays as it is."""

import ctypes
import errno
import fcntl
import lzma
import mmap
import os
import socket
import struct
import subprocess
import time

libc = ctypes.CDLL(None, use_errno=True)
# Numbers of system calls that Python's library does not wrap, x86-64.
BPF, FINIT_MODULE, INIT_MODULE, KEXEC_LOAD, PIVOT_ROOT, SYSLOG, UNSHARE = 321, 313, 175, 246, 155, 103, 272
PTRACE_ATTACH, PTRACE_DETACH = 16, 17
CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
CLOCK_REALTIME, ADJ_SETOFFSET = 0, 0x0100
REBOOT_CAD_OFF = 0
BPF_MAP_CREATE = 0


def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "libc")
    return result


def in_child(action):
    """Performs an action in a child. Its error is raised here."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 0
        try:
            action()
        except OSError as refused:
            code = refused.errno
        except BaseException:
            code = 255
        os.write(writing, bytes([code]))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    if not said or said[0] == 255:
        raise RuntimeError("the child has failed")
    if said[0]:
        raise OSError(said[0], "in a child")


def memfd(program):
    """Runs a copy of a program that has no name."""
    descriptor = os.memfd_create("e2e")
    with open(program, "rb") as file:
        os.write(descriptor, file.read())
    try:
        subprocess.run([f"/proc/self/fd/{descriptor}"], pass_fds=[descriptor], stdin=subprocess.DEVNULL, check=False)
    finally:
        os.close(descriptor)


def mapped(path, protect_later=False):
    """Maps a file to be executed, as ld.so does."""
    length = os.path.getsize(path)
    with open(path, "rb") as file:
        protection = mmap.PROT_READ if protect_later else mmap.PROT_READ | mmap.PROT_EXEC
        # MAP_PRIVATE, and the address is wanted: Python's mmap does not tell it.
        libc.mmap.restype = ctypes.c_void_p
        address = libc.mmap(None, ctypes.c_size_t(length), protection, mmap.MAP_PRIVATE, file.fileno(), ctypes.c_long(0))
        if address == ctypes.c_void_p(-1).value:
            raise OSError(ctypes.get_errno(), "mmap")
    try:
        if protect_later:
            checked(libc.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(length), mmap.PROT_READ | mmap.PROT_EXEC))
    finally:
        libc.munmap(ctypes.c_void_p(address), ctypes.c_size_t(length))


def write_and_map(source, path, protect_later=False):
    """Maps a copy that it has made itself, as with LD_PRELOAD."""
    with open(source, "rb") as old, open(path, "wb") as new:
        new.write(old.read())
    mapped(path, protect_later)


def as_nobody(path):
    """Runs a program as user 65534. A pipe that is closed by the execution tells that there was one."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            os.execv(path, [path])
        except OSError as refused:
            os.write(writing, bytes([refused.errno]))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    if said:
        raise OSError(said[0], "in a child")


def attach(pid):
    """Becomes the tracer of a process, and lets it go again."""

    def action():
        checked(libc.ptrace(PTRACE_ATTACH, pid, None, None))
        os.waitpid(pid, 0x40000000)  # __WALL
        checked(libc.ptrace(PTRACE_DETACH, pid, None, None))

    in_child(action)


def memory(pid, flags=os.O_RDWR):
    os.close(os.open(f"/proc/{pid}/mem", flags))


def module(path):
    """Loads a module, or finds it loaded already."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        # MODULE_INIT_COMPRESSED_FILE
        checked(libc.syscall(FINIT_MODULE, descriptor, b"", 0 if path.endswith(".ko") else 4))
    except OSError as refused:
        if refused.errno != errno.EEXIST:
            raise
    finally:
        os.close(descriptor)


def module_from_memory(path):
    """The older way, which shows the kernel bytes and no file."""
    with (lzma.open if path.endswith(".xz") else open)(path, "rb") as file:
        content = file.read()
    try:
        checked(libc.syscall(INIT_MODULE, content, len(content), b""))
    except OSError as refused:
        if refused.errno != errno.EEXIST:
            raise


def kexec_unload():
    """No segments: what was loaded, and nothing was, is let go of."""
    checked(libc.syscall(KEXEC_LOAD, 0, 0, None, 0))


def bpf_map():
    # An array of one number.
    attributes = struct.pack("IIII", 2, 4, 8, 1) + bytes(104)
    os.close(checked(libc.syscall(BPF, BPF_MAP_CREATE, attributes, len(attributes))))


def bpf_object(command, number):
    attributes = struct.pack("I", number) + bytes(116)
    os.close(checked(libc.syscall(BPF, command, attributes, len(attributes))))


def receive(path):
    """Takes a descriptor from another task. Where that is refused, the message comes without it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as one:
        one.connect(path)
        descriptors = socket.recv_fds(one, 16, 4)[1]
    if not descriptors:
        raise OSError(errno.EPERM, "nothing was handed over")
    for descriptor in descriptors:
        os.close(descriptor)


def look_at_process(pid):
    """By a descriptor of the process, which is a file that looks like a program."""
    os.close(os.pidfd_open(pid))


def kernel_log():
    text = ctypes.create_string_buffer(4096)
    checked(libc.syscall(SYSLOG, 3, text, len(text)))


def set_clock():
    """To the time that it shows."""
    now = struct.pack("qq", *divmod(time.time_ns(), 10**9))
    checked(libc.clock_settime(CLOCK_REALTIME, now))


def shift_clock():
    """By nothing; no settime(2) is called."""
    timex = bytearray(208)
    struct.pack_into("I", timex, 0, ADJ_SETOFFSET)
    buffer = (ctypes.c_char * len(timex)).from_buffer(timex)
    checked(libc.adjtimex(buffer))


def no_keyboard_reboot():
    checked(libc.reboot(REBOOT_CAD_OFF))


def set_flags(path):
    """As chattr does: FS_IOC_GETFLAGS and FS_IOC_SETFLAGS, with the flag "no dump"."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        flags = bytearray(8)
        fcntl.ioctl(descriptor, 0x80086601, flags)
        fcntl.ioctl(descriptor, 0x40086602, struct.pack("Q", struct.unpack("Q", flags)[0] | 0x40))
    finally:
        os.close(descriptor)


def port():
    """Asks for the port that firmware writes its progress to."""
    in_child(lambda: checked(libc.ioperm(0x80, 1, 1)))


def chroot(path):
    in_child(lambda: os.chroot(path))


def user_namespace():
    in_child(lambda: checked(libc.syscall(UNSHARE, CLONE_NEWUSER)))


def pivot_root(path):
    """In a mount namespace of its own."""

    def action():
        checked(libc.syscall(UNSHARE, CLONE_NEWNS))
        os.chdir(path)
        checked(libc.syscall(PIVOT_ROOT, b".", b"."))

    in_child(action)


def remount(path):
    """The newer way, which never calls mount(2): fspick and FSCONFIG_CMD_RECONFIGURE."""
    picked = checked(libc.syscall(433, -100, path.encode(), 0))
    try:
        checked(libc.syscall(431, picked, 7, None, None, 0))
    finally:
        os.close(picked)


ACTS = {
    "memfd": memfd, "mapped": mapped, "write_and_map": write_and_map, "as_nobody": as_nobody,
    "attach": attach, "memory": memory, "module": module, "module_from_memory": module_from_memory, "set_flags": set_flags, "kexec_unload": kexec_unload,
    "bpf_map": bpf_map, "bpf_object": bpf_object, "kernel_log": kernel_log, "set_clock": set_clock, "shift_clock": shift_clock,
    "no_keyboard_reboot": no_keyboard_reboot, "port": port, "chroot": chroot, "user_namespace": user_namespace,
    "pivot_root": pivot_root, "remount": remount, "kill": os.kill, "look_at_process": look_at_process, "receive": receive,
    "setxattr": lambda path, name, value: os.setxattr(path, name, bytes.fromhex(value)), "removexattr": os.removexattr,
}
