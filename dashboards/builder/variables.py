"""Builds the variables of dashboards: what to choose, and in which order it is offered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dashboards.builder.parts import SOURCE, Json, own

from pgheadroom.model.alert import AlertName
from pgheadroom.model.identity import TargetKind

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


def by_rank(variable: str, title: str, rank: str, label: str) -> Json:
    """Return a variable of the values of *label*, those first whose *rank* is the highest."""
    found = f"query_result(sort_desc({rank}))"
    return {
        **from_label(variable, title, "", label=label, many=False),
        "definition": found,
        "query": {"query": found, "refId": f"variable-{variable}"},
        "regex": f'/^\\{{{label}="(.*)"\\}} /',
        "sort": 0,
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


# ---- Targets.

KINDS: Final = {TargetKind.POSTGRES: "server", TargetKind.PGBOUNCER: "pooler"}
"""What a target of each kind is called; its dashboard has this in its address, too."""
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
