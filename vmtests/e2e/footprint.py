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
# An emulated processor's time contains what the host gave to others, so that `scripts/bench user --guest` judges it, in instructions; how
# often threads have a turn depends on that little: each learner to which nothing can happen sooner looks at
# the clock once a minute, and all else takes a dozen a second.
MOST_TURNS = SERVICES / 60 + 20


def daemon():
    return must("systemctl", "show", "-p", "MainPID", "--value", "bartizand").strip()


def resident():
    return int(re.search(r"VmRSS:\s+(\d+) kB", pathlib.Path(f"/proc/{daemon()}/status").read_text()).group(1))


def spent():
    """Milliseconds of processor time so far and turns on a processor, by the names of the threads."""
    by_name = {}
    for task in pathlib.Path(f"/proc/{daemon()}/task").iterdir():
        try:
            (nanoseconds, _, turns), name = map(int, (task / "schedstat").read_text().split()), (task / "comm").read_text().strip()
        except FileNotFoundError:  # It has just ended.
            continue
        before = by_name.get(name, (0, 0))
        by_name[name] = (before[0] + nanoseconds / 1e6, before[1] + turns)
    return by_name


def since(before):
    """The same, from then to now. Threads that have ended meanwhile took what nobody sees, and give nothing back."""
    more = {}
    for name, (now, turns) in spent().items():
        earlier, turns_then = before.get(name, (0, 0))
        more[name] = (max(now - earlier, 0), max(turns - turns_then, 0))
    return more


def table(threads):
    """What each thread spent, the busiest first."""
    busy = sorted(threads.items(), key=lambda thread: -thread[1][0])
    return "".join(f"  {name:16} {spent:9.1f} ms in {turns} turns\n" for name, (spent, turns) in busy if turns)


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
        seconds = time.monotonic() - began
        threads = since(before)
        share = sum(spent for spent, _ in threads.values()) / seconds
        kb = resident()
        print(f"{SERVICES} services, all sinks: {kb:,} kB resident, idle {share:.2f} ‰ of a processor under emulation ({os.uname().release})\n"
              + table(threads), end="", flush=True)
        promise(kb <= MOST_KB, f"at most {MOST_KB:,} kB are resident: {kb:,}")
        turns = sum(turns for _, turns in threads.values()) / seconds
        promise(turns <= MOST_TURNS, f"at rest threads have at most {MOST_TURNS:.0f} turns a second: {turns:.1f}")
    finally:
        for name in names:
            run("systemctl", "stop", f"{name}.service")
        if kept is None:
            CONFIGURATION.unlink()
        else:
            CONFIGURATION.write_text(kept)
        restart()
