# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Acts that reach a file by another way than its name."""

import ctypes
import os
import socket

from children import in_child, own_mounts
from uring import opened_by_ring
from victim import AT_FDCWD, checked, libc, opened

NAME_TO_HANDLE_AT, OPEN_BY_HANDLE_AT = 303, 304
FOLLOW = 0x400  # AT_SYMLINK_FOLLOW


class Handle(ctypes.Structure):
    _fields_ = [("bytes", ctypes.c_uint), ("type", ctypes.c_int), ("handle", ctypes.c_ubyte * 128)]


def by_handle(path, flags):
    """Opens by the number that the file system knows it by."""
    handle, mount = Handle(bytes=128), ctypes.c_int()
    checked(libc.syscall(NAME_TO_HANDLE_AT, AT_FDCWD, path.encode(), ctypes.byref(handle), ctypes.byref(mount), FOLLOW))
    directory = os.open(os.path.dirname(path), os.O_RDONLY)
    try:
        os.close(checked(libc.syscall(OPEN_BY_HANDLE_AT, directory, ctypes.byref(handle), flags)))
    finally:
        os.close(directory)


def by_descriptor(path, flags):
    """Opens again what was opened for nothing but its place."""
    place = os.open(path, os.O_PATH)
    try:
        opened(f"/proc/self/fd/{place}", flags)
    finally:
        os.close(place)


def by_link(path, name, flags):
    os.link(path, name)
    opened(name, flags)


def by_symlink(path, name, flags):
    os.symlink(path, name)
    opened(name, flags)


def by_bind(path, name, flags):
    """In a mount namespace of its own, where nobody else sees the mount."""

    def action():
        own_mounts()
        checked(libc.mount(path.encode(), name.encode(), None, 4096, None))
        opened(name, flags)

    in_child(action)


def by_overlay(lower, area, name, flags):
    """As a file of an overlay whose lower layer is the protected directory."""

    def action():
        own_mounts()
        options = f"lowerdir={lower},upperdir={area}/upper,workdir={area}/work"
        checked(libc.mount(b"overlay", f"{area}/merged".encode(), b"overlay", 0, options.encode()))
        opened(f"{area}/merged/{name}", flags)

    in_child(action)


def received(path, sender):
    """Is handed an open descriptor by another process."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as one:
        one.connect("\0" + sender)
        one.sendall(path.encode() + b"\n")
        _, descriptors, _, _ = socket.recv_fds(one, 16, 1)
    for descriptor in descriptors:
        os.close(descriptor)
    return "ok" if descriptors else "no effect"


ACTS = {
    "by_handle": by_handle, "by_descriptor": by_descriptor, "by_link": by_link, "by_symlink": by_symlink,
    "by_bind": by_bind, "by_overlay": by_overlay, "by_ring": opened_by_ring, "received": received,
}
