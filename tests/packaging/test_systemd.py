"""Tests the systemd unit: it fits the daemon, is as closed as documented, and is accepted."""

import re
import subprocess
from pathlib import Path
from typing import Final

import pytest
from tests.support.needs import need
from tests.support.servers.headroom import run
from tests.support.settings import settings_from

FOLDER: Final = Path(__file__).parents[2] / "deploy" / "systemd"
UNIT: Final = FOLDER / "pgheadroom.service"
README: Final = (FOLDER / "README.md").read_text()
LINES: Final = [
    tuple(line.split("=", 1))
    for line in UNIT.read_text().splitlines()
    if line and not line.startswith(("#", "["))
]
CLOSED: Final = {
    "CapabilityBoundingSet": "",
    "DynamicUser": "yes",
    "LimitCORE": "0",
    "MemoryDenyWriteExecute": "yes",
    "NoNewPrivileges": "yes",
    "PrivateTmp": "yes",
    "ProtectSystem": "strict",
    "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
    "SystemCallArchitectures": "native",
}


def value(key: str) -> str:
    """Return what the unit says of *key*, which it names once."""
    (found,) = (value for name, value in LINES if name == key)
    return found


def analyze(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze, which needs no systemd that runs."""
    command = [need("systemd-analyze"), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(("key", "expected"), CLOSED.items())
def test_what_the_daemon_does_not_need_is_taken_away(key: str, expected: str) -> None:
    assert value(key) == expected


def test_it_is_watched() -> None:
    assert value("Type") == "notify"
    assert float(value("WatchdogSec")) == 30
    assert "every 15 seconds" in README


def test_a_reload_is_what_the_daemon_reloads_on() -> None:
    """See tests/integration/test_systemd_notify.py for what it tells systemd then."""
    assert value("ExecReload") == "/bin/kill -HUP $MAINPID"


def test_the_settings_beside_it_are_allowed() -> None:
    """And they name the password where systemd puts it."""
    settings = settings_from("--config", str(FOLDER / "pgheadroom.yaml"))
    (target,) = settings.all_targets({}).values()
    credential, _, source = value("LoadCredential").partition(":")
    assert target.password_file == Path("/run/credentials", UNIT.name, credential)
    assert source in README


def test_settings_that_are_refused_do_not_start_it_again_and_again(tmp_path: Path) -> None:
    """The command of the unit, with a file that is wrong."""
    _, *words = value("ExecStart").split()
    wrong = tmp_path / "pgheadroom.yaml"
    wrong.write_text("interval_seconds: never")
    words[words.index("--config") + 1] = str(wrong)
    ended = run(*words)
    assert "interval_seconds" in ended.stderr
    assert str(ended.returncode) == value("RestartPreventExitStatus")


def test_systemd_has_nothing_to_say(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    text = UNIT.read_text()
    # Neither is on every machine that runs the tests; on one with systemd both are.
    for name in ("ExecStart", "ExecReload"):
        text = text.replace(value(name).split()[0], "/bin/true")
    unit.write_text(text)
    checked = analyze("verify", "--man=no", "--recursive-errors=no", unit)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_the_score_in_the_readme_is_that_of_the_unit() -> None:
    """At the most: each release of systemd looks at more, or weighs it anew."""
    named = re.search(r"says (\d\.\d) of 10", README)
    assert named
    judged = analyze("security", "--offline=yes", "--no-pager", UNIT).stdout
    score = re.search(r"Overall exposure level for pgheadroom.service: (\d+\.\d)", judged)
    assert score, judged
    assert float(score[1]) <= float(named[1])
