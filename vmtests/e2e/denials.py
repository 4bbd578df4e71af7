# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Every act of the table: it succeeds without a rule, is refused with one, is told, and leaves everything as it was.

All acts are performed together, first without and then with the rule, since a change of policy takes seconds."""

import functools
import pathlib
import socket

import acts
import kernel_acts
import suite
from audit import audits, compare, firsts
from ground import RULE, rules_hold, services_run, victim
from kept import Kept
from stage import promise, wait_for

ALL = acts.ALL + kernel_acts.INSTALLING + kernel_acts.PRIVILEGES + kernel_acts.KERNEL
listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)


def attempt(one):
    """Has the victim perform the act. Its answer, and what it changed; everything is put back."""
    one.before()
    kept = Kept(one.paths)
    answer = victim.one(*one.act)
    changed = kept.changed()
    one.after()
    kept.put_back()
    return answer, changed


@suite.once
def free():
    """All acts without a rule."""
    services_run()
    # Whoever else listened there is not needed.
    pathlib.Path("/run/docker.sock").unlink(missing_ok=True)
    listener.bind("/run/docker.sock")
    listener.listen(8)
    return {one.name: attempt(one) for one in ALL}


@suite.once
def refused():
    """All acts with the rule, and the audit records afterwards."""
    free()
    rules_hold()
    answers = {one.name: attempt(one) for one in ALL}
    last = message(ALL[0])
    wait_for("the first act is told", lambda: firsts(last, audits()))
    return answers, audits()


def message(one):
    return f"Service victim attempted {one.message}"


def told(one):
    """The record of the act; the counts of the kernel come within a second, so it may have to be looked for again."""
    _, records = refused()
    return firsts(message(one), records) or wait_for(
        f"an audit record `{message(one)}`", lambda: firsts(message(one), audits()), 20)


def check(one):
    answer, _ = free()[one.name]
    promise(answer == "ok", f"without a rule the act succeeds: {one.act}, but: {answer}")
    answer, changed = refused()[0][one.name]
    promise(answer == one.refused, f"with the rule the act is refused: {one.act}, but: {answer}")
    promise(not changed, f"a refused act changes nothing: {one.act}, but: {changed}")
    compare(told(one)[0], {"service": "victim", "verdict": "deny", "rule": RULE, "uid": one.uid, "count": 1,
                           "exe": str(pathlib.Path("/usr/bin/python3").resolve())})


for group, table in (("files", acts.FILES), ("programs", acts.PROGRAMS), ("outbound", acts.ADDRESSES),
                     ("operations", acts.OPERATIONS),
                     ("installing", kernel_acts.INSTALLING), ("privileges", kernel_acts.PRIVILEGES), ("kernel", kernel_acts.KERNEL)):
    for entry in table:
        suite.enter(f"denied, {group}: {entry.name}", functools.partial(check, entry))


@suite.test
def allowed_beside_the_rule():
    refused()
    for act in (["connect", "AF_INET", "SOCK_STREAM", "203.0.113.7", 26], ["connect", "AF_INET", "SOCK_STREAM", "203.0.114.7", 25],
                ["connect", "AF_INET6", "SOCK_STREAM", "::ffff:203.0.113.7", 80], ["opened", "/etc/ssh/sshd_config", 0],
                ["opened", "/etc/passwd", 0], ["execute", "/usr/bin/true"],
                ["look_at_process", 1]):
        victim.must_allow(*act)
