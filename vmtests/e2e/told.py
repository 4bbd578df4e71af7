# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What a record tells beside the act: the file, the process with its parents, its command line without the secrets, the technique."""

import datetime
import json
import os
import pathlib
import time

import ground
import stage
from audit import compare, record
from service import Service
from stage import must, promise, wait_for
from suite import once, test

RULES = """
[[rule]]
name = "the teller keeps its hands off"
services = ["e2e-teller"]
capabilities = { USERS_ADMIN = "prevent" }
"""
ID = "0123456789abcdef" * 4
CHILD = pathlib.Path("/opt/e2e-teller.py")
CHILD_TEXT = """
import json, os, sys
place = f"/sys/fs/cgroup/system.slice/e2e-teller.service/{sys.argv[2]}"
if sys.argv[2]:
    os.makedirs(place)
    with open(f"{place}/cgroup.procs", "w") as procs:
        procs.write("0")
try:
    open(sys.argv[1]).close()
    answer = "ok"
except OSError as refused:
    answer = os.strerror(refused.errno)
print(json.dumps([answer, os.getpid(), open("/proc/self/stat").read()]))
"""
SECRET = "hush-hush-told"
teller = Service("e2e-teller", ["Delegate=yes"])


@once
def teller_runs():
    ground.rules_hold()
    ground.apply(ground.RULES + RULES)
    CHILD.write_text(CHILD_TEXT)
    teller.start()


def asked(path, cgroup=""):
    """A child with a secret among its arguments opens the file, and is refused: its pid, the fields of its /proc/PID/stat, and
    the record."""
    status, text = teller.one("output", "/usr/bin/python3", "-B", str(CHILD), path, cgroup, f"--password={SECRET}", "--verbose")
    promise(status == 0, f"the child runs: {text}")
    answer, pid, stat = json.loads(text)
    promise(answer == os.strerror(1), f"it is refused {path}: {answer}")
    found = record(f"Service e2e-teller attempted to obtain capability USERS_ADMIN by reading {path}", pid=pid)
    return pid, stat.rsplit(")", 1)[1].split(), found


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def started(stat):
    """When a process was started: field 22 of proc(5)'s stat, the third of these being the first."""
    boot = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return boot + int(stat[22 - 3]) / os.sysconf("SC_CLK_TCK")


@test
def a_record_tells_who_acted_on_what_and_leaves_out_the_secret():
    teller_runs()
    _, stat, found = asked("/etc/shadow")
    file = os.stat("/etc/shadow")
    compare(found, {
        "command": f"/usr/bin/python3 -B {CHILD} /etc/shadow  --password=[redacted] --verbose",
        "device": f"{os.major(file.st_dev)}:{os.minor(file.st_dev)}", "inode": file.st_ino, "login_uid": None, "session": None,
        "revision": stage.status()["revision"], "host": os.uname().nodename, "container": None,
        "techniques": [{"id": "T1003.008", "older": None}],
    })
    promise(abs(seconds(found["start"]) - started(stat)) < 0.1, f"it was started then: {found['start']}, {started(stat)}")
    main = int(must("systemctl", "show", "-p", "MainPID", "--value", "e2e-teller"))
    parents = [(one["pid"], one["comm"]) for one in found["ancestors"]]
    promise(parents == [(main, pathlib.Path(f"/proc/{main}/comm").read_text().strip())], f"its parent is the main process: {parents}")
    stat = pathlib.Path(f"/proc/{main}/stat").read_text().rsplit(")", 1)[1].split()
    promise(abs(seconds(found["ancestors"][0]["start"]) - started(stat)) < 0.1, f"and was started then: {found['ancestors']}")
    place = found["sequence"]
    promise(0 <= place["cpu"] < os.cpu_count() and place["number"] > 0, f"its event is numbered: {place}")


@test
def the_journal_has_it_and_the_secret_is_nowhere():
    teller_runs()
    _, _, found = asked("/etc/gshadow")

    def entries():
        lines = must("journalctl", f"AUDIT_ID={found['id']}", "TECHNIQUE=T1003.008", "-o", "json", "--no-pager").splitlines()
        return [json.loads(line) for line in lines]

    entry = wait_for("journalctl TECHNIQUE=T1003.008 shows it", entries, 20)[0]
    promise((entry["COMMAND"], entry["REVISION"]) == (found["command"], str(found["revision"])), f"its fields are the record's: {entry}")
    promise(json.loads(entry["AUDIT_RECORD"]) == found, "and it has the record")
    places = [path for path in pathlib.Path("/var/lib/bartizan").rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    promise(not places and SECRET not in json.dumps(entry), f"the secret is in no file: {places}")


@test
def a_record_names_the_container():
    teller_runs()
    _, _, found = asked("/etc/gshadow-", f"docker-{ID}.scope")
    compare(found, {"container": ID, "service": "e2e-teller"})
    promise(stage.status()["loss"]["gaps"] == 0, f"no event is missing: {stage.status()['loss']}")
    teller.stop()
    ground.apply(ground.RULES)
