# SPDX-License-Identifier: Apache-2.0 OR MIT
"""A large policy in the kernel: 500 services, 5,000 rules, 64 capabilities, 100 revisions. Times are printed with the machine."""

import json
import os
import pathlib
import re
import time

import stage
from service import Service
from stage import must, promise, run, wait_for
from suite import apart

FILE = pathlib.Path("/etc/bartizan/policy.d/scale.toml")
REVISIONS = pathlib.Path("/var/lib/bartizan/revisions")
SERVICES, RULES, OWN = 500, 5000, 49
# Generous, for emulation on a busy machine: what grows with the square of the rules takes longer by far.
SLOW = 120


def text(changed=False):
    """`changed`: one rule, for one service, says one thing more."""
    lines = []
    for number in range(OWN):
        lines.append(f'[[capability]]\nname = "SCALE_{number}"\ndescription = "one of many"\nseverity = "low"\n'
                     f'[capability.files]\nwrite = ["/srv/scale/{number}/**"]\n')
    if changed:
        lines.append('[[rule]]\nname = "scale, one more"\nservices = ["scale-7"]\ncapabilities = { "SHELL.read" = "prevent" }\n')
    for number in range(RULES):
        lines.append(f'[[rule]]\nname = "scale {number}"\nservices = ["scale-{number % SERVICES}"]\n'
                     f'capabilities = {{ "SCALE_{(number + number // SERVICES) % OWN}.write" = "prevent" }}\n')
    return "\n".join(lines)


def applied(what):
    """Applies what the file says; how many entries there are, and how many were written."""
    started = time.monotonic()
    said = must("bartizan", "policy", "apply")
    took = time.monotonic() - started
    found = re.search(r"^(\d+) of (\d+) entries of the kernel's maps differed", said, re.M)
    promise(found, f"it says how much was written: {said[-500:]}")
    written, entries = map(int, found.groups())
    print(f"{what}: {written:,} of {entries:,} entries written, {took:.1f} s under emulation, {os.cpu_count()} processors", flush=True)
    promise(took < SLOW, f"{what} takes no more than {SLOW} s: {took:.0f} s")
    return written, entries


def resident():
    pid = must("systemctl", "show", "-p", "MainPID", "--value", "bartizand").strip()
    return int(re.search(r"VmRSS:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1))


@apart
def a_large_policy_is_installed_and_only_what_differs_is_written():
    wait_for("Bartizan enforces", stage.enforcing)
    one = Service("scale-7")
    one.start()
    one.known()
    try:
        for name in ("7", "8"):
            pathlib.Path("/srv/scale", name).mkdir(parents=True, exist_ok=True)
        FILE.write_text(text())
        written, entries = applied("5,000 rules for 500 services")
        # What the slot held before and is gone counts as well.
        promise(written >= RULES, f"all of it is new: {written} of {entries}")
        one.must_deny("opened", "/srv/scale/7/file", os.O_WRONLY | os.O_CREAT)
        one.must_allow("execute", "/bin/true")
        # The kernel holds two revisions; each is written over the one before the last.
        applied("the same once more, over the revision before the last")
        written, _ = applied("the same a third time")
        promise(written == 0, f"nothing differs, so nothing is written: {written}")
        FILE.write_text(text(changed=True))
        written, _ = applied("one rule more, before all others")
        # The service's masks, and the name of the rule that decides.
        promise(written == 2, f"two entries differ: {written}")
        promise(stage.enforcing(), "the kernel holds it")
        print(f"the daemon, built without optimisation, has {resident():,} kB resident", flush=True)
        listed()
    finally:
        FILE.unlink()
        must("bartizan", "policy", "apply")
        one.stop()


def listed():
    """A hundred revisions as large as this one."""
    number = stage.status()["revision"]
    revision = json.loads((REVISIONS / str(number) / "revision.json").read_text())
    made = [REVISIONS / str(number + more) for more in range(1, 100)]
    for folder in made:
        folder.mkdir()
        (folder / "revision.json").write_text(json.dumps({**revision, "number": int(folder.name)}))
    started = time.monotonic()
    shown = json.loads(must("bartizan", "policy", "history", "--json"))["revisions"]
    took = time.monotonic() - started
    size = (made[0] / "revision.json").stat().st_size
    print(f"history of {len(shown)} revisions of up to {size:,} bytes: {took:.1f} s under emulation", flush=True)
    promise(len(shown) >= 100 and took < SLOW, f"all are listed: {len(shown)} in {took:.0f} s")
    for folder in made:
        run("rm", "-r", str(folder))
