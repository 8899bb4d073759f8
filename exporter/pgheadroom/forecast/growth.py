"""Attributes growth over a stretch of time to applications."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from pgheadroom.forecast.history import Span
from pgheadroom.forecast.usage import Usage
from pgheadroom.model.names import UNNAMED

_NAMED_SHARE = 0.25
"""Logins under way have no name yet: they are blamed only when no name took this share of what
they did."""
_ABSENT: Span = (0, 0)


class Culprit(NamedTuple):
    """The application that grew most."""

    application_name: str
    took: float
    """Connections more than at the start of the stretch."""
    holds: int
    """Connections at its end."""


def growth(usage: Usage, totals: Mapping[str, int], since: float) -> dict[str, float]:
    """Return by how many connections each application in *totals* grew since *since*.

    An application that was not there then grew by all that it has. Empty when nothing is known of
    that time.
    """
    then = usage.history.bucket_at(since)
    if then is None:
        return {}
    spans = then.spans
    return {name: count - sum(spans.get(name, _ABSENT)) / 2 for name, count in totals.items()}


def culprit(usage: Usage, totals: Mapping[str, int], since: float) -> Culprit | None:
    """Return which application in *totals* grew most since *since*; None if none did."""
    then = usage.history.bucket_at(since)
    if then is None:
        return None
    spans, best, most, nameless = then.spans, None, -math.inf, 0.0
    # In one pass and without calls: with every sample that foretells something.
    for name, count in totals.items():
        fewest, highest = spans.get(name, _ABSENT)
        took = count - (fewest + highest) / 2
        if name == UNNAMED:
            nameless = took
        elif took > most:
            best, most = name, took
    if nameless > 0 and most < _NAMED_SHARE * nameless:
        best, most = UNNAMED, nameless
    if best is None or most <= 0:
        return None
    return Culprit(best, most, totals[best])
