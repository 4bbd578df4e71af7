# SPDX-License-Identifier: Apache-2.0 OR MIT
"""scripts/install --remove takes enforcement away and leaves what the operator wrote; installing again brings it back."""

import os
import pathlib

import stage
from boot import PINS
from ground import POLICY, rules_hold, victim
from stage import must, promise, run, wait_for
from suite import Impossible, test

# Where the guests of scripts/vm and the machines of vagrant have the built programs.
BUILT = [pathlib.Path("/run/bartizan-src"), pathlib.Path("/opt/bartizan/programs")]


def built():
    """The folder of the built programs, and that of the scripts."""
    place = next((path for path in BUILT if (path / "bartizand").exists()), None)
    if place is None:
        raise Impossible("the built programs are not on this machine")
    return place, place / "scripts"


@test
def removed_and_installed_again():
    rules_hold()
    place, scripts = built()
    script = scripts / "install"
    revision = stage.status()["revision"]
    must(str(script), "--remove")
    wait_for("once removed, nothing is enforced", lambda: victim.one("opened", "/etc/passwd", os.O_WRONLY) == "ok", 20)
    left = [str(path) for path in (PINS, pathlib.Path("/usr/bin/bartizan"), pathlib.Path("/usr/bin/bartizand")) if path.exists()]
    kept = POLICY.exists() and pathlib.Path("/var/lib/bartizan/revisions/active").exists()
    unit = run("systemctl", "is-active", "bartizand").stdout.strip()
    must(str(script), "--from", str(place))
    promise(not left and unit == "inactive", f"no program, pin or running unit is left: {left} {unit}")
    promise(kept, "policy and revisions are kept")
    promise(stage.enforcing() and stage.status()["revision"] == revision, f"installed again, revision {revision} is in force")
    victim.must_deny("opened", "/etc/passwd", os.O_WRONLY)
