"""Tests what the dashboards show: that nothing looks better or worse than it is."""

import json
import re
from typing import Any, Final

from dashboards.builder import write
from dashboards.builder.meaning import STATE_LINES

from pgheadroom.model.reading import Outcome

DASHBOARDS: Final[list[dict[str, Any]]] = write.dashboards()


def panels(uid: str) -> dict[str, dict[str, Any]]:
    """Return the panels of a dashboard by their titles."""
    (dashboard,) = (one for one in DASHBOARDS if one["uid"] == uid)
    return {panel["title"]: panel for panel in dashboard["panels"]}


def test_colours_differ_where_bands_touch() -> None:
    """By the order of the series, not by a hash of their names; how a reading ends has its own."""
    assert "by-name" not in json.dumps(DASHBOARDS)
    colours = {
        override["matcher"]["options"]: override["properties"][0]["value"]["fixedColor"]
        for override in STATE_LINES
    }
    assert colours.keys() == {str(outcome) for outcome in Outcome}
    assert len(set(colours.values())) == len(colours)


def test_the_leak_hunt_opens_on_the_most_suspicious_application() -> None:
    """Grafana takes the first value, and finds it in what Prometheus answers by the expression."""
    (leak,) = (one for one in DASHBOARDS if one["uid"] == "pgheadroom-leak")
    (application,) = (v for v in leak["templating"]["list"] if v["name"] == "application")
    assert application["definition"].startswith("query_result(sort_desc(")
    assert (application["sort"], application["current"]) == (0, {})
    found = re.compile(application["regex"].strip("/"))
    for name in ("nest-api", 'odd "name"} 1', "billing-*"):
        answer = found.search(f'{{application_name="{name}"}} 1024.8 1795824324000')
        assert answer is not None
        assert answer[1] == name
    # The table of suspects is in the same order, and a click on one chooses it.
    suspects = panels("pgheadroom-leak")["Suspects: click one"]
    rank = suspects["targets"][-1]
    assert application["definition"] == f"query_result(sort_desc({rank['expr']}))"
    assert "var-application=${__value.raw:percentencode}" in json.dumps(suspects["fieldConfig"])


def test_what_does_not_fill_up_is_no_good_news_and_no_number() -> None:
    """Neither a huge green word, nor the weeks that stand for infinity, nor a bar for each time."""
    for uid in ("pgheadroom-server", "pgheadroom-pooler"):
        found = panels(uid)
        full_in = found["Full in"]
        defaults = full_in["fieldConfig"]["defaults"]
        assert "green" not in json.dumps([defaults["mappings"], defaults["thresholds"]])
        assert "not filling up" in json.dumps(defaults["mappings"])
        assert full_in["options"]["text"]["valueSize"] < 40
        (line, *_) = found["Full in, over time"]["targets"]
        assert line["expr"].endswith("< Inf")
        bars = found["If it goes on"]
        assert all("< Inf)" in one["expr"] for one in bars["targets"])
        assert "no forecast" in json.dumps(bars["fieldConfig"]["defaults"]["mappings"])


def test_that_nobody_is_paged_is_not_green() -> None:
    defaults = panels("pgheadroom-self")["Alertmanagers"]["fieldConfig"]["defaults"]
    assert defaults["noValue"] == "not configured: nobody is paged by this daemon"
    assert defaults["thresholds"]["steps"] == [{"color": "text", "value": None}]


def test_that_a_server_can_be_read_is_neutral() -> None:
    """It may be full all the same."""
    defaults = panels("pgheadroom-server")["Readable"]["fieldConfig"]["defaults"]
    assert defaults["mappings"][0]["options"]["ok"] == {"text": "yes", "color": "text", "index": 0}
    assert defaults["thresholds"]["steps"] == [{"color": "text", "value": None}]


def test_a_condition_has_its_colour() -> None:
    """The same on both dashboards, in this order: where daemons differ, the first is believed."""
    colours = {
        "critical": "red",
        "warning": "yellow",
        "recovering": "orange",
        "rising": "blue",
        "steady": "green",
        "unknown": "purple",
    }
    for uid, title in (
        ("pgheadroom-server", "Condition"),
        ("pgheadroom-fleet", "Condition: the ten worst"),
    ):
        panel = panels(uid)[title]
        (mapping,) = panel["fieldConfig"]["defaults"]["mappings"]
        assert {one["text"]: one["color"] for one in mapping["options"].values()} == colours
        (asked,) = panel["targets"]
        numbers = re.findall(
            r'(\d) \* max by [^"]*?pgheadroom_condition\{.*?condition="(\w+)"', asked["expr"]
        )
        assert dict(numbers) == {str(number): word for number, word in enumerate(colours)}
