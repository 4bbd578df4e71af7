# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What the kernel keeps for a task and for a cached inode: the growth of its general allocator over many of them.

BPF's storage comes from the kmalloc caches, and so do other things; the same is therefore done with nothing loaded, and
the difference counts."""

import os
import pathlib
import threading

from place import FOLDER, output

MANY = pathlib.Path(FOLDER) / "many"
TASKS = 2000
# A folder holds this many files.
SHARE = 1000


def allocated():
    """Bytes of the kmalloc caches that are in use."""
    rows = (line.split() for line in pathlib.Path("/proc/slabinfo").read_text().splitlines())
    return sum(int(row[1]) * int(row[3]) for row in rows if row[0].startswith("kmalloc"))


def folders(inodes):
    return [f"{MANY}/{number}" for number in range(-(-inodes // SHARE))]


def make(inodes):
    """Files of which each is one inode, written out so that the kernel can forget them."""
    for folder in folders(inodes):
        os.makedirs(folder)
        for number in range(SHARE):
            os.close(os.open(f"{folder}/{number}", os.O_CREAT | os.O_WRONLY))
    output("sync")


def remembered(inodes):
    """Brings the files' inodes into memory anew: nothing that hangs on an inode is left. Asking for attributes meets none
    of Bartizan's hooks."""
    pathlib.Path("/proc/sys/vm/drop_caches").write_text("2")
    for folder in folders(inodes):
        for number in range(SHARE):
            os.stat(f"{folder}/{number}")


def of_inodes(place, inodes):
    """Bytes for one inode that the place opens."""
    remembered(inodes)
    before = allocated()
    place.must(f"find {MANY} -type f -exec cat {{}} +")
    return (allocated() - before) / inodes


def of_tasks():
    """Bytes for one thread."""
    held = threading.Event()
    threading.stack_size(64 << 10)
    before = allocated()
    threads = [threading.Thread(target=held.wait) for _ in range(TASKS)]
    for thread in threads:
        thread.start()
    grown = allocated() - before
    held.set()
    for thread in threads:
        thread.join()
    return grown / TASKS


def used(place, inodes):
    return {"inodes": inodes, "tasks": TASKS, "inode": of_inodes(place, inodes), "task": of_tasks()}
