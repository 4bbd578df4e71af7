# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What follows when observations are lost, as it is configured: a line in the log, a record, or services that are held."""

import os
import pathlib

import stage
from audit import audits, last
from ground import rules_hold
from models import CONFIGURATION, active
from service import Service
from stage import must, promise, run, services, wait_for
from suite import test

# A ring holds 2 MiB, an event takes about 2 KiB.
FILLING = 1400
PLACE = pathlib.Path("/etc/sudoers.d")


def configured(text):
    CONFIGURATION.write_text(text)
    must("systemctl", "restart", "bartizand")
    wait_for("Bartizan enforces", stage.enforcing, 120)


def back():
    for left in PLACE.glob("e2e-held-*"):
        left.unlink()
    configured('learning_time = "24h"\n')


def lose(pupil):
    """Has a learning service do more than a daemon that stands still is told."""
    before = stage.status()["loss"]["observations"]
    must("systemctl", "kill", "-s", "SIGSTOP", "--kill-who=main", "bartizand")
    try:
        done = pupil.do(*[["opened", f"{PLACE}/e2e-held-{number}", os.O_WRONLY | os.O_CREAT] for number in range(FILLING)])
    finally:
        must("systemctl", "kill", "-s", "SIGCONT", "--kill-who=main", "bartizand")
    promise(set(done) == {"ok"}, f"{pupil.name} learns and is refused nothing: {set(done)}")
    wait_for("the daemon answers again", stage.enforcing, 60)
    lost = stage.status()["loss"]["observations"] - before
    promise(lost > 0, f"the ring was full: {lost}")
    return lost


def started(name):
    pupil = Service(name)
    pupil.start()
    promise(pupil.known()["state"] == "learning", f"{name} learns")
    return pupil


def losses(since):
    return [one for one in audits("--kind", "loss") if one["id"] > since and "observations" in one["message"]]


def granted(pupil):
    return services()[pupil.name]["granted"]


@test
def a_loss_is_on_record_or_in_the_log_only_as_configured():
    rules_hold()
    pupil = started("e2e-held-audit")
    before = last()
    promise(stage.status()["on_loss"] == "audit", "a record is what is configured where nothing is")
    promise("on loss      audit" in run("bartizan", "status").stdout, "`status` says so")
    lost = lose(pupil)
    wait_for("it is on record", lambda: sum(one["count"] for one in losses(before)) == lost, 20)
    wait_for("the service learns on", lambda: "USERS_ADMIN" in granted(pupil), 30)
    promise(stage.status()["held"] == {}, "nobody is held")
    pupil.stop()
    try:
        configured('learning_time = "24h"\n[audit]\non_loss = "log"\n')
        promise("on_loss is log" in must("journalctl", "-u", "bartizand", "-b", "-o", "cat", "--no-pager"), "the log of the start says so")
        pupil, before = started("e2e-held-log"), last()
        lose(pupil)
        wait_for("the log tells it", lambda: "had no room for some observations" in must("journalctl", "-u", "bartizand", "-b", "-o", "cat", "--no-pager"), 20)
        wait_for("the service learns on", lambda: "USERS_ADMIN" in granted(pupil), 30)
        promise(not losses(before), f"no record does: {losses(before)}")
        pupil.stop()
    finally:
        back()


@test
def services_that_learn_are_held_until_a_person_decides_or_the_loss_is_over():
    rules_hold()
    try:
        configured('learning_time = "60s"\nphases = []\n[audit]\non_loss = "hold"\nhold_time = "45s"\n')
        # The one does what is lost; nobody knows that it was not the other.
        pupil, other = started("e2e-held-hold"), started("e2e-held-other")
        before = last()
        lost = lose(pupil)
        held = wait_for("both are held", lambda: {pupil.name, other.name} <= set(stage.status()["held"]) and stage.status()["held"], 20)
        promise(0 < held[pupil.name] <= 46, f"for a while: {held}")
        promise(sum(one["count"] for one in losses(before)) == lost, "the loss is on record")
        shown = run("bartizan", "status").stdout
        promise("on loss      hold" in shown and "bartizan relearn" in shown, f"`status` says who is held: {shown}")
        for one in (pupil, other):
            one.must_allow("execute", "/usr/bin/nc", "-h")
        promise("NET" not in granted(pupil) and "NET" not in granted(other), "they learn nothing")
        must("bartizan", "relearn", pupil.name)
        wait_for("a person has decided for one", lambda: "NET" in granted(pupil), 20)
        promise(other.name in stage.status()["held"] and "NET" not in granted(other), "the other is held")
        promise(services()[other.name]["state"] == "learning", "and learns")
        wait_for("the loss is over", lambda: not stage.status()["held"], 90)
        wait_for("what it did meanwhile was kept", lambda: "NET" in granted(other), 20)
        wait_for("it becomes active by itself", lambda: active(other.name), 180)
        told = [one["message"] for one in audits("--kind", "lifecycle") if one["id"] > before]
        begun = [one for one in told if one.startswith("Services that learn are held: ")]
        promise(len(begun) == 1 and "Services that learn are held no longer" in told, f"begin and end are on record: {told}")
        pupil.stop()
        other.stop()
    finally:
        back()
