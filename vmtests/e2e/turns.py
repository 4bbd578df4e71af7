#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Has a service be active and learn in turn, and notes in a file, durably, what it asks for and what it was told: `turns.py SERVICE FILE`.
Whoever kills the daemon or cuts the power finds there where the service may stand."""

import itertools
import os
import subprocess
import sys
import time

COMMANDS = {"active": "activate", "learning": "learn"}


def take(service, path):
    with open(path, "a", encoding="ascii") as notes:
        def note(line):
            notes.write(line + "\n")
            notes.flush()
            os.fsync(notes.fileno())

        for state in itertools.cycle(COMMANDS):
            note(f"asked for {state}")
            done = subprocess.run(["bartizan", COMMANDS[state], service], capture_output=True, check=False)
            note(f"is {state}" if done.returncode == 0 else f"was not told of {state}")
            # About as long as it takes, so that a cut meets both.
            time.sleep(0.2)


def possible(lines):
    """Where the service may stand, by lines of which the last may be cut off: where it was put last, or where it was asked to be
    since."""
    found = set()
    for line in lines:
        word, _, state = line.rpartition(" ")
        if state not in COMMANDS:
            continue
        if word == "is":
            found = {state}
        else:
            found.add(state)
    return found


if __name__ == "__main__":
    take(*sys.argv[1:])
