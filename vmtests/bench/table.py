# SPDX-License-Identifier: Apache-2.0 OR MIT
"""From what the guest measured to rows and to a table for people."""

import re
import statistics
import subprocess

import interval

OPERATIONS = ["open+close", "open+close depth 2", "open+close depth 10", "create+unlink", "rename", "chmod", "chown", "setxattr",
              "unix connect", "udp connect", "mmap exec", "spawn+exec", "spawn+exec static", "stat", "read"]
NOTHING, WARM, COLD = "nothing loaded", "bartizan governed warm", "bartizan governed cold"
DENIED, FIRST = "bartizan denied", "bartizan denied first"
BARTIZAN = ["empty programs", "bartizan ungoverned", WARM, COLD, "bartizan learning", DENIED, FIRST]
PEERS = ["apparmor unconfined", "apparmor confined", "auditd", "fapolicyd", "fanotify"]
CONFIGURATIONS = [NOTHING, *BARTIZAN, *PEERS]
# The baseline of those configurations whose acts find something else than a warm file.
OTHER = {COLD: f"{NOTHING}, cold", DENIED: f"{NOTHING}, not closed", FIRST: f"{NOTHING}, not closed, each another"}
# Two baselines of one run that are further apart (in per cent) make it worthless. What takes memory and gives it back
# varies more; how much is printed beside it, and Bartizan's own cost is taken in pairs. Of the 1,500 instructions of a read the clock alone
# can take 12 more or less.
MOST_APART = dict.fromkeys(OPERATIONS, 0.5) | {"read": 1.0, "create+unlink": 4.0, "rename": 4.0, "unix connect": 12.0, "mmap exec": 8.0,
                                               "spawn+exec": 2.0, "spawn+exec static": 2.0}
# A file that is another each time is looked up among many names.
MOST_APART_FIRST = 5.0
LIMITS = """\
Counted, not timed: caches, branch prediction and wake-ups across processors are not seen (the guest has one processor).
What was added is against the mean of two baselines, one before and one after. A cold act goes to a file of which nothing is
cached, each to another one, at depth 8, and is compared with the same acts with nothing loaded. Only open+close and chmod
can be cold: stat and read meet no hook of Bartizan, and the others do not ask for a file's label by its path.
The governed task is in a service that is active, with violations = "prevent"; its files have labels (SSH), and its model
grants the accesses. Before and after, a forbidden act was denied to it and to no other task. A refused open is never
closed, so it is compared with one that is left open."""


def baselines(found, configuration):
    """The two sets of baselines that enclose a configuration."""
    return found["baselines"][1:] if configuration in PEERS else found["baselines"][:2]


def without(found, configuration, operation):
    """The two baselines that a configuration is compared with."""
    return [one[OTHER.get(configuration, NOTHING)][operation] for one in baselines(found, configuration)]


def mean(found, configuration, operation):
    """What added instructions are counted from."""
    return round(statistics.mean(without(found, configuration, operation)))


def measured(found):
    """Instructions by configuration and operation."""
    known = {**found["measured"], **found["peers"], NOTHING: found["baselines"][0][NOTHING]}
    return {configuration: known[configuration] for configuration in CONFIGURATIONS if configuration in known}


def added(found, configuration, operation, value):
    """How many were added. Of an act that was measured in pairs, the pairs say it better."""
    if configuration == WARM and operation in found["pairs"]:
        return round(statistics.median(on - off for off, on in found["pairs"][operation]))
    return value - mean(found, configuration, operation)


def rows(kernel, found):
    """One row for each configuration and operation that go together."""
    made = []
    for configuration, values in measured(found).items():
        for operation in (one for one in OPERATIONS if one in values):
            nothing = mean(found, configuration, operation)
            more = 0 if configuration == NOTHING else added(found, configuration, operation, values[operation])
            made.append({"kernel": kernel, "configuration": configuration, "operation": operation,
                         "instructions": nothing + more, "added": more})
    return made


def spread(found, configuration, operation):
    """How far two baselines are apart, in per cent."""
    first, last = without(found, configuration, operation)
    return 100 * abs(last - first) / min(first, last)


def apart(found, operations=None):
    """One sentence for each pair of baselines that are too far apart, of these operations or of all."""
    for configuration, values in measured(found).items():
        if configuration not in (NOTHING, *OTHER, PEERS[-1]):
            continue
        for operation in values:
            if operations is not None and operation not in operations:
                continue
            most = MOST_APART_FIRST if configuration == FIRST else MOST_APART[operation]
            if spread(found, configuration, operation) > most:
                first, last = without(found, configuration, operation)
                yield f"worthless: {OTHER.get(configuration, NOTHING)}, {operation} was {first:,} before and {last:,} after {configuration}"


def not_warm(made):
    """One sentence for each warm act that costs about as much as a cold one: its label was not cached (seen on 7.3, in a
    guest whose processor had no cmpxchg16b)."""
    more = {(row["configuration"], row["operation"]): row["added"] for row in made}
    for (configuration, operation), cold in more.items():
        if configuration == COLD and more[WARM, operation] > cold / 2:
            yield f"worthless: {operation} is not warm: {more[WARM, operation]:+,}, and {cold:+,} cold"


def text(kernel, found, made):
    """The table, with what it was measured on and what it does not show."""
    version = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, text=True, check=True).stdout
    qemu = re.search(r"version (\S+)", version).group(1)
    lines = [f"Kernel {kernel} ({found['release']}), QEMU {qemu} (TCG, -icount shift=0, 1 processor): a virtual nanosecond is an",
             "instruction of the guest. Instructions for one act, how far its baselines are apart, and how many were added to it:", ""]
    cells = {(row["configuration"], row["operation"]): row for row in made}
    names = [one for one in measured(found) if one != NOTHING]
    words = [name.removeprefix("bartizan ").split() for name in names]
    for line in range(max(map(len, words))):
        head = ("nothing loaded", "apart") if line == 0 else ("", "")
        lines.append(f"{'':21}{head[0]:>15}{head[1]:>8}" + "".join(f"{word[line] if line < len(word) else '':>13}" for word in words))
    for operation in OPERATIONS:
        total = cells[NOTHING, operation]["instructions"]
        shown = (cells.get((name, operation)) for name in names)
        lines.append(f"{operation:21}{total:>15,}{spread(found, NOTHING, operation):>6.2f} %"
                     + "".join(f"{one['added']:>+13,}" if one else f"{'':13}" for one in shown))
    lines += ["", *other_baselines(found), *paired(found), *memory(found)]
    return "\n".join([*lines, "", LIMITS, ""])


def other_baselines(found):
    for configuration, name in OTHER.items():
        for operation in found["measured"][configuration]:
            nothing, share = mean(found, configuration, operation), spread(found, configuration, operation)
            yield f"{name}, {operation}: {nothing:,} (two baselines {share:.2f} % apart)"


def paired(found):
    """What pairs without and with all programs attached, taken in turn, say about an act."""
    for operation, pairs in found["pairs"].items():
        more = [on - off for off, on in pairs]
        low, high = interval.of_median(more)
        yield (f"{operation} in {len(pairs)} interleaved pairs: {round(statistics.median(more)):+,} instructions, "
               f"with 95 % confidence from {round(low):+,} to {round(high):+,}")


def memory(found):
    """The difference between having Bartizan and not."""
    nothing, with_bartizan = found["memory"]
    yield (f"Kernel memory: {with_bartizan['inode'] - nothing['inode']:.0f} bytes for a cached inode (of {nothing['inodes']:,}), "
           f"{with_bartizan['task'] - nothing['task']:.0f} bytes for a task (of {nothing['tasks']:,})")
