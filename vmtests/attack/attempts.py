# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Trying again and again what must be refused and what must not, inside the service."""

import collections
import time

from victim import forked, perform


def attempts(rounds, seconds, forbidden, allowed, beside):
    """Forbidden and allowed act in turn, while a child performs those `beside`. For each, how often which answer came."""

    def again():
        counts, end = [collections.Counter() for _ in beside], time.monotonic() + seconds
        while time.monotonic() < end:
            for count, act in zip(counts, beside):
                count[answer(act)] += 1
        return counts

    other = forked(again) if beside else None
    counts = [collections.Counter(), collections.Counter()]
    end = time.monotonic() + (seconds if beside else 0)
    done = 0
    while done < rounds or time.monotonic() < end:
        for count, act in zip(counts, (forbidden, allowed)):
            count[answer(act)] += 1
        done += 1
    return [*counts, *(other() if other else [])]


def answer(act):
    return str(perform(act))


ACTS = {"attempts": attempts}
