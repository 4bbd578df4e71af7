# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What programs read: the JSON of each command, the journal's fields, the counts, the exit statuses."""

import json
import os
import re
import subprocess

import stage
from audit import audits, compare, firsts, record, total
from ground import AREA, RULE, rules_hold, victim
from stage import must, promise, run, wait_for
from suite import test

FIELDS = {"time", "id", "kind", "service", "capability", "access", "verdict", "path", "exe", "pid", "uid", "rule", "message",
          "destination", "capabilities", "count", "repeats", "revision", "device", "inode", "start", "login_uid", "session", "command",
          "ancestors", "container", "host", "sequence", "techniques"}
KINDS = {"capability", "program", "service", "outbound", "escape", "tamper", "flood", "loss", "lifecycle"}
ACCESSES = {"execute", "read", "write", "connect", "operate", None}
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)$")


def shape(one):
    """What is wrong with a record, if anything."""
    named = one.get("capabilities")
    rules = {
        "fields": set(one) == FIELDS, "time": bool(RFC3339.match(one["time"])), "kind": one["kind"] in KINDS,
        "access": one["access"] in ACCESSES, "verdict": one["verdict"] in ("deny", "audit", None),
        "capabilities": isinstance(named, list) and one["capability"] == (named[0] if named else None),
        "count": isinstance(one["count"], int) and one["count"] >= 1, "id": isinstance(one["id"], int),
        "destination": (one["destination"] is None) == (one["kind"] != "outbound")
        and (one["destination"] is None or set(one["destination"]) == {"address", "port", "protocol"}),
        "act": one["kind"] not in ("capability", "outbound", "escape", "tamper") or None not in
        (one["service"], one["verdict"], one["exe"], one["pid"], one["uid"], one["access"]),
    }
    return [name for name, kept in rules.items() if not kept]


@test
def every_record_has_the_stable_fields():
    rules_hold()
    records = audits()
    by_id = {one["id"]: one for one in records}
    promise(len(by_id) == len(records) and sorted(by_id) == [one["id"] for one in records], "ids rise and are unique")
    for one in records:
        promise(not shape(one), f"{shape(one)} of {one}")
        if one["repeats"] is not None:
            first = by_id.get(one["repeats"])
            promise(first and first["repeats"] is None and first["id"] < one["id"] and first["message"] == one["message"],
                    f"a repeat points to the first of its kind: {one}")
        else:
            promise(one["count"] == 1 or one["kind"] in ("flood", "loss"), f"the first of a kind counts 1: {one}")


@test
def an_outbound_record_has_its_destination():
    rules_hold()
    victim.must_deny("connect", "AF_INET6", "SOCK_STREAM", "::ffff:203.0.113.9", 25)
    found = record("Service victim attempted an outbound connection to 203.0.113.9:25/tcp", kind="outbound", verdict="deny",
                   rule=RULE, capability=None, capabilities=[], path=None, access="connect")
    compare(found, {"destination": {"address": "203.0.113.9", "port": 25, "protocol": "tcp"}})


@test
def all_missing_capabilities_are_named():
    rules_hold()
    # It becomes a program, and one that is set-user-id.
    path = AREA / "both"
    path.write_text("nothing\n")
    victim.must_deny("chmod", str(path), 0o4755)
    record(f"Service victim attempted to obtain capability INSTALLER by writing {path}",
           capabilities=["INSTALLER", "PRIVILEGED_PROCESSES"], capability="INSTALLER", verdict="deny", rule=RULE)


@test
def repeats_add_up_exactly():
    rules_hold()
    message = "Service victim attempted to obtain capability USERS_ADMIN by writing /etc/pam.conf"
    acts = 41
    promise(set(victim.do(*[["opened", "/etc/pam.conf", os.O_WRONLY]] * acts)) == {"EPERM"}, "every act is refused")
    wait_for("all are counted", lambda: total(message) >= acts)
    promise(total(message) == acts, f"{acts} acts, and the records stand for {total(message)}")
    promise(len(firsts(message, audits())) == 1, "one record is the first")


@test
def audits_of_one_service_and_following():
    rules_hold()
    promise({one["service"] for one in audits("--service", "victim.service")} == {"victim"}, "--service shows one service")
    with subprocess.Popen(["bartizan", "audits", "--follow", "--json", "--service", "victim"], stdout=subprocess.PIPE, text=True) as follower:
        try:
            victim.must_deny("opened", "/etc/sudoers.d/followed", os.O_WRONLY | os.O_CREAT)
            promise(any(json.loads(line)["path"] == "/etc/sudoers.d/followed" for line in follower.stdout), "--follow shows it")
        finally:
            follower.kill()


@test
def services_and_status_in_json():
    rules_hold()
    for one in json.loads(must("bartizan", "services", "--json")):
        promise(set(one) == {"name", "state", "granted", "since", "maturity"}, f"the fields of a service: {one}")
        promise(one["state"] in ("learning", "active", "manual", "archived") and RFC3339.match(one["since"]), f"{one}")
        promise(all(set(accesses) <= ACCESSES and accesses for accesses in one["granted"].values()), f"{one}")
    status = stage.status()
    promise({"enforcement", "revision", "kernel", "hooks", "loss"} <= set(status), f"the fields of the status: {set(status)}")
    promise(status["enforcement"] == "enforcing" and status["kernel"] == os.uname().release, f"{status}")
    promise(status["hooks"] and all(hook["attached"] for hook in status["hooks"]), f"every hook is attached: {status['hooks']}")
    lost = {kind: status["loss"].get(kind) for kind in ("violations", "observations", "floods")}
    promise(not any(lost.values()), f"nothing was lost: {lost}")


@test
def the_journal_of_the_service_shows_the_denial():
    rules_hold()
    victim.must_deny("opened", "/etc/sudoers.d/journal", os.O_WRONLY | os.O_CREAT)
    message = "Service victim attempted to obtain capability USERS_ADMIN by writing /etc/sudoers.d/journal"
    expected = record(message)
    wait_for("journalctl -u victim shows it", lambda: message in must("journalctl", "-u", "victim", "-o", "cat", "--no-pager"))
    lines = must("journalctl", "OBJECT_SYSTEMD_UNIT=victim.service", "-o", "json", "--no-pager").splitlines()
    entry = next(one for one in map(json.loads, lines) if one["MESSAGE"] == message)
    compare(dict(entry, message=message), {"SERVICE": "victim", "CAPABILITY": "USERS_ADMIN", "ACCESS": "write", "VERDICT": "deny", "RULE": RULE})
    promise(json.loads(entry["AUDIT_RECORD"]) == expected, "the journal has the same record")


@test
def exit_statuses_of_the_command_line():
    rules_hold()
    for status, command in ((0, ["status"]), (0, ["services"]), (0, ["show", "victim"]), (0, ["audits"]), (0, ["doctor"]),
                            (2, ["bogus"]), (2, ["show", "nobody-knows-it"]), (2, ["activate", "nobody-knows-it"]),
                            (2, ["policy", "check", "/nowhere"]), (2, ["policy", "apply", "/nowhere"])):
        done = run("bartizan", *command)
        promise(done.returncode == status, f"`bartizan {' '.join(command)}` ends with {status}: {done.returncode} {done.stderr}")
