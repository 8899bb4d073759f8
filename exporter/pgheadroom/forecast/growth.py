"""Attributes growth over a stretch of time to applications."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pgheadroom.forecast.history import Span
from pgheadroom.forecast.usage import Usage
from pgheadroom.model.names import UNNAMED

_NAMED_SHARE = 0.25
"""Logins under way have no name yet: they are blamed only when no name took this share of what
they did."""


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
    return {name: count - _middle(spans.get(name)) for name, count in totals.items()}


def culprit(usage: Usage, totals: Mapping[str, int], since: float) -> Culprit | None:
    """Return which application in *totals* grew most since *since*; None if none did."""
    grown = growth(usage, totals, since)
    named = {name: took for name, took in grown.items() if name != UNNAMED}
    best = max(named, key=lambda name: named[name], default=None)
    nameless = grown.get(UNNAMED, 0.0)
    if best is None or named[best] < _NAMED_SHARE * nameless:
        best = UNNAMED if nameless > 0 else best
    if best is None or grown[best] <= 0:
        return None
    return Culprit(best, grown[best], totals[best])


def _middle(span: Span | None) -> float:
    return 0.0 if span is None else (span[0] + span[1]) / 2
