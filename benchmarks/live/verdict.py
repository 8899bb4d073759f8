"""Computes what came of a story: the lead, whom the page blames, and whether the bars hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

from benchmarks.live.receiver import Notice
from pgheadroom.model.reading import Recorded, Sample

PAGE: Final = "critical"
NEAR: Final = 0.92
"""Share of the slots for applications above which a page was none for nothing."""
_BARE: Final = 0.8
_GAP_SECONDS: Final = 300.0


class Run(NamedTuple):
    """One story, played once. Times are seconds since the epoch."""

    story: str
    number: int
    incident: bool
    least_lead: float | None
    culprits: tuple[str, ...]
    watched_from: float
    """When the daemon had read the server for the first time."""
    began: float
    refused: float | None
    """When the server's log has the first login refused for want of a slot."""
    notices: tuple[Notice, ...]
    recorded: tuple[tuple[float, int, int], ...]
    """Of each sample: when, slots in use, slots for applications."""

    @property
    def pages(self) -> list[Notice]:
        """Every page that began, in order."""
        return [one for one in self.notices if one.firing and one.severity == PAGE]

    @property
    def tickets(self) -> list[Notice]:
        """Every ticket that began, in order."""
        return [one for one in self.notices if one.firing and one.severity != PAGE]

    @property
    def warnings(self) -> list[Notice]:
        """Every page that tells of the story: those that fire as it begins, and all later ones."""
        fires: dict[str, Notice] = {}
        for one in self.notices:
            if one.severity == PAGE and one.at < self.began:
                if one.firing:
                    fires[one.alert] = one
                else:
                    fires.pop(one.alert, None)
        return [*fires.values(), *(one for one in self.pages if one.at >= self.began)]

    @property
    def page(self) -> Notice | None:
        """The first of these, which counts."""
        return next(iter(self.warnings), None)

    @property
    def lead(self) -> float | None:
        """Seconds from that page to the first refusal; negative if it came after it."""
        if self.page is None or self.refused is None:
            return None
        return self.refused - max(self.page.at, self.began)

    @property
    def blamed(self) -> str | None:
        """Whom the pages blame: the first that blames anyone, of those before the refusal if any.

        A page that came with the refusal, or after it, counts where there was none before.
        """
        timely = [one for one in self.warnings if self.refused is None or one.at < self.refused]
        named = (one.application_name for one in timely or self.warnings)
        return next((name for name in named if name is not None), None)


def misses(run: Run) -> list[str]:
    """Return in words which bars *run* misses: of an incident's lead and blame, or of quiet."""
    if run.least_lead is None:
        return [f"paged: {one.alert}" for one in run.pages] + (
            [] if run.refused is None else ["logins were refused: the story does not fit"]
        )
    if run.refused is None:
        return ["nobody was refused: the story does not fill the server"]
    if run.lead is None:
        return ["not paged"]
    found = []
    if run.lead < run.least_lead:
        found.append(f"lead {run.lead:.1f} s, not {run.least_lead:g} s")
    if run.blamed not in run.culprits:
        found.append(f"blames {run.blamed}, not {run.culprits[0]}")
    found += [f"paged before it began: {one.alert}" for one in run.pages if one.at < run.began]
    return found


def use(readings: Iterable[Recorded]) -> list[tuple[float, int, int]]:
    """Return of each sample when it was taken, how many slots were in use, and of how many."""
    return [
        (one.at, one.main.used, one.main.limit)
        for one in readings
        if isinstance(one, Sample) and one.main.limit is not None
    ]


def crossings(recorded: Sequence[tuple[float, int, int]], share: float = _BARE) -> list[float]:
    """Return when use rose above *share* of the slots: when a bare threshold would have paged.

    Of a rule that looks every second; one that is evaluated every 15 seconds is later, and sees
    fewer.
    """
    above = [(at, used > share * limit) for at, used, limit in recorded]
    return [at for (_, was), (at, now) in pairwise([(0.0, False), *above]) if now and not was]


def bare_lead(run: Run) -> float | None:
    """Return how many seconds before the first refusal a bare 80 % would have paged, if it had.

    Like ours, a page that fires as the story begins counts from there.
    """
    if run.refused is None:
        return None
    before = [at for at in crossings(run.recorded) if at < run.refused]
    return run.refused - max(before[-1], run.began) if before else None


def near_misses(recorded: Sequence[tuple[float, int, int]]) -> list[list[float]]:
    """Return the stretches, from and until, in which at least 92 % of the slots were in use.

    Two that are at most five minutes apart are one.
    """
    found: list[list[float]] = []
    for at, used, limit in recorded:
        if used < NEAR * limit:
            continue
        if found and at - found[-1][1] <= _GAP_SECONDS:
            found[-1][1] = at
        else:
            found.append([at, at])
    return found


def truth(run: Run, step: float = 1.0) -> dict[str, Any]:
    """Return what a judge of alerts needs to know of the recording of *run*."""
    return {
        "family": f"live-{run.story}",
        "incident": run.incident,
        "onset": run.began if run.incident else None,
        "exhaustion": run.refused if run.incident else None,
        "near_misses": near_misses(run.recorded),
        "step": step,
        "culprit": run.culprits[0] if run.culprits else None,
    }


def as_json(run: Run) -> dict[str, Any]:
    """Return *run* for a program that reads it, with what follows from it; without the samples."""
    page = run.page
    return {
        "story": run.story,
        "run": run.number,
        "watched_from": run.watched_from,
        "began": run.began,
        "refused": run.refused,
        "page": page and page._asdict(),
        "lead": run.lead,
        "bare_lead": bare_lead(run),
        "bare_pages": len(crossings(run.recorded)),
        "blamed": run.blamed,
        "most_used": max((used for _, used, _ in run.recorded), default=None),
        "misses": misses(run),
        "notices": [one._asdict() for one in run.notices],
    }
