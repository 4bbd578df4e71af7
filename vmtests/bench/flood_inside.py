# SPDX-License-Identifier: Apache-2.0 OR MIT
"""The guest's part of scripts/bench user --guest: the same flood of opens for writing with nothing loaded, with auditd that watches
the files, with auditd that gives its events to laurel, and with Bartizan that refuses them. One JSON object with what the whole
guest spent, and with what was recorded and lost."""

import os
import pathlib
import re
import signal
import time

from bartizan import GOVERNED, LEARNING, Bartizan, hooks, loss, refusals
from place import REFUSED, Place, Wrong, answer, output, say, wait_for

# Fewer than Bartizan records one by one of a service in a minute.
FILES = 3_800
# Seconds of the guest's time in which a recorder comes to rest.
REST = 8
AUDIT_LOG = pathlib.Path("/var/log/audit/audit.log")
LAUREL_LOG = pathlib.Path("/var/log/laurel/audit.log")
LAUREL = pathlib.Path("/etc/laurel/config.toml")
PLUGIN = pathlib.Path("/etc/audit/plugins.d/laurel.conf")
OPENS = f"""
import os, sys
for number in range({FILES}):
    try:
        os.close(os.open(f"{REFUSED}/{{number:04}}", os.O_WRONLY))
    except PermissionError:
        pass
"""


def spent():
    """Nanoseconds, that is instructions, that tasks have run for: the seventh field of the processor in proc's schedstat."""
    line = next(line for line in pathlib.Path("/proc/schedstat").read_text().splitlines() if line.startswith("cpu0 "))
    return int(line.split()[7])


def flood(place):
    """Instructions for one open, less what the guest spends by itself in the same time."""
    before = spent()
    time.sleep(REST)
    idle = spent() - before
    before, began = spent(), time.monotonic()
    place.must("python3 /run/opens.py")
    time.sleep(REST)
    took = time.monotonic() - began
    return round((spent() - before - idle * took / REST) / FILES)


def mentioned(log, mark):
    return sum(mark in line for line in log.read_text(errors="replace").splitlines()) if log.exists() else 0


def auditd(place, laurel):
    """What auditd costs with one watch, as Debian sets it up: no more than 8,192 events wait in the kernel."""
    for log in (AUDIT_LOG, LAUREL_LOG):
        log.unlink(missing_ok=True)
    PLUGIN.unlink(missing_ok=True)
    if laurel:
        LAUREL.parent.mkdir(exist_ok=True)
        LAUREL_LOG.parent.mkdir(exist_ok=True)
        LAUREL.write_text('directory = "/var/log/laurel"\n[auditlog]\nfile = "audit.log"\nsize = 100000000\ngenerations = 2\n')
        PLUGIN.write_text("active = yes\ndirection = out\npath = /usr/sbin/laurel\ntype = always\n"
                          "args = --config /etc/laurel/config.toml\nformat = string\n")
        PLUGIN.chmod(0o640)
    output("auditd")
    # What the round before left so that nothing is audited between the two.
    output("auditctl", "-D")
    output("auditctl", "-b", "8192")
    output("auditctl", "-w", str(REFUSED), "-p", "wa", "-k", "flood")
    if laurel:
        # It says nothing by itself, so one act is waited for: by a task that begins now, as the kernel audits none that is older
        # than auditd.
        place.must(f"sh -c 'true >{REFUSED}/0000'")
        wait_for("laurel writes", lambda: mentioned(LAUREL_LOG, str(REFUSED)) > 0)
    log, mark = (LAUREL_LOG, f'"{REFUSED}/') if laurel else (AUDIT_LOG, f'name="{REFUSED}/')
    before = mentioned(log, mark)
    cost = flood(place)
    recorded = mentioned(log, mark) - before
    lost = int(re.search(r"^lost (\d+)", output("auditctl", "-s"), re.M).group(1))
    output("auditctl", "-D")
    output("auditctl", "-e", "0")
    output("auditctl", "-a", "never,task")
    os.kill(int(pathlib.Path("/run/auditd.pid").read_text()), signal.SIGTERM)
    wait_for("auditd has ended", lambda: not pathlib.Path("/run/auditd.pid").exists())
    return {"instructions": cost, "recorded": recorded, "lost": lost}


def bartizan(governed):
    """What Bartizan costs, whose rule refuses the opens whether or not the service learns."""
    daemon = Bartizan()
    daemon.start()
    cost = flood(governed)
    wait_for("all is on record", lambda: len(refusals()) >= FILES, 120)
    told = refusals()
    counted = {"instructions": cost, "recorded": len({one["path"] for one in told}), "lost": sum(loss().values())}
    # The daemon's own part, which reads the records for the command line as well.
    daemon.end()
    return counted


def main():
    governed = Place(f"{GOVERNED}.service")
    Place(f"{LEARNING}.service")
    REFUSED.mkdir(parents=True)
    for number in range(FILES):
        (REFUSED / f"{number:04}").touch()
    pathlib.Path("/run/opens.py").write_text(OPENS)
    if hooks():
        raise Wrong(f"something is loaded: {hooks()}")
    # The first time everything is read from the disk.
    governed.must("python3 /run/opens.py")
    found = {"release": os.uname().release, "opens": FILES, "nothing": {"instructions": flood(governed), "recorded": 0, "lost": 0}}
    for name, laurel in (("auditd", False), ("auditd with laurel", True)):
        say(f"measuring: {name}")
        found[name] = auditd(governed, laurel)
    say("measuring: bartizan")
    found["bartizan"] = bartizan(governed)
    return found


if __name__ == "__main__":
    answer(main)
