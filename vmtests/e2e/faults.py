# SPDX-License-Identifier: Apache-2.0 OR MIT
"""The trail's disk fills, becomes read-only, and its store breaks: refusals go on, and each is on record afterwards, once."""

import json
import os
import pathlib
import shutil

import stage
from audit import audits, total
from ground import rules_hold, victim
from stage import must, promise, run, wait_for
from suite import test

TRAIL = pathlib.Path("/var/lib/bartizan/audit")
COPY = pathlib.Path("/root/trail-kept")


def writing(word):
    return f"Service victim attempted to obtain capability USERS_ADMIN by writing /etc/sudoers.d/e2e-{word}"


def refused(word, times=1):
    for _ in range(times):
        victim.must_deny("opened", f"/etc/sudoers.d/e2e-{word}", os.O_WRONLY | os.O_CREAT)


def is_whole():
    done = run("bartizan", "audits", "verify", "--json")
    promise(done.returncode == 0, f"the trail is whole: {json.loads(done.stdout)['findings']}")


def restart():
    must("systemctl", "start", "bartizand")
    wait_for("Bartizan enforces", stage.enforcing)


@test
def a_full_and_a_read_only_disk_delay_records_and_lose_none():
    rules_hold()
    must("systemctl", "stop", "bartizand")
    shutil.rmtree(COPY, ignore_errors=True)
    must("cp", "-a", str(TRAIL), str(COPY))
    must("mount", "-t", "tmpfs", "-o", "size=8M,mode=750", "e2e", str(TRAIL))
    try:
        must("sh", "-c", f"cp -a {COPY}/. {TRAIL}/")
        restart()
        run("dd", "if=/dev/zero", f"of={TRAIL}/full", "bs=4k")
        run("dd", "if=/dev/zero", f"of={TRAIL}/full-2", "bs=1")
        promise(os.statvfs(TRAIL).f_bavail == 0, "the disk is full")
        refused("full", 3)
        must("bartizan", "permissive", "clerk", "--for", "1h")
        must("bartizan", "permissive", "clerk", "--end")
        promise(stage.enforcing(), "with a full disk it enforces")
        must("rm", f"{TRAIL}/full", f"{TRAIL}/full-2")
        wait_for("3 refusals are on record when there is room", lambda: total(writing("full")) == 3)
        wait_for("and what an operator did meanwhile", lambda: sum("clerk" in one["message"] and "permissive" in one["message"] for one in audits()) >= 2)
        is_whole()
        must("systemctl", "stop", "bartizand")
        must("mount", "-o", "remount,ro", str(TRAIL))
        restart()
        promise(run("touch", f"{TRAIL}/e2e").returncode != 0, "the disk is read-only")
        refused("read-only", 3)
        must("mount", "-o", "remount,rw", str(TRAIL))
        wait_for("3 refusals are on record when it can be written", lambda: total(writing("read-only")) == 3)
        is_whole()
    finally:
        must("systemctl", "stop", "bartizand")
        shutil.rmtree(COPY, ignore_errors=True)
        must("cp", "-a", str(TRAIL), str(COPY))
        must("umount", str(TRAIL))
        must("sh", "-c", f"rm -rf {TRAIL}/* && cp -a {COPY}/. {TRAIL}/")
        restart()
    promise(total(writing("full")) == 3 == total(writing("read-only")), "and after a restart it is the same")


@test
def a_broken_store_is_made_anew_from_the_trail():
    rules_hold()
    refused("before-the-break")
    wait_for("it is on record", lambda: total(writing("before-the-break")) == 1)
    must("systemctl", "stop", "bartizand")
    store = TRAIL / "store.sqlite"
    store.write_bytes(b"nonsense" * 4096)
    restart()
    promise(total(writing("before-the-break")) == 1, "what was on record is found")
    wait_for("the break is on record", lambda: [one for one in audits() if "The store for queries was broken" in one["message"]])
    promise((TRAIL / "store.sqlite.broken").exists(), "the broken store is set aside")
    is_whole()


@test
def a_clock_that_jumps_changes_no_order():
    rules_hold()
    before = max(one["id"] for one in audits())
    try:
        must("date", "-s", "+40 days")
        refused("later")
        wait_for("it is on record", lambda: total(writing("later")) == 1)
        must("date", "-s", "-80 days")
        refused("earlier")
        wait_for("it is on record", lambda: total(writing("earlier")) == 1)
    finally:
        must("date", "-s", "+40 days")
    ids = [one["id"] for one in audits() if one["id"] > before]
    promise(ids == sorted(ids) and len(ids) >= 2, f"ids rise: {ids}")
    is_whole()
