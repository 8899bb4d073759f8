"""Makes the table of docs/reliability.md from the figures of a long run.

python -m tests.reliability.document FIGURES    what `make reliability` ends with
"""

import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks.support.machine import description
from tests.reliability.catalogue import FAULTS
from tests.reliability.results import read, table
from tests.support.needs import newest_major

DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "reliability.md"
TABLE: Final = re.compile(r"(<!-- faults: begin -->\n).*?(<!-- faults: end -->)", re.DOTALL)


def write(figures: Path) -> None:
    """Put the table of *figures* into the document; each fault must be among them, once."""
    by_fault = {row.fault: row for row in read(figures)}
    missing = FAULTS.keys() - by_fault.keys()
    if missing:
        sys.exit(f"no figures of: {', '.join(sorted(missing))}")
    day = datetime.now(UTC).strftime("%-d %B %Y")
    measured = f"Measured on {day} ({description([newest_major()], peer=False)})."
    lines = [measured, "", *table([by_fault[fault] for fault in FAULTS])]
    text = "\n".join(lines)
    old = DOCUMENT.read_text(encoding="utf-8")
    DOCUMENT.write_text(TABLE.sub(lambda found: f"{found[1]}\n{text}\n\n{found[2]}", old), "utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
