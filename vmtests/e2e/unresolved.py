# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Objects whose path cannot be told: a decision with a record, never a silent miss. A service for which anything that it might
write is prevented is refused; any other may, and it is recorded."""

import os

import stage
import suite
from audit import audits, last
from ground import AREA, rules_hold, victim
from service import Service
from stage import must, promise, run, wait_for
from suite import test

LONE = AREA / "lone"
DEEP = AREA / "deep"
stranger = Service("e2e-stranger")


@suite.once
def stranger_runs():
    """A service that no rule names."""
    rules_hold()
    stranger.start()


def decided(object_in_words, *act):
    """The act is refused to the victim, allowed to the stranger, and both are on record and counted."""
    since, before = last(), stage.status()["loss"]["unresolved_objects"]
    victim.must_deny(*act)
    stranger.must_allow(*act)
    for service, verdict in (("victim", "deny"), ("e2e-stranger", "audit")):
        def told():
            return [one for one in audits("--service", service) if one["id"] > since and one["verdict"] == verdict]
        found = wait_for(f"{object_in_words}: a record of {service}", told)
        promise(found[0]["kind"] == "capability" and found[0]["access"] == "write", f"it is a record of a write: {found[0]}")
    lost = wait_for("both are counted", lambda: max(0, stage.status()["loss"]["unresolved_objects"] - before - 1))
    promise(lost >= 1, f"status counts both: {lost}")
    return found[0]


@test
def alias_without_a_name():
    """A file that is opened by its inode's number, when nobody has looked up its name since its file system is mounted."""
    stranger_runs()
    image = AREA / "lone.img"
    must("sh", "-ec", f"truncate -s 4M {image}; mke2fs -q -t ext4 {image}; mkdir -p {LONE}; mount {image} {LONE}; echo > {LONE}/file")
    try:
        handle = victim.one("handle_of", f"{LONE}/file")
        must("sh", "-ec", f"umount {LONE}; mount {image} {LONE}")
        decided("a nameless file", "opened_handle", *handle, os.O_WRONLY, str(LONE))
        victim.must_allow("opened", f"{LONE}/file", os.O_WRONLY)
    finally:
        run("umount", str(LONE))
        image.unlink()


@test
def alias_too_deep_to_be_told():
    stranger_runs()
    bottom = f"{DEEP}{'/d' * 1100}"
    must("sh", "-ec", f"mkdir -p {bottom}; echo > {bottom}/file")
    try:
        found = decided("a file 1,100 deep", "opened", f"{bottom}/file", os.O_WRONLY)
        path = found["path"]
        promise(path.startswith("/…/d/") and path.endswith("/d/file"), f"the record has the end of its path: {path}")
    finally:
        must("rm", "-rf", str(DEEP))
