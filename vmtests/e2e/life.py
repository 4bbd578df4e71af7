# SPDX-License-Identifier: Apache-2.0 OR MIT
"""The daemon is killed, restarted and stopped: nothing that is enforced depends on it."""

import os
import time

import stage
from audit import audits, record, total
from ground import AREA, RULE, rules_hold, victim
from stage import must, promise, run, wait_for
from suite import test

# scripts/test --soak asks for the long form.
KILLS = 200 if os.environ.get("BARTIZAN_SOAK") else 2
TARGET = "/etc/nsswitch.conf"
MESSAGE = f"Service victim attempted to obtain capability USERS_ADMIN by writing {TARGET}"


def main_pid():
    return int(must("systemctl", "show", "-p", "MainPID", "--value", "bartizand"))


def back(old):
    """Waits for a daemon that is another process than the old one and enforces."""
    wait_for("the daemon is back", lambda: main_pid() not in (0, old) and stage.enforcing(), 300)


class Load:
    """Forbidden and allowed acts running all the time. At the end: none was decided wrongly, each was
    counted, and revision and models are what they were."""

    def __enter__(self):
        self.before, self.standing = total(MESSAGE), standing()
        victim.must_allow("load_start", TARGET, str(AREA / "unrelated"))
        return self

    def goes_on(self):
        """Waits for more rounds."""
        rounds = victim.one("load_so_far")["rounds"]
        wait_for("the acts go on", lambda: victim.one("load_so_far")["rounds"] > rounds + 20)

    def __exit__(self, kind, *_):
        counts = victim.one("load_stop")
        if kind:
            return
        promise(counts["succeeded"] == 0, f"no forbidden act succeeded: {counts}")
        promise(counts["refused"] == 0, f"no allowed act was refused: {counts}")
        expected = self.before + counts["rounds"]
        wait_for("all acts are counted", lambda: total(MESSAGE) >= expected)
        promise(total(MESSAGE) == expected, f"{expected} acts, and the records stand for {total(MESSAGE)}")
        promise(standing() == self.standing, f"revision and models are as before: {self.standing} and {standing()}")


def standing():
    """What must survive: the revision, and every model with its state."""
    models = {name: (one["state"], one["granted"], one["since"]) for name, one in stage.services().items() if name in ("victim", "clerk")}
    return stage.status()["revision"], models


@test
def killed_under_load():
    rules_hold()
    with Load() as load:
        load.goes_on()
        told = next((name for name in map("while-dead-{}".format, range(5)) if refused_while_dead(name)), None)
        promise(told, "within a second of a kill there was no time for an act")
        load.goes_on()
    record(f"Service victim attempted to obtain capability USERS_ADMIN by writing /etc/sudoers.d/{told}", verdict="deny",
           rule=RULE, count=1)


def refused_while_dead(name):
    """Kills the daemon and tries an act. Whether the daemon, which is started again after a second, was dead all the time."""
    old = main_pid()
    os.kill(old, 9)
    victim.must_deny("opened", f"/etc/sudoers.d/{name}", os.O_WRONLY | os.O_CREAT)
    dead = main_pid() == 0
    back(old)
    return dead


@test
def killed_again_and_again():
    rules_hold()
    with Load() as load:
        for _ in range(KILLS):
            old = main_pid()
            os.kill(old, 9)
            back(old)
        load.goes_on()


@test
def restarted_under_load():
    rules_hold()
    old = main_pid()
    with Load() as load:
        load.goes_on()
        must("systemctl", "restart", "bartizand")
        load.goes_on()
    promise(main_pid() not in (0, old), "another daemon runs")
    told = [one["message"] for one in audits() if one["kind"] == "lifecycle"]
    promise(any("taken over" in one for one in told), f"it says that it has taken over: {told[-3:]}")


@test
def stopping_is_not_switching_off():
    rules_hold()
    must("systemctl", "stop", "bartizand")
    try:
        time.sleep(0.5)
        victim.must_deny("opened", "/etc/passwd", os.O_WRONLY)
        victim.must_deny("execute", "/usr/sbin/useradd", "--help")
        for command in (["status"], ["attest"], ["services"], ["audits"], ["activate", "victim"], ["relearn", "victim"], ["policy", "apply"]):
            done = run("bartizan", *command)
            promise(done.returncode == 3 and "bartizand" in done.stderr,
                    f"without the daemon `bartizan {' '.join(command)}` ends with 3 and says why: {done.returncode} {done.stderr}")
        for command in (["policy", "check", "/etc/bartizan/policy.d"], ["doctor"]):
            done = run("bartizan", *command)
            promise(done.returncode == 0, f"`bartizan {' '.join(command)}` needs no daemon: {done.returncode} {done.stdout}{done.stderr}")
    finally:
        must("systemctl", "start", "bartizand")
    victim.must_deny("opened", "/etc/passwd", os.O_WRONLY)
