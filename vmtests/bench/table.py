# SPDX-License-Identifier: Apache-2.0 OR MIT
"""From what the guest measured to rows and to a table for people."""

import re
import statistics
import subprocess

OPERATIONS = ["open+close", "chmod", "udp connect", "spawn+exec", "stat", "read"]
NOTHING, WARM, COLD = "nothing loaded", "bartizan governed warm", "bartizan governed cold"
CONFIGURATIONS = [NOTHING, "empty programs", "bartizan ungoverned", WARM, COLD]
# Two baselines of one run that are further apart (in per cent) make it worthless. Starting a program varies more.
MOST_APART = dict.fromkeys(OPERATIONS, 0.5) | {"spawn+exec": 2.0}
LIMITS = """\
Counted, not timed: caches, branch prediction and wake-ups across processors are not seen (the guest has one processor).
What was added is against the mean of two baselines, one before and one after. A cold act goes to a file of which nothing is
cached, each to another one, at depth 8, and is compared with the same acts with nothing loaded. Only open+close and chmod
can be cold: stat and read meet no hook of Bartizan, and the others do not ask for a file's label by its path.
The governed task is in a service that is active, with violations = "prevent"; its files have labels (SSH), and its model
grants the accesses. Before and after, a forbidden act was denied to it and to no other task."""


def without(found, configuration, operation):
    """The two baselines that a configuration is compared with."""
    kind = f"{NOTHING}, cold" if configuration == COLD else NOTHING
    return [baseline[kind][operation] for baseline in found["baselines"]]


def mean(found, configuration, operation):
    """What added instructions are counted from."""
    return round(statistics.mean(without(found, configuration, operation)))


def rows(kernel, found):
    """One row for each configuration and operation that go together."""
    made = []
    for configuration in CONFIGURATIONS:
        measured = found["measured"].get(configuration, found["baselines"][0][NOTHING])
        for operation in (one for one in OPERATIONS if one in measured):
            nothing = mean(found, configuration, operation)
            value = nothing if configuration == NOTHING else measured[operation]
            made.append({"kernel": kernel, "configuration": configuration, "operation": operation,
                         "instructions": value, "added": value - nothing})
    return made


def spread(found, configuration, operation):
    """How far two baselines are apart, in per cent."""
    first, last = without(found, configuration, operation)
    return 100 * abs(last - first) / min(first, last)


def apart(found):
    """One sentence for each pair of baselines that are too far apart."""
    for configuration in (NOTHING, COLD):
        for operation in found["measured"].get(configuration, MOST_APART):
            if spread(found, configuration, operation) > MOST_APART[operation]:
                first, last = without(found, configuration, operation)
                yield f"worthless: with nothing loaded, {operation} was {first:,} before and {last:,} after"


def not_warm(made):
    """One sentence for each warm act that costs about as much as a cold one: its label was not cached (seen on 7.3, in a
    guest whose processor had no cmpxchg16b)."""
    added = {(row["configuration"], row["operation"]): row["added"] for row in made}
    for (configuration, operation), cold in added.items():
        if configuration == COLD and added[WARM, operation] > cold / 2:
            yield f"worthless: {operation} is not warm: {added[WARM, operation]:+,}, and {cold:+,} cold"


def text(kernel, found, made):
    """The table, with what it was measured on and what it does not show."""
    version = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, text=True, check=True).stdout
    qemu = re.search(r"version (\S+)", version).group(1)
    cells = {(row["configuration"], row["operation"]): row for row in made}
    lines = [f"Kernel {kernel} ({found['release']}), QEMU {qemu} (TCG, -icount shift=0, 1 processor): a virtual nanosecond is an",
             "instruction of the guest. Instructions for one act, and how many were added to it:", "",
             " " * 24 + "".join(f"{operation:>19}" for operation in OPERATIONS)]
    for configuration in CONFIGURATIONS:
        lines.append(f"{configuration:24}" + "".join(cell(cells.get((configuration, operation))) for operation in OPERATIONS))
        if configuration == COLD:
            lines.append(line("  with nothing loaded", found["measured"][COLD], lambda one: f"{mean(found, COLD, one):,}"))
        if configuration in (NOTHING, COLD):
            measured = found["measured"].get(configuration, OPERATIONS)
            lines.append(line("  two baselines apart", measured, lambda one: f"{spread(found, configuration, one):.2f} %"))
    return "\n".join([*lines, "", LIMITS, ""])


def line(title, operations, figure):
    """A line beside a configuration's own."""
    return f"{title:24}" + "".join(f"{figure(one):>19}" if one in operations else " " * 19 for one in OPERATIONS).rstrip()


def cell(row):
    if row is None:
        return f"{'not applicable':>19}"
    if row["configuration"] == NOTHING:
        return f"{row['instructions']:>19,}"
    return f"{row['instructions']:>11,} {row['added']:>+7,}"
