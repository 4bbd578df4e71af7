# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Acts by which a service has somebody else act for it: the kernel, PID 1, the person at a terminal. Copied beside victim.py."""

import ctypes
import fcntl
import mmap
import os
import pathlib
import resource
import signal
import socket
import struct
import termios
import time

from acting import ACTS, checked, forked, libc, perform
from calls import CLONE_NEWNS, UNSHARE, in_child

CGROUPS = pathlib.Path("/sys/fs/cgroup")
# Numbers of system calls that Python's library does not wrap, x86-64.
FSOPEN, FSCONFIG, FSMOUNT, SCHED_SETSCHEDULER = 430, 431, 432, 144
FSCONFIG_CMD_CREATE = 6
PTRACE_SEIZE = 0x4206
MS_MOVE, MS_REC, MS_PRIVATE = 8192, 16384, 1 << 18


def file_system(kind):
    """Makes a file system ready and uses it by its descriptor: it is mounted nowhere."""
    context = checked(libc.syscall(FSOPEN, kind.encode(), 0))
    try:
        checked(libc.syscall(FSCONFIG, context, FSCONFIG_CMD_CREATE, None, None, 0))
        root = checked(libc.syscall(FSMOUNT, context, 0, 0))
    finally:
        os.close(context)
    try:
        os.close(os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=root))
    finally:
        os.close(root)


def as_32_bit(descriptor, command, byte):
    """ioctl(2) as a 32-bit program asks for it, by `int 0x80`: it meets another hook."""
    code = bytes.fromhex("53 b836000000 89fb 89f1 cd80 5b c3")  # push rbx; eax = 54; ebx = edi; ecx = esi; int 0x80; pop rbx; ret
    low = mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40, 7)  # MAP_32BIT, PROT_READ|WRITE|EXEC
    low.write(code + byte)
    address = ctypes.addressof(ctypes.c_char.from_buffer(low))
    result = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_uint, ctypes.c_uint)(address)(descriptor, command, address + len(code))
    if result < 0:
        raise OSError(-result, "int 0x80")


def type_into(terminal, older=False):
    """Types one character for whoever reads from the terminal."""
    descriptor = os.open(terminal, os.O_RDWR | os.O_NOCTTY)
    try:
        if older:
            as_32_bit(descriptor, termios.TIOCSTI, b"x")
        else:
            fcntl.ioctl(descriptor, termios.TIOCSTI, b"x")
    finally:
        os.close(descriptor)


def protocol(family):
    """Asks for a kind of socket, for which the kernel may have to load a module."""
    socket.socket(family, socket.SOCK_SEQPACKET).close()


def ready_signal(pid, number):
    """Has the kernel send a signal because a pipe can be read."""
    reading, writing = os.pipe()
    owner = struct.pack("ii", 1, pid)  # F_OWNER_PID
    fcntl.fcntl(reading, 15, owner)  # F_SETOWN_EX
    fcntl.fcntl(reading, fcntl.F_SETSIG if hasattr(fcntl, "F_SETSIG") else 10, number)
    fcntl.fcntl(reading, fcntl.F_SETFL, fcntl.fcntl(reading, fcntl.F_GETFL) | os.O_ASYNC)
    os.write(writing, b"x")
    os.close(writing)
    os.close(reading)


def limited(pid):
    """Sets a limit of another process to what it is."""
    resource.prlimit(pid, resource.RLIMIT_NOFILE, resource.prlimit(pid, resource.RLIMIT_NOFILE))


def scheduled(pid):
    checked(libc.syscall(SCHED_SETSCHEDULER, pid, 0, struct.pack("i", 0)))


def niced(pid):
    os.setpriority(os.PRIO_PROCESS, pid, os.getpriority(os.PRIO_PROCESS, pid))


def without_name(directory, mode):
    """A file that gets its name later, if ever."""
    os.close(os.open(directory, os.O_TMPFILE | os.O_WRONLY, mode))


def cgroup_made(*names):
    """Makes cgroups, one below the other, and moves a child of its own there."""
    path = CGROUPS.joinpath(*names)
    path.mkdir(parents=True, exist_ok=True)
    child = os.fork()
    if child == 0:
        time.sleep(60)
        os._exit(0)
    try:
        (path / "cgroup.procs").write_text(str(child))
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        # A cgroup is busy until the kernel has buried who was in it.
        for _ in range(100):
            try:
                for left in range(len(names), 0, -1):
                    CGROUPS.joinpath(*names[:left]).rmdir()
                break
            except OSError:
                time.sleep(0.05)


def cgroups_named(prefix, count):
    """Makes cgroups that are called like units, and takes them away again."""
    for number in range(count):
        path = CGROUPS / f"{prefix}{number}.service"
        path.mkdir()
        path.rmdir()


def refusals(paths, times, processes):
    """Tries to create each of the paths, so many times in so many processes at once. How often that was refused."""

    def tries():
        return sum(perform(["opened", path, os.O_WRONLY | os.O_CREAT]) == "EPERM" for _ in range(times) for path in paths)

    return sum(answer() for answer in [forked(tries) for _ in range(processes)])


def move(source, target):
    checked(libc.mount(source.encode(), target.encode(), None, MS_MOVE, None))


def move_in_private(source, target):
    """In a mount namespace of its own."""

    def action():
        checked(libc.syscall(UNSHARE, CLONE_NEWNS))
        checked(libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None))
        move(source, target)

    in_child(action)


def newborn(seconds):
    """Lies in wait for a process that PID 1 prepares in this service's own cgroup, and seizes it: what became of that."""
    own = pathlib.Path("/proc/self/cgroup").read_text().split("::")[1].strip()
    members, known = CGROUPS / own[1:] / "cgroup.procs", {os.getpid()}
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for pid in {int(line) for line in members.read_text().split()} - known:
            exe = perform(["exe", pid])
            if not str(exe).startswith("/usr/lib/systemd/systemd"):
                continue
            answer = perform(["seize", pid])
            # Only what is still being prepared says anything: once it executes, it is the service's own, and may be seized, and
            # what is about to end is refused by the kernel itself.
            if answer != "ESRCH" and perform(["exe", pid]) == exe:
                return [exe, answer]
    return None


ACTS.update({
    "file_system": file_system, "type_into": type_into, "protocol": protocol, "ready_signal": ready_signal, "limited": limited,
    "scheduled": scheduled, "niced": niced, "without_name": without_name, "cgroup_made": cgroup_made, "cgroups_named": cgroups_named,
    "newborn": newborn, "move": move, "move_in_private": move_in_private, "refusals": refusals, "exe": lambda pid: os.readlink(f"/proc/{pid}/exe"),
    "seize": lambda pid: checked(libc.ptrace(PTRACE_SEIZE, pid, ctypes.c_void_p(0), ctypes.c_void_p(0))) and None,
})
