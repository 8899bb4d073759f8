"""Builds the panels that several dashboards have, of a server or of poolers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from dashboards.builder import links
from dashboards.builder.meaning import (
    CONDITIONS,
    DURATION,
    LEFT_OF,
    NONE_IS_BAD,
    NOT_FILLING,
    NOTHING_AHEAD,
    SEVERITIES,
    SHARE_BAR,
    SHARE_OF,
    SOME_IS_BAD,
)
from dashboards.builder.parts import (
    COLOURED,
    DASHED,
    GREEN,
    ORANGE,
    RED,
    Json,
    Select,
    bars,
    curve,
    fixed,
    lines,
    name,
    now,
    rows,
    stat,
    steps,
    table,
    texts,
    timeline,
)

TIME_LEFT: Final = "Full in, over time"


# ---- The one answer.


def left(title: str, description: str, free: str, share: str, share_name: str) -> Json:
    """Return how much is left, *free*, with the *share* that is taken beside it."""
    return stat(
        title,
        description,
        now(free, "left"),
        now(share, share_name),
        unit="none",
        text="value_and_name",
        thresholds=NONE_IS_BAD,
        overrides=[name(share_name, unit="percentunit", decimals=0, thresholds=SHARE_OF)],
    )


def full_in(description: str, seconds: str) -> Json:
    """Return in how many *seconds* nothing is left; they are of `full_after`."""
    return stat(
        "Full in",
        description,
        now(seconds, "full in"),
        unit=DURATION,
        decimals=0,
        mappings=NOT_FILLING,
        noValue="unknown",
        thresholds=LEFT_OF,
        size=32,
    )


def firing(description: str, critical: str, warning: str) -> Json:
    """Return how many alerts fire; *critical* and *warning* are those of each severity."""
    return stat(
        "Alerts firing",
        description,
        now(f"sum({critical})", "critical"),
        now(f"sum({warning})", "warning"),
        unit="none",
        text="value_and_name",
        thresholds=SOME_IS_BAD,
        overrides=[name("critical", thresholds=steps("text", (1, RED)))],
    )


def conditions(title: str, description: str, numbers: str, legend: str) -> Json:
    """Return in which condition targets were; the *numbers* are of `condition`."""
    return timeline(
        title,
        description,
        curve(numbers, legend),
        mappings=texts(**{f"_{number}": pair for number, pair in enumerate(CONDITIONS.items())}),
    )


def fired(description: str, of: Select, recent: Select) -> Json:
    """Return when each alert fired; *recent* selects what a curve shows of what *of* does."""
    critical, warning = (
        f"max by (alertname) ({recent('pgheadroom_alert', severity=severity)})"
        for severity in ("critical", "warning")
    )
    ever = f"max by (alertname) (max_over_time({of('pgheadroom_alert')}[$__range] @ end())) > 0"
    # Zeros end a bar: without a value the last one may be drawn on.
    return timeline(
        "Alerts that fired",
        description,
        curve(
            f"(2 * {critical} > 0 or {warning} or 0 * {critical}) and on (alertname) ({ever})",
            "{{alertname}}",
        ),
        noValue="no alert fired",
        mappings=texts(_0=(" ", "#7f7f7f"), _1=("warning", ORANGE), _2=("critical", RED)),
    )


def firing_now(
    description: str,
    verdicts: str,
    *,
    columns: dict[str, str],
    hidden: Sequence[str],
    widths: tuple[int, int],
    overrides: Sequence[Json] = (),
    **more: Any,
) -> Json:
    """Return the table of what fires; *widths* are of the alert and of the severity."""
    return table(
        "Firing now",
        description,
        rows(verdicts),
        columns={"severity": "Severity", "alertname": "Alert", "target": "Target", **columns},
        hidden=hidden,
        sort="severity",
        descending=False,
        noValue="No alert fires.",
        overrides=[
            name("Alert", links=links.to_runbook(), custom__minWidth=widths[0]),
            *overrides,
            name(
                "Severity",
                mappings=SEVERITIES,
                custom__cellOptions=COLOURED,
                custom__width=widths[1],
            ),
        ],
        **more,
    )


def none_is_good(title: str, description: str, number: Json, colour: str, **more: Any) -> Json:
    """Return a *number* that is good if it is 0, and from 1 on has a *colour*."""
    return stat(
        title, description, number, unit="none", thresholds=steps(GREEN, (1, colour)), **more
    )


# ---- What is ahead.


def if_it_goes_on(
    description: str, seconds: str, share_after: Callable[[int], str], *ahead: tuple[str, int]
) -> Json:
    """Return the share in use after the seconds that each of *ahead* calls by a name.

    They end where it is full, in so many *seconds*, but are two at least: a bar alone has no name.
    Without a forecast there is none.
    """

    def shown(place: int) -> str:
        """Return what holds for the bar at this *place*: it was not full before."""
        before = ahead[place - 1][1] if place > 1 else -1
        return f"and on () (({seconds}) > {before} and ({seconds}) < Inf)"

    return bars(
        "If it goes on",
        description,
        *(
            now(f"{share_after(later)} {shown(place)}", text)
            for place, (text, later) in enumerate(ahead)
        ),
        unit="percentunit",
        decimals=0,
        max=1,
        mappings=[NOTHING_AHEAD],
        thresholds=SHARE_BAR,
    )


def time_left(
    description: str,
    seconds: str,
    legend: str,
    *horizons: tuple[str, str, str],
    overrides: Sequence[Json] = (),
) -> Json:
    """Return the forecast of *seconds* over time; below a horizon an alert of a colour fires.

    *horizons* are an expression, a name and that colour each.
    """
    return lines(
        TIME_LEFT,
        description,
        curve(f"clamp_min({seconds}, 1) < Inf", legend),
        *(curve(expression, text) for expression, text, _ in horizons),
        unit="s",
        decimals=0,
        min=1,
        # A forecast may be there for one scrape only.
        custom={
            "scaleDistribution": {"type": "log", "log": 10},
            "lineWidth": 2,
            "showPoints": "auto",
            "pointSize": 4,
        },
        overrides=[
            *overrides,
            *(
                name(
                    text,
                    color=fixed(colour),
                    custom__lineWidth=1,
                    custom__lineStyle=DASHED,
                    custom__showPoints="never",
                )
                for _, text, colour in horizons
            ),
        ],
    )


# ---- Limits.


def limits(title: str, description: str, *shares: Json, none: str) -> Json:
    """Return the *shares* of further limits that are in use; *none* is said without any."""
    return lines(
        title,
        description,
        *shares,
        unit="percentunit",
        noValue=none,
        max=1,
        thresholds=steps("transparent", (0.8, ORANGE), (1, RED)),
        custom={"thresholdsStyle": {"mode": "dashed"}, "lineWidth": 2},
    )


def across(series: str, colour: str, **properties: object) -> Json:
    """Return how *series* looks that is a line across what is stacked."""
    return name(
        series,
        color=fixed(colour),
        custom__stacking={"mode": "none", "group": "A"},
        custom__fillOpacity=0,
        **properties,
    )
