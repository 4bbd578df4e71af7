# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What was never seen before is told once: a program of an active service, and a service where all others are active."""

import os
import pathlib
import shutil

import stage
from audit import audits, last, record
from ground import rules_hold
from life import back, main_pid
from service import Service
from stage import must, promise, services, wait_for
from suite import once, test

DEFAULT = "Default - alert on suspicious runtime behavior"
# More than get a record of their own (PROGRAMS_MAX of actors/src/anomalies.rs).
ROOM, TOLD, MANY = pathlib.Path("/opt/e2e-anomalous"), 256, 300
seasoned, quiet, late, later = Service("e2e-seasoned"), Service("e2e-quiet"), Service("e2e-newcomer"), Service("e2e-later")
QUIET_RULE = """
[[rule]]
name = "e2e the quiet one may run anything"
services = ["e2e-quiet"]
anomalous = "disable"
"""


def told(service, kind="program"):
    return [one for one in audits("--service", service.name) if one["kind"] == kind]


def program(name):
    """A program that nobody has run."""
    shutil.copy("/bin/true", ROOM / name)
    return str(ROOM / name)


@once
def set_up():
    rules_hold()
    shutil.rmtree(ROOM, ignore_errors=True)
    ROOM.mkdir()
    pathlib.Path("/etc/bartizan/policy.d/e2e-anomalous.toml").write_text(QUIET_RULE)
    must("bartizan", "policy", "apply")
    for one in (seasoned, quiet):
        one.start()
        one.known()
        one.must_allow("execute", "/usr/bin/id")
        model = lambda: "/usr/bin/id" in must("bartizan", "show", one.name)
        wait_for("it has learned a program", model)
        must("bartizan", "activate", one.name)


def marked(name):
    """Runs one more new program and waits for its record: what was run before it has been looked at."""
    path = program(name)
    seasoned.must_allow("execute", path)
    return record(f"Service e2e-seasoned ran a program it never ran before by executing {path}")


@test
def a_program_that_an_active_service_never_ran_is_told_once():
    set_up()
    seasoned.must_allow("execute", "/usr/bin/id")
    seasoned.must_allow("execute", "/usr/bin/env")
    message = "Service e2e-seasoned ran a program it never ran before by executing /usr/bin/env"
    record(message, kind="program", rule=DEFAULT, path="/usr/bin/env", verdict="audit", access="execute", count=1, capability=None)
    for _ in range(3):
        seasoned.must_allow("execute", "/usr/bin/env")
    marked("after-repeats")
    old = main_pid()
    os.kill(old, 9)
    back(old)
    seasoned.must_allow("execute", "/usr/bin/env")
    seasoned.must_allow("execute", "/usr/bin/id")
    marked("after-a-kill")
    names = [one["path"] for one in told(seasoned)]
    promise(names == ["/usr/bin/env", f"{ROOM}/after-repeats", f"{ROOM}/after-a-kill"], f"each new one once, and no other: {names}")


@test
def a_new_program_is_told_once_whatever_its_name_and_over_a_restart():
    set_up()
    path = program("new\nline\x1b[31m")
    before = last()
    seasoned.must_allow("execute", path)
    shown = f"{ROOM}/new\\nline\\u{{1b}}[31m"
    record(f"Service e2e-seasoned ran a program it never ran before by executing {shown}", path=shown)
    promise("\x1b" not in must("bartizan", "audits"), "nothing of it reaches the terminal")
    must("systemctl", "restart", "bartizand")
    wait_for("it enforces again", stage.enforcing)
    seasoned.must_allow("execute", path)
    marked("after-a-restart")
    found = [one for one in told(seasoned) if one["path"] == shown and one["id"] > before]
    promise(len(found) == 1, f"one record: {found}")


@test
def a_rule_may_say_that_new_programs_are_not_told():
    set_up()
    quiet.must_allow("execute", program("of-the-quiet-one"))
    marked("after-the-quiet-one")
    promise(not told(quiet), f"nothing is told of it: {told(quiet)}")


@test
def many_new_programs_give_so_many_records_and_a_count():
    set_up()
    first = program("many")
    paths = [f"{ROOM}/many-{number}" for number in range(MANY)]
    for path in paths:
        os.link(first, path)
    before = len(told(seasoned))
    seasoned.do(*[["execute", path] for path in paths])

    def all_told():
        return len(told(seasoned)), sum(one["count"] for one in told(seasoned, "flood"))

    wait_for(f"all are told or counted: {all_told()}", lambda: sum(all_told()) >= before + MANY)
    promise(all_told() == (TOLD, before + MANY - TOLD), f"{TOLD} records and the rest as a count: {all_told()}")


@test
def a_service_that_comes_when_all_others_are_active_is_told_once():
    set_up()
    learning = {seasoned.name}
    for one in (late, later):
        # Others may have come meanwhile; those that were told to be late are not waited for.
        for name, known in services().items():
            if known["state"] in ("learning", "manual") and name != late.name:
                must("bartizan", "activate", name)
                learning.add(name)
        one.start()
        record(f"Service {one.name} was never seen on this host, whose services are all active", kind="service", rule=DEFAULT, count=1)
        promise(one.known()["state"] == "learning", "it learns")
    late.stop()
    late.start()
    old = main_pid()
    os.kill(old, 9)
    back(old)
    late.stop()
    late.start()
    promise([len(told(one, "service")) for one in (late, later)] == [1, 1], f"once each: {told(late, 'service')} {told(later, 'service')}")
    for name in learning:
        must("bartizan", "relearn", name)
    another = Service("e2e-among-learners")
    another.start()
    another.known()
    promise(not told(another, "service"), f"where others learn, a new one is nothing to tell: {told(another, 'service')}")
    for one in (late, later, another, seasoned, quiet):
        one.stop()
    pathlib.Path("/etc/bartizan/policy.d/e2e-anomalous.toml").unlink()
    must("bartizan", "policy", "apply")
