# SPDX-License-Identifier: Apache-2.0 OR MIT
"""The list of tests: each is a function that raises NotAsPromised. They run in the order in which they are written."""

import functools
import os
import time
import traceback

from stage import NotAsPromised

TESTS = []
# Names of those that take long and hardly depend on the kernel: they have a guest of their own.
APART = set()
# Those of them that only the long form runs.
LONG = set()


class Impossible(Exception):
    """The test cannot be run here; the reason is told, and it does not count as passed."""


def module(function):
    """Where a test is written; those made from a table may be partial functions."""
    return getattr(function, "func", function).__module__


def test(function):
    """Enters a function under its own name, with words instead of underscores."""
    TESTS.append((function.__name__.replace("_", " "), function))
    return function


def apart(function):
    """Enters a test that runs only when it is asked for."""
    APART.add(function.__name__.replace("_", " "))
    return test(function)


def long(function):
    """Enters a test that only the long form runs, or who asks for it by name."""
    LONG.add(function.__name__.replace("_", " "))
    return apart(function)


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


def chosen(wanted, shares):
    """The tests whose name contains one of the words, or all. `--apart`: those with a guest of their own, and the long ones of them only in
    the long form. `--kernel NAME`: all but those, and but what is another kernel's share."""
    if wanted == ["--apart"]:
        return [one for one in TESTS if one[0] in APART and (one[0] not in LONG or os.environ.get("BARTIZAN_SOAK"))]
    if wanted[:1] != ["--kernel"]:
        return [one for one in TESTS if not wanted or any(word in one[0] for word in wanted)]
    if os.environ.get("BARTIZAN_SOAK"):
        return TESTS
    (_, kernel) = wanted
    homes = {entry: home for home, entries in shares.items() for entry in entries}
    unknown = {kernel} - set(shares) | set(homes) - {name for name, _ in TESTS} - {module(function) for _, function in TESTS}
    if unknown:
        raise ValueError(f"no such kernel, module or test: {unknown}")
    here = [(name, function) for name, function in TESTS
            if name not in APART and homes.get(name, homes.get(module(function), kernel)) == kernel]
    print(f"{len(here)} of {len(TESTS)} tests; the others run in the guests of other kernels or in one of their own", flush=True)
    return here


def run_tests(tests):
    """Runs them in turn. The counts by outcome."""
    counts = {"pass": 0, "FAIL": 0, "skip": 0}
    for name, function in tests:
        started = time.monotonic()
        word, why = outcome(function)
        counts[word] += 1
        print(f"{word} {name}: {why}" if why else f"{word} {name} ({time.monotonic() - started:.1f} s)", flush=True)
    return counts
