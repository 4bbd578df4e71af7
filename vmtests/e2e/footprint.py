# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What the daemon takes while nothing happens: memory and processor time with 100 services and all kinds of sinks."""

import os
import pathlib
import re
import sys
import time

import stage
from sinks import CONFIGURATION, restart
from stage import must, promise, run, wait_for
from suite import long

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "bench"))
import receivers  # noqa: E402

SERVICES = 100
MOST_KB = 40 << 10
SECONDS = 60
# Per mille of a processor. An emulated one takes some twenty times as long for the same.
MOST_IDLE, EMULATION = 1, 20


def daemon():
    return must("systemctl", "show", "-p", "MainPID", "--value", "bartizand").strip()


def resident():
    return int(re.search(r"VmRSS:\s+(\d+) kB", pathlib.Path(f"/proc/{daemon()}/status").read_text()).group(1))


def spent():
    """Seconds of processor time so far, of all its threads."""
    nanoseconds = [int(path.read_text().split()[0]) for path in pathlib.Path(f"/proc/{daemon()}/task").glob("*/schedstat")]
    return sum(nanoseconds) / 1e9


@long
def a_hundred_services_and_all_sinks_take_little():
    wait_for("Bartizan enforces", stage.enforcing)
    kept = CONFIGURATION.read_text() if CONFIGURATION.exists() else None
    names = [f"footprint-{number}" for number in range(SERVICES)]
    try:
        CONFIGURATION.write_text((kept or "") + receivers.start(journal=False))
        restart()
        for name in names:
            must("systemd-run", "-q", "--collect", f"--unit={name}.service", "sh", "-c",
                 "cat /etc/passwd /etc/hosts >/dev/null; exec sleep infinity")
        wait_for("all are known", lambda: set(names) <= set(stage.services()), 120)
        for name in names[::2]:
            must("bartizan", "activate", name)
        # What the start and the learning left to do is done.
        time.sleep(30)
        before, began = spent(), time.monotonic()
        time.sleep(SECONDS)
        share = 1000 * (spent() - before) / (time.monotonic() - began)
        kb = resident()
        print(f"{SERVICES} services, all sinks: {kb:,} kB resident, idle {share:.2f} ‰ of a processor under emulation ({os.uname().release})",
              flush=True)
        promise(kb <= MOST_KB, f"at most {MOST_KB:,} kB are resident: {kb:,}")
        promise(share <= MOST_IDLE * EMULATION, f"idle takes at most {MOST_IDLE} ‰ of a processor, {EMULATION} times that emulated: {share:.2f}")
    finally:
        for name in names:
            run("systemctl", "stop", f"{name}.service")
        if kept is None:
            CONFIGURATION.unlink()
        else:
            CONFIGURATION.write_text(kept)
        restart()
