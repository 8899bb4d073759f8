"""Builds what surrounds the panels: variables, links, annotations of alerts, and the grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from dashboards.builder.parts import ORANGE, PURPLE, RED, SOURCE, Json, own

from pgheadroom.model.alert import RUNBOOKS, AlertName
from pgheadroom.model.identity import TargetKind

Row = str | tuple[int, Sequence[tuple[int, Json | list[Json]]]]
"""A heading, or what stands side by side: the height, and each panel, or those that share its
place one below the other, with the width; 24 is all of it."""

FLEET: Final = "pgheadroom-fleet"
SERVER: Final = "pgheadroom-server"
POOLER: Final = "pgheadroom-pooler"
LEAK: Final = "pgheadroom-leak"
SELF: Final = "pgheadroom-self"

_WIDTH: Final = 24

# ---- Variables.

DATASOURCE: Final[Json] = {
    "type": "datasource",
    "name": "datasource",
    "label": "Data source",
    "query": "prometheus",
    "current": {},
    "options": [],
    "refresh": 1,
    "regex": "",
    "includeAll": False,
    "multi": False,
    "hide": 0,
}


def from_label(
    variable: str,
    title: str,
    series: str,
    *,
    label: str | None = None,
    many: bool = True,
    all_of: str = ".+",
) -> Json:
    """Return a variable of the values of a label of *series*, by default of its own name.

    *all_of* is the pattern for all, or empty if these are to be named one by one.
    """
    found = f"label_values({series}, {label or variable})"
    return {
        "type": "query",
        "name": variable,
        "label": title,
        "datasource": SOURCE,
        "definition": found,
        "query": {"query": found, "refId": f"variable-{variable}"},
        "refresh": 2,
        "sort": 1,
        "regex": "",
        "multi": many,
        "includeAll": many,
        "hide": 0,
        "options": [],
        "current": {"text": ["All"], "value": ["$__all"]} if many else {},
        **({"allValue": all_of} if many and all_of else {}),
    }


JOB: Final = from_label("job", "Job", "pgheadroom_build_info")
INSTANCE: Final = from_label("instance", "Instance", 'pgheadroom_build_info{job=~"$job"}')


def choice(variable: str, title: str, values: Sequence[str], chosen: str) -> Json:
    """Return a variable of fixed *values*."""
    return {
        "type": "custom",
        "name": variable,
        "label": title,
        "query": ",".join(values),
        "current": {"text": chosen, "value": chosen},
        "options": [{"text": v, "value": v, "selected": v == chosen} for v in values],
        "multi": False,
        "includeAll": False,
        "hide": 0,
    }


# ---- Dashboards.


def link(uid: str, variable: str) -> list[Json]:
    """Return the link of a cell to the dashboard *uid*, with the cell's text as *variable*."""
    url = (
        f"/d/{uid}?${{datasource:queryparam}}&${{job:queryparam}}&${{instance:queryparam}}"
        f"&var-{variable}=${{__value.raw:percentencode}}&${{__url_time_range}}"
    )
    if variable == "target":
        url += "&var-server=${__data.fields.Server:percentencode}"
    else:
        url += "&${target:queryparam}&${server:queryparam}"
    return [{"title": "Look closer", "url": url, "targetBlank": False}]


def pool_link() -> list[Json]:
    """Return the link of a cell to the pool of its row alone."""
    cells = {"target": "Pooler", "database": "Database", "role": "Role"}
    chosen = "&".join(
        f"var-{variable}=${{__data.fields.{column}:percentencode}}"
        for variable, column in cells.items()
    )
    url = (
        f"/d/{POOLER}?${{datasource:queryparam}}&${{job:queryparam}}&${{instance:queryparam}}"
        f"&${{server:queryparam}}&{chosen}&${{__url_time_range}}"
    )
    return [{"title": "This pool alone", "url": url, "targetBlank": False}]


def runbook_link() -> list[Json]:
    """Return the link of a cell that holds an alert's name."""
    return [{"title": "What to do", "url": f"{RUNBOOKS}/${{__value.raw}}.md", "targetBlank": True}]


KINDS: Final = {TargetKind.POSTGRES: "server", TargetKind.PGBOUNCER: "pooler"}
"""What a target of each kind is called; its dashboard has this in its address, too."""
OF_KIND: Final = "pgheadroom-${__data.fields.Kind}"
"""The dashboard of the target in a row that has a column `Kind`."""
_ALERTS: Final = {
    TargetKind.POSTGRES: AlertName.EXHAUSTED,
    TargetKind.PGBOUNCER: AlertName.CLIENTS_EXHAUSTED,
}


def each(kind: TargetKind | None, *matchers: str) -> str:
    """Return a selector of what every target of *kind* has and no other, read or not; or of any."""
    if kind is None:
        return own("pgheadroom_target_state", *matchers)
    return own("pgheadroom_alert", *matchers, alertname=_ALERTS[kind])


def which(*, many: bool, kind: TargetKind | None = None) -> list[Json]:
    """Return the variables that select targets: by `target` and, for equal names, by `server`.

    They are of one *kind*, or of any.
    """
    # Many metrics are of any kind: then all of one kind are those that are named.
    all_of = ".+" if kind is None else ""
    shown, chosen = each(kind), each(kind, f'target{"=~" if many else "="}"$target"')
    return [
        from_label("target", "Target", shown, many=many, all_of=all_of),
        from_label("server", "Server", chosen, many=many),
    ]


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


_LINKS: Final = [
    {
        "type": "dashboards",
        "title": "pgheadroom",
        "tags": ["pgheadroom"],
        "asDropdown": False,
        "includeVars": True,
        "keepTime": True,
        "targetBlank": False,
        "icon": "external link",
        "tooltip": "",
        "url": "",
    },
    {
        "type": "link",
        "title": "Runbooks",
        "url": RUNBOOKS.replace("/blob/", "/tree/"),
        "tags": [],
        "asDropdown": False,
        "includeVars": False,
        "keepTime": False,
        "targetBlank": True,
        "icon": "doc",
        "tooltip": "What to do about each alert",
    },
]


def ahead(title: str, uid: str, begin: str, end: str) -> Json:
    """Return the link to the dashboard *uid* itself with a time range that has a future."""
    return {
        "type": "link",
        "title": title,
        "url": f"/d/{uid}?from={quote(begin)}&to={quote(end)}",
        "tags": [],
        "asDropdown": False,
        "includeVars": True,
        "keepTime": False,
        "targetBlank": False,
        "icon": "bolt",
        "tooltip": "The forecast; current values need a range that ends now",
    }


def server_link(title: str, variable: str) -> Json:
    """Return the link to the dashboard of the server that *variable* names."""
    url = (
        f"/d/{SERVER}?${{datasource:queryparam}}&${{job:queryparam}}&${{instance:queryparam}}"
        f"&var-target=${{{variable}:percentencode}}"
    )
    return {
        "type": "link",
        "title": title,
        "url": url,
        "tags": [],
        "asDropdown": False,
        "includeVars": False,
        "keepTime": True,
        "targetBlank": False,
        "icon": "external link",
        "tooltip": "How many slots are left, and who takes them",
    }


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
        "links": [*_LINKS, *links],
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
