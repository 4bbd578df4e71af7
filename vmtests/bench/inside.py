# SPDX-License-Identifier: Apache-2.0 OR MIT
"""The part of scripts/bench kernel that runs in the guest: every configuration after the other, in one boot.

Prints one JSON object with what was measured; what it is doing goes to stderr. Ends with 1 when anything shows that the
numbers would not mean what they say. Arguments: [--peers] INODES."""

import os
import pathlib
import sys

import bartizan
import memory
import peers
from bartizan import FORBIDDEN, GOVERNED, LEARNING, hooks
from place import BENCH, REFUSED, Place, Wrong, answer, output, say, wait_for

EMPTY = pathlib.Path("/sys/fs/bpf/empty")
# Enough for the sets that a first refusal may take.
REFUSED_FILES = 3800


def empty(governed, taken, programs):
    """Nothing but an empty program on each hook that Bartizan took."""
    say(f"measuring: empty programs on {', '.join(programs)}")
    output(f"{BENCH}/empty", str(EMPTY), *(f"{BENCH}/programs/{program}.o" for program in programs))
    if hooks() != taken:
        raise Wrong(f"the empty programs are on other hooks than Bartizan: {hooks()} instead of {taken}")
    measured = governed.warm()
    for link in EMPTY.glob("*"):
        link.unlink()
    wait_for("the hooks are free", lambda: not hooks())
    return measured


def nothing(governed):
    say("measuring: nothing loaded")
    if hooks():
        raise Wrong(f"something is loaded: {hooks()}")
    governed.must(FORBIDDEN)
    ways = {way: {row["operation"]: row["instructions"] for row in governed.rows(f"--way {way}")} for way in ("refusal", "first-refusal")}
    return {"nothing loaded": governed.warm(), "nothing loaded, cold": governed.cold(),
            "nothing loaded, not closed": ways["refusal"], "nothing loaded, not closed, each another": ways["first-refusal"]}


def prepared(inodes):
    """The files that the acts find."""
    REFUSED.mkdir(parents=True)
    for number in range(REFUSED_FILES):
        (REFUSED / f"{number:04}").touch()
    memory.make(inodes)


def main(with_peers, inodes):
    governed, ungoverned, pupil = Place(f"{GOVERNED}.service"), Place(f"{GOVERNED}.scope"), Place(f"{LEARNING}.service")
    prepared(inodes)
    # The first baseline comes after so much was allocated and freed, as the others do.
    found = {"release": os.uname().release, "memory": [memory.used(governed, inodes)], "baselines": [nothing(governed)], "peers": {}}
    found["measured"], found["pairs"], used, taken, programs = bartizan.measure(governed, ungoverned, pupil, inodes)
    found["memory"].append(used)
    found["measured"]["empty programs"] = empty(governed, taken, programs)
    found["baselines"].append(nothing(governed))
    if with_peers:
        for peer in peers.ALL:
            found["peers"] |= peer(governed)
        found["baselines"].append(nothing(governed))
    return found


if __name__ == "__main__":
    answer(lambda: main("--peers" in sys.argv, int(sys.argv[-1])))
