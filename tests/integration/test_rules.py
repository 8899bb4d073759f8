"""Tests the rules with the real programs, and by their own tests."""

import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from tests.support.fixtures.programs import MakePrometheus
from tests.support.servers import http
from tests.support.servers.wait import until

from pgheadroom.commands.rules import plain, prometheus_rule

ALERTS: Final = Path(__file__).parents[2] / "alerts"
TESTS: Final = sorted(ALERTS.glob("tests/*.test.yml"))

# It evaluates the rules, over what it scrapes of itself.
CONFIG: Final = """
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [rules.yml]
"""


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_promtool_finds_no_fault(promtool: Path) -> None:
    done = run(
        promtool, "check", "rules", "--lint=all", "--lint-fatal", ALERTS / "pgheadroom.rules.yml"
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_they_pass_with_more_labels_too(promtool: Path, tmp_path: Path) -> None:
    """Which go along: the alerts of a test have them then."""
    (tmp_path / "pgheadroom.rules.yml").write_text(plain(labels=("team", "region")))
    (tmp_path / "tests").mkdir()
    test = tmp_path / "tests" / "servers.test.yml"
    text = (ALERTS / "tests" / test.name).read_text()
    test.write_text(
        text.replace('{job="pgheadroom"', '{job="pgheadroom",team="shop"').replace(
            "job: pgheadroom", "job: pgheadroom, team: shop"
        )
    )
    done = run(promtool, "test", "rules", test)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", TESTS, ids=lambda path: path.stem)
def test_the_rules_pass_their_tests(promtool: Path, file: Path) -> None:
    done = run(promtool, "test", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_rule_that_is_lost_is_noticed(promtool: Path, tmp_path: Path) -> None:
    """The tests above can fail."""
    groups = yaml.safe_load(plain())
    rules = groups["groups"][0]["rules"]
    lost = next(rule for rule in rules if rule.get("alert") == "PgheadroomDown")
    rules.remove(lost)
    (tmp_path / "pgheadroom.rules.yml").write_text(yaml.safe_dump(groups))
    (tmp_path / "tests").mkdir()
    test = tmp_path / "tests" / "unknown.test.yml"
    test.write_text((ALERTS / "tests" / test.name).read_text())
    done = run(promtool, "test", "rules", test)
    assert done.returncode == 1
    assert "alertname: PgheadroomDown" in done.stdout + done.stderr


def test_what_kubernetes_gets_is_as_good(promtool: Path, tmp_path: Path) -> None:
    """The spec of a PrometheusRule is a rule file."""
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump(yaml.safe_load(prometheus_rule(plain()))["spec"]))
    done = run(promtool, "check", "rules", "--lint=all", "--lint-fatal", file)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_real_prometheus_evaluates_them_all(make_prometheus: MakePrometheus) -> None:
    server = make_prometheus(CONFIG, rules=plain())

    def evaluated() -> list[dict[str, Any]]:
        groups = http.get_json(f"{server.url}/api/v1/rules")["data"]["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        return [] if any(rule["health"] == "unknown" for rule in rules) else rules

    rules = until(evaluated, 40, "evaluation of every rule")
    assert [rule for rule in rules if rule["health"] != "ok"] == []
    assert len(rules) == len(yaml.safe_load(plain())["groups"][0]["rules"])
    assert server.alerts() == []
