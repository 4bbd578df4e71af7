# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What Bartizan may cost at most, one line each. They hold on one kernel; on others the numbers are printed only."""

import statistics

import interval

KERNEL = "6.12"
# Instructions for an act that interrupts may add to an act that meets no hook.
CLOCK = 10
# Configuration, operation, and the most that may be added: instructions, per cent of the whole (of pairs, upper end of
# the 95 % interval), or no more than the baselines.
BUDGETS = [
    ("bartizan governed warm", "open+close", 450),
    ("bartizan governed warm", "chmod", 420),
    ("bartizan governed warm", "udp connect", 380),
    ("bartizan governed warm", "spawn+exec", "1 %"),
    ("bartizan governed warm", "spawn+exec static", "1 %"),
    ("bartizan governed warm", "stat", "baselines"),
    ("bartizan governed warm", "read", "baselines"),
    ("bartizan ungoverned", "open+close", 300),
    ("bartizan ungoverned", "stat", "baselines"),
    ("bartizan ungoverned", "read", "baselines"),
    ("bartizan governed cold", "open+close", 4000),
    ("bartizan governed cold", "chmod", 4000),
    ("bartizan denied", "open+close", 900),
]

# Of scripts/bench user: what is measured, how to find it, and the most that it may be.
USER_SPACE = [
    ("processor time in user space for an event, trail, store and journal", lambda found: found["default"]["user_us"], 5, "µs"),
    ("memory in use with all sinks after a flood", lambda found: found["all sinks"]["resident_kb"] / 1024, 40, "MiB"),
    ("the slowest question from the disk", lambda found: max(one["cold_ms"] for one in found["store"]["questions"]), 100, "ms"),
    ("the slowest question from memory", lambda found: max(one["warm_ms"] for one in found["store"]["questions"]), 100, "ms"),
]

# While nothing happens, with 100 services and all sinks.
STANDING_STILL = [
    ("memory in use", lambda idle: idle["resident_kb"]["VmRSS"] / 1024, 40, "MiB"),
    ("processor time, of one that does 10⁹ instructions a second", lambda idle: share(idle), 1, "‰"),
]

# Only for these need two baselines agree: what is not budgeted may vary more, which the table shows.
OPERATIONS = {operation for _, operation, _ in BUDGETS}


def judged(kernel, found, rows):
    """For each budget whether it is kept, and a sentence."""
    if kernel != KERNEL:
        return
    by_name = {(row["configuration"], row["operation"]): row for row in rows}
    for configuration, operation, most in BUDGETS:
        row = by_name[configuration, operation]
        if most == "baselines":
            kept, figures = in_baselines(found, configuration, operation)
        elif isinstance(most, str):
            kept, figures = in_interval(found["pairs"][operation], float(most.removesuffix(" %")))
        else:
            kept, figures = row["added"] <= most, f"{row['added']:+,} of +{most:,}"
        yield kept, f"{'within' if kept else 'over'} budget: {configuration}, {operation}: {figures}"


def of_user_space(found):
    """For each budget what it is about, the value, the most, and the unit."""
    return [(what, value(found), most, unit) for what, value, most, unit in USER_SPACE]


def of_standing_still(idle):
    """The same for the daemon at rest."""
    return [(what, value(idle), most, unit) for what, value, most, unit in STANDING_STILL]


def share(idle):
    """Per mille of a processor that does one instruction in a nanosecond, which any does."""
    return 1000 * sum(one["instructions"] for one in idle["threads"].values()) / (idle["seconds"] * 1e9)


def in_baselines(found, configuration, operation):
    """No higher than the higher baseline, but for what the clock's interrupts add to a round: `read` came out up to 6 an act
    higher or lower, with the empty programs and with nothing loaded alike. The emptiest of programs on a hook adds over 90."""
    baselines = [one["nothing loaded"][operation] for one in found["baselines"]]
    value = found["measured"][configuration][operation]
    return value <= max(baselines) + CLOCK, f"{value:,}, the baselines are {' and '.join(f'{one:,}' for one in baselines)}"


def in_interval(pairs, most):
    shares = [100 * (on - off) / off for off, on in pairs]
    low, high = interval.of_median(shares)
    return high <= most, f"{statistics.median(shares):+.2f} % ({low:+.2f} to {high:+.2f} %) in {len(pairs)} pairs, of +{most:g} %"
