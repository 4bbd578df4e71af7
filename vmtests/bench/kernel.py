# SPDX-License-Identifier: Apache-2.0 OR MIT
"""scripts/bench kernel: guest instructions for single acts, with and without Bartizan, counted in one run of one guest."""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import budgets  # noqa: E402
import empty  # noqa: E402
import image  # noqa: E402
import table  # noqa: E402
from guest import BUILT, ROOT  # noqa: E402

CRATES = [["-p", "bartizan-vmtests", "--bin", "acts", "--bin", "responder"],
          ["-p", "bartizan-bpf", "--example", "empty", "--example", "switch"]]
C_PROGRAMS = {"nothing": ["-static"], "mapped": []}
INSIDE = ["inside.py", "place.py", "bartizan.py", "memory.py", "peers.py", "equivalent.py"]
# Files of which each is an inode that is opened, to see what that leaves in memory.
INODES, INODES_WITH_PEERS = 10_000, 100_000


class Failed(Exception):
    """Told to the person; exit status 1."""


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench kernel", description=__doc__.split(": ", 1)[1])
    parser.add_argument("--json", metavar="FILE", type=pathlib.Path, help="write the rows there as well, as a JSON array")
    parser.add_argument("--kernel", default="6.12", choices=list(image.matrix()["kernel"]), help="default: 6.12")
    parser.add_argument("--peers", action="store_true", help="also AppArmor, auditd, fapolicyd and a fanotify responder")
    return parser.parse_args()


def built(command):
    if subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL).returncode != 0:
        raise Failed("the benchmark does not build, see above")


def build(directory):
    """What the guest needs: the measuring programs, the empty programs, and what attaches and detaches."""
    for part in CRATES:
        built(["cargo", "build", "-q", *part])
    directory.mkdir()
    empty.build(directory / "programs")
    for name, flags in C_PROGRAMS.items():
        built(["gcc", "-O2", "-Wall", "-Wextra", "-Werror", *flags, HERE / f"{name}.c", "-o", directory / name])
    for file in (BUILT / "acts", BUILT / "responder", BUILT / "examples/empty", BUILT / "examples/switch",
                 ROOT / "policy/catalogue/users_admin.toml", *(HERE / name for name in INSIDE)):
        shutil.copy2(file, directory)


def run(given):
    """What the guest measured."""
    inside = ["--peers", str(INODES_WITH_PEERS)] if given.peers else [str(INODES)]
    with tempfile.TemporaryDirectory(prefix="bartizan-bench.") as temporary:
        directory = pathlib.Path(temporary) / "bench"
        build(directory)
        guest = subprocess.run(
            [ROOT / "scripts/vm", "--icount", "--kernel", given.kernel, "--timeout", "3600" if given.peers else "1800",
             "--put", f"{directory}:/root/bench", "--put", f"{HERE}/policy.toml:/etc/bartizan/policy.d/bench.toml",
             "--", "python3", "-B", "/root/bench/inside.py", *inside],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    if guest.returncode != 0:
        raise Failed(f"nothing was measured: the guest's part ended with {guest.returncode}, see above")
    return json.loads(guest.stdout)


def main():
    given = arguments()
    found = run(given)
    rows = table.rows(given.kernel, found)
    print(table.text(given.kernel, found, rows))
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1) + "\n")
    judged = list(budgets.judged(given.kernel, found, rows))
    print("\n".join(sentence for kept, sentence in judged if kept))
    wrong = [*table.apart(found, budgets.OPERATIONS), *table.not_warm(rows), *(sentence for kept, sentence in judged if not kept)]
    if wrong:
        raise Failed("\n".join(wrong))


if __name__ == "__main__":
    try:
        main()
    except (Failed, image.Failure, OSError, subprocess.SubprocessError, ValueError) as failure:
        print(f"bench: {failure}", file=sys.stderr)
        sys.exit(1)
