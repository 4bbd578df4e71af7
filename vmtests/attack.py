# SPDX-License-Identifier: Apache-2.0 OR MIT
"""The attack suite, as root in a guest in which Bartizan runs: scripts/attack. Ends with 1 when anything is not as promised.

    attack.py scenarios [WORD…]      the table; a WORD chooses the rows that it is a part of
    attack.py trials N [SEED]        N random trials"""

import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / name) for name in ("attack", "e2e", "demo")]


def main(what, *words):
    started = time.monotonic()
    if what == "scenarios":
        import play
        good = play.suite(words)
    else:
        import trials
        good = trials.suite(*map(int, words))
    print(f"{what}: in {time.monotonic() - started:.0f} s")
    return 0 if good else 1


sys.exit(main(*sys.argv[1:]))
