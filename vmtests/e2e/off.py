# SPDX-License-Identifier: Apache-2.0 OR MIT
"""`bartizan off` ends enforcement, from a login session and for nobody else; `bartizan on` brings it back."""

import os
import pathlib

import stage
from audit import audits, compare, last, record, total
from boot import PINS
from ground import rules_hold, victim
from stage import must, promise, run, wait_for
from suite import test

DISABLED = pathlib.Path("/etc/bartizan/disabled")
UNTIL_REBOOT = pathlib.Path("/run/bartizan/disabled")
ASKED = "Service victim attempted to tamper with Bartizan by asking for `off`"


def lifecycle(since):
    return [one["message"] for one in audits() if one["id"] > since and one["kind"] == "lifecycle"]


def still_enforced():
    victim.must_deny("opened", "/etc/passwd", os.O_WRONLY)
    promise(not DISABLED.exists() and not UNTIL_REBOOT.exists(), "no switch was left")


def back_on(since):
    must("bartizan", "on")
    promise(stage.enforcing(), "after `bartizan on` the kernel holds the revision")
    still_enforced()
    promise(any("switched on by root" in one or "has started and loaded" in one for one in lifecycle(since)), "and that is on record")


@test
def off_from_a_service_is_refused():
    rules_hold()
    before = total(ASKED)
    for _ in range(3):
        status, said = victim.one("output", "/usr/bin/bartizan", "off")
        promise(status == 1 and "victim" in said and "login session" in said, f"refused, with the reason: {status} {said}")
    found = record(ASKED, kind="tamper", verdict="deny", service="victim", uid=0)
    compare(found, {"exe": "/usr/bin/bartizan"})
    wait_for("each attempt is counted", lambda: total(ASKED) == before + 3)
    promise(stage.enforcing(), "Bartizan enforces")
    still_enforced()


@test
def off_from_a_service_is_refused_without_the_daemon():
    rules_hold()
    must("systemctl", "stop", "bartizand")
    try:
        for more in ([], ["--until-reboot"]):
            status, said = victim.one("output", "/usr/bin/bartizan", "off", *more)
            promise(status == 1 and "login session" in said, f"the kernel refuses the file: {status} {said}")
        promise(list(PINS.glob("*/links/*")), "every pin is where it was")
        still_enforced()
    finally:
        must("systemctl", "start", "bartizand")
    record("Service victim attempted to tamper with Bartizan by writing /etc/bartizan/disabled.new", kind="tamper", verdict="deny")


@test
def off_from_a_session_lasts_until_on():
    rules_hold()
    since = last()
    try:
        told = must("bartizan", "off")
        at_once = victim.one("opened", "/etc/passwd", os.O_WRONLY)
        promise(at_once == "ok" and "SWITCHED OFF" in told, f"when it returns nothing is enforced: {at_once} {told}")
        promise(not PINS.exists() or not list(PINS.iterdir()), "no pin is left")
        must("systemctl", "restart", "bartizand")
        status, code = stage.status(), run("bartizan", "status")
        promise(status["enforcement"] == "disabled" and "bartizan off" in status["switched_off"], f"a restart keeps it off: {status}")
        promise(code.returncode == 1 and "SWITCHED OFF" in code.stdout and "bartizan on" in code.stdout, f"the status is loud: {code}")
        told = lifecycle(since)
        promise(any("switched OFF by root" in one for one in told), f"it is on record: {told}")
        doctor, selftest = run("bartizan", "doctor"), run("bartizan", "selftest")
        promise(doctor.returncode == 0 and "SWITCHED OFF" in doctor.stdout, f"doctor says so: {doctor}")
        promise(selftest.returncode == 3 and "disabled" in selftest.stderr, f"there is nothing to test: {selftest}")
    finally:
        back_on(since)


@test
def off_works_beside_a_daemon_that_hangs():
    rules_hold()
    since = last()
    must("systemctl", "kill", "-s", "SIGSTOP", "--kill-who=main", "bartizand")
    try:
        must("bartizan", "off", "--until-reboot")
        promise(victim.one("opened", "/etc/passwd", os.O_WRONLY) == "ok", "when it returns nothing is enforced")
        wait_for("the daemon has started anew and says so", lambda: stage.status().get("enforcement") == "disabled", 60)
    finally:
        run("systemctl", "kill", "-s", "SIGCONT", "--kill-who=main", "bartizand")
        back_on(since)
    told = lifecycle(since)
    promise(any("switched OFF by root" in one and "daemon did not answer" in one for one in told), f"it is on record: {told}")
    must("bartizan", "audits", "verify")


@test
def off_works_without_the_daemon():
    rules_hold()
    since = last()
    must("systemctl", "stop", "bartizand")
    try:
        must("bartizan", "off", "--until-reboot")
        promise(victim.one("opened", "/etc/passwd", os.O_WRONLY) == "ok", "when it returns nothing is enforced")
        promise(UNTIL_REBOOT.exists() and not DISABLED.exists(), "the next boot enforces again")
        status = run("bartizan", "status")
        promise(status.returncode == 3 and "nothing is enforced" in status.stderr, f"the status does not claim otherwise: {status}")
    finally:
        back_on(since)
    told = lifecycle(since)
    promise(any("switched OFF by root" in one and "daemon did not answer" in one for one in told), f"it is on record: {told}")
