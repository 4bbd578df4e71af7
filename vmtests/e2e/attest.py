# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Reading back: what the kernel holds is compared with the revision, and a difference is told."""

import json
import re
import socket
import time

import stage
from audit import audits, last
from boot import PINS
from ground import rules_hold, victim
from stage import must, promise, run, wait_for
from suite import long, test


def attested(status):
    """What `bartizan attest` says in both forms; it must end with this status."""
    done = run("bartizan", "attest", "--json")
    promise(done.returncode == status, f"`bartizan attest --json` ends with {status}: {done.returncode} {done.stdout}{done.stderr}")
    told = run("bartizan", "attest")
    promise(told.returncode == status, f"`bartizan attest` ends with {status}: {told.returncode} {told.stdout}{told.stderr}")
    return json.loads(done.stdout), told.stdout


def degraded():
    """The differences, once `bartizan status` speaks of any."""
    found = stage.status()
    promise(found["enforcement"] == "degraded", f"the status is degraded: {found['enforcement']} {found['differences']}")
    promise(run("bartizan", "status").returncode == 1, "`bartizan status` ends with 1")
    return found["differences"]


@test
def attest_agrees():
    rules_hold()
    found, told = attested(0)
    promise(found["agrees"] and not found["differences"], f"the kernel holds the revision: {found['differences']}")
    promise(found["revision"] == stage.status()["revision"] and found["host"] == socket.gethostname(), f"it names both: {found}")
    promise(found["hooks"] and all(hook["attached"] and re.fullmatch("[0-9a-f]{16}", hook["tag"]) for hook in found["hooks"]),
            f"every hook is attached and has its program's tag: {found['hooks']}")
    held = {one["name"]: one["entries"] for one in found["maps"]}
    promise(held.get("edges", 0) > 100 and held.get("outbound", 0) >= 2, f"the maps have entries: {held}")
    promise(all(re.fullmatch("[0-9a-f]{64}", one["digest"]) for one in found["maps"]), f"each map has its digest: {found['maps']}")
    promise(attested(0)[0]["maps"] == found["maps"], "asked again, the digests are the same")
    promise(f"The kernel holds revision {found['revision']}." in told, f"and in words: {told}")


@test
def a_tampered_map_is_told():
    rules_hold()
    before, since = attested(0)[0], last()
    (pin,) = PINS.glob("*/maps/outbound")
    # Those of the revision in force and of the one before.
    for entry in json.loads(must("bpftool", "-j", "map", "dump", "pinned", str(pin))):
        must("bpftool", "map", "delete", "pinned", str(pin), "key", *entry["key"])

    def tampered():
        return [one for one in audits() if one["id"] > since and one["kind"] == "tamper"]
    record = wait_for("a record, although nobody has asked for the status", tampered, 30)[0]
    promise("map outbound" in record["message"], f"the record names the map: {record['message']}")
    promise("map outbound" in degraded()[0], "and so does the status")
    found, told = attested(1)
    promise(not found["agrees"] and "DIFFERENCE map outbound" in told, f"attest says what differs: {found} {told}")
    changed = [one["name"] for one, old in zip(found["maps"], before["maps"]) if one != old]
    promise(changed == ["outbound"], f"one map has another digest: {changed}")
    must("bartizan", "policy", "apply")
    promise(stage.enforcing(), "after `bartizan policy apply` the kernel holds the policy again")
    attested(0)


@long
def one_entry_of_a_large_table_is_missed_within_a_round():
    rules_hold()
    since, (pin,) = last(), PINS.glob("*/maps/edges")
    # The daemon has gone through it once and reads a sixth of it at a time.
    time.sleep(70)
    entries = json.loads(must("bpftool", "-j", "map", "dump", "pinned", str(pin)))
    # Of each slot one that is about in the middle of the walk.
    for slot in (0, 1):
        here = [entry for entry in entries if int(entry["key"][7], 16) >> 7 == slot]
        must("bpftool", "map", "delete", "pinned", str(pin), "key", *here[len(here) // 2]["key"])

    def tampered():
        return [one for one in audits() if one["id"] > since and one["kind"] == "tamper"]
    record = wait_for("a record, although nobody has asked for the status", tampered, 100)[0]
    promise("map edges: 1 of" in record["message"], f"the record names the map: {record['message']}")
    must("bartizan", "policy", "apply")
    promise(stage.enforcing() and attested(0)[0]["agrees"], "after `bartizan policy apply` the kernel holds the policy again")


@test
def a_lost_link_is_told_and_mended_by_a_restart():
    rules_hold()
    (pin,) = PINS.glob("*/links/inode_rmdir")
    pin.unlink()
    promise("link inode_rmdir" in degraded()[0], "the status names the link")
    found, _ = attested(1)
    promise([hook["name"] for hook in found["hooks"] if not hook["attached"]] == ["inode_rmdir"], f"one hook is not attached: {found}")
    must("systemctl", "restart", "bartizand")
    promise(stage.enforcing() and attested(0)[0]["agrees"], "the next start loads afresh instead of taking over what is incomplete")
    victim.must_deny("execute", "/usr/sbin/useradd", "--help")
