# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Who a task is: by PID 1's placement, whatever kind of unit it is, and then for all descendants wherever they go."""

import functools
import os
import pathlib
import socket

import suite
from audit import audits, firsts, last, record
from ground import rules_hold, victim
from lodgings import RULE, lodgers_hold
from service import PROGRAM, Service
from stage import must, promise, run, services, wait_for
from suite import test

CGROUPS = "/sys/fs/cgroup"
FORBIDDEN = ["opened", "/etc/passwd", os.O_WRONLY]
ALLOWED = ["opened", "/etc/passwd", os.O_RDONLY]
TEE = ["/usr/bin/tee", "-a", "/etc/passwd"]
UNIT = pathlib.Path("/run/systemd/system/lodger-unit.service")

DESCENDANTS = {
    "fork": (["forked", FORBIDDEN, ALLOWED], ["EPERM", "ok"]),
    "fork of a fork": (["forked", ["forked", FORBIDDEN, ALLOWED]], [["EPERM", "ok"]]),
    "vfork and exec": (["spawned", *TEE], 1),
    "exec of an exec": (["replaced", *TEE], 1),
    "double fork and setsid": (["orphaned", None, FORBIDDEN, ALLOWED], ["ok", 1, "EPERM", "ok"]),
}
# Where it may move to, and the cgroup's name in the record.
PLACES = {
    "the root": ("", "/"),
    "the scope of PID 1": ("/init.scope", "init.scope"),
    "an exempt service": ("/system.slice/systemd-journald.service", "systemd-journald.service"),
    "a user manager": ("/user.slice/user-0.slice/user@0.service/init.scope", "init.scope"),
}


def descendant(act, expected):
    rules_hold()
    answer = victim.one(*act)
    promise(answer == expected, f"{act} gives {expected}, but: {answer}")


def moved(directory, name):
    """By writing cgroup.procs, by being born there, and as PID 1's orphan: each is refused what the service is refused."""
    rules_hold()
    since = last()
    for way in ("in_cgroup", "cloned_into", "orphaned"):
        done, where, *answers = victim.one(way, CGROUPS + directory, FORBIDDEN, ALLOWED)
        promise(done == "ok", f"{way}: it has moved, but: {done}")
        promise(where in (directory or "/", 1), f"{way}: it is there, or an orphan: {where}")
        promise(answers == ["EPERM", "ok"], f"{way}: there it is still the victim, but: {answers}")
    message = f"Service victim attempted to leave its unit by moving to the cgroup {name}"
    wait_for("each move is told", lambda: sum(one["count"] for one in audits() if one["id"] > since and one["message"] == message) >= 3)


for kind, (its_act, result) in DESCENDANTS.items():
    suite.enter(f"subject, {kind}", functools.partial(descendant, its_act, result))
for kind, place in PLACES.items():
    suite.enter(f"subject, moved to {kind}", functools.partial(moved, *place))


def is_governed(service):
    """The unit's rule holds for it, and no move out of it is on record. A glob reaches a new unit once the daemon has seen it."""
    wait_for("the rule reaches it", lambda: service.one(*FORBIDDEN) == "EPERM")
    message = f"Service {service.known()['name']} attempted to obtain capability USERS_ADMIN by writing /etc/passwd"
    answers = service.do(FORBIDDEN, ALLOWED)
    promise(answers == ["EPERM", "ok"], f"{service.name} is governed by its rule: {answers}")
    record(message, verdict="deny", rule=RULE)
    escaped = [one for one in audits("--service", service.known()["name"]) if one["kind"] == "escape"]
    promise(not escaped, f"{service.name} has not left its unit: {escaped}")


@test
def subject_in_a_slice_of_its_own():
    lodgers_hold()
    service = Service("lodger-slice", ["Slice=e2e-one-two.slice"])
    service.start()
    promise("/e2e.slice/e2e-one.slice/e2e-one-two.slice/" in service.one("where"), "it runs in nested slices")
    is_governed(service)
    service.stop()


