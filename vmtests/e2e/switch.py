# SPDX-License-Identifier: Apache-2.0 OR MIT
"""The switch: /etc/bartizan/disabled starts the daemon without enforcement, and its absence brings it back."""

import os
import pathlib

import stage
from audit import record
from ground import RULE, rules_hold, victim
from stage import must, promise, run, wait_for
from suite import test

DISABLED = pathlib.Path("/etc/bartizan/disabled")


@test
def disabled_and_back():
    rules_hold()
    DISABLED.touch()
    try:
        must("systemctl", "restart", "bartizand")
        status, code = stage.status(), run("bartizan", "status").returncode
        attested = run("bartizan", "attest")
        # The kernel takes a link's program away some time after the link has lost its pin.
        wait_for("nothing is enforced", lambda: victim.one("opened", "/etc/passwd", os.O_WRONLY) == "ok", 20)
    finally:
        DISABLED.unlink()
    promise(status["enforcement"] == "disabled" and code == 1, f"the status says so, and ends with 1: {status} {code}")
    promise(attested.returncode == 1 and "switched off" in attested.stdout, f"attest says so, and ends with 1: {attested}")
    loud = must("journalctl", "-u", "bartizand", "-o", "cat", "--no-pager")
    promise("SWITCHED OFF" in loud and str(DISABLED) in loud, "the journal says so loudly")
    must("systemctl", "restart", "bartizand")
    promise(stage.enforcing(), "without the file the daemon enforces again")
    victim.must_deny("opened", "/etc/sudoers.d/back", os.O_WRONLY | os.O_CREAT)
    record("Service victim attempted to obtain capability USERS_ADMIN by writing /etc/sudoers.d/back", verdict="deny", rule=RULE)
