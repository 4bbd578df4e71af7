# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Acts that reach a file in another way than by its name."""

import ctypes
import os

from acting import ACTS, checked, forked, libc, perform

AT_FDCWD = -100
OPEN_TREE, NAME_TO_HANDLE_AT, OPEN_BY_HANDLE_AT = 428, 303, 304
OPEN_TREE_CLONE = 1
CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18


class Handle(ctypes.Structure):
    _fields_ = [("length", ctypes.c_uint), ("kind", ctypes.c_int), ("bytes", ctypes.c_ubyte * 128)]


def opened_below(directory, name, flags):
    base = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.close(os.open(name, flags, dir_fd=base))
    finally:
        os.close(base)


def opened_through_root(path, flags):
    """Through the root directory of a child."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.read(reading, 1)
        os._exit(0)
    try:
        os.close(os.open(f"/proc/{child}/root{path}", flags))
    finally:
        os.write(writing, b"x")
        os.waitpid(child, 0)
        os.close(reading)
        os.close(writing)


def reopened(path, flags):
    """A descriptor that may do nothing is turned into one that may."""
    held = os.open(path, os.O_PATH)
    try:
        os.close(os.open(f"/proc/self/fd/{held}", flags))
    finally:
        os.close(held)


def handle_of(path):
    handle, mount = Handle(length=128), ctypes.c_int()
    checked(libc.syscall(NAME_TO_HANDLE_AT, AT_FDCWD, path.encode(), ctypes.byref(handle), ctypes.byref(mount), 0))
    return [handle.kind, bytes(handle.bytes[:handle.length]).hex()]


def opened_handle(kind, text, flags, place="/etc"):
    """On the file system of `place`. The kernel looks for the inode by its number, and makes up a name if it has none for it."""
    content = bytes.fromhex(text)
    handle = Handle(length=len(content), kind=kind)
    handle.bytes[:len(content)] = content
    where = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.close(checked(libc.syscall(OPEN_BY_HANDLE_AT, where, ctypes.byref(handle), flags)))
    finally:
        os.close(where)


def opened_by_handle(path, flags, in_use):
    held = os.open(path, os.O_PATH) if in_use else None
    try:
        opened_handle(*handle_of(path), flags)
    finally:
        if held is not None:
            os.close(held)


def in_root(directory, act):
    def action():
        os.chroot(directory)
        return perform(act)

    return forked(action)()


def opened_in_detached(directory, name, flags):
    """In a copy of a mount that is mounted nowhere."""
    tree = checked(libc.syscall(OPEN_TREE, AT_FDCWD, directory.encode(), OPEN_TREE_CLONE))
    try:
        os.close(os.open(name, flags, dir_fd=tree))
    finally:
        os.close(tree)


def mount(source, target, flags):
    checked(libc.mount(source.encode(), target.encode(), None, flags, None))


def in_own_namespace(user, source, target, act):
    """In a mount namespace of one's own, or of a user namespace of one's own."""

    def action():
        try:
            checked(libc.unshare(CLONE_NEWNS | (CLONE_NEWUSER if user else 0)))
            mount("none", "/", MS_REC | MS_PRIVATE)
            mount(source, target, MS_BIND | MS_REC)
        except OSError as refused:
            return f"no namespace: {refused}"
        return perform(act)

    return forked(action)()


ACTS.update({
    "opened_below": opened_below, "opened_through_root": opened_through_root, "reopened": reopened, "handle_of": handle_of,
    "opened_handle": opened_handle, "opened_by_handle": opened_by_handle, "in_root": in_root,
    "opened_in_detached": opened_in_detached, "in_own_namespace": in_own_namespace,
})
