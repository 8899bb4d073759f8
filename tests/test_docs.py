"""Tests that the README says what the code does: every metric, setting, state and command."""

import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest
from pydantic_core import PydanticUndefined

from pgheadroom.commands.arguments import EXIT_STATUSES, ExitStatus
from pgheadroom.commands.cli import COMMANDS
from pgheadroom.config.settings import Settings, allowed_range
from pgheadroom.metrics.own import NAMES
from pgheadroom.metrics.table import TABLE
from pgheadroom.model.reading import Outcome

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "exporter/pgheadroom"
README = (ROOT / "README.md").read_text()
COMMANDS_PAGE = (ROOT / "docs/commands.md").read_text()


def metrics_table() -> list[str]:
    rows = ["| metric | labels beside `target` and `server` | |", "|---|---|---|"]
    for metric in TABLE:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        rows.append(f"| `{metric.name}` | {labels} | {metric.help} |")
    return rows


def settings_table() -> list[str]:
    rows = ["| setting | default | allowed | |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = field.get_default(call_default_factory=True)
        assert default is not PydanticUndefined
        shown = "" if default in (None, {}, []) else f"`{default}`".replace("True", "true")
        shown = shown.replace("False", "false")
        choices = ("true", "false") if field.annotation is bool else get_args(field.annotation)
        words = [choice for choice in choices if isinstance(choice, str) and choice.islower()]
        allowed = allowed_range(name) or ", ".join(words)
        rows.append(f"| `{name}` | {shown} | {allowed} | {field.description} |")
    return rows


def commands_table() -> list[str]:
    rows = ["| command | |", "|---|---|"]
    return rows + [f"| `{name}` | {command.HELP} |" for name, command in COMMANDS.items()]


def exit_statuses_table() -> list[str]:
    rows = ["| exit status | |", "|---|---|"]
    return rows + [f"| {status} | {words} |" for status, words in EXIT_STATUSES.items()]


@pytest.mark.parametrize(
    ("page", "name", "expected"),
    [
        (README, "metrics", metrics_table()),
        (README, "settings", settings_table()),
        (COMMANDS_PAGE, "commands", commands_table()),
        (COMMANDS_PAGE, "exit statuses", exit_statuses_table()),
    ],
    ids=["metrics", "settings", "commands", "exit statuses"],
)
def test_a_table_is_the_one_in_the_code(page: str, name: str, expected: list[str]) -> None:
    """The expected lines are what to put between the two marks."""
    found = re.search(rf"<!-- {name}: begin -->\n(.*?)<!-- {name}: end -->", page, re.DOTALL)
    assert found
    assert [line for line in found[1].splitlines() if line] == expected


def test_the_exit_status_of_every_command_is_explained() -> None:
    """What 1 means differs from command to command."""
    heading = f"## When it is {ExitStatus.NOT_OK}"
    rows = re.findall(r"^\| (`.*?`) \|", COMMANDS_PAGE.partition(heading)[2], re.MULTILINE)
    assert sorted(re.findall(r"`(\w+)`", " ".join(rows))) == sorted(COMMANDS)
    assert "(docs/commands.md)" in README
    assert "(docs/commands.md#exit-statuses)" in README


def test_every_state_is_explained() -> None:
    for condition in Outcome:
        assert re.search(rf"^\| .*`{condition}`.* \|", README, re.MULTILINE), condition


def test_every_metric_of_the_daemon_itself_is_named() -> None:
    for name in NAMES:
        assert f"`{name}`" in README


def test_what_the_readme_links_to_exists() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert len(links) >= 3
    for link in links:
        assert (ROOT / link).exists(), link


def test_the_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"`make (\w+)", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_architecture_page_names_what_is_there() -> None:
    """Every path on it exists, and every folder of the package is in its tree."""
    page = (ROOT / "docs/architecture.md").read_text()
    places = (ROOT, PACKAGE, ROOT / "docs")
    paths = set(re.findall(r"`([\w./-]+/[\w./-]*|\w+\.(?:py|md|toml|yml))`", page)) - {"/metrics"}
    missing = [path for path in paths if not any((place / path).exists() for place in places)]
    assert missing == []
    folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert folders == set(re.findall(r"^\| `(\w+)/` \|", page, re.MULTILINE))


def test_the_floors_on_the_architecture_page_are_those_that_are_checked() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (layers,) = [one["layers"] for one in contracts["contracts"] if one["type"] == "layers"]
    (drawn,) = re.findall(r"```\n(__main__\n.*?)```", page, re.DOTALL)
    assert drawn.split("\n")[:-1] == layers
