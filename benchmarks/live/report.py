"""Writes what came of the stories as two tables: what was to be paged, and what was not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from benchmarks.live.receiver import Notice
from benchmarks.live.story import Story
from benchmarks.live.verdict import Run, bare_lead, crossings, misses
from benchmarks.support.figures import table

_INCIDENTS: Final = (
    "story", "run", "first refusal after, s", "paged after, s", "lead, s", "bare 80 %: lead, s",
    "alert", "blames", "its words", "tickets", "",
)  # fmt: skip
_QUIET: Final = ("story", "run", "most in use", "pages", "bare 80 %: pages", "tickets", "")
_HOLDS: Final = "holds"


def incidents(runs: Sequence[Run], stories: Mapping[str, Story]) -> str:
    """Return the table of the *runs* in which logins were to be refused."""
    rows = [_incident(run, stories) for run in runs if run.incident]
    return table(_INCIDENTS, rows) if rows else ""


def quiet(runs: Sequence[Run], stories: Mapping[str, Story]) -> str:
    """Return the table of the *runs* in which nothing was to be paged."""
    rows = [_harmless(run, stories) for run in runs if not run.incident]
    return table(_QUIET, rows) if rows else ""


def _incident(run: Run, stories: Mapping[str, Story]) -> list[str]:
    page = run.page
    return [
        _story(run, stories),
        str(run.number),
        "never" if run.refused is None else f"{run.refused - run.began:.1f}",
        "never" if page is None else f"{page.at - run.began:.1f}",
        _seconds(run.lead),
        _seconds(bare_lead(run)),
        "–" if page is None else page.alert,
        run.blamed or "nobody",
        "–" if page is None else _cell(page.summary),
        _told(run.tickets, run.began),
        _verdict(run),
    ]


def _harmless(run: Run, stories: Mapping[str, Story]) -> list[str]:
    most = max((used for _, used, _ in run.recorded), default=0)
    return [
        _story(run, stories),
        str(run.number),
        str(most),
        _told(run.pages, run.began),
        str(len(crossings(run.recorded))),
        _told(run.tickets, run.began),
        _verdict(run),
    ]


def _story(run: Run, stories: Mapping[str, Story]) -> str:
    return f"{run.story}: {stories[run.story].what}"


def _seconds(lead: float | None) -> str:
    return "–" if lead is None else f"{lead:.1f}"


def _told(notices: Sequence[Notice], began: float) -> str:
    """Return *notices* in the words that a person was told, and when, seconds after *began*."""
    return (
        _cell("; ".join(f"{one.at - began:.0f} s: {one.alert}: {one.summary}" for one in notices))
        or "none"
    )


def _verdict(run: Run) -> str:
    return _HOLDS if not (missed := misses(run)) else "MISSED: " + _cell("; ".join(missed))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
