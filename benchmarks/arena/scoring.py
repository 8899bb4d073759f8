"""Says what a page was worth, by the truth of the story that it came in.

Pure: alerts in the form of ``pgheadroom backtest --format jsonl`` and a truth go in.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

HOUR = 3600.0
"""Seconds: an hour of warning is as good as a day; a page so long before the onset may count."""

EVALUATED_EVERY = 15.0
"""Seconds between two evaluations of the bare rule."""

BARE_SHARE = 0.8

_NEAR_WITHIN = 300.0
"""Seconds: a page that a stretch near the limit follows within this was not for nothing."""


@dataclass(frozen=True, slots=True)
class Page:
    """Somebody was called."""

    start: float
    end: float = math.inf
    """When it resolved; infinite where it still fired at the end."""
    application_name: str | None = None
    words: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a story went for whoever watched it."""

    pages: int
    for_nothing: tuple[Page, ...]
    """Pages that neither an incident nor a stretch near the limit justifies."""
    lead: float = 0.0
    """Seconds from the earliest page in time to the first refused connection; 0 if none came."""
    share: float = 0.0
    """The lead as a part of the useful warning: from the onset, at most an hour, to the end."""
    blamed: bool | None = None
    """Whether a page in time named the culprit; None where none named anybody, or nobody is one."""
    tickets: int = 0

    @property
    def before(self) -> bool:
        """Whether a page came before the first refused connection."""
        return self.lead > 0


def pages_of(alerts: Iterable[Mapping[str, Any]]) -> list[Page]:
    """Return each critical alert of *alerts*, from where it fires to where it resolves."""
    pages: list[Page] = []
    open_ones: dict[str, int] = {}
    for alert in alerts:
        if alert["severity"] != "critical":
            continue
        name = alert["alert"]
        if alert["state"] == "firing" and name not in open_ones:
            open_ones[name] = len(pages)
            words = f"{name}: {alert.get('summary', '')} {alert.get('description', '')}".strip()
            pages.append(Page(alert["time"], math.inf, alert.get("application_name"), words))
        elif alert["state"] == "resolved" and name in open_ones:
            place = open_ones.pop(name)
            was = pages[place]
            pages[place] = Page(was.start, alert["time"], was.application_name, was.words)
    return pages


def tickets_of(alerts: Iterable[Mapping[str, Any]]) -> int:
    """Return how often something fired that pages nobody."""
    return sum(alert["severity"] == "warning" and alert["state"] == "firing" for alert in alerts)


class BareRule:
    """The rule that everybody writes first: above 80 % of max_connections, page at once."""

    def __init__(self) -> None:
        self.pages: list[Page] = []
        self._due = -math.inf
        self._firing = False

    def add(self, at: float, used: int, most: int) -> None:
        """Take one sample: when, connections in use, and max_connections."""
        if at < self._due:
            return
        # Every 15 s from the first sample on; where samples are further apart, at each.
        self._due = at + EVALUATED_EVERY if self._due == -math.inf else self._due
        while self._due <= at:
            self._due += EVALUATED_EVERY
        above = used > BARE_SHARE * most
        if above and not self._firing:
            self.pages.append(Page(at, words=f"{used} of {most}"))
        elif self._firing and not above:
            last = self.pages[-1]
            self.pages[-1] = Page(last.start, at, words=last.words)
        self._firing = above


def judged(truth: Mapping[str, Any], pages: Sequence[Page], tickets: int = 0) -> Verdict:
    """Return what *pages* were worth in a story with this *truth*."""
    onset, end = truth["onset"], truth["exhaustion"]
    due = [
        page
        for page in pages
        if truth["incident"] and page.start >= onset - HOUR and page.end >= onset
    ]
    for_nothing = tuple(
        page
        for page in pages
        if page not in due
        and not any(
            begins - _NEAR_WITHIN <= page.start <= ends for begins, ends in truth["near_misses"]
        )
    )
    if not truth["incident"]:
        return Verdict(len(pages), for_nothing, tickets=tickets)
    timely = [page for page in due if page.start < end]
    lead = max((end - max(page.start, onset) for page in timely), default=0.0)
    named = [page.application_name for page in timely if page.application_name is not None]
    culprits = {truth["culprit"], *truth.get("culprits", ())} - {None}
    return Verdict(
        len(pages),
        for_nothing,
        lead,
        min(1.0, lead / min(end - onset, HOUR)) if end > onset else float(lead > 0),
        not culprits.isdisjoint(named) if named and culprits else None,
        tickets,
    )
