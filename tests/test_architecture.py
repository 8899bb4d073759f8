"""Does every module stand on its floor, and import from below only?"""

import ast
import sys
from pathlib import Path

import pytest

import pgheadroom

PACKAGE = Path(pgheadroom.__file__).parent

# From the ground up. A module imports from floors below its own, never from its own.
FLOORS: tuple[tuple[str, ...], ...] = (
    # nouns
    ("slots", "alert", "thresholds", "history", "strokes", "swings", "durations", "plain"),
    ("reading", "names", "harmless", "peaks", "endings", "finding", "climb", "logins"),
    # pure
    (
        "visits",
        "refusal",
        "applications",
        "cadence",
        "backoff",
        "recording",
        "curve",
        "course",
        "tendency",
    ),
    ("notice", "growth", "forecast", "firing"),
    ("state",),
    ("blame", "memory"),
    ("wording", "behaviour", "standing", "memory_file"),
    ("shortage", "foresight"),
    ("judge", "advice"),
    ("step", "view"),
    ("board", "changes", "statements", "rows", "points", "replay"),
    ("metrics", "alert_lines"),
    # edges
    ("ceiling",),
    ("libpq", "attempts", "exposition", "selfmetrics", "schedule", "log", "resolver"),
    ("descriptors", "pending", "whereabouts"),
    ("web_config",),
    ("statedir", "api", "assets", "web_auth", "web_limits", "web_tls"),
    ("stream",),
    ("playback", "tape_end", "prometheus_api", "progress_bar", "backtest_jsonl"),
    ("strict", "yaml_file"),
    ("alert_settings", "connection_strings"),
    ("tape", "prometheus_history", "chart", "backtest_text"),
    ("settings", "backtest_html"),
    ("given",),
    ("objections", "flags"),
    ("variables",),
    ("access", "knock", "web", "post", "configuration", "jobs"),
    ("session", "canary"),
    ("sampler", "alertmanager", "keeper", "check", "backtest_options", "notify"),
    ("fleet",),
    ("reload",),
    # the program
    ("daemon", "once"),
    ("recorder", "backtest", "embedded_process"),
    ("record", "embedded_directory"),
    ("embedded_binaries",),
    ("embedded",),
    ("demo",),
    ("demo_scripts", "trial"),
    ("demo_command", "lines"),
    ("gauge",),
    ("application_table", "headline", "terminal"),
    ("screen",),
    ("top",),
    ("top_command",),
    ("rules", "dashboards"),
    ("cli",),
    ("__main__",),
)

PURE_FLOORS = 12
"""So many floors from the ground up know no clock, no socket, no logger."""

NOT_IN_PURE = {"asyncio", "time", "datetime", "os", "threading", "socket", "random", "structlog"}
# `changes` names levels; `backoff` draws its jitter when it is given none; `statements` reads the
# SQL that is part of the package; `notice` and `durations` write moments
# that they are given.
PURE_EXCEPTIONS = {"backoff": {"random"}, "notice": {"datetime"}, "durations": {"datetime"}}

# A library and the modules that may import it.
CONFINED = {
    "apscheduler": {"schedule"},
    "prometheus_client": {"exposition", "selfmetrics"},
    "psycopg": {
        *("libpq", "attempts", "access", "sampler", "connection_strings", "whereabouts"),
        *("embedded", "demo"),
    },
    "bcrypt": {"web_auth"},
    "aiohttp": {
        *(
            "web",
            "web_auth",
            "web_limits",
            "api",
            "assets",
            "stream",
            "post",
            "resolver",
            "prometheus_api",
        ),
    },
    "pydantic": {
        *("settings", "alert_settings", "connection_strings", "strict"),
        *("flags", "objections", "configuration"),
    },
    "yaml": {"yaml_file", "rules"},
    "rich": {
        *("once", "check", "cli", "backtest", "backtest_text", "progress_bar"),
        *("lines", "gauge", "application_table", "headline", "screen", "terminal", "top_command"),
    },
    "structlog": {
        *("log", "sampler", "alertmanager", "keeper", "daemon", "tape", "web_tls", "notify"),
        *("jobs", "reload", "descriptors", "cli"),
        *("embedded", "embedded_process", "embedded_directory", "demo"),
    },
    "ctypes": {"libpq", "embedded_process"},
}

MODULES = sorted(path.stem for path in PACKAGE.glob("*.py") if path.stem != "__init__")
FLOOR = {module: number for number, floor in enumerate(FLOORS) for module in floor}


def imports(module: str) -> set[str]:
    """Return what *module* imports: `pgheadroom.x` for a module of ours, else the top name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((PACKAGE / f"{module}.py").read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            name = node.module or ""
            if name == "pgheadroom":
                found |= {f"pgheadroom.{alias.name}" for alias in node.names}
            elif name.startswith("pgheadroom."):
                found.add(name)
            else:
                found.add(name.split(".")[0])
    return found


def test_every_module_has_a_floor_and_every_floor_its_modules() -> None:
    assert sorted(FLOOR) == MODULES


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module: str) -> None:
    for name in imports(module):
        other = name.removeprefix("pgheadroom.")
        if name.startswith("pgheadroom.") and other in FLOOR:
            assert FLOOR[other] < FLOOR[module], f"{module} must not import {other}"


@pytest.mark.parametrize("module", [m for floor in FLOORS[:PURE_FLOORS] for m in floor])
def test_the_core_is_pure(module: str) -> None:
    forbidden = NOT_IN_PURE - PURE_EXCEPTIONS.get(module, set())
    assert not imports(module) & forbidden
    others = imports(module) - set(sys.stdlib_module_names)
    assert all(name.startswith("pgheadroom.") for name in others)


@pytest.mark.parametrize("module", MODULES)
def test_each_library_has_its_place(module: str) -> None:
    for library, places in CONFINED.items():
        if module not in places:
            assert library not in imports(module)


@pytest.mark.parametrize("library", sorted(CONFINED))
def test_no_place_is_reserved_for_nothing(library: str) -> None:
    for module in CONFINED[library]:
        assert library in imports(module), f"{module} no longer imports {library}"


@pytest.mark.parametrize("module", [*MODULES, "__init__"])
def test_modules_are_small_and_say_what_they_answer(module: str) -> None:
    text = (PACKAGE / f"{module}.py").read_text()
    assert len(text.splitlines()) <= 400
    docstring = ast.get_docstring(ast.parse(text))
    assert docstring
    assert len(docstring.splitlines()[0]) <= 100
