# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Upgrade and downgrade: a build with other programs and maps takes over while forbidden acts are tried all the time."""

import os
import pathlib
import shutil

import stage
from audit import audits
from boot import PINS
from ground import rules_hold, victim
from life import Load, main_pid
from stage import must, promise
from suite import Impossible, apart, once

DAEMON = pathlib.Path("/usr/bin/bartizand")
# vmtests/other-build.sh made it, and scripts/vm --put brought it.
OTHER = pathlib.Path("/opt/other/bartizand")
OWN = pathlib.Path("/opt/bartizand-own")
CGROUP = "/sys/fs/cgroup/e2e-upgraded"


@once
def both_builds():
    rules_hold()
    if not OTHER.exists():
        raise Impossible("the other build was not brought: vmtests/other-build.sh DIR, scripts/vm --put DIR:/opt/other")
    shutil.copy2(DAEMON, OWN)
    os.makedirs(CGROUP, exist_ok=True)
    return {"the other": OTHER, "our own": OWN}


def object_digest():
    """Which build's programs run, as the load itself says."""
    return pathlib.Path("/run/bartizan/loaded.json").read_text().split('"object":"')[1].split('"')[0]


def switched(name):
    """Another build is put in place and started, as a package's upgrade does it."""
    build, old, pid = both_builds()[name], object_digest(), main_pid()
    # A task that has left its cgroup can only be known by the label that it had.
    moved = victim.one("kept_in_cgroup", CGROUP)
    promise(moved == "ok", f"a child of the victim waits in another cgroup: {moved}")
    with Load() as load:
        load.goes_on()
        fresh = DAEMON.with_suffix(".new")
        shutil.copy2(build, fresh)
        fresh.rename(DAEMON)
        must("systemctl", "restart", "bartizand")
        promise(main_pid() not in (0, pid) and object_digest() != old, f"{name} build's programs run")
        load.goes_on()
    promise(stage.enforcing(), "it enforces")
    promise(len(list(PINS.iterdir())) == 1, f"one set of pins is left: {list(PINS.iterdir())}")
    told = [one["message"] for one in audits() if one["kind"] == "lifecycle"][-1]
    promise("loaded its enforcement" in told, f"it says that it has loaded anew: {told}")
    answer = victim.one("kept_does", ["opened", "/etc/passwd", os.O_WRONLY])
    promise(answer == "EPERM", f"the child in the other cgroup is still the victim: {answer}")


@apart
def upgrade_to_other_programs():
    switched("the other")


@apart
def downgrade_to_earlier_programs():
    switched("our own")
    os.rmdir(CGROUP)
