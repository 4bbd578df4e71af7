# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Every alias of the table has the verdict of the plain name: allowed without a rule, refused and on record with one.

All are made together, before there is a rule: each mount has the policy compiled again, and that takes seconds."""

import functools
import os
import pathlib
import re

import aliases
import suite
from aliases import OTHERS, PLACE, SANDBOXES
from audit import audits, last
from ground import services_run
from lodgings import NEEDS, RULE, lodgers_hold
from service import Service
from stage import must, promise, run, wait_for

lodger = Service("lodger")
LODGINGS = {"lodger": lodger, **{name: Service(name, properties) for name, properties in SANDBOXES.items()}}


@suite.once
def made():
    """Every alias is there, and so is every service."""
    services_run()
    for place in (PLACE, OTHERS):
        pathlib.Path(place).mkdir(parents=True, exist_ok=True)
    must("sh", "-ec", aliases.NEW_ROOT)
    for row in aliases.ALL:
        pathlib.Path(PLACE, row.word).write_text("made for the end-to-end tests\n")
    for row in aliases.ALL:
        must("sh", "-ec", row.filled(row.make))
    for service in LODGINGS.values():
        service.start()


def performed():
    """The answers of each row: by the alias, and by the plain name."""
    answers = {}
    for name, service in LODGINGS.items():
        rows = [row for row in aliases.ALL if row.service == name]
        told = service.do(*(row.filled(act) for row in rows for act in (row.by, row.directly)))
        answers.update(zip((row.name for row in rows), zip(told[::2], told[1::2])))
    return answers


@suite.once
def free():
    made()
    return performed()


@suite.once
def refused():
    """The answers with the rule, and the records. All aliases are gone afterwards."""
    free()
    lodgers_hold()
    for row in aliases.ALL:
        must("sh", "-ec", row.filled(row.again))
    since = last()
    try:
        answers = performed()
        wait_for("the last row is told", lambda: acts_told(aliases.ALL[-1], told_since(since)) >= 2)
        return answers, told_since(since)
    finally:
        taken_away()


def told_since(since):
    return [one for one in audits() if one["id"] > since and one["service"] in LODGINGS and one["verdict"] == "deny"]


def taken_away():
    for line in reversed(pathlib.Path("/proc/self/mounts").read_text().splitlines()):
        point = line.split()[1]
        if point.startswith((PLACE, str(OTHERS))) or point == "/var/spool":
            run("umount", "-l", point)
    for service in LODGINGS.values():
        service.stop()
    run("userdel", "-r", "e2ehome")
    must("rm", "-rf", "--one-file-system", PLACE, str(OTHERS), "/var/log/syslog-e2e", "/etc/ssh/e2e_key", "/etc/ssh/e2e2_key")


def acts_told(row, records):
    """How many acts the records of a row's object stand for. Where it is in several mounts it may be told by any of its paths: they
    share the row's word, or the end of what the service named."""
    ours = re.compile(rf"/{re.escape(row.word)}(-2|-u|-l|\.d|\.w)?(/|$)")
    named = [str(part) for act in (row.by, row.directly) for part in row.filled(act) if str(part).startswith("/")]
    ends = tuple("/".join(os.path.normpath(name).split("/")[-2:]) for name in named)

    def about(one):
        path = one["path"] or ""
        return ours.search(path) or path.endswith(ends)

    return sum(one["count"] for one in records
               if one["service"] == row.service and row.needs in one["capabilities"] and one["rule"] == RULE and about(one))


def check(row):
    promise(row.needs in NEEDS, f"the rule prevents {row.needs}")
    by, directly = free()[row.name]
    promise(directly == "ok", f"without a rule {row.filled(row.directly)} succeeds, but: {directly}")
    promise(by == "ok", f"without a rule {row.filled(row.by)} succeeds, but: {by}")
    answers, records = refused()
    by, directly = answers[row.name]
    promise(directly == "EPERM", f"with the rule {row.filled(row.directly)} is refused, but: {directly}")
    promise(by == "EPERM", f"with the rule {row.filled(row.by)} is refused as well, but: {by}")
    count = acts_told(row, records)
    promise(count >= 2, f"both acts are on record, but: {count} of {[(one['path'], one['count']) for one in records]}")


for group, table in aliases.GROUPS.items():
    for entry in table:
        suite.enter(f"alias, {group}: {entry.name}", functools.partial(check, entry))
