# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What a flood of events costs a whole guest, in instructions: with Bartizan, with auditd, and with auditd and laurel."""

import json
import pathlib
import shutil
import subprocess
import tempfile

import kernel
from guest import ROOT

HERE = pathlib.Path(__file__).resolve().parent
INSIDE = ["flood_inside.py", "place.py", "bartizan.py", "memory.py", "equivalent.py"]
NAMES = ("nothing", "auditd", "auditd with laurel", "bartizan")


def run():
    """What the guest measured, on the kernel that budgets are for."""
    with tempfile.TemporaryDirectory(prefix="bartizan-bench.") as temporary:
        directory = pathlib.Path(temporary) / "bench"
        directory.mkdir()
        for file in (ROOT / "policy/catalogue/users_admin.toml", *(HERE / name for name in INSIDE)):
            shutil.copy2(file, directory)
        guest = subprocess.run(
            [ROOT / "scripts/vm", "--icount", "--kernel", "6.12", "--timeout", "1800", "--put", f"{directory}:/root/bench",
             "--put", f"{HERE}/policy.toml:/etc/bartizan/policy.d/bench.toml", "--", "python3", "-B", "/root/bench/flood_inside.py"],
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
