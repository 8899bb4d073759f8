"""Knows what the dashboards ask, with values in place of the variables."""

import math
import time
import urllib.error
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
from dashboards.builder.write import dashboards

from tests.support.servers import http
from tests.support.servers.prometheus import Prometheus

TARGET: Final = "shop"
CULPRIT: Final = "image-resizer"
VARIABLES: Final = {
    '=~"$target"': '=~".+"',  # all that there are, where there may be many
    '=~"$server"': '=~".+"',
    '="$server"': '=~".+"',  # here each name is one server's
    "$__rate_interval": "10s",
    "$__range": "5m",
    "$job": ".+",
    "$instance": ".+",
    "$target": TARGET,
    "$application": CULPRIT,
    "$ago": "10s",
    "offset 1m": "offset 5s",  # no incident here is as long
    "$behind": TARGET,
    "$database": ".+",
    "$role": ".+",
}
BACK_SECONDS: Final = 60
AHEAD_SECONDS: Final = {"now": 0, "now+4m": 240}


@dataclass(frozen=True, slots=True)
class Query:
    """One expression of a dashboard, as Grafana would ask it."""

    uid: str
    panel: str
    legend: str
    expression: str
    path: str
    ahead: int = 0
    """Seconds from now to the range's end."""

    @property
    def where(self) -> tuple[str, str, str]:
        """Its dashboard, panel and legend, by which a test names it."""
        return self.uid, self.panel, self.legend

    def finds_something(self, server: Prometheus) -> bool:
        """Ask, and tell whether there is a figure in the answer; fail if it is an error."""
        at = time.time()
        when = (
            {"time": f"{at + self.ahead}"}
            if self.path == "query"
            else {"start": f"{at - BACK_SECONDS}", "end": f"{at + self.ahead}", "step": "5"}
        )
        try:
            answer = http.get_json(
                f"{server.url}/api/v1/{self.path}", {"query": self.expression, **when}
            )
        except urllib.error.HTTPError as error:
            pytest.fail(f"{self.where}: {self.expression}: {error.read().decode()}")
        found: list[dict[str, Any]] = answer["data"]["result"]
        figures = [v for one in found for _, v in one.get("values", [one.get("value")])]
        return any(math.isfinite(float(figure)) for figure in figures)


def filled_in(expression: str) -> str:
    """Return *expression* with values in place of variables, the longest names first."""
    for variable in sorted(VARIABLES, key=len, reverse=True):
        expression = expression.replace(variable, VARIABLES[variable])
    assert "$" not in expression
    return expression


def queries() -> Iterator[Query]:
    """Yield all that the dashboards ask."""
    for dashboard in dashboards():
        uid, ahead = dashboard["uid"], AHEAD_SECONDS[dashboard["time"]["to"]]
        for panel in dashboard["panels"]:
            for target in panel.get("targets", ()):
                path = "query" if target["instant"] else "query_range"
                legend = target["legendFormat"] or target["refId"]
                asked = filled_in(target["expr"])
                yield Query(uid, panel["title"], legend, asked, path, ahead)
        for mark in dashboard["annotations"]["list"]:
            asked = filled_in(mark["expr"])
            yield Query(uid, "mark", mark["name"], asked, "query_range", ahead)
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                how, _, inside = variable["definition"].removesuffix(")").partition("(")
                if how == "label_values":
                    series, _, label = inside.rpartition(",")
                    inside = f"count by ({label}) ({series}) > 0"
                yield Query(uid, "variable", variable["name"], filled_in(inside), "query")
