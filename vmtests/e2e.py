# SPDX-License-Identifier: Apache-2.0 OR MIT
"""The end-to-end tests, as root in a guest in which Bartizan runs:

    scripts/vm --kernel K --put vmtests:/root/vmtests -- python3 -B /root/vmtests/e2e.py [NAME…]

A NAME chooses the tests that contain it; --kernel NAME leaves out what SHARES gives to the guest of another kernel, and --apart
takes the tests that have a guest of their own. Ends with 1 when any failed."""

import importlib
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "e2e"), str(HERE / "demo"), str(HERE)]

import suite  # noqa: E402

# Each of these modules enters its tests. The order matters: the first share one set-up, the later ones restart the daemon.
MODULES = [
    "denials", "holes", "escapes", "one_verdict", "unresolved", "subjects", "others", "words", "own_words",
    "policy_files", "findings", "revisions", "explained", "simulated", "callers", "told", "chained", "sinks", "faults", "proxies", "proofs", "doctor", "shape", "surfaces", "losing", "floods",
    "attest", "selftest", "swaps", "flips", "life", "builds", "starts", "boot", "slices", "models", "crashes", "start_grants", "maturity", "exported", "anomalous",
    "graduation", "held", "counts", "many", "switch", "off", "operators", "installation", "scale", "footprint",
]
# What hardly depends on the kernel and takes long runs on one of them, unless the long form is asked for: modules, or single
# tests. The names of the kernels are those of kernels.toml.
SHARES = {
    "6.1": ["losing", "floods", "revisions", "boot", "slices", "graduation", "maturity", "anomalous", "a lost link is told and mended by a restart", "off from a session lasts until on"],
    "6.12": ["simulated", "start_grants", "crashes", "policy_files", "findings", "own_words", "callers", "proofs", "swaps", "selftest notices a hook that does not refuse",
             "killed again and again", "disabled and back", "policies take turns a thousand times"],
    "latest": ["explained", "shape", "surfaces", "operators", "installation", "models", "exported", "chained", "sinks", "faults", "held", "a tampered map is told", "killed under load", "off works without the daemon"],
}


def main():
    for name in MODULES:
        importlib.import_module(name)
    started = time.monotonic()
    counts = suite.run_tests(suite.chosen(sys.argv[1:], SHARES))
    print(f"\nall in {time.monotonic() - started:.0f} s")
    print(f"{counts['pass']} passed, {counts['FAIL']} failed, {counts['skip']} skipped")
    return 1 if counts["FAIL"] or not counts["pass"] else 0


sys.exit(main())
