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

import empty  # noqa: E402
import image  # noqa: E402
import table  # noqa: E402
from guest import BUILT, ROOT  # noqa: E402

# What may be added at most, in instructions, by kernel, configuration and operation.
BUDGETS = {("6.12", "bartizan governed warm", "open+close"): 600}


class Failed(Exception):
    """Told to the person; exit status 1."""


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench kernel", description=__doc__.split(": ", 1)[1])
    parser.add_argument("--json", metavar="FILE", type=pathlib.Path, help="write the rows there as well, as a JSON array")
    parser.add_argument("--kernel", default="6.12", choices=list(image.matrix()["kernel"]), help="default: 6.12")
    return parser.parse_args()


def build(directory):
    """What the guest needs: the measuring program, the empty programs and what attaches them."""
    for part in (["-p", "bartizan-vmtests", "--bin", "acts"], ["-p", "bartizan-bpf", "--example", "empty"]):
        if subprocess.run(["cargo", "build", "-q", *part], cwd=ROOT, stdin=subprocess.DEVNULL).returncode != 0:
            raise Failed("the benchmark does not build, see above")
    directory.mkdir()
    empty.build(directory / "programs")
    for file in (BUILT / "acts", BUILT / "examples/empty", HERE / "inside.py"):
        shutil.copy2(file, directory)


def run(kernel):
    """What the guest measured."""
    with tempfile.TemporaryDirectory(prefix="bartizan-bench.") as temporary:
        directory = pathlib.Path(temporary) / "bench"
        build(directory)
        guest = subprocess.run(
            [ROOT / "scripts/vm", "--icount", "--kernel", kernel, "--timeout", "1200", "--put", f"{directory}:/root/bench",
             "--put", f"{HERE}/policy.toml:/etc/bartizan/policy.d/bench.toml", "--", "python3", "-B", "/root/bench/inside.py"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    if guest.returncode != 0:
        raise Failed(f"nothing was measured: the guest's part ended with {guest.returncode}, see above")
    return json.loads(guest.stdout)


def over(rows):
    """One sentence for each budget that is exceeded; those that are kept are printed."""
    for row in rows:
        most = BUDGETS.get((row["kernel"], row["configuration"], row["operation"]))
        if most is None:
            continue
        sentence = f"{row['configuration']}, {row['operation']}: {row['added']:+,} of +{most:,}"
        if row["added"] > most:
            yield f"over budget: {sentence}"
        else:
            print(f"within budget: {sentence}")


def main():
    given = arguments()
    found = run(given.kernel)
    rows = table.rows(given.kernel, found)
    print(table.text(given.kernel, found, rows))
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1) + "\n")
    wrong = [*table.apart(found), *table.not_warm(rows), *over(rows)]
    if wrong:
        raise Failed("\n".join(wrong))


if __name__ == "__main__":
    try:
        main()
    except (Failed, image.Failure, OSError, subprocess.SubprocessError, ValueError) as failure:
        print(f"bench: {failure}", file=sys.stderr)
        sys.exit(1)
