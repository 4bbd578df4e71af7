# SPDX-License-Identifier: Apache-2.0 OR MIT
"""One set of programs follows another, and both judge for a while: what they share goes on as if it were one."""

import collections
import json
import struct
import subprocess
import time

import stage
from boot import PINS
from ground import rules_hold
from stage import must, promise, wait_for
from suite import test


def numbers():
    """Of the services that the kernel knows."""
    (path,) = PINS.glob("*/maps/services")
    known = {}
    for entry in json.loads(must("bpftool", "-j", "map", "dump", "pinned", str(path))):
        key, value = (bytes(int(byte, 16) for byte in entry[part]) for part in ("key", "value"))
        known[key.rstrip(b"\0").decode()] = struct.unpack_from("I", value)[0]
    return known


@test
def services_that_come_during_the_overlap_have_numbers_of_their_own():
    rules_hold()
    (pin,) = PINS.glob("*/links/inode_rmdir")
    pin.unlink()
    with subprocess.Popen(["systemctl", "restart", "bartizand"]) as restart:
        born = 0
        # New services all the while that the fresh set is loaded, and some that only that one sees.
        while restart.poll() is None:
            must("systemd-run", "-q", "--wait", f"--unit=e2e-swap-{born}.service", "/usr/bin/true")
            born += 1
            # Loading goes on beside them: without a pause they take the processors that it needs.
            time.sleep(0.5)
    wait_for("it enforces again", stage.enforcing)
    for number in range(8):
        must("systemd-run", "-q", "--wait", f"--unit=e2e-swapped-{number}.service", "/usr/bin/true")
    known = numbers()
    promise(born > 2 and all(f"e2e-swap-{number}" in known for number in range(born)), f"services came meanwhile: {born}, {known}")
    shared = {number: count for number, count in collections.Counter(known.values()).items() if count > 1}
    promise(not shared, f"each has a number of its own, but several share {shared}: {known}")
