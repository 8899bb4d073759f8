"""Puts into words by which sign a climb pages though there is room left."""

from __future__ import annotations

from pgheadroom.durations import duration
from pgheadroom.judge.odds.paging import Case


def why(case: Case) -> str:
    """Return a sentence, with a space before it; empty where no sign was needed."""
    seen = case.seen
    if not case.signs or seen is None:
        return ""
    told = [
        sign.value.format(
            who=seen.who or "the applications",
            waiting=seen.waiting,
            lasts=duration(max(1.0, seen.seconds)),
        )
        for sign in case.signs
    ]
    return f" It is likely to go on: {', and '.join(told)}."
