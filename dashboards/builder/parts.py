"""Builds panels: queries, how fields look, and each kind of panel.

Everything is a plain dict in the form that Grafana 11 and 12 read. Nothing here knows a metric's
meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from pgheadroom.model.alert import RUNBOOKS

Json = dict[str, Any]
Select = Callable[..., str]
"""Makes the selector of a metric: takes its name, matchers in PromQL, and labels of one value."""
SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_DAEMON: Final = 'job=~"$job", instance=~"$instance"'
MANY: Final = 'target=~"$target", server=~"$server"'
ONE: Final = 'target="$target", server="$server"'
"""Two servers may have one name: `server` says which."""

BLUE, GREEN, ORANGE, PURPLE, RED = "blue", "green", "orange", "purple", "red"
GREY: Final = "rgba(140, 140, 140, 0.45)"
SHADES_OF_GREY: Final = {"mode": "shades", "fixedColor": "#8c8c8c"}


# ---- Queries.


def own(metric: str, *matchers: str, **labels: str) -> str:
    """Return the selector of a metric that is about the daemon and not about a target.

    *labels* are those that have one value, *matchers* are PromQL.
    """
    equal = (f'{label}="{value}"' for label, value in labels.items())
    return f"{metric}{{{', '.join((_DAEMON, *matchers, *equal))}}}"


def of_many(metric: str, *matchers: str, **labels: str) -> str:
    """Return the selector of a target's metric where any number of targets may be chosen."""
    return own(metric, MANY, *matchers, **labels)


def of_one(metric: str, *matchers: str, **labels: str) -> str:
    """Return the selector of a target's metric where one target is chosen."""
    return own(metric, ONE, *matchers, **labels)


def curve(expression: str, legend: str) -> Json:
    """Return a query over the time range."""
    return {"expr": expression, "legendFormat": legend, "range": True, "instant": False}


def now(expression: str, legend: str = "") -> Json:
    """Return a query at the end of the time range, for a figure."""
    return {"expr": expression, "legendFormat": legend, "range": False, "instant": True}


def rows(expression: str) -> Json:
    """Return a query at the end of the time range, for a table: a row for each series."""
    return {**now(expression), "format": "table"}


# ---- How fields look.


def steps(base: str, *more: tuple[float, str]) -> Json:
    """Return thresholds: *base* is the colour below the first of *more*."""
    found = [{"color": base, "value": None}, *({"color": c, "value": v} for v, c in more)]
    return {"mode": "absolute", "steps": found}


def fixed(colour: str) -> Json:
    """Return the colour mode of one colour."""
    return {"mode": "fixed", "fixedColor": colour}


def name(field: str, **properties: object) -> Json:
    """Return an override for the field or series called *field*; a dot is written ``__``."""
    return _override("byName", field, properties)


def painted(**colours: str) -> list[Json]:
    """Return overrides that give each series its colour."""
    return [name(series, color=fixed(colour)) for series, colour in colours.items()]


def query(letter: str, **properties: object) -> Json:
    """Return an override for whatever the query *letter* brings."""
    return _override("byFrameRefID", letter, properties)


def ending(text: str, **properties: object) -> Json:
    """Return an override for the fields and series whose names end in *text*."""
    return _override("byRegexp", f"/{text}$/", properties)


def _override(matcher: str, option: str, properties: dict[str, object]) -> Json:
    listed = [{"id": key.replace("__", "."), "value": value} for key, value in properties.items()]
    return {"matcher": {"id": matcher, "options": option}, "properties": listed}


def texts(**words: tuple[str, str]) -> list[Json]:
    """Return mappings of values (``_1`` for 1) to a text and a colour each."""
    options = {
        value.removeprefix("_"): {"text": text, "color": colour, "index": place}
        for place, (value, (text, colour)) in enumerate(words.items())
    }
    return [{"type": "value", "options": options}]


DASHED: Final = {"fill": "dash", "dash": [8, 6]}
COLOURED: Final = {"type": "color-text"}
"""A cell of a table whose text is coloured."""
GAUGE: Final = {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}
"""A cell with a bar."""


# ---- Panels.


def panel(  # noqa: PLR0913 - what a panel is made of
    kind: str,
    title: str,
    description: str,
    targets: Sequence[Json],
    *,
    unit: str,
    options: Json,
    overrides: Sequence[Json] = (),
    transformations: Sequence[Json] = (),
    **defaults: Any,
) -> Json:
    """Return a panel without its place; *defaults* hold for all its fields."""
    lettered = [
        {"refId": chr(ord("A") + place), "datasource": SOURCE, **target}
        for place, target in enumerate(targets)
    ]
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": SOURCE,
        "targets": lettered,
        "fieldConfig": {"defaults": {"unit": unit, **defaults}, "overrides": list(overrides)},
        "options": options,
        "transformations": list(transformations),
    }


