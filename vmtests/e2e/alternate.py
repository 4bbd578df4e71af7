# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Acts of which the policy in force denies exactly one, tried again and again while policies change."""

import mmap
import os
import struct

from acting import ACTS, forked, perform


class Turns:
    """A page shared with the test: how often the policy has changed, twice, and odd while it is being changed; then whether to stop."""

    def __init__(self, path):
        with open(path, "r+b") as file:
            self.page = mmap.mmap(file.fileno(), 4096)

    def now(self):
        return struct.unpack_from("Q", self.page)[0]

    def ended(self):
        return struct.unpack_from("Q", self.page, 8)[0]


def alternating(path, one, other):
    """Opens both for writing, and renames one over the other, which needs leave for both: no policy gives it."""
    turns = Turns(path)
    counts = {"rounds": 0, "steady": 0, "turns": 0, "wrong": []}
    seen = set()
    while not turns.ended():
        before = turns.now()
        answers = [perform(["opened", one, os.O_WRONLY]), perform(["opened", other, os.O_WRONLY])]
        renamed = perform(["rename", one, other])
        counts["rounds"] += 1
        expected = ["EPERM", "ok"] if before // 2 % 2 == 0 else ["ok", "EPERM"]
        steady = before % 2 == 0 and turns.now() == before
        if steady:
            counts["steady"] += 1
            seen.add(before)
        if renamed != "EPERM" or steady and answers != expected:
            counts["wrong"].append([before, turns.now(), *answers, renamed])
    counts["turns"], counts["wrong"] = len(seen), counts["wrong"][:5]
    return counts


class Alternation:
    """Two processes, so that both processors judge at once."""

    answers = []

    @classmethod
    def start(cls, *arguments):
        cls.answers = [forked(lambda: alternating(*arguments)) for _ in range(2)]

    @classmethod
    def results(cls):
        return [answer() for answer in cls.answers]


ACTS.update({"alternation_start": Alternation.start, "alternation_results": Alternation.results})
