# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Acts that bring code to run."""

import ctypes
import mmap
import os
import pty
import subprocess

from children import in_child, quiet
from victim import checked, libc

libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def terminal(shell):
    """A shell on a terminal of its own."""

    def action():
        child, descriptor = pty.fork()
        if child == 0:
            # Whoever waits reads this number from the terminal.
            try:
                os.execv(shell, [shell, "-c", ":"])
            except OSError as refused:
                os.write(1, f"errno={refused.errno} ".encode())
            os._exit(0)
        text = b""
        try:
            while more := os.read(descriptor, 100):
                text += more
        except OSError:
            pass  # the terminal's other end is closed
        os.waitpid(child, 0)
        if text.startswith(b"errno="):
            raise OSError(int(text[6:].split()[0]), "on a terminal")

    in_child(action)


def copy(source, target):
    """A copy that nobody may execute yet."""
    with open(source, "rb") as one, open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), "wb") as other:
        other.write(one.read())


def masked_copy(source, target):
    """A program under another name."""
    copy(source, target)
    os.chmod(target, 0o755)
    in_child(lambda: quiet(target, "-c", ":"))


def make(path, mode):
    mask = os.umask(0)
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
    finally:
        os.umask(mask)


def run_in_memory(program):
    """Runs a copy that never had a name."""
    descriptor = os.memfd_create("cache", 0)
    try:
        with open(program, "rb") as file:
            os.write(descriptor, file.read())
        in_child(lambda: quiet(descriptor))
    finally:
        os.close(descriptor)


def run_removed(path):
    """Runs a file that has lost its name."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.unlink(path)
        in_child(lambda: quiet(descriptor))
    finally:
        os.close(descriptor)


def run(path, *arguments):
    in_child(lambda: quiet(path, *arguments))


def map_written(source, path):
    """Writes a library and maps it to be executed."""
    copy(source, path)
    with open(path, "rb") as file:
        mmap.mmap(file.fileno(), 4096, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC).close()


def map_then_protect(source, path):
    """Writes a library, maps it to be read, and makes the mapping executable."""
    copy(source, path)
    with open(path, "rb") as file:
        address = libc.mmap(None, 4096, mmap.PROT_READ, mmap.MAP_PRIVATE, file.fileno(), 0)
        checked(-1 if address == ctypes.c_void_p(-1).value else 0)
        try:
            checked(libc.mprotect(address, 4096, mmap.PROT_READ | mmap.PROT_EXEC))
        finally:
            libc.munmap(ctypes.c_void_p(address), ctypes.c_size_t(4096))


def preload(source, path):
    """Writes a library and has another program load it."""
    copy(source, path)
    done = subprocess.run(["/usr/bin/true"], env={"LD_PRELOAD": path}, capture_output=True, text=True, check=False)
    return "no effect" if "cannot be preloaded" in done.stderr else "ok"


def run_as(user, path):
    """Gives all privilege up and runs a program that would give it back."""

    def action():
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
        quiet(path)

    in_child(action)


ACTS = {
    "terminal": terminal, "copy": copy, "masked_copy": masked_copy, "make": make, "run": run, "run_as": run_as,
    "run_in_memory": run_in_memory, "run_removed": run_removed,
    "map_written": map_written, "map_then_protect": map_then_protect, "preload": preload,
    "setxattr": lambda path, name, value: os.setxattr(path, name, bytes.fromhex(value)),
}
