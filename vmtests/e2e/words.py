# SPDX-License-Identifier: Apache-2.0 OR MIT
"""The words of a rule, and what they mean to a service that learns and to one that is active."""

import os

import suite
from audit import audits, compare, last, record
from ground import CLERK_RULE, clerk, rules_hold, victim
from stage import must, promise, services, wait_for
from suite import test

WRITE, CREATE = os.O_WRONLY, os.O_WRONLY | os.O_CREAT


def attempted(service, words):
    return f"Service {service} attempted to obtain capability {words}"


@test
def prevent_holds_while_learning():
    rules_hold()
    promise(clerk.known()["state"] == "learning", "the clerk still learns")
    clerk.must_deny("opened", "/etc/group", WRITE)
    clerk.must_deny("execute", "/usr/sbin/useradd", "--help")
    found = record(attempted("clerk", "USERS_ADMIN by writing /etc/group"), verdict="deny", rule=CLERK_RULE)
    compare(found, {"capability": "USERS_ADMIN", "capabilities": ["USERS_ADMIN"], "access": "write"})


@test
def what_a_rule_denies_cannot_be_learned():
    rules_hold()
    clerk.must_deny("opened", "/etc/group", WRITE)
    clerk.must_allow("opened", "/etc/cron.d/e2e-clerk", CREATE)
    granted = wait_for("the clerk has learned what it may", lambda: learned("SERVICE_OPERATOR"))
    promise("USERS_ADMIN" not in granted, f"the clerk has not learned what is prevented: {granted}")


def learned(capability):
    granted = services()["clerk"]["granted"]
    return granted if capability in granted else None


@suite.once
def clerk_is_active():
    """Ends the clerk's learning; the first act behind it comes at once."""
    rules_hold()
    clerk.must_allow("opened", "/etc/cron.d/e2e-clerk", CREATE)
    wait_for("the clerk has learned to write jobs", lambda: learned("SERVICE_OPERATOR"))
    must("bartizan", "activate", "clerk")
    return clerk.do(["execute", "/bin/sh", "-c", "true"], ["opened", "/etc/cron.d/e2e-clerk", WRITE])


@test
def violations_prevent_counts_from_activation_on():
    at_once = clerk_is_active()
    promise(at_once == ["EPERM", "ok"], f"at once after `activate` the model is enforced: {at_once}")
    promise(services()["clerk"]["state"] == "active", "the clerk is active")
    found = record(attempted("clerk", "SHELL by executing /usr/bin/dash"), verdict="deny")
    promise(found["rule"] in (CLERK_RULE, None), f"the rule that says so, or none: {found['rule']}")
    clerk.must_allow("opened", "/etc/passwd", os.O_RDONLY)


@test
def alert_permits_and_records():
    clerk_is_active()
    clerk.must_allow("opened", "/etc/hosts", WRITE)
    record(attempted("clerk", "HOSTS_CONFIG by writing /etc/hosts"), verdict="audit", rule=CLERK_RULE, kind="capability")


@test
def allow_and_disable_say_nothing():
    clerk_is_active()
    since = last()
    clerk.must_allow("opened", "/etc/ssh/e2e", CREATE)
    clerk.must_allow("unlink", "/etc/ssh/e2e")
    clerk.must_allow("execute", "/usr/bin/nc", "-h")
    # One more that is told, so that the silence about the others is no delay.
    clerk.must_allow("opened", "/etc/hostname", WRITE)
    record(attempted("clerk", "HOSTS_CONFIG by writing /etc/hostname"), verdict="audit")
    told = [one for one in audits("--service", "clerk") if one["id"] > since and one["capability"] in ("NET", "SSH")]
    promise(not told, f"neither allow nor disable is recorded: {told}")


@test
def violations_are_alerts_by_default():
    rules_hold()
    # Nothing that the victim did while it learned had to do with the network's configuration.
    victim.must_allow("opened", "/etc/hosts.deny", CREATE)
    found = record(attempted("victim", "NET by writing /etc/hosts.deny"), verdict="audit", rule=None)
    compare(found, {"kind": "capability", "access": "write", "path": "/etc/hosts.deny", "capabilities": ["NET"]})
