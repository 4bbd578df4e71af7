# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Who may ask Bartizan, and who may tell it: by the task's label and by the user."""

import os
import pathlib
import stat

import stage
from audit import record, total
from ground import AREA, rules_hold, victim
from stage import must, promise, run, wait_for
from suite import once, test

SERVICES = ["/usr/bin/bartizan", "services", "--json"]
ACTIVATE = ["/usr/bin/bartizan", "activate", "clerk"]


@test
def a_root_service_cannot_write():
    rules_hold()
    before = stage.status()["revision"]
    (AREA / "empty").mkdir(exist_ok=True)
    for command in (["policy", "apply", str(AREA / "empty")], ["activate", "victim"], ["relearn", "victim"]):
        status, said = victim.one("output", "/usr/bin/bartizan", *command)
        promise(status != 0 and "victim" in said, f"`bartizan {' '.join(command)}` from the victim is refused: {status} {said}")
    promise(stage.status()["revision"] == before, "the revision in force is the same")
    promise(stage.services()["victim"]["state"] == "active", "the victim is still active")
    victim.must_deny("opened", "/etc/passwd", os.O_WRONLY)


@test
def a_root_service_cannot_write_from_a_sessions_cgroup():
    rules_hold()
    session = pathlib.Path("/proc/self/cgroup").read_text().split("::")[1].strip()
    _, _, (status, said) = victim.one("in_cgroup", f"/sys/fs/cgroup{session}",
                                      ["output", "/usr/bin/bartizan", "policy", "apply", str(AREA / "empty")])
    promise(status != 0, f"the label counts, not the cgroup: {status} {said}")
    victim.must_deny("opened", "/etc/passwd", os.O_WRONLY)


@once
def reader():
    """A user in the group bartizan."""
    must("useradd", "-G", "bartizan", "e2ereader")
    return "e2ereader"


def as_user(name, command):
    return run("runuser", "-u", name, "--", *command)


@test
def the_group_reads_and_does_not_write():
    rules_hold()
    read = as_user(reader(), SERVICES)
    promise(read.returncode == 0 and "victim" in read.stdout, f"a member of the group reads: {read.returncode} {read.stderr}")
    write = as_user(reader(), ACTIVATE)
    promise(write.returncode != 0 and "root" in write.stderr, f"a member of the group does not write: {write}")
    apply = as_user(reader(), ["/usr/bin/bartizan", "policy", "apply", "/etc/bartizan/policy.d"])
    promise(apply.returncode != 0, f"a member of the group does not apply: {apply}")


@test
def a_service_writes_at_no_user_and_that_is_on_record():
    rules_hold()
    asked = "Service victim attempted to tamper with Bartizan by asking for `activate`"
    names = ("root", reader())
    before, state = total(asked), stage.services()["clerk"]["state"]
    for name in names:
        status, said = victim.one("output", "/usr/sbin/runuser", "-u", name, "--", *ACTIVATE)
        promise(status == 1 and "victim" in said and "operators" in said, f"as {name} it is refused, as a service: {status} {said}")
    promise(stage.services()["clerk"]["state"] == state, "the clerk is in the state that it was in")
    record(asked, kind="tamper", verdict="deny", service="victim")
    wait_for("each attempt is counted", lambda: total(asked) == before + len(names))


@test
def others_do_neither():
    rules_hold()
    for command in (SERVICES, ACTIVATE):
        done = as_user("nobody", command)
        promise(done.returncode == 3 and "permission" in done.stderr, f"nobody is refused {command}: {done}")


@test
def the_trail_is_closed_to_others():
    rules_hold()
    found = list(pathlib.Path("/var/lib/bartizan/audit").iterdir())
    promise(found, "there is a trail")
    for path in (pathlib.Path("/var/lib/bartizan"), *found):
        mode = stat.S_IMODE(path.stat().st_mode)
        promise(not mode & 0o027, f"{path} is not for others: {mode:o}")
    promise(as_user("nobody", ["cat", str(found[0])]).returncode != 0, "nobody cannot read the trail")
