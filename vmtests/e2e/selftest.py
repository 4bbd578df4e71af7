# SPDX-License-Identifier: Apache-2.0 OR MIT
"""`bartizan selftest`: the kernel refuses what it does, it notices what the kernel does not, and it leaves nothing behind."""

import json
import pathlib

import stage
from audit import audits, last
from boot import PINS
from ground import POLICY, rules_hold
from stage import must, promise, run
from suite import test

GROUPS = {"execution", "open", "names", "attributes", "unix-socket", "network", "operations", "own-safety"}
GROUND = pathlib.Path("/run/bartizan-selftest")
SERVICE = "bartizan-selftest@"


def tested(status):
    """The report; it must end with this status."""
    done = run("bartizan", "selftest", "--json")
    promise(done.returncode == status, f"`bartizan selftest --json` ends with {status}: {done.returncode} {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def left():
    """What the self-test may not leave: objects, units, a model, a revision, a changed policy."""
    units = must("systemctl", "list-units", "--all", "--plain", "--no-legend", f"{SERVICE}*").split()
    return GROUND.exists(), units, SERVICE in stage.services(), stage.status()["revision"], POLICY.read_text()


@test
def selftest_shows_that_the_kernel_refuses():
    rules_hold()
    since, before = last(), left()
    report = tested(0)
    wrong = [one for one in report["outcomes"] if not one["refused"] or one["record"] is None]
    promise(report["passed"] and not wrong, f"each act is refused and on record: {wrong}")
    promise({one["group"] for one in report["outcomes"]} == GROUPS, f"every group has acts: {report['outcomes']}")
    hooks = {hook["name"] for hook in stage.status()["hooks"]}
    promise({one["hook"] for one in report["outcomes"]} | set(report["untried"]) <= hooks, f"hooks are hooks: {report}")
    by_id = {one["id"]: one for one in audits()}
    for one in report["outcomes"]:
        record = by_id[one["record"]]
        promise(one["act"] in record["message"] and record["service"] == SERVICE and record["verdict"] == "deny",
                f"the record is the act's: {one} {record}")
        promise(record["rule"] == "self-test" or record["kind"] == "tamper", f"and carries the rule: {record}")
    # A count of an earlier act may come meanwhile.
    others = [one for one in by_id.values() if one["id"] > since and one["service"] != SERVICE and one["verdict"] and not one["repeats"]]
    promise(not others, f"nobody else was recorded for it: {others}")
    promise(left() == before and not before[0] and not before[1], f"nothing is left behind: {before} and {left()}")


@test
def selftest_again_for_people():
    rules_hold()
    done = run("bartizan", "selftest")
    lines = done.stdout.splitlines()
    promise(done.returncode == 0 and "NOT" not in done.stdout, f"a second run finds its records, too: {done}")
    promise(any(line.startswith("network ") and "refused" in line and "record " in line for line in lines), f"a line each: {lines}")


@test
def selftest_notices_a_hook_that_does_not_refuse():
    rules_hold()
    (pin,) = PINS.glob("*/links/inode_rmdir")
    pin.unlink()
    try:
        report = tested(1)
    finally:
        must("systemctl", "restart", "bartizand")
    wrong = [one["hook"] for one in report["outcomes"] if not one["refused"]]
    promise(wrong == ["inode_rmdir"] and not report["passed"], f"it names the hook that has gone: {wrong}")
    promise(stage.enforcing() and not GROUND.exists(), "the next start enforces again, and nothing is left behind")


@test
def selftest_says_when_it_cannot():
    done = run("runuser", "-u", "nobody", "--", "bartizan", "selftest")
    promise(done.returncode == 3 and "root" in done.stderr, f"it takes root: {done}")
