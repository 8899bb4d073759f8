"""Draws the numbers of which queues are made: arrivals, and who of those inside is still there."""

from __future__ import annotations

import math
from random import Random

_NORMAL_FROM = 30.0
"""From this mean on a normal draw stands for a Poisson or binomial one: it is cheaper."""


def poisson(rng: Random, mean: float) -> int:
    """Return how many of many independent things happened, *mean* of them on average."""
    if mean <= 0.0:
        return 0
    if mean > _NORMAL_FROM:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    count, left, floor = 0, rng.random(), math.exp(-mean)
    while left > floor:
        count += 1
        left *= rng.random()
    return count


def binomial(rng: Random, number: int, share: float) -> int:
    """Return how many of *number* things happened, each with the probability *share*."""
    if number <= 0 or share <= 1e-9:  # noqa: PLR2004 - never, for a draw of millions
        return 0
    if share >= 1.0:
        return number
    mean = number * share
    if mean > _NORMAL_FROM and number - mean > _NORMAL_FROM:
        return min(number, max(0, round(rng.gauss(mean, math.sqrt(mean * (1 - share))))))
    return sum(rng.random() < share for _ in range(number))


def peak(rng: Random, mean: float, looks: float) -> int:
    """Return about the highest of *looks* Poisson draws of *mean*: a pool is as large as its peak.

    One look is a plain draw. The more looks, the higher: sessions that live for milliseconds are
    redrawn many times between two samples a minute apart.
    """
    if looks <= 1.0:
        return poisson(rng, mean)
    spread = math.sqrt(2.0 * math.log(looks + 1.0)) + 0.3 * rng.gauss(0.0, 1.0)
    return max(0, round(mean + spread * math.sqrt(mean)))
