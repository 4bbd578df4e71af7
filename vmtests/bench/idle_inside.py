# SPDX-License-Identifier: Apache-2.0 OR MIT
"""The guest's part of scripts/bench user --guest: what the daemon takes while nothing happens, with 100 services, half of them active, and
all kinds of sinks. One JSON object: instructions and turns by thread, and what is resident."""

import os
import pathlib
import re
import time

import receivers
from bartizan import Bartizan
from place import Place, answer, output, say, wait_for

SERVICES = 100
CONFIGURATION = pathlib.Path("/etc/bartizan/bartizan.toml")
# What the start and the learning left to do is done after this; then it is looked for so long. Seconds of the guest's time.
REST, SECONDS = 60, 60


def spent(pid):
    """Instructions and turns of each thread so far."""
    found = {}
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        nanoseconds, _, turns = map(int, (task / "schedstat").read_text().split())
        found[task.name] = (task.joinpath("comm").read_text().strip(), nanoseconds, turns)
    return found


def resident(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return {name: int(re.search(rf"{name}:\s+(\d+) kB", status).group(1)) for name in ("VmRSS", "RssAnon", "RssFile")}


def main():
    CONFIGURATION.write_text((CONFIGURATION.read_text() if CONFIGURATION.exists() else "") + receivers.start())
    names = [f"idle-{number}" for number in range(SERVICES)]
    places = [Place(f"{name}.service") for name in names]
    for name in ("acts", "pupil"):
        Place(f"{name}.service")
    daemon = Bartizan()
    daemon.start()
    wait_for("all services are known", lambda: set(names) <= set(daemon.services()), 300)
    for place in places:
        place.must("cat /etc/passwd /etc/hosts >/dev/null")
    for name in names[::2]:
        output("bartizan", "activate", name)
    say("everything is in its place")
    time.sleep(REST)
    pid = daemon.process.pid
    before, began = spent(pid), time.monotonic()
    time.sleep(SECONDS)
    took, after = time.monotonic() - began, spent(pid)
    threads = {}
    for task, (name, nanoseconds, turns) in after.items():
        _, earlier, earlier_turns = before.get(task, (name, 0, 0))
        one = threads.setdefault(name, {"instructions": 0, "turns": 0})
        one["instructions"] += nanoseconds - earlier
        one["turns"] += turns - earlier_turns
    return {"release": os.uname().release, "services": SERVICES, "seconds": took, "threads": threads, "resident_kb": resident(pid)}


if __name__ == "__main__":
    answer(main)
