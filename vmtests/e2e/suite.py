# SPDX-License-Identifier: Apache-2.0 OR MIT
"""The list of tests: each is a function that raises NotAsPromised. They run in the order in which they are written."""

import functools
import os
import time
import traceback

from stage import NotAsPromised

TESTS = []
# Names of those that take long and hardly depend on the kernel: they run where they are asked for, and in the long form.
APART = set()


class Impossible(Exception):
    """The test cannot be run here; the reason is told, and it does not count as passed."""


def test(function):
    """Enters a function under its own name, with words instead of underscores."""
    TESTS.append((function.__name__.replace("_", " "), function))
    return function


def apart(function):
    """Enters a test that runs only when it is asked for."""
    APART.add(function.__name__.replace("_", " "))
    return test(function)


def enter(name, function):
    """Enters one of many tests that are made from a table."""
    TESTS.append((name, function))


def once(function):
    """A part of the set-up: made when it is first asked for. What failed once is not tried again but fails the same."""
    kept = []

    @functools.wraps(function)
    def made():
        if not kept:
            kept.append(NotAsPromised(f"`{function.__name__}` has failed before, see above"))
            kept[0] = function()
        if isinstance(kept[0], NotAsPromised):
            raise kept[0]
        return kept[0]

    return made


def outcome(function):
    """None when all was as promised, else a line to print after the name."""
    try:
        function()
    except NotAsPromised as broken:
        return "FAIL", str(broken)
    except Impossible as reason:
        return "skip", str(reason)
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        return "FAIL", f"{type(error).__name__}: {error} ({where.filename.rsplit('/', 1)[-1]}:{where.lineno})"
    return "pass", ""


def chosen(wanted):
    """The tests whose name contains one of the words, or all."""
    if wanted:
        return [one for one in TESTS if any(word in one[0] for word in wanted)]
    if os.environ.get("BARTIZAN_SOAK"):
        return TESTS
    print(f"left to another guest: {', '.join(sorted(APART))}", flush=True)
    return [one for one in TESTS if one[0] not in APART]


def run_tests(wanted):
    """Runs those that are chosen. The counts by outcome."""
    counts = {"pass": 0, "FAIL": 0, "skip": 0}
    for name, function in chosen(wanted):
        started = time.monotonic()
        word, why = outcome(function)
        counts[word] += 1
        print(f"{word} {name}: {why}" if why else f"{word} {name} ({time.monotonic() - started:.1f} s)", flush=True)
    return counts
