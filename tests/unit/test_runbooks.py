"""Tests that there is a runbook for every alert, in one shape, and whole."""

import re
from pathlib import Path
from typing import Final

import pytest

from pgheadroom.config.settings import Settings
from pgheadroom.metrics.own import NAMES
from pgheadroom.metrics.table import TABLE
from pgheadroom.model.alert import RUNBOOKS, AlertName
from pgheadroom.model.reading import FAILURES

FOLDER: Final = Path(__file__).parents[2] / "alerts" / "runbooks"
TEXTS: Final = {path.stem: path.read_text() for path in sorted(FOLDER.glob("*.md"))}
FIRST: Final = "First 30 seconds"
SECTIONS: Final = [FIRST, "Meaning", "Impact", "Diagnosis", "Mitigation", "Prevention"]
LONGEST_FIRST: Final = 30
"""Lines that are read at 3 a.m."""
FENCED: Final = re.compile(r"^```(\w*)\n.*?^```$\n?", re.MULTILINE | re.DOTALL)
DOWN: Final = "PgheadroomDown"
"""The one alert that only Prometheus can raise."""

every_runbook = pytest.mark.parametrize("name", sorted(TEXTS))


def prose(name: str) -> str:
    """Return the runbook *name* without its blocks of code."""
    return FENCED.sub("", TEXTS[name])


def sections(name: str) -> dict[str, str]:
    """Return what stands below each heading of the second level."""
    _, *parts = re.split(r"^## (.*)$", TEXTS[name], flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def anchors(name: str) -> set[str]:
    """Return the anchors of the headings, made as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", prose(name), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    assert set(TEXTS) == {*AlertName, DOWN}
    assert RUNBOOKS.endswith("/alerts/runbooks")


@every_runbook
def test_it_has_the_sections_in_order(name: str) -> None:
    assert TEXTS[name].startswith(f"# {name}\n\n## {FIRST}\n\n1. ")
    assert list(sections(name)) == SECTIONS
    assert all(text.strip() for text in sections(name).values())


@every_runbook
def test_it_begins_with_steps_to_take(name: str) -> None:
    """Numbered from 1 on, few, and short."""
    steps = sections(name)[FIRST].strip().splitlines()
    numbers = [int(line[0]) for line in steps if re.match(r"\d\. ", line)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert 3 <= len(numbers) <= 4
    assert len(steps) <= LONGEST_FIRST


def test_a_cap_says_whom_it_hits() -> None:
    """A CONNECTION LIMIT of a role is shared by all that log in as it."""
    capping = {
        "PostgresApplicationLeaking",
        "PostgresConnectionsExhausted",
        "PostgresConnectionsExhaustionImminent",
    }
    assert capping == {name for name in TEXTS if "#stop-the-growth" in TEXTS[name]}
    for name in capping:
        assert "every application that logs in as" in " ".join(prose(name).replace("*", "").split())


@every_runbook
def test_the_diagnosis_has_something_to_paste(name: str) -> None:
    languages = [found[1] for found in FENCED.finditer(sections(name)["Diagnosis"])]
    assert {"sql", "sh"} & set(languages)


@every_runbook
def test_every_block_is_closed_and_says_its_language(name: str) -> None:
    assert {found[1] for found in FENCED.finditer(TEXTS[name])} <= {"sql", "sh", "ts"}
    assert "```" not in prose(name), "a fence is left open, or stands indented"


@every_runbook
def test_every_link_leads_somewhere(name: str) -> None:
    links = re.findall(r"\]\(([^)]*)\)", prose(name))
    assert links
    for link in links:
        file, _, anchor = link.partition("#")
        other = file.removesuffix(".md") or name
        assert other in TEXTS, link
        assert not anchor or anchor in anchors(other), link


@every_runbook
def test_every_metric_and_setting_it_names_exists(name: str) -> None:
    known = {*(metric.name for metric in TABLE), *NAMES, *Settings.model_fields}
    named = re.findall(r"`(pgheadroom_\w+|\w+_(?:seconds|ratio))`", prose(name))
    assert not set(named) - known


def test_every_state_of_a_target_is_explained() -> None:
    """Who is woken by PostgresHeadroomUnknown has nothing but the state to go by."""
    rows = re.findall(
        r"^\| `(\w+)` \| .+ \| .+ \|$", sections(AlertName.UNKNOWN)["Diagnosis"], re.MULTILINE
    )
    assert sorted(rows) == sorted(FAILURES)
