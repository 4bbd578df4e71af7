# SPDX-License-Identifier: Apache-2.0 OR MIT
"""A governed service walks many files: 50,000, or a million with BARTIZAN_SOAK. What is kept for an inode must go with it,
so the kernel's memory is bounded by the inodes that it caches anyway, and no verdict may suffer."""

import json
import os
import pathlib
import shutil

import stage
from audit import audits
from stage import must, promise, run, wait_for
from suite import apart
from walker import EVERY, slabs

FILES = 1_000_000 if os.environ.get("BARTIZAN_SOAK") else 50_000
SHARE = 1000
DISK, WHERE = pathlib.Path("/var/tmp/many.img"), pathlib.Path("/etc/security/many")
PROBE = WHERE / "lost+found"
PROGRAM, RESULT = pathlib.Path("/opt/walker.py"), pathlib.Path("/run/walker.json")
POLICY = pathlib.Path("/etc/bartizan/policy.d/many.toml")
RULES = """
[[rule]]
name = "the walker only reads"
services = ["walker"]

[rule.capabilities]
USERS_ADMIN = "prevent"
"""
# What one cached inode may cost, and what else may come and go meanwhile.
MOST_FOR_AN_INODE, MOST_ELSE = 400, 8 << 20


def made():
    """A file system of its own with the files, below a name that needs USERS_ADMIN for writing."""
    WHERE.mkdir(parents=True, exist_ok=True)
    with open(DISK, "wb") as disk:
        disk.truncate(FILES * 512 + (64 << 20))
    must("mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-N", str(FILES + FILES // SHARE + 100), str(DISK))
    must("mount", "-o", "loop", str(DISK), str(WHERE))
    for number in range(FILES):
        folder = WHERE / str(number // SHARE)
        if number % SHARE == 0:
            folder.mkdir()
        os.close(os.open(folder / str(number), os.O_CREAT | os.O_WRONLY, 0o600))


def forget():
    must("sync")
    pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")


def walk():
    """The service, once; what it found."""
    RESULT.unlink(missing_ok=True)
    must("systemd-run", "-q", "--collect", "--wait", "--unit=walker", "python3", "-B", str(PROGRAM), str(WHERE), str(RESULT))
    return json.loads(RESULT.read_text())


def counted():
    """Denials that the walks' records stand for."""
    return sum(one["count"] for one in audits("--service", "walker") if one["verdict"] == "deny" and one["path"] != str(PROBE))


def leave():
    run("umount", str(WHERE))
    POLICY.unlink(missing_ok=True)
    run("bartizan", "policy", "apply")
    for path in (DISK, PROGRAM, RESULT):
        path.unlink(missing_ok=True)


def walked():
    """Two walks: the second finds what the first left in memory, and both must say the same."""
    made()
    shutil.copy(pathlib.Path(__file__).with_name("walker.py"), PROGRAM)
    POLICY.write_text(RULES)
    must("bartizan", "policy", "apply")
    wait_for("the mount counts for labels", probed)
    before, lost = counted(), stage.status()["loss"]
    forget()
    start, _ = slabs()
    expected = {"read": {"ok": FILES}, "written": {"EPERM": -(-FILES // EVERY)}}
    for told in (walk(), walk()):
        promise({key: told[key] for key in expected} == expected, f"each verdict is right: {told}, and not {expected}")
        grown = told["peak"] - start
        most = told["inodes"] * MOST_FOR_AN_INODE + MOST_ELSE
        print(f"walked {FILES:,} files: {grown / 2**20:.1f} MiB more at most, with {told['inodes']:,} inodes in memory", flush=True)
        promise(grown <= most, f"the kernel's memory grew by {grown:,} bytes, with {told['inodes']:,} inodes in memory: at most {most:,}")
    denied = 2 * expected["written"]["EPERM"]
    wait_for("each denial is accounted for", lambda: counted() - before >= denied)
    promise(counted() - before == denied, f"{denied} denials, and the records stand for {counted() - before}")
    forget()
    left = slabs()[0] - start
    promise(left <= MOST_ELSE, f"what was kept went with the inodes: {left:,} bytes stayed")
    now = stage.status()["loss"]
    promise(now == lost, f"nothing was lost: {lost}, and now {now}")


def probed():
    """Whether a service of the walker's name is refused a change below the mount."""
    line = f"import os; os.chmod('{PROBE}', 0o700)"
    done = run("systemd-run", "-q", "--collect", "--wait", "--pipe", "--unit=walker", "python3", "-c", line)
    return "Operation not permitted" in done.stderr


@apart
def many_files_cost_no_more_than_their_inodes_and_every_verdict_is_right():
    try:
        walked()
    finally:
        leave()
