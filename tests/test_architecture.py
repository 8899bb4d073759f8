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
    ("slots", "alert", "thresholds"),
    ("reading", "names", "peaks"),
    # pure
    ("refusal", "applications", "cadence", "backoff"),
    ("step",),
    ("board", "changes", "statements", "rows", "metrics"),
    # edges
    ("libpq", "attempts", "exposition", "selfmetrics", "landing", "schedule", "log"),
    ("alert_settings",),
    ("settings",),
    ("session", "knock", "web", "configuration"),
    ("sampler", "check"),
    # the program
    ("daemon", "once"),
    ("embedded_process",),
    ("embedded_directory",),
    ("embedded_binaries",),
    ("embedded",),
    ("demo",),
    ("trial",),
    ("cli",),
    ("__main__",),
)

PURE_FLOORS = 5
"""So many floors from the ground up know no clock, no socket, no logger."""

NOT_IN_PURE = {"asyncio", "time", "datetime", "os", "threading", "socket", "random", "structlog"}
# `changes` names levels; `backoff` draws its jitter when it is given none; `statements` reads the
# SQL that is part of the package.
PURE_EXCEPTIONS = {"backoff": {"random"}}

# A library and the modules that may import it.
CONFINED = {
    "apscheduler": {"schedule"},
    "prometheus_client": {"exposition", "selfmetrics"},
    "psycopg": {
        *("libpq", "attempts", "session", "sampler", "settings"),
        *("embedded", "demo"),
    },
    "aiohttp": {"web"},
    "pydantic": {"settings", "alert_settings", "configuration"},
    "pydantic_settings": {"settings", "configuration"},
    "yaml": {"configuration"},
    "rich": {"once", "check", "cli"},
    "structlog": {
        *("log", "sampler", "daemon"),
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
