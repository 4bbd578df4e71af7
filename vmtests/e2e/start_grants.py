# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What only the start of a service needs: granted until a deadline that the kernel keeps with the task, and to nobody later."""

import json
import pathlib
import time

from audit import audits
from ground import rules_hold
from maturity import configure
from service import Service
from stage import must, promise, run, services, wait_for
from suite import test

CONFIGURATION = pathlib.Path("/etc/bartizan/bartizan.toml")
FILE = pathlib.Path("/etc/bartizan/policy.d/e2e-start-grants.toml")
RULE = '[[rule]]\nname = "e2e what was learned"\nservices = ["e2e-wrapped"]\nviolations = "prevent"\n'
# The first third of it is where learning takes an act for one of the start.
START = 60
# A shell starts it, as one starts Apache, PostgreSQL and MariaDB; another one reloads it.
SHELL = ("ExecStartPre=/bin/sh -c true", "ExecReload=/bin/sh -c true")
wrapped = Service("e2e-wrapped", SHELL)
MESSAGE = "Service e2e-wrapped attempted to obtain capability SHELL by executing"


def shown():
    return json.loads(must("bartizan", "show", "e2e-wrapped", "--json"))


def refusals():
    return [one for one in audits("--service", "e2e-wrapped") if one["verdict"] == "deny" and one["message"].startswith(MESSAGE)]


def until(started, seconds):
    time.sleep(max(0, started + seconds - time.monotonic()))


@test
def what_only_starts_need_is_granted_in_starts_only():
    rules_hold()
    before = CONFIGURATION.read_text()
    # systemd is asked every 3 seconds then.
    configure(f'learning_time = "72m"\nstart_time = "{START}s"\n')
    FILE.write_text(RULE)
    must("bartizan", "policy", "apply")
    try:
        learned()
        held()
        learned_for_good()
    finally:
        wrapped.stop()
        FILE.unlink()
        CONFIGURATION.write_text(before)
        must("systemctl", "restart", "bartizand")
        must("bartizan", "policy", "apply")


def learned():
    started = time.monotonic()
    wrapped.start()
    wrapped.known()
    wait_for("the shell is in its model", lambda: "execute" in shown()["granted"].get("SHELL", {}))
    found = shown()
    promise("SHELL" not in found["at_start"], f"one start may be a chance: {found['at_start']}")
    until(started, START / 3 + 5)
    started = time.monotonic()
    must("systemctl", "restart", "e2e-wrapped.service")
    wait_for("another start needs it, and nothing else", lambda: shown()["at_start"].get("SHELL") == ["execute"])
    until(started, START + 10)
    must("bartizan", "activate", "e2e-wrapped")
    found = shown()
    promise(found["at_start"].get("SHELL") == ["execute"], f"still, as it ran for longer than a start: {found['at_start']}")
    promise("SHELL.execute, only while it starts" in must("bartizan", "show", "e2e-wrapped"), "a person reads it")


def held():
    wrapped.must_deny("execute", "/bin/sh")
    first = wait_for("the refusal is on record", refusals)[0]
    promise(first["rule"] == "e2e what was learned", f"with its rule: {first}")
    told = run("bartizan", "explain", "e2e-wrapped", "execute", "/bin/sh")
    promise(told.returncode == 1 and "only while it starts" in told.stdout, f"explain tells it: {told.stdout}")
    # A reload, which a hijacked worker may provoke, is no start.
    reload = run("systemctl", "reload", "e2e-wrapped.service")
    promise(reload.returncode != 0, "its command is refused the shell")
    wrapped.must_deny("execute", "/bin/sh")
    started = time.monotonic()
    must("systemctl", "restart", "e2e-wrapped.service")
    wait_for("it answers after a restart, whose shell is granted", wrapped.answers)
    wrapped.must_allow("execute", "/bin/sh")
    must("systemctl", "reload", "e2e-wrapped.service")
    promise(time.monotonic() < started + START, "all that was within the start")
    # The command of the reload did not put the deadline off.
    until(started, START + 5)
    wrapped.must_deny("execute", "/bin/sh")
    promise(run("systemctl", "reload", "e2e-wrapped.service").returncode != 0, "nor has a reload what a start had")


def learned_for_good():
    """Once it was needed later, it is granted at any time."""
    must("bartizan", "learn", "e2e-wrapped")
    wrapped.must_allow("execute", "/bin/sh")
    wait_for("the model has it for good", lambda: "SHELL" not in shown()["at_start"])
    must("bartizan", "activate", "e2e-wrapped")
    promise(services()["e2e-wrapped"]["state"] == "active", "it is active")
    wrapped.must_allow("execute", "/bin/sh")
