# SPDX-License-Identifier: Apache-2.0 OR MIT
"""The end-to-end tests, as root in a guest in which Bartizan runs:

    scripts/vm --kernel K --put vmtests:/root/vmtests -- python3 -B /root/vmtests/e2e.py [NAME…]

A NAME chooses the tests that contain it. Ends with 1 when any failed."""

import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "e2e"), str(HERE / "demo"), str(HERE)]

import suite  # noqa: E402

# Each of these enters its tests. The order matters: the first share one set-up, the later ones restart the daemon.
import denials  # noqa: E402,F401
import holes  # noqa: E402,F401
import escapes  # noqa: E402,F401
import one_verdict  # noqa: E402,F401
import unresolved  # noqa: E402,F401
import subjects  # noqa: E402,F401
import others  # noqa: E402,F401
import words  # noqa: E402,F401
import own_words  # noqa: E402,F401
import policy_files  # noqa: E402,F401
import revisions  # noqa: E402,F401
import explained  # noqa: E402,F401
import simulated  # noqa: E402,F401
import callers  # noqa: E402,F401
import proxies  # noqa: E402,F401
import doctor  # noqa: E402,F401
import shape  # noqa: E402,F401
import losing  # noqa: E402,F401
import attest  # noqa: E402,F401
import selftest  # noqa: E402,F401
import swaps  # noqa: E402,F401
import flips  # noqa: E402,F401
import life  # noqa: E402,F401
import builds  # noqa: E402,F401
import starts  # noqa: E402,F401
import boot  # noqa: E402,F401
import models  # noqa: E402,F401
import counts  # noqa: E402,F401
import many  # noqa: E402,F401
import switch  # noqa: E402,F401
import off  # noqa: E402,F401
import operators  # noqa: E402,F401
import installation  # noqa: E402,F401


def main():
    started = time.monotonic()
    counts = suite.run_tests(sys.argv[1:])
    print(f"\nall in {time.monotonic() - started:.0f} s")
    print(f"{counts['pass']} passed, {counts['FAIL']} failed, {counts['skip']} skipped")
    return 1 if counts["FAIL"] or not counts["pass"] else 0


sys.exit(main())
