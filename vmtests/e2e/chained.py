# SPDX-License-Identifier: Apache-2.0 OR MIT
"""The trail as a chain: whole in a running daemon, over its death in any moment, and no deed to it goes unseen."""

import json
import os
import pathlib
import shutil
import signal

import stage
from audit import audits, last
from ground import rules_hold, victim
from stage import must, promise, run, wait_for
from suite import test

TRAIL = pathlib.Path("/var/lib/bartizan/audit")
COPY = pathlib.Path("/root/trail-copy")


def verified(path=TRAIL):
    done = run("bartizan", "audits", "verify", "--json", str(path))
    report = json.loads(done.stdout)
    promise(done.returncode == (1 if report["findings"] else 0), f"the exit status goes with the findings: {done}")
    return report


def copied():
    shutil.rmtree(COPY, ignore_errors=True)
    # The rest changes while it is copied, and proves nothing.
    shutil.copytree(TRAIL, COPY, ignore=shutil.ignore_patterns("sinks", "store*"))
    return sorted(COPY.glob("audit-*.jsonl"))[-1]


def some_records():
    rules_hold()
    for number in range(6):
        victim.must_deny("opened", f"/etc/sudoers.d/e2e-chain-{number}", os.O_WRONLY | os.O_CREAT)
    wait_for("they are on record", lambda: [one for one in audits() if one["message"].endswith("e2e-chain-5")])


@test
def the_trail_of_a_running_daemon_is_whole():
    some_records()
    report = verified()
    promise(not report["findings"] and report["last"] >= last() > 0, f"nothing is found: {report}")
    told = must("bartizan", "audits", "verify")
    promise("the trail is whole" in told, told)


@test
def a_changed_and_a_removed_record_are_named():
    some_records()
    file = copied()
    lines = file.read_text().splitlines(keepends=True)
    at = max(number for number in range(1, len(lines) - 1) if '"count":1,' in lines[number])
    one = json.loads(lines[at])["id"]
    file.write_text("".join(lines[:at] + [lines[at].replace('"count":1,', '"count":2,', 1)] + lines[at + 1:]))
    found = verified(COPY)["findings"]
    wanted = {"file": file.name, "line": at + 1, "id": one}
    promise(len(found) == 1 and {name: found[0][name] for name in wanted} == wanted, f"the change is at {wanted}: {found}")
    file.write_text("".join(lines[:at] + lines[at + 1:]))
    found = verified(COPY)["findings"]
    promise([entry["id"] for entry in found] == [one + 1] and "missing" in found[0]["what"], f"record {one} is missing: {found}")


@test
def a_stop_signs_the_end_so_that_a_cut_is_proved():
    some_records()
    must("systemctl", "restart", "bartizand")
    wait_for("Bartizan enforces", stage.enforcing)
    report = verified()
    promise(not report["findings"] and report["heads"] > 0, f"a head was signed: {report}")
    key = (TRAIL / "heads/key").stat()
    promise(key.st_mode & 0o777 == 0o600 and key.st_uid == 0, "nobody else reads the key")
    file = copied()
    kept = [line for line in file.read_text().splitlines(keepends=True) if json.loads(line)["id"] < report["signed_up_to"]]
    file.write_text("".join(kept))
    found = verified(COPY)["findings"]
    promise(len(found) == 1 and "the end is missing" in found[0]["what"], f"the cut is found: {found}")


@test
def a_line_cut_off_by_a_kill_is_told_and_is_no_tampering():
    some_records()
    file = sorted(TRAIL.glob("audit-*.jsonl"))[-1]
    # systemd starts the daemon again; meanwhile the file gets what a write that was cut short leaves.
    os.kill(int(must("systemctl", "show", "-p", "MainPID", "--value", "bartizand")), signal.SIGKILL)
    with open(file, "a", encoding="utf-8") as out:
        out.write('{"time":"20')
    wait_for("Bartizan enforces again", stage.enforcing)
    found = [one for one in audits() if "was cut off after 11 bytes" in one["message"]]
    promise(found and found[-1]["kind"] == "lifecycle", "the cut line is on record")
    report = verified()
    promise(not report["findings"], f"and nothing else is found: {report}")
