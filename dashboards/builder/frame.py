"""Builds what surrounds the panels: annotations of alerts, and the grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dashboards.builder.links import EVERYWHERE
from dashboards.builder.parts import ORANGE, PURPLE, RED, SOURCE, Json, own

Row = str | tuple[int, Sequence[tuple[int, Json | list[Json]]]]
"""A heading, or what stands side by side: the height, and each panel, or those that share its
place one below the other, with the width; 24 is all of it."""

_WIDTH: Final = 24

# ---- Annotations.


def annotation(
    title: str,
    expression: str,
    colour: str,
    *,
    text: str,
    on: bool = True,
    panels: Sequence[str] = (),
) -> Json:
    """Return marks on the time axis for as long as *expression* gives something.

    They are in the panels with the titles *panels*, without any in all.
    """
    return {
        "name": title,
        "datasource": SOURCE,
        "enable": on,
        "hide": False,
        "iconColor": colour,
        "expr": expression,
        "step": "15s",
        "titleFormat": text,
        "textFormat": "{{target}}",
        "tagKeys": "severity",
        "useValueForTime": False,
        **({"filter": {"exclude": False, "ids": list(panels)}} if panels else {}),
    }


def alerts(
    target: str,
    *matchers: str,
    on: bool = True,
    panels: Sequence[str] = (),
    only: str = "",
) -> list[Json]:
    """Return the annotations of firing alerts: the daemon's verdicts, and Prometheus's rules.

    *target* and *matchers* are matchers, *only* is PromQL that says when to mark anything. The
    rules' alerts say the same, so they are not *on*.
    """
    text = "{{alertname}} ({{severity}})"

    def verdicts(severity: str) -> str:
        return f"{own('pgheadroom_alert', target, *matchers, severity=severity)} == 1{only}"

    # An alert of a rule has no `instance`, but that about a daemon that is down.
    ruled = ", ".join(('job=~"$job"', target, 'alertstate="firing"', *matchers))
    return [
        annotation("Critical alerts", verdicts("critical"), RED, text=text, on=on, panels=panels),
        annotation("Warnings", verdicts("warning"), ORANGE, text=text, on=on, panels=panels),
        annotation(
            "Alerts by rules",
            f"ALERTS{{{ruled}}}{only}",
            PURPLE,
            text=text,
            on=False,
            panels=panels,
        ),
    ]


# ---- Dashboards.


def dashboard(  # noqa: PLR0913 - what is not the same in all of them
    uid: str,
    title: str,
    description: str,
    *,
    variables: Sequence[Json],
    annotations: Sequence[Json],
    content: Sequence[Row],
    time: tuple[str, str] = ("now-1h", "now"),
    links: Sequence[Json] = (),
) -> Json:
    """Return a whole dashboard; its panels are numbered and placed in the order of *content*."""
    panels = _placed(content)
    numbers = {one["title"]: one["id"] for one in panels}
    for one in annotations:
        if "filter" in one:
            one["filter"]["ids"] = [numbers[title] for title in one["filter"]["ids"]]
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": ["pgheadroom", "postgresql"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "fiscalYearStartMonth": 0,
        "liveNow": False,
        "preload": False,
        "refresh": "10s",
        "time": {"from": time[0], "to": time[1]},
        "timepicker": {},
        "timezone": "",
        "weekStart": "",
        "links": [*EVERYWHERE, *links],
        "templating": {"list": list(variables)},
        "annotations": {"list": list(annotations)},
        "panels": panels,
    }


def _placed(content: Sequence[Row]) -> list[Json]:
    found: list[Json] = []
    top = 0
    for row in content:
        if isinstance(row, str):
            place = {"x": 0, "y": top, "w": _WIDTH, "h": 1}
            heading = {"type": "row", "title": row, "collapsed": False, "panels": []}
            found.append({"id": len(found) + 1, "gridPos": place, **heading})
            top += 1
            continue
        height, panels = row
        left = 0
        for width, one in panels:
            column = one if isinstance(one, list) else [one]
            each = height // len(column)
            for nth, below in enumerate(column):
                place = {"x": left, "y": top + nth * each, "w": width, "h": each}
                found.append({"id": len(found) + 1, "gridPos": place, **below})
            left += width
        top += height
    return found
