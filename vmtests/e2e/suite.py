# SPDX-License-Identifier: Apache-2.0 OR MIT
"""The list of tests: each is a function that raises NotAsPromised. They run in the order in which they are written."""

import functools
import time
import traceback

from stage import NotAsPromised

TESTS = []


class Impossible(Exception):
    """The test cannot be run here; the reason is told, and it does not count as passed."""


def test(function):
    """Enters a function under its own name, with words instead of underscores."""
    TESTS.append((function.__name__.replace("_", " "), function))
    return function


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


def run_tests(wanted):
    """Runs those whose name contains one of the words, or all. The counts by outcome."""
    counts = {"pass": 0, "FAIL": 0, "skip": 0}
    for name, function in TESTS:
        if wanted and not any(word in name for word in wanted):
            continue
        started = time.monotonic()
        word, why = outcome(function)
        counts[word] += 1
        print(f"{word} {name}: {why}" if why else f"{word} {name} ({time.monotonic() - started:.1f} s)", flush=True)
    return counts