@test
def subject_that_a_socket_activates():
    lodgers_hold()
    service = Service("lodger-socket")
    service.copy()
    must("systemd-run", "-q", "--collect", "--unit=lodger-socket", "--socket-property=ListenStream=/run/lodger.sock", "python3", "-B",
         str(PROGRAM), service.name)
    promise(not service.answers(), "it waits for a connection")
    with socket.socket(socket.AF_UNIX) as one:
        one.connect("/run/lodger.sock")
        wait_for("it has been started", service.answers)
    is_governed(service)
    run("systemctl", "stop", "lodger-socket.socket", "lodger-socket.service")


@test
def subject_of_two_instances():
    lodgers_hold()
    for instance in (Service("lodger-twin@one"), Service("lodger-twin@two")):
        instance.start()
        is_governed(instance)
        instance.stop()
    message = "Service lodger-twin@ attempted to obtain capability USERS_ADMIN by writing /etc/passwd"
    told = [one for one in firsts(message, audits()) if one["verdict"] == "deny"]
    promise(len(told) == 1, f"they are one service, whose act is told once: {told}")


@test
def subject_with_cgroups_of_its_own():
    lodgers_hold()
    service = Service("lodger-delegate", ["Delegate=yes"])
    service.start()
    is_governed(service)
    for name in ("inner", "nginx.service", "session-9.scope"):
        inner = service.one("subgroup", name)
        for way in ("in_cgroup", "cloned_into", "orphaned"):
            done, _, *answers = service.one(way, inner, FORBIDDEN, ALLOWED)
            promise((done, answers) == ("ok", ["EPERM", "ok"]), f"{way} {name}: it stays itself: {done} {answers}")
    is_governed(service)
    service.stop()


@test
def subject_under_a_user_manager():
    lodgers_hold()
    service = Service("lodger-manager")
    service.copy()
    must("env", "XDG_RUNTIME_DIR=/run/user/0", "systemd-run", "--user", "-q", "--collect", "--unit=lodger-manager", "python3", "-B",
         str(PROGRAM), service.name)
    wait_for("it answers", service.answers)
    promise("/user@0.service/" in service.one("where"), "it is the user manager's")
    answers = service.do(FORBIDDEN, ALLOWED)
    promise(answers == ["ok", "ok"], f"units of a user manager are not modelled: {answers}")
    promise("lodger-manager" not in services(), "nor are they services of the host")
    done, _, answer = victim.one("in_cgroup", CGROUPS + service.one("where"), FORBIDDEN)
    promise((done, answer) == ("ok", "EPERM"), f"moved there, the victim is still the victim: {done} {answer}")
    must("env", "XDG_RUNTIME_DIR=/run/user/0", "systemctl", "--user", "stop", "lodger-manager.service")


@suite.once
def unit_runs():
    """A unit with a file, and the service in it."""
    lodgers_hold()
    service = Service("lodger-unit")
    service.copy()
    UNIT.write_text(f"[Service]\nExecStart=python3 -B {PROGRAM} {service.name}\n")
    must("systemctl", "daemon-reload")
    must("systemctl", "start", service.name)
    wait_for("it answers", service.answers)
    return service


def restarted(service):
    old = service.one("pid")
    must("systemctl", "restart", service.name)
    wait_for("another process answers", lambda: service.answers() not in (None, [old]))
    is_governed(service)


@test
def subject_that_is_restarted():
    is_governed(unit_runs())
    restarted(unit_runs())


@test
def subject_after_a_reexec_of_systemd():
    service = unit_runs()
    before = service.one("pid")
    must("systemctl", "daemon-reexec")
    promise(service.one("pid") == before, "the service has gone on")
    victim.must_deny(*FORBIDDEN)
    is_governed(service)
    restarted(service)
    service.stop()
    UNIT.unlink()


@test
def subject_of_what_systemd_prepares():
    rules_hold()
    must("systemd-run", "-q", "--wait", "--collect", "--unit=e2e-prepared", "-p", "User=nobody", "-p", "PrivateTmp=yes",
         "-p", "ProtectSystem=strict", "/usr/bin/true")
    model = wait_for("Bartizan knows the unit", lambda: services().get("e2e-prepared"))
    promise(not model["granted"], f"what systemd does before the program is not the service's: {model}")
