# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Models over kills of the daemon while they are written, and on a full disk: never half a model, and no service stands where nobody put it."""

import itertools
import os
import pathlib
import random
import shutil
import subprocess
import sys
import time

import stage
import turns
from audit import audits
from ground import AREA, rules_hold
from life import back, main_pid
from service import Service
from stage import must, promise, run, services, wait_for
from suite import once, test

KILLS = 100 if os.environ.get("BARTIZAN_SOAK") else 4
STATE = pathlib.Path("/var/lib/bartizan")
MODELS = STATE / "models"
cadet = Service("e2e-cadet")


@once
def cadet_is_there():
    rules_hold()
    cadet.start()
    cadet.known()


def aside():
    return [path.name for path in MODELS.glob("*.corrupt-*")]


@test
def a_model_is_whole_whenever_its_writer_is_killed():
    cadet_is_there()
    notes, broken = AREA / "e2e-turns", aside()
    notes.unlink(missing_ok=True)
    taken = subprocess.Popen([sys.executable, "-B", turns.__file__, cadet.name, str(notes)])
    learned, met = set(), set()
    names = itertools.cycle(["nc", "crontab", "useradd", "gdb", "apt-get"])
    try:
        for _ in range(KILLS):
            wait_for("states take turns", lambda: notes.exists() and notes.read_text().count("is ") >= 2)
            # It writes while it learns, too.
            cadet.do(["execute", shutil.which(next(names)) or "/usr/bin/nc", "-h"])
            learned |= set(services()[cadet.name]["granted"])
            time.sleep(random.uniform(0, 1))
            old = main_pid()
            os.kill(old, 9)
            taken.kill()
            taken.wait()
            told = notes.read_text().split("\n")
            back(old)
            found = services()[cadet.name]
            promise(found["state"] in turns.possible(told), f"it stands where it was put: {found['state']}, and {told[-4:]}")
            promise(learned <= set(found["granted"]), f"what it has learned is there: {learned} and {found['granted']}")
            promise(aside() == broken, f"every model is whole: {aside()}")
            met.add(told[-2].split(" ")[0])
            notes.unlink()
            taken = subprocess.Popen([sys.executable, "-B", turns.__file__, cadet.name, str(notes)])
    finally:
        taken.kill()
        taken.wait()
        notes.unlink(missing_ok=True)
    print(f"     {KILLS} kills, after {' and '.join(sorted(met))}", flush=True)


@test
def a_full_disk_changes_no_state_and_loses_no_model():
    cadet_is_there()
    must("bartizan", "learn", cadet.name)
    before, broken = services()[cadet.name], aside()
    must("systemctl", "stop", "bartizand")
    copy = AREA / "e2e-state"
    shutil.rmtree(copy, ignore_errors=True)
    must("cp", "-a", str(STATE), str(copy))
    must("mount", "-t", "tmpfs", "-o", "size=64M,mode=750", "e2e", str(STATE))
    must("sh", "-c", f"cp -a {copy}/. {STATE}/")
    try:
        must("systemctl", "start", "bartizand")
        fill()
        refused = run("bartizan", "activate", cadet.name)
        promise(refused.returncode != 0 and "No space left" in refused.stderr, f"it says why not: {refused.returncode} {refused.stderr}")
        promise(services()[cadet.name]["state"] == "learning", "it learns on")
        cadet.must_allow("opened", "/etc/cron.d/e2e-cadet", os.O_WRONLY | os.O_CREAT)
        wait_for("the new grant is kept in memory", lambda: "SERVICE_OPERATOR" in services()[cadet.name]["granted"])
        old = main_pid()
        os.kill(old, 9)
        back(old)
        found = services()[cadet.name]
        promise((found["state"], found["since"]) == ("learning", before["since"]), f"it stands where it stood: {found} {before}")
        promise(set(before["granted"]) <= set(found["granted"]), f"and knows what it knew: {found['granted']}")
        promise(aside() == broken, f"every model is whole: {aside()}")
        empty()
        must("bartizan", "activate", cadet.name)
        promise(services()[cadet.name]["state"] == "active", "with room again it is active")
    finally:
        must("systemctl", "stop", "bartizand")
        empty()
        shutil.rmtree(copy, ignore_errors=True)
        must("cp", "-a", str(STATE), str(copy))
        must("umount", str(STATE))
        must("sh", "-c", f"rm -rf {STATE}/* && cp -a {copy}/. {STATE}/")
        must("systemctl", "start", "bartizand")
    promise(stage.enforcing() and services()[cadet.name]["state"] == "active", "and on the disk with room as well")
    told = [one["message"] for one in audits("--service", cadet.name) if one["kind"] == "lifecycle"]
    promise(any("is active: by root" in one for one in told), f"that is on record: {told[-4:]}")


def fill():
    run("dd", "if=/dev/zero", f"of={STATE}/e2e-full", "bs=64k")
    run("dd", "if=/dev/zero", f"of={STATE}/e2e-full-2", "bs=1")
    promise(os.statvfs(STATE).f_bavail == 0, "the disk is full")


def empty():
    for name in ("e2e-full", "e2e-full-2"):
        (STATE / name).unlink(missing_ok=True)
