"""Builds the table of suspects: the applications of a server, the most suspicious first."""

from __future__ import annotations

from typing import Final

from dashboards.builder import links
from dashboards.builder.history import by_application
from dashboards.builder.meaning import PER_MINUTE, VERDICTS, blamed
from dashboards.builder.parts import (
    BLUE,
    COLOURED,
    GAUGE,
    Json,
    name,
    of_one,
    rows,
    steps,
    table,
    what_to_do,
)

RUNBOOK: Final = "PostgresApplicationLeaking"


def _each(how: str, series: str) -> str:
    return f"{how} by (application_name) ({series})"


_BLAMED: Final = blamed(of_one)
_EVER_BLAMED: Final = _each("max", f"max_over_time({_BLAMED}[$__range])")
"""Has a value for each application of the time range: 1 if it had such a verdict, else 0."""
_CONNECTIONS: Final = by_application(of_one("pgheadroom_connections"))


def _suspicion() -> str:
    """Return how much each application is to blame: those that a verdict blames come first.

    Among them, and then among the others, it is by growth; without growth by connections.
    """
    terms = (
        f"1000 * {_each('max', _BLAMED)}",
        f"{PER_MINUTE} * {_each('max', of_one('pgheadroom_application_growth'))}",
        f"{_CONNECTIONS} / 1000",
    )
    return " + ".join(
        (f"10 * {_EVER_BLAMED}", *(f"({term} or 0 * {_EVER_BLAMED})" for term in terms))
    )


SUSPICION: Final = _suspicion()


def _most() -> str:
    """Return the most connections of each application within the time range, or now."""
    # A subquery has steps of its own and leaves out what is newer than the last of them.
    past, present = (
        f'label_replace({counts}, "when", "{when}", "", "")'
        for counts, when in (
            (f"max_over_time(({_CONNECTIONS})[$__range:$__rate_interval])", "past"),
            (_CONNECTIONS, "now"),
        )
    )
    return _each("max", f"{past} or {present}")


def suspects() -> Json:
    """Return all applications, the most suspicious first; a click chooses one."""
    verdict = of_one("pgheadroom_application_verdict")
    return table(
        "Suspects: click one",
        what_to_do(
            "First the application that a verdict blames, then the one that grows most. The first"
            " is chosen when the dashboard opens. Click a name to see that application below.",
            RUNBOOK,
        ),
        rows(f"{_CONNECTIONS} or 0 * {_EVER_BLAMED}"),
        rows(_most()),
        rows(f"{PER_MINUTE} * {_each('max', of_one('pgheadroom_application_growth'))}"),
        rows(f"max by (application_name, verdict) ({verdict} == 1)"),
        {**rows(SUSPICION), "refId": "Z"},
        columns={
            "application_name": "Application",
            "Value #A": "Connections",
            "Value #B": "Most",
            "Value #C": "Growth a minute",
            "verdict": "Verdict",
        },
        hidden=("Value #D", "Value #Z"),
        sort="Value #Z",
        paged=False,
        overrides=[
            name("Application", links=links.to(links.LEAK, "application", "ago")),
            name("Connections", min=0, thresholds=steps(BLUE), custom__cellOptions=GAUGE),
            name("Most", custom__width=75),
            name("Growth a minute", decimals=1, custom__width=150),
            name("Verdict", mappings=VERDICTS, custom__cellOptions=COLOURED, custom__width=110),
        ],
    )
