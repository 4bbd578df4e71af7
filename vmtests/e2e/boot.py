# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Before the daemon: the early unit, played without a reboot by stopping the daemon and taking the pins away."""

import contextlib
import os
import pathlib
import shutil
import time

import stage
from audit import record
from ground import AREA, RULE, rules_hold, victim
from stage import must, promise, run, wait_for
from suite import once, test

PINS = pathlib.Path("/sys/fs/bpf/bartizan")
REVISIONS = pathlib.Path("/var/lib/bartizan/revisions")
OLD_NAME = AREA / "name-from-before-the-load"
EARLY_OBJECT = "/etc/sudoers.d/before-the-daemon"
EARLY = "bartizan-early.service"


def unpin():
    """Ends enforcement, as a reboot does."""
    for link in PINS.glob("*/links/*"):
        link.unlink()
    shutil.rmtree(PINS)
    wait_for("nothing is enforced", lambda: victim.one("opened", "/etc/passwd", os.O_WRONLY) == "ok", 10)


def early():
    """Runs the early unit; the seconds it took."""
    started = time.monotonic()
    run("systemctl", "restart", EARLY)
    took = time.monotonic() - started
    result = must("systemctl", "show", "-p", "ActiveState,Result,ExecMainStatus", "--value", EARLY).split()
    promise(sorted(result) == ["0", "active", "success"], f"the boot goes on: {result}")
    promise(took < 15, f"the boot waits no longer than the unit's 10 s: {took:.0f} s")
    return took


@once
def early_has_run():
    """The daemon is stopped, nothing is enforced; then only the early unit runs."""
    rules_hold()
    must("systemctl", "stop", "bartizand")
    unpin()
    OLD_NAME.unlink(missing_ok=True)
    os.link("/etc/security/access.conf", OLD_NAME)
    # Not by its unit: to load takes a second, but under emulation on a busy machine more than the unit's 10.
    promise(run("bartizand", "--early").returncode == 0, "`bartizand --early` ends with 0")
    answers = victim.do(["opened", EARLY_OBJECT, os.O_WRONLY | os.O_CREAT], ["execute", "/usr/sbin/useradd", "--help"],
                        ["opened", str(OLD_NAME), os.O_WRONLY], ["opened", str(AREA / "unrelated"), os.O_WRONLY])
    promise(run("pidof", "bartizand").returncode != 0, "the daemon does not run")
    return answers


@test
def the_last_revision_is_in_force_before_the_daemon():
    answers = early_has_run()
    promise(answers[:2] == ["EPERM", "EPERM"], f"a service that was already running is refused: {answers}")
    promise(answers[3] == "ok", f"what no rule forbids is not: {answers}")


@test
def hard_link_from_before_the_load():
    promise(early_has_run()[2] == "EPERM", f"a second name that is older than the load is protected: {early_has_run()}")


@contextlib.contextmanager
def spoiled(path, content):
    """A file with another content for a while."""
    kept = path.read_bytes()
    path.write_bytes(content)
    try:
        yield
    finally:
        path.write_bytes(kept)


@test
def a_broken_revision_never_blocks_the_boot():
    early_has_run()
    early()
    active = REVISIONS / "active"
    revision = REVISIONS / active.read_text().strip() / "revision.json"
    for path, content in ((active, b"rubbish"), (active, b"99999"), (revision, revision.read_bytes()[:-20])):
        with spoiled(path, content):
            early()
    told = must("journalctl", "-u", EARLY, "-o", "cat", "--no-pager")
    promise(told.count("a revision cannot be used") >= 3, f"each is told, and the one before is taken: {told[-500:]}")
    victim.must_deny("opened", "/etc/passwd", os.O_WRONLY)


@test
def the_daemon_takes_over_from_the_early_unit():
    early_has_run()
    must("systemctl", "start", "bartizand")
    status = stage.status()
    promise(status["enforcement"] == "enforcing", f"the daemon enforces: {status['enforcement']}")
    promise("victim" in status["started_earlier"], f"the victim started before enforcement: {status['started_earlier']}")
    record(f"Service victim attempted to obtain capability USERS_ADMIN by writing {EARLY_OBJECT}", verdict="deny", rule=RULE)
    promise(len(list(PINS.iterdir())) == 1, f"one set of pins is left: {list(PINS.iterdir())}")
    victim.must_deny("opened", "/etc/passwd", os.O_WRONLY)


@test
def units_are_ordered_for_the_boot():
    shown = must("systemctl", "show", "-p", "Before,After,TimeoutStartUSec,DefaultDependencies", EARLY)
    facts = dict(line.split("=", 1) for line in shown.splitlines())
    for unit in ("network-pre.target", "sysinit.target", "bartizand.service"):
        promise(unit in facts["Before"].split(), f"{EARLY} comes before {unit}: {facts['Before']}")
    promise("local-fs.target" in facts["After"].split(), f"{EARLY} comes after the file systems: {facts['After']}")
    promise(facts["TimeoutStartUSec"] == "10s", f"it is bounded: {facts['TimeoutStartUSec']}")
    for unit in (EARLY, "bartizand.service"):
        promise(must("systemctl", "is-enabled", unit).strip() == "enabled", f"{unit} is enabled")
        said = run("systemd-analyze", "verify", unit)
        promise(said.returncode == 0 and "cycle" not in said.stderr, f"systemd has nothing against {unit}: {said.stderr}")
