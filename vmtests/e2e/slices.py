# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Rules that name a slice: they hold in it and in what lies in it, wherever a unit is moved, and before the daemon runs."""

import os
import pathlib
import time

import boot
import stage
from ground import POLICY, RULES, apply, rules_hold
from service import PROGRAM, Service
from stage import must, promise, wait_for
from suite import once, test

SLICE = "e2e-web.slice"
RULE = f"""
[[rule]]
name = "e2e by slice"
services = ["{SLICE}"]
capabilities = {{ "USERS_ADMIN.write" = "prevent" }}

[[rule]]
name = "e2e the deeper slice wins"
services = ["e2e-web-inner-most.slice"]
capabilities = {{ "USERS_ADMIN.write" = "allow" }}
"""
ACT = ("opened", "/etc/subuid", os.O_WRONLY)
inside = Service("e2e-inside", [f"Slice={SLICE}"])
child = Service("e2e-child", ["Slice=e2e-web-inner.slice"])
deepest = Service("e2e-deepest", ["Slice=e2e-web-inner-most.slice"])
beside = Service("e2e-beside", ["Slice=e2e-website.slice"])
plain = Service("e2e-plain")
mover = Service("e2e-mover")
UNIT = pathlib.Path("/run/systemd/system/e2e-mover.service")


@once
def services_are_in_their_slices():
    rules_hold()
    for one in (inside, child, deepest, beside, plain):
        one.start()
        one.known()
    apply(RULES + RULE)


@test
def a_rule_by_slice_holds_in_it_and_in_what_lies_in_it():
    services_are_in_their_slices()
    inside.must_deny(*ACT)
    child.must_deny(*ACT)
    for one in (deepest, beside, plain):
        one.must_allow(*ACT)


@test
def a_unit_that_starts_in_a_slice_is_held_to_its_rules():
    services_are_in_their_slices()
    late = Service("e2e-late", [f"Slice={SLICE}"])
    late.start()
    took = until(late, "EPERM")
    print(f"a new unit of the slice is held to its rule {took:.1f} s after its start", flush=True)
    late.stop()


def until(service, answer):
    """Seconds until the act gets this answer."""
    started = time.monotonic()
    wait_for(f"{service.name} gets {answer}", lambda: service.one(*ACT) == answer)
    return time.monotonic() - started


def move(slice_name):
    """A drop-in that puts the unit into another slice, and a restart."""
    drop_in = UNIT.with_name(UNIT.name + ".d") / "slice.conf"
    drop_in.parent.mkdir(exist_ok=True)
    drop_in.write_text(f"[Service]\nSlice={slice_name}\n")
    must("systemctl", "daemon-reload")
    must("systemctl", "restart", UNIT.name)
    wait_for("it answers", mover.answers)


@test
def a_unit_that_is_moved_to_another_slice_is_held_to_its_rules():
    services_are_in_their_slices()
    mover.copy()
    UNIT.write_text(f"[Service]\nExecStart=/usr/bin/python3 -B {PROGRAM} {mover.name}\n")
    must("systemctl", "daemon-reload")
    must("systemctl", "start", UNIT.name)
    wait_for("it answers", mover.answers)
    mover.known()
    mover.must_allow(*ACT)
    move(SLICE)
    print(f"a unit that was moved is held to the rule after {until(mover, 'EPERM'):.1f} s", flush=True)
    move("e2e-website.slice")
    until(mover, "ok")
    must("systemctl", "stop", UNIT.name)


@test
def a_service_cannot_make_itself_a_slice():
    services_are_in_their_slices()
    made = "/sys/fs/cgroup/e2e-elsewhere.slice"
    child.one("mkdir", made)
    child.one("mkdir", f"{made}/e2e-inside.service")
    time.sleep(20)
    inside.must_deny(*ACT)
    for path in (f"{made}/e2e-inside.service", made):
        if os.path.isdir(path):
            os.rmdir(path)


@test
def rules_by_slice_hold_before_the_daemon():
    services_are_in_their_slices()
    must("systemctl", "stop", "bartizand")
    boot.unpin()
    try:
        promise(stage.run("bartizand", "--early").returncode == 0, "`bartizand --early` ends with 0")
        inside.must_deny(*ACT)
        child.must_deny(*ACT)
        beside.must_allow(*ACT)
    finally:
        must("systemctl", "start", "bartizand")
    wait_for("Bartizan enforces", stage.enforcing)
    inside.must_deny(*ACT)
    POLICY.write_text(RULES)
    must("bartizan", "policy", "apply")
