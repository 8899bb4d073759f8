"""Sums up how stories went, and prints it: per family, and all together."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.arena.players import Outcome
from benchmarks.arena.scoring import Verdict
from benchmarks.support.figures import table


def tables(outcomes: Sequence[Outcome], *, families: bool = True) -> str:
    """Return the tables in Markdown; without *families* only what all come to."""
    by_family: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        by_family.setdefault(outcome.truth["family"], []).append(outcome)
    bad = [of for of in by_family.values() if of[0].truth["incident"]]
    good = [of for of in by_family.values() if not of[0].truth["incident"]]
    parts = []
    if families and bad:
        head = ["incidents", "before", "lead, s", "share", "pages", "for nothing", "culprit"]
        head += ["bare: before", "lead, s", "share", "pages", "for nothing"]
        parts.append(table(head, [_incidents(of) for of in bad]))
    if families and good:
        head = ["benign", "first day", "paged", "for nothing", "tickets", "weeks"]
        head += ["bare: paged", "for nothing"]
        parts.append(table(head, [_benign(of) for of in good]))
    sums = summary(outcomes)
    names = list(sums["pgheadroom"])
    rows = [
        [name.replace("_", " "), _shown(sums["pgheadroom"][name]), _shown(sums["bare rule"][name])]
        for name in names
    ]
    parts.append(table(["all together", "judged", "bare 80 % at once"], rows))
    return "\n".join(parts)


def summary(outcomes: Sequence[Outcome]) -> dict[str, dict[str, float | None]]:
    """Return the sums over all stories, for whoever is judged and for the bare rule."""
    return {
        "pgheadroom": _sums([(one.truth, one.verdict) for one in outcomes]),
        "bare rule": _sums([(one.truth, one.bare) for one in outcomes]),
    }


def misses(outcomes: Iterable[Outcome]) -> str:
    """Return a line for each incident that nobody was paged for in time, and each idle page."""
    lines = []
    for trace, truth, verdict, _ in outcomes:
        if truth["incident"] and not verdict.before:
            lines.append(f"{trace}: missed")
        if verdict.blamed is False:
            lines.append(f"{trace}: not {truth['culprit']} was blamed")
        for page in verdict.for_nothing:
            since = page.start - (truth["onset"] or page.start)
            when = f"{page.start:.0f}" + (f" ({since:+.0f} s from the onset)" if since else "")
            lines.append(f"{trace}: for nothing at {when}: {page.words}")
    return "\n".join(lines) + "\n" if lines else "nothing missed, nothing for nothing\n"


def _sums(pairs: Sequence[tuple[dict[str, Any], Verdict]]) -> dict[str, float | None]:
    bad = [verdict for truth, verdict in pairs if truth["incident"]]
    good = [(truth, verdict) for truth, verdict in pairs if not truth["incident"]]
    first = [verdict for truth, verdict in good if truth["first_day"]]
    blamed = [verdict.blamed for verdict in bad if verdict.blamed is not None]
    tickets = sum(verdict.tickets for _, verdict in good)
    weeks = sum(truth["weeks"] for truth, _ in good)
    return {
        "before": _mean([verdict.before for verdict in bad]),
        "share": _mean([verdict.share for verdict in bad]),
        "pages_per_incident": _mean([verdict.pages for verdict in bad]),
        "culprit": _mean(blamed),
        "benign_traces_paged": _mean([bool(verdict.for_nothing) for _, verdict in good]),
        "benign_traces_paged_on_the_first_day": _mean([bool(one.for_nothing) for one in first]),
        "for_nothing_per_trace": _mean([len(verdict.for_nothing) for _, verdict in pairs]),
        "tickets_per_benign_week": tickets / weeks if weeks else None,
        "tickets_per_benign_trace": _mean([verdict.tickets for _, verdict in good]),
    }


def _incidents(of: Sequence[Outcome]) -> list[str]:
    blamed = [one.verdict.blamed for one in of if one.verdict.blamed is not None]
    return [
        of[0].truth["family"],
        *_of_incidents([one.verdict for one in of]),
        f"{sum(blamed)} of {len(blamed)}",
        *_of_incidents([one.bare for one in of]),
    ]


def _of_incidents(verdicts: Sequence[Verdict]) -> list[str]:
    return [
        f"{sum(one.before for one in verdicts)} of {len(verdicts)}",
        f"{statistics.median(one.lead for one in verdicts):.0f}",
        f"{statistics.median(one.share for one in verdicts):.2f}",
        f"{statistics.mean(one.pages for one in verdicts):.1f}",
        str(sum(len(one.for_nothing) for one in verdicts)),
    ]


def _benign(of: Sequence[Outcome]) -> list[str]:
    return [
        of[0].truth["family"],
        "yes" if of[0].truth["first_day"] else "",
        *_of_benign([one.verdict for one in of]),
        str(sum(one.verdict.tickets for one in of)),
        f"{sum(one.truth['weeks'] for one in of):.1f}",
        *_of_benign([one.bare for one in of]),
    ]


def _of_benign(verdicts: Sequence[Verdict]) -> list[str]:
    return [
        f"{sum(bool(one.for_nothing) for one in verdicts)} of {len(verdicts)}",
        str(sum(len(one.for_nothing) for one in verdicts)),
    ]


def _mean(values: Sequence[float]) -> float | None:
    return statistics.mean(values) if values else None


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
