"""Holds the size of modules, and what their first lines say; import-linter holds the floors."""

import ast
from pathlib import Path

import pytest

import pgheadroom

PACKAGE = Path(pgheadroom.__file__).parent
MODULES = sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("module", MODULES)
def test_modules_are_small_and_say_what_they_do(module: str) -> None:
    text = (PACKAGE / module).read_text()
    assert len(text.splitlines()) <= 350
    docstring = ast.get_docstring(ast.parse(text))
    assert docstring
    first = docstring.splitlines()[0]
    assert len(first) <= 100
    assert first.endswith("."), "a module says what it does, as a statement"
