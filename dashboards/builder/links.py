"""Builds the links of cells and of dashboards."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from dashboards.builder.parts import Json

from pgheadroom.model.alert import RUNBOOKS

FLEET: Final = "pgheadroom-fleet"
SERVER: Final = "pgheadroom-server"
POOLER: Final = "pgheadroom-pooler"
LEAK: Final = "pgheadroom-leak"
SELF: Final = "pgheadroom-self"

OF_KIND: Final = "pgheadroom-${__data.fields.Kind}"
"""The dashboard of the target in a row that has a column `Kind`."""


# ---- Of cells.


def to(uid: str, variable: str, *others: str) -> list[Json]:
    """Return the link of a cell to the dashboard *uid*, with the cell's text as *variable*.

    The *others* keep their values.
    """
    url = (
        f"/d/{uid}?${{datasource:queryparam}}&${{job:queryparam}}&${{instance:queryparam}}"
        f"&var-{variable}=${{__value.raw:percentencode}}&${{__url_time_range}}"
    )
    if variable == "target":
        url += "&var-server=${__data.fields.Server:percentencode}"
    else:
        kept = ("target", "server", *others)
        url += "".join(f"&${{{other}:queryparam}}" for other in kept)
    return [{"title": "Look closer", "url": url, "targetBlank": False}]


def to_pool() -> list[Json]:
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


def to_runbook() -> list[Json]:
    """Return the link of a cell that holds an alert's name."""
    return [{"title": "What to do", "url": f"{RUNBOOKS}/${{__value.raw}}.md", "targetBlank": True}]


# ---- Of dashboards.

EVERYWHERE: Final = [
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


def to_server(title: str, variable: str) -> Json:
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
