"""Describes the machine that was measured on."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.support.parts import find

import pgheadroom

_KIB_PER_GIB = 1024**2


def description(majors: Iterable[int], *, peer: bool = True) -> str:
    """Return the machine and the versions in one paragraph, with *peer* the other exporter's."""
    parts = [
        (
            f"{_field('/proc/cpuinfo', 'model name')}, {os.cpu_count()} cores,"
            f" {int(_field('/proc/meminfo', 'MemTotal').split()[0]) / _KIB_PER_GIB:.0f} GiB"
        ),
        f"{platform.system()} {platform.release().partition('-')[0]}",
        f"Python {platform.python_version()}",
        f"pgheadroom {pgheadroom.__version__}",
        " and ".join(f"PostgreSQL {_postgres(major)}" for major in majors),
        *([f"postgres_exporter {_exporter()}"] if peer else []),
    ]
    return "; ".join(parts)


def _field(file: str, name: str) -> str:
    for line in Path(file).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "unknown"


def _postgres(major: int) -> str:
    home = find(f"postgres{major}").path
    return "missing" if home is None else _said(home / "bin" / "postgres").split()[-1]


def _exporter() -> str:
    path = find("postgres-exporter").path
    return "missing" if path is None else _said(path).partition("version ")[2].split()[0]


def _said(program: Path) -> str:
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return answer.stdout or answer.stderr
