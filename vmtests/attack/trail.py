# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Bartizan's audit records as they are written, without asking for all of them each time."""

import json
import time

from scene import TRAIL


class Trail:
    """Reads on from where it was."""

    def __init__(self):
        self.read = {}
        self.new()

    def new(self):
        """Records that came since the last call."""
        found = []
        for path in sorted(TRAIL.glob("*.jsonl")):
            with open(path, "rb") as file:
                file.seek(self.read.get(path, 0))
                text = file.read()
            whole = text.rfind(b"\n") + 1
            self.read[path] = self.read.get(path, 0) + whole
            found += [json.loads(line) for line in text[:whole].splitlines()]
        return found

    def wait_for(self, wanted, seconds):
        """The first new record that `wanted` says yes to; None when there is none in time. Also all that came."""
        deadline, seen = time.monotonic() + seconds, []
        while True:
            new = self.new()
            seen += new
            found = next((one for one in new if wanted(one)), None)
            if found or time.monotonic() > deadline:
                return found, seen
            time.sleep(0.05)
