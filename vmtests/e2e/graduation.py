# SPDX-License-Identifier: Apache-2.0 OR MIT
"""A service that would lock people out as an active one learns on, and says so, until it is given what it needs."""

import os
import pathlib

import stage
from audit import audits
from ground import POLICY, RULES, apply, rules_hold
from models import CONFIGURATION, active
from service import Service
from stage import must, promise, run, services, wait_for
from suite import test

# The lockout proof knows it as one that brings the network up. The guest has none of that name.
network = Service("NetworkManager")
FILE = pathlib.Path("/etc/network/interfaces")
OBJECT = ("opened", str(FILE), os.O_RDONLY)
RULE = """
[[capability]]
name = "E2E_INTERFACES"
description = "Reading how the network comes up"

[capability.files]
read = ["/etc/network/interfaces"]

[[rule]]
name = "e2e the network keeps to its model"
services = ["NetworkManager"]
violations = "prevent"
"""


def held_back():
    return stage.status().get("held_back", {}).get(network.name, "")


def told():
    return [one for one in audits("--service", network.name) if "is not made active" in one["message"]]


@test
def a_service_that_would_lock_people_out_learns_on():
    rules_hold()
    FILE.parent.mkdir(exist_ok=True)
    FILE.touch()
    network.start()
    promise(network.known()["state"] == "learning", "it learns")
    # While it learns it is refused nothing, so the rule may be applied.
    apply(RULES + RULE)
    before = len(told())
    CONFIGURATION.write_text('learning_time = "5s"\nphases = []\n')
    must("systemctl", "restart", "bartizand")
    try:
        why = wait_for("its learning time is over", held_back, 180)
    finally:
        CONFIGURATION.write_text('learning_time = "24h"\n')
    at = len(RULES.splitlines()) + 10
    promise(why.startswith(f"{POLICY}:{at}:8: ") and str(FILE) in why and "boot: the network" in why, f"it says why: {why}")
    promise(services()[network.name]["state"] == "learning", "it learns on")
    done = run("bartizan", "activate", network.name)
    promise(done.returncode != 0 and "learns on" in done.stderr and str(FILE) in done.stderr, f"nobody makes it active: {done}")
    promise(len(told()) == before + 1, f"it is on record, once: {told()}")
    shown = run("bartizan", "status").stdout
    promise(f"held back    {network.name}" in shown, f"`status` says so: {shown}")
    # It learns what it lacks.
    network.must_allow(*OBJECT)
    wait_for("its model has it", lambda: "E2E_INTERFACES" in services()[network.name]["granted"])
    must("bartizan", "activate", network.name)
    promise(active(network.name) and not held_back(), "with what it needs it becomes active")
    network.must_allow(*OBJECT)
    network.must_deny("opened", "/etc/subuid", os.O_WRONLY)
    must("bartizan", "relearn", network.name)
    network.stop()
    apply(RULES)