def stat(
    title: str,
    description: str,
    *targets: Json,
    unit: str,
    text: str = "auto",
    field: str = "",
    size: int = 0,
    **more: Any,
) -> Json:
    """Return a panel of large figures, or of the words in the column *field*.

    *text* says whether names stand beside them; without a *size* they are as large as fits.
    """
    fields = f"/^{field}$/" if field else ""
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": fields, "values": False},
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "center",
        "orientation": "auto",
        "textMode": text,
        "wideLayout": True,
        "showPercentChange": False,
        **({"text": {"valueSize": size}} if size else {}),
    }
    given: Json = {"color": {"mode": "thresholds"}, "thresholds": steps(GREEN)} | more
    return panel("stat", title, description, targets, unit=unit, options=options, **given)


def bars(title: str, description: str, *targets: Json, unit: str, **more: Any) -> Json:
    """Return a panel of horizontal bars, one for each series."""
    options = {
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "displayMode": "basic",
        "valueMode": "color",
        "namePlacement": "left",
        "orientation": "horizontal",
        "showUnfilled": True,
        "sizing": "manual",
        "minVizWidth": 8,
        "minVizHeight": 16,
        "maxVizHeight": 60,
        "text": {"titleSize": 14, "valueSize": 20},
    }
    given: Json = {"color": {"mode": "thresholds"}, "min": 0} | more
    return panel("bargauge", title, description, targets, unit=unit, options=options, **given)


def lines(
    title: str,
    description: str,
    *targets: Json,
    unit: str,
    legend: str = "bottom",
    stacked: bool = False,
    custom: Json | None = None,
    **more: Any,
) -> Json:
    """Return a time series panel; its legend is at the bottom, or a table on the right."""
    table = legend == "right"
    options = {
        "legend": {
            "showLegend": legend != "none",
            "displayMode": "table" if table else "list",
            "placement": "right" if table else "bottom",
            "calcs": ["lastNotNull", "max"] if table else [],
            **({"sortBy": "Last *", "sortDesc": True} if table else {}),
        },
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    drawn = {
        "drawStyle": "line",
        "lineInterpolation": "linear",
        "lineWidth": 1,
        "fillOpacity": 0,
        "showPoints": "never",
        "spanNulls": False,
        "stacking": {"mode": "none", "group": "A"},
    }
    if stacked:
        drawn |= {"fillOpacity": 45, "stacking": {"mode": "normal", "group": "A"}}
    # By order: a colour that follows from the name may be that of the neighbour, too.
    given: Json = {"color": {"mode": "palette-classic"}, "min": 0} | more
    return panel(
        "timeseries",
        title,
        description,
        targets,
        unit=unit,
        options=options,
        custom=drawn | (custom or {}),
        **given,
    )


def timeline(title: str, description: str, *targets: Json, **more: Any) -> Json:
    """Return a row for each series, in the colours that its values are mapped to."""
    options = {
        "showValue": "auto",
        "rowHeight": 0.85,
        "mergeValues": True,
        "alignValue": "left",
        "legend": {"showLegend": False, "displayMode": "list", "placement": "bottom"},
        "tooltip": {"mode": "single", "sort": "none"},
    }
    custom = {"lineWidth": 0, "fillOpacity": 80, "spanNulls": False}
    given: Json = {"color": {"mode": "thresholds"}, "thresholds": steps("transparent")} | more
    return panel(
        "state-timeline",
        title,
        description,
        targets,
        unit="none",
        options=options,
        custom=custom,
        **given,
    )


def table(  # noqa: PLR0913 - what is not the same in all of them
    title: str,
    description: str,
    *targets: Json,
    columns: dict[str, str],
    sort: str,
    descending: bool = True,
    hidden: Sequence[str] = (),
    paged: bool = True,
    **more: Any,
) -> Json:
    """Return a table: the targets' rows joined by what they have in common.

    *columns* are those to show, in order, as they are called by Grafana and by us; *sort* is one of
    Grafana's; *hidden* are the others.
    """
    shown = {
        "excludeByName": dict.fromkeys(("Time", *hidden), True),
        "indexByName": {column: place for place, column in enumerate(columns)},
        "renameByName": columns,
    }
    transformations = [
        {"id": "merge", "options": {}},
        {"id": "sortBy", "options": {"sort": [{"field": sort, "desc": descending}]}},
        {"id": "organize", "options": shown},
    ]
    options = {
        "showHeader": True,
        "cellHeight": "sm",
        "frameIndex": 0,
        # 12 has moved it out of the footer, where 11 looks for it.
        "enablePagination": paged,
        "footer": {"show": False, "reducer": ["sum"], "fields": "", "enablePagination": paged},
    }
    given: Json = {"custom": {"align": "auto", "filterable": True, "minWidth": 60}} | more
    return panel(
        "table",
        title,
        description,
        targets,
        unit="none",
        options=options,
        transformations=transformations,
        **given,
    )


def what_to_do(text: str, alert: str) -> str:
    """Return a panel's description that ends in a link to the runbook of *alert*."""
    return f"{text} [Runbook]({RUNBOOKS}/{alert}.md)."
