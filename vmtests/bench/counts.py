# SPDX-License-Identifier: Apache-2.0 OR MIT
"""scripts/bench verifier: how much the kernel's verifier has to look at, on each kernel of the tests, against the counts
that are kept in vmtests/verifier.tsv."""

import argparse
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import image  # noqa: E402
import verifier  # noqa: E402
from guest import ROOT  # noqa: E402


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench verifier", description=__doc__.split(": ", 1)[1])
    parser.add_argument("--write", action="store_true", help="keep the counts of this run")
    return parser.parse_args()


def ask(kernel):
    """The lines that the guest's end-to-end test prints; it fails when a count rose, which is judged here."""
    guest = subprocess.run(
        [ROOT / "scripts/vm", "--kernel", kernel, "--put", f"{ROOT}/vmtests:/root/vmtests", "--",
         "python3", "-B", "/root/vmtests/e2e.py", "verifier"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    told = [line.removeprefix("verified\t") for line in guest.stdout.splitlines() if line.startswith("verified\t")]
    if not told:
        raise ValueError(f"the guest with kernel {kernel} told no counts: {guest.stdout}")
    return verifier.kept("\n".join(told))


def main():
    given = arguments()
    before = verifier.kept()
    now = {}
    for kernel in image.matrix()["tests"]["kernels"]:
        now |= ask(kernel)
    for name, programs in now.items():
        for program, count in sorted(programs.items()):
            old = before.get(name, {}).get(program)
            print(f"{name:6} {program:28} {count:>9,}" + (f" {100 * (count / old - 1):>+8.1f} %" if old else "      new"))
    wrong = [f"{name}: {sentence}" for name, programs in now.items() for sentence in verifier.compared(before.get(name, {}), programs)]
    if given.write:
        verifier.KEPT.write_text(verifier.written(now))
        return 0
    print("\n".join(wrong), file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (image.Failure, OSError, subprocess.SubprocessError, ValueError) as failure:
        print(f"bench: {failure}", file=sys.stderr)
        sys.exit(1)
