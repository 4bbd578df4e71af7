# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Floods of refusals: 20,000, or a million with BARTIZAN_SOAK. However many there are, the records say how many to the last."""

import json
import os
import pathlib
import shutil
import time

import stage
from audit import audits, last
from ground import rules_hold
from stage import must, promise, wait_for
from suite import once, test

ACTS = 1_000_000 if os.environ.get("BARTIZAN_SOAK") else 20_000
PROCESSES = 8
# Compiled, as a million acts in Python take too long under emulation (vmtests/src/bin/flood.rs).
PROGRAM, COPY = pathlib.Path("/root/flood"), pathlib.Path("/opt/flood")
POLICY = pathlib.Path("/etc/bartizan/policy.d/floods.toml")
RULE = "the flooder keeps its hands off"
RULES = f"""
[[rule]]
name = "{RULE}"
services = ["flooder"]
capabilities = {{ USERS_ADMIN = "prevent" }}
"""
ONE = "/etc/sudoers.d/e2e-flood"
EACH = "/etc/sudoers.d/e2e-flood-"
# The kernel tells so many distinct objects of a service in a minute (BZ_OBJECTS in wire.h); processors that race may let a few more through.
OBJECTS, RACING = 4096, 64


@once
def the_flooder_is_held():
    promise(PROGRAM.exists(), "the program is there: it takes scripts/vm --put target/debug/flood:/root/flood")
    rules_hold()
    shutil.copy(PROGRAM, COPY)
    POLICY.write_text(RULES)
    must("bartizan", "policy", "apply")


def flooded(path, *more):
    """Has a unit do the acts. How many seconds they took."""
    the_flooder_is_held()
    started = time.monotonic()
    said = must("systemd-run", "-q", "--wait", "--pipe", "--collect", "--unit=flooder.service", str(COPY), path, "--acts", str(ACTS),
                "--processes", str(PROCESSES), *more)
    took = time.monotonic() - started
    promise(json.loads(said) == {"refused": ACTS, "otherwise": 0}, f"each of {ACTS} acts is refused: {said}")
    return took


def lost():
    return stage.status()["loss"]["violations"]


@test
def a_flood_on_one_object_is_a_handful_of_records_that_add_up():
    the_flooder_is_held()
    before, lost_before = last(), lost()
    took = flooded(ONE)

    def told():
        return [one for one in audits("--service", "flooder") if one["id"] > before and one["path"] == ONE]

    wait_for(f"{ACTS} refusals are on record", lambda: sum(one["count"] for one in told()) >= ACTS, 120)
    found = told()
    total = sum(one["count"] for one in found)
    print(f"{ACTS:,} refusals by {PROCESSES} processes in {took:.0f} s: {len(found)} records", flush=True)
    promise(total == ACTS and lost() == lost_before, f"the counts add up: {total} of {ACTS}, {lost() - lost_before} lost")
    first = found[0]
    promise(first["count"] == 1 and first["repeats"] is None and first["rule"] == RULE, f"the first is told in full: {first}")
    promise(all(one["repeats"] == first["id"] for one in found[1:]), "the others count more of it")
    # What came in one second is one record.
    promise(len(found) <= took + 5, f"they are a handful: {len(found)} in {took:.0f} s")


@test
def a_flood_of_objects_is_told_up_to_the_bound_and_counted_beyond_it():
    the_flooder_is_held()
    before, lost_before = last(), lost()
    took = flooded(EACH, "--distinct")

    def told():
        mine = [one for one in audits("--service", "flooder") if one["id"] > before and (one["kind"] == "flood" or one["path"].startswith(EACH))]
        floods = sum(one["count"] for one in mine if one["kind"] == "flood")
        return [one for one in mine if one["kind"] != "flood"], floods, lost() - lost_before

    def total():
        single, floods, missing = told()
        return sum(one["count"] for one in single) + floods + missing

    wait_for(f"{ACTS} refusals are accounted for", lambda: total() >= ACTS, 300)
    single, floods, missing = told()
    print(f"{ACTS:,} refused objects in {took:.0f} s: {len(single)} records of one each, {floods:,} in flood records, {missing} lost", flush=True)
    promise(total() == ACTS, f"each is told, counted in a flood, or counted as lost: {total()} of {ACTS}")
    bound = (OBJECTS + RACING) * (int(took / 60) + 2)
    firsts = [one for one in single if one["repeats"] is None]
    # What the service touched before in the same minute is within the bound as well.
    promise(OBJECTS - 16 <= len(firsts) + missing <= bound, f"up to the bound each has a record: {len(firsts)} and {missing} lost, at most {bound}")
    promise(floods >= ACTS - bound, f"the rest is counted: {floods}")
    records = [one for one in audits("--service", "flooder", "--kind", "flood") if one["id"] > before]
    promise(records and all((one["capability"], one["access"], one["verdict"]) == ("USERS_ADMIN", "write", "deny") for one in records),
            f"by capability and access: {records[:2]}")
    # A loss is a record of its own.
    losses = sum(one["count"] for one in audits("--kind", "loss") if one["id"] > before and one["message"].endswith("violations"))
    promise(losses == missing, f"what was lost is on record: {losses} of {missing}")
