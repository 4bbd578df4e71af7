# SPDX-License-Identifier: Apache-2.0 OR MIT
"""A confidence interval for a median that supposes nothing about how the values are spread."""

import math


def ranks(count, confidence=0.95):
    """The lower and upper rank, from 0, between which the true median is found with the confidence: each value is as
    likely above as below it, so how many lie below is binomial."""
    low, tail = -1, 0.0
    while (tail := tail + math.comb(count, low + 1) / 2**count) <= (1 - confidence) / 2:
        low += 1
    if low < 0:
        raise ValueError(f"{count} values are too few for an interval of {100 * confidence:g} %")
    return low, count - 1 - low


def of_median(values):
    low, high = ranks(len(values))
    ordered = sorted(values)
    return ordered[low], ordered[high]
