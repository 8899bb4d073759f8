"""Tests the size and the first lines of modules; import-linter checks the floors."""

import ast
from pathlib import Path

import pytest

import pgheadroom

PACKAGE = Path(pgheadroom.__file__).parent
ROOT = Path(__file__).parents[1]
MODULES = sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py"))
OTHERS = sorted(
    str(path.relative_to(ROOT))
    for folder in ("tests", "fuzz", "benchmarks", "dashboards", "requirements")
    for path in (ROOT / folder).rglob("*.py")
)


def first_line(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    assert docstring, "a module says in a docstring what it does"
    line = docstring.splitlines()[0]
    assert "?" not in line, "a module says what it does, as a statement"
    return line


@pytest.mark.parametrize("module", MODULES)
def test_modules_are_small_and_say_what_they_do(module: str) -> None:
    path = PACKAGE / module
    assert len(path.read_text().splitlines()) <= 350
    assert len(first_line(path)) <= 100
    assert first_line(path).endswith("."), "a module says what it does, as a statement"


@pytest.mark.parametrize("module", OTHERS)
def test_other_modules_say_what_they_do(module: str) -> None:
    assert first_line(ROOT / module).endswith("."), "a module says what it does, as a statement"
