# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Looking for audit records."""

import json

from stage import must, promise, wait_for


def audits(*more):
    return [json.loads(line) for line in must("bartizan", "audits", "--json", *more).splitlines()]


def firsts(message, records):
    return [one for one in records if one["message"] == message and one["repeats"] is None]


def record(message, **expected):
    """Waits for the first record with this message, and compares its fields."""
    found = wait_for(f"an audit record `{message}`", lambda: firsts(message, audits()))[0]
    compare(found, expected)
    return found


def compare(found, expected):
    wrong = {name: found.get(name) for name, value in expected.items() if found.get(name) != value}
    promise(not wrong, f"the record `{found['message']}` has {expected}, but: {wrong}")


def total(message, since=0):
    """How many acts the records of this message stand for."""
    return sum(one["count"] for one in audits() if one["message"] == message and one["id"] > since)


def last():
    """The newest id."""
    return max((one["id"] for one in audits()), default=0)
