"""Collects the figures of a trial for the table of the document."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """What was seen of one fault."""

    fault: str
    title: str
    made: str
    states: list[str]
    """What /metrics showed, in order."""
    blind_seconds: float
    """The longest time without a new sample of the faulty server."""
    back_seconds: float
    """From the fault's end to the first sample."""
    connections: int
    """The most of ours on one server at once."""
    two_seconds: float
    """For how long it was more than one."""
    slowest_page_ms: float
    calm_gap_seconds: float
    """The longest time without a new sample of the other server."""
    lines: int
    """Of log, about the faulty server."""
    growth_mib: float
    notes: list[str] = field(default_factory=list)


def keep(row: Row) -> None:
    """Print *row*, and append it to the file that RELIABILITY_FIGURES names, if it does."""
    line = json.dumps(asdict(row))
    print(line)  # noqa: T201 - pytest shows it where a test fails
    if path := os.environ.get("RELIABILITY_FIGURES"):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")


def read(path: Path) -> list[Row]:
    """Return the rows in the file at *path*."""
    return [Row(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def table(rows: Sequence[Row]) -> list[str]:
    """Return the lines of the table in docs/reliability.md."""
    head = [
        "| fault | how it was made | what pgheadroom did | blind for |",
        "|---|---|---|---|",
    ]
    return head + [f"| {row.title} | {row.made} | {_did(row)} | {_blind(row)} |" for row in rows]


def _did(row: Row) -> str:
    states = " → ".join(f"`{state}`" for state in row.states)
    held = f"{row.connections} connection{'' if row.connections == 1 else 's'} at most"
    if row.connections > 1:
        held += f" ({row.two_seconds:.2f} s)"
    words = [
        states,
        held,
        f"slowest page {row.slowest_page_ms:.0f} ms",
        f"other server sampled every {row.calm_gap_seconds:.1f} s or sooner",
        f"{row.lines} line{'' if row.lines == 1 else 's'} of log",
        f"memory {row.growth_mib:+.1f} MiB",
        *row.notes,
    ]
    return "; ".join(words)


def _blind(row: Row) -> str:
    return f"{row.blind_seconds:.1f} s; back {row.back_seconds:.1f} s after its end"
