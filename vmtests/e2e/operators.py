# SPDX-License-Identifier: Apache-2.0 OR MIT
"""A real upgrade of Bartizan's package by apt under apt-daily-upgrade.service: refused, with the reason, unless `operators` names
it. And a removal by dpkg, which switches off first."""

import hashlib
import os
import pathlib

import stage
from audit import audits, last
from boot import PINS
from ground import AREA, rules_hold, victim
from installation import built
from stage import must, promise, run, wait_for
from suite import once, test

UNIT = "apt-daily-upgrade.service"
DROP_IN = pathlib.Path(f"/run/systemd/system/{UNIT}.d/e2e.conf")
CONFIGURATION = pathlib.Path("/etc/bartizan/bartizan.toml")
PROGRAM = pathlib.Path("/usr/bin/bartizand")
OLD, NEW = "0.0.1~e2e", "99~e2e"
APT = "/usr/bin/apt-get -q -y"


def package(version):
    """A package of the programs under test."""
    place, script = built()
    return must("env", "DPKG_DEB_COMPRESSOR_TYPE=none", str(script / "package"), "--from", str(place), "--version", version,
                "--out", str(AREA)).strip()


def installed():
    return run("dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${Version}", "bartizan").stdout.split()


def under_apt_daily_upgrade(*lines):
    """Runs these lines in the unit of unattended upgrades; whether it ended well, and what they said."""
    said = AREA / "upgrade.log"
    said.unlink(missing_ok=True)
    DROP_IN.parent.mkdir(parents=True, exist_ok=True)
    starts = "".join(f"ExecStart={line}\n" for line in lines)
    DROP_IN.write_text(f"[Service]\nExecStartPre=\nExecStart=\n{starts}StandardOutput=append:{said}\nStandardError=append:{said}\n"
                       "Environment=DEBIAN_FRONTEND=noninteractive\n")
    must("systemctl", "daemon-reload")
    done = run("systemctl", "start", UNIT)
    return done.returncode == 0, said.read_text()


@once
def packaged():
    """Bartizan is installed as a package, and a newer one is at hand."""
    rules_hold()
    newer = package(NEW)
    # Earlier tests may have left a configuration of their own.
    must("dpkg", "--force-confold", "--install", package(OLD))
    promise(installed() == ["ii", OLD] and stage.enforcing(), f"the package runs: {installed()}")
    return newer


def digest():
    return hashlib.sha256(PROGRAM.read_bytes()).hexdigest(), PROGRAM.stat().st_ino


@test
def package_upgrade_by_a_service_is_refused_and_explains_itself():
    newer, since, before = packaged(), last(), digest()
    well, said = under_apt_daily_upgrade(f"/usr/bin/dpkg --install {newer}")
    promise(not well, f"the upgrade fails: {said}")
    for words in ("bartizan: this upgrade was started by the service apt-daily-upgrade", 'operators = ["apt-daily-upgrade"]', "login session"):
        promise(words in said, f"dpkg's output explains it with `{words}`: {said}")
    promise(installed() == ["ii", OLD] and digest() == before, f"the old package is whole: {installed()}")
    told = [one for one in audits("--service", "apt-daily-upgrade") if one["id"] > since and one["kind"] == "tamper"]
    promise(told and all(one["verdict"] == "deny" for one in told), f"the refusal is on record: {told}")
    promise(stage.enforcing(), "Bartizan enforces")


@test
def package_removal_by_a_service_is_refused_and_explains_itself():
    packaged()
    well, said = under_apt_daily_upgrade("/usr/bin/dpkg --remove bartizan")
    promise(not well and "bartizan: this removal was started by the service apt-daily-upgrade" in said, f"refused: {said}")
    promise(installed()[1] == OLD and PROGRAM.exists() and stage.enforcing(), f"Bartizan is there and enforces: {installed()}")
    victim.must_deny("opened", "/etc/passwd", os.O_WRONLY)


@test
def package_upgrade_by_an_operator():
    newer, kept = packaged(), CONFIGURATION.read_text()
    # Whatever configuration earlier tests have left, with one key of ours in front of any table.
    others = [line for line in kept.splitlines() if not line.startswith("operators")]
    CONFIGURATION.write_text("\n".join(['operators = ["apt-daily-upgrade"]', *others, ""]))
    try:
        must("systemctl", "restart", "bartizand")
        since, before = last(), digest()
        well, said = under_apt_daily_upgrade(f"{APT} install {newer}", "/usr/bin/bartizan policy apply")
        promise(well and "is in force" in said, f"upgrade, and a change by the API: {said}")
        promise(installed() == ["ii", NEW] and digest()[1] != before[1], f"the new package is there: {installed()}")
        promise('"apt-daily-upgrade"' in CONFIGURATION.read_text(), "the operator's configuration is kept")
        told = [one["message"] for one in audits() if one["id"] > since]
        promise(not [one for one in told if "tamper" in one], f"nothing was refused: {told}")
        promise(any("applied by the operator apt-daily-upgrade.service" in one for one in told), f"who applied is on record: {told}")
        promise(stage.enforcing(), "the new daemon enforces")
        victim.must_deny("opened", "/etc/passwd", os.O_WRONLY)
    finally:
        CONFIGURATION.write_text(kept)
        must("systemctl", "restart", "bartizand")


@test
def package_removal_from_a_session_switches_off():
    packaged()
    revision = stage.status()["revision"]
    place, script = built()
    try:
        must("dpkg", "--remove", "bartizan")
        promise(victim.one("opened", "/etc/passwd", os.O_WRONLY) == "ok", "once removed, nothing is enforced")
        left = [str(path) for path in (PROGRAM, PINS / "1", pathlib.Path("/run/bartizan")) if path.exists()]
        promise(not left, f"no program and no pin is left: {left}")
    finally:
        DROP_IN.unlink(missing_ok=True)
        must(str(script / "install"), "--from", str(place))
    wait_for("installed again it enforces", stage.enforcing)
    promise(stage.status()["revision"] == revision, f"revision {revision} is in force")
    victim.must_deny("opened", "/etc/passwd", os.O_WRONLY)
