"""Tests that docs/reliability.md has a row for every fault, and that a test makes each fault."""

import re
from pathlib import Path

import pytest
from tests.reliability.catalogue import FAULTS, Fault
from tests.reliability.document import DOCUMENT
from tests.reliability.results import Row, table

ROWS = [line.split(" | ") for line in DOCUMENT.read_text().splitlines() if line.startswith("| ")]
TESTS = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_every_fault_has_its_row(fault: Fault) -> None:
    (row,) = [row for row in ROWS if row[0] == f"| {fault.title}"]
    made = re.sub(r"\\\{.*?\\\}", r"\\d+", re.escape(fault.made))
    assert re.fullmatch(made, row[1])
    assert len(row) == 4


def test_no_row_is_of_another_fault() -> None:
    assert {row[0][2:] for row in ROWS[1:]} == {fault.title for fault in FAULTS.values()}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_made_by_a_test(fault: str) -> None:
    first, _, last = fault.rpartition(" ")
    assert f'"{fault}"' in TESTS or f'f"{first} {{' in TESTS, last


def test_a_row_says_what_was_seen() -> None:
    row = Row("f", "fault", "made so", ["ok", "full", "ok"], 4.02, 1.0, 2, 0.1, 31.7, 1.04, 2, 0.0)
    (line,) = table([row])[2:]
    assert line == (
        "| fault | made so | `ok` → `full` → `ok`; 2 connections at most (0.10 s); slowest page"
        " 32 ms; other server sampled every 1.0 s or sooner; 2 lines of log; memory +0.0 MiB"
        " | 4.0 s; back 1.0 s after its end |"
    )
