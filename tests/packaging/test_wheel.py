"""Tests what is in the wheel, and that it runs where only the wheel is."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Final

import pytest

from pgheadroom import __version__

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = Path("exporter") / "pgheadroom"
METADATA: Final = f"pgheadroom-{__version__}.dist-info"
RULES: Final = Path("alerts") / "pgheadroom.rules.yml"
DASHBOARDS: Final = sorted((ROOT / "dashboards").glob("*.json"))

_MADE: Final = re.compile(r"\.|(dist|build|__pycache__)$|.*\.egg-info$")
"""Names of files and folders that are made here: caches, environments, what is built."""


def tracked() -> list[Path]:
    """Return the files that git knows of and that are there, relative to the repository.

    Without git, or where an archive was unpacked, all that nothing here makes.
    """
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        found = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
        return [file for file in found if not any(map(_MADE.match, file.parts))]
    listed = _run("git", "ls-files", "-z", cwd=ROOT)
    return [Path(name) for name in listed.split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy of the tracked files."""
    source = tmp_path_factory.mktemp("source")
    for file in tracked():
        (source / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / file, source / file)
    made = tmp_path_factory.mktemp("dist")
    _run(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", made, cwd=source)
    (file,) = made.iterdir()
    return file


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel alone, and return where."""
    target = tmp_path_factory.mktemp("installed")
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    _run(*pip, "--no-index", "--no-deps", "--no-compile", "--target", target, wheel, cwd=target)
    return target


def test_the_name_says_any_python_and_any_machine(wheel: Path) -> None:
    assert wheel.name == f"pgheadroom-{__version__}-py3-none-any.whl"


def test_nothing_but_the_package_is_in_it(wheel: Path) -> None:
    """Every tracked file of the package is, with the rules and the dashboards, and metadata."""
    names = {Path(name) for name in zipfile.ZipFile(wheel).namelist()}
    package = {name for name in names if name.parts[0] != METADATA}
    own = {file.relative_to(PACKAGE.parent) for file in tracked() if file.is_relative_to(PACKAGE)}
    dashboards = {Path("pgheadroom", "grafana", file.name) for file in DASHBOARDS}
    assert package == own | dashboards | {"pgheadroom" / RULES}
    assert Path(METADATA, "licenses", "LICENSE") in names


def test_what_is_no_code_is_installed_too(installed: Path) -> None:
    package = installed / "pgheadroom"
    assert (package / "py.typed").is_file()
    queries = {path.name for path in (package / "postgres" / "queries").glob("*.sql")}
    assert queries == {
        path.name for path in (ROOT / PACKAGE / "postgres" / "queries").glob("*.sql")
    }
    assert queries


@pytest.mark.parametrize(
    "command", [(sys.executable, "-m", "pgheadroom"), ("bin/pgheadroom",)], ids=["module", "script"]
)
def test_it_runs(installed: Path, tmp_path: Path, command: tuple[str, ...]) -> None:
    """Away from the repository, with the other packages of this environment."""
    program = [str(installed / word) if word.startswith("bin/") else word for word in command]
    answer = _run(*program, "--version", cwd=tmp_path, PYTHONPATH=installed)
    assert answer == f"pgheadroom {__version__}\n"


def test_what_runs_is_what_was_installed(installed: Path, tmp_path: Path) -> None:
    """With its queries, which are read when the package is imported."""
    script = "import pgheadroom.postgres.statements as it; print(it.__file__)"
    answer = _run(sys.executable, "-c", script, cwd=tmp_path, PYTHONPATH=installed)
    assert Path(answer.strip()).is_relative_to(installed)


def test_the_rules_that_were_installed_are_printed(installed: Path, tmp_path: Path) -> None:
    script = "from pgheadroom.commands.cli import main; main(['rules'])"
    answer = _run(sys.executable, "-c", script, cwd=tmp_path, PYTHONPATH=installed)
    assert answer == (ROOT / RULES).read_text()


def test_the_dashboards_that_were_installed_are_written(installed: Path, tmp_path: Path) -> None:
    script = "from pgheadroom.commands.cli import main; main(['dashboards', 'made'])"
    answer = _run(sys.executable, "-c", script, cwd=tmp_path, PYTHONPATH=installed)
    assert len(answer.splitlines()) == len(DASHBOARDS)
    written = {file.name: file.read_text() for file in (tmp_path / "made").iterdir()}
    assert written == {file.name: file.read_text() for file in DASHBOARDS}


def _run(*command: str | Path, cwd: Path, **environment: Path) -> str:
    more = {name: str(value) for name, value in environment.items()}
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=cwd, env={**os.environ, **more}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
