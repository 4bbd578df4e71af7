# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What user space costs in a guest, in instructions: a flood of events with Bartizan, with auditd, and with auditd and laurel; and the
daemon while nothing happens."""

import json
import pathlib
import shutil
import subprocess
import tempfile

import budgets
import kernel
from guest import ROOT

HERE = pathlib.Path(__file__).resolve().parent
INSIDE = ["flood_inside.py", "idle_inside.py", "receivers.py", "place.py", "bartizan.py", "memory.py", "equivalent.py"]
NAMES = ("nothing", "auditd", "auditd with laurel", "bartizan")


def run(program):
    """What this program measured in a guest, on the kernel that budgets are for."""
    with tempfile.TemporaryDirectory(prefix="bartizan-bench.") as temporary:
        directory = pathlib.Path(temporary) / "bench"
        directory.mkdir()
        for file in (ROOT / "policy/catalogue/users_admin.toml", *(HERE / name for name in INSIDE)):
            shutil.copy2(file, directory)
        guest = subprocess.run(
            [ROOT / "scripts/vm", "--icount", "--kernel", "6.12", "--timeout", "1800", "--put", f"{directory}:/root/bench",
             "--put", f"{HERE}/policy.toml:/etc/bartizan/policy.d/bench.toml", "--", "python3", "-B", f"/root/bench/{program}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    if guest.returncode != 0:
        raise kernel.Failed(f"nothing was measured: the guest's part ended with {guest.returncode}, see above")
    return json.loads(guest.stdout)


def text(found):
    """What was measured, for people."""
    opens, least = found["opens"], found["nothing"]["instructions"]
    yield (f"\nA flood of {opens:,} opens for writing, each of another file, on {found['release']} (QEMU's -icount): instructions of the\n"
           "whole guest for one, in the kernel and out of it, and what was recorded:")
    for name in NAMES:
        one = found[name]
        yield (f"{name:20} {one['instructions']:>9,} ({one['instructions'] - least:+,}); {one['recorded']:,} of {opens:,} on record, "
               f"{one['lost']:,} told as lost")


def idle_text(idle):
    """What the daemon took, for people."""
    memory = idle["resident_kb"]
    yield (f"\nThe daemon on {idle['release']} with {idle['services']} services and all sinks while nothing happens: {memory['VmRSS']:,} kB resident,\n"
           f"{memory['RssAnon']:,} of them its own; {budgets.share(idle):.2f} per mille of a processor that does 10⁹ instructions a second, over {idle['seconds']:.0f} s:")
    for name, one in sorted(idle["threads"].items(), key=lambda pair: -pair[1]["instructions"]):
        yield f"{name:20} {one['instructions'] / idle['seconds']:>12,.0f} instructions a second, {one['turns']} turns"
