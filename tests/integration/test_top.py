"""Tests `top` with a real server on a real terminal, which it gives back however it ends."""

import os
import signal
import sys
from collections.abc import Callable
from functools import partial

import pytest
from tests.support.servers.clients import Clients
from tests.support.servers.headroom import clean_environment, run
from tests.support.servers.ports import free_port
from tests.support.servers.postgres import Postgres
from tests.support.servers.tty import Tty
from tests.support.servers.wait import until

SECONDS = 20.0
ALTERNATE, BACK = "\x1b[?1049h", "\x1b[?1049l"
HIDDEN, SHOWN = "\x1b[?25l", "\x1b[?25h"

pytestmark = pytest.mark.majors(17)


def top(*words: str, size: tuple[int, int] = (80, 24), **environment: str) -> Tty:
    """Return `pgheadroom top` on a terminal."""
    return Tty(
        [sys.executable, "-m", "pgheadroom", "top", *words],
        clean_environment(TERM="xterm-256color", **environment),
        size,
    )


def restored(tty: Tty) -> bool:
    """Say whether the terminal is as it was before."""
    written = tty.read()
    return (
        tty.modes() == tty.before
        and written.rfind(BACK) > written.rfind(ALTERNATE) >= 0
        and written.rfind(SHOWN) > written.rfind(HIDDEN) >= 0
    )


def is_alone(pg: Postgres) -> bool:
    """Say whether nothing of ours is left on the server."""
    query = "select count(*) from pg_stat_activity where application_name = 'pgheadroom'"
    return pg.sql(query) == [("0",)]


def ends(tty: Tty, pg: Postgres) -> None:
    """Assert that it ends well and leaves nothing."""
    assert tty.wait() == 0, tty.read()[-2000:]
    assert restored(tty)
    assert "Traceback" not in tty.read()
    until(partial(is_alone, pg), SECONDS, "end of the connection")


def test_it_shows_what_happens_as_it_happens(pg: Postgres, clients: Clients) -> None:
    """Figures, a name full of markup and escapes, a server that refuses, and one that is gone."""
    with top("--dsn", pg.dsn()) as tty:
        frame = tty.until("14 of 15 slots free")
        assert len(frame) == 24
        assert max(map(len, frame)) <= 80
        clients.fill(pg.tcp, 5, application_name="[bold red]x[/]\x1b[31m")
        frame = tty.until("9 of 15 slots free")
        assert any(line.startswith("[bold red]x[/]") for line in frame)
        clients.fill(pg.tcp, 9, application_name="greedy")
        tty.until("FULL: 0 of 15 slots free")
        pg.stop("immediate")
        frame = tty.until("unreachable")
        assert "figures are of" in "\n".join(frame)
        tty.press("q")
        assert tty.wait() == 0
        assert restored(tty)


def test_it_follows_the_size_of_the_terminal(pg: Postgres) -> None:
    with top("--dsn", pg.dsn()) as tty:
        tty.until("slots free")
        for columns, rows in ((200, 50), (60, 12), (80, 24)):
            tty.resize(columns, rows)
            until(partial(has_size, tty, columns, rows), SECONDS, "frame of the new size")
        tty.press("q")
        ends(tty, pg)


def has_size(tty: Tty, columns: int, rows: int) -> bool:
    return [len(line) for line in tty.frame()] == [columns] * rows


def by_key(tty: Tty) -> None:
    tty.press("q")


def by_ctrl_c(tty: Tty) -> None:
    tty.press("\x03")


def by_sigterm(tty: Tty) -> None:
    tty.process.send_signal(signal.SIGTERM)


def by_hangup(tty: Tty) -> None:
    tty.process.send_signal(signal.SIGHUP)


@pytest.mark.parametrize("way", [by_key, by_ctrl_c, by_sigterm, by_hangup])
def test_every_way_out_gives_the_terminal_back(pg: Postgres, way: Callable[[Tty], None]) -> None:
    with top("--dsn", pg.dsn()) as tty:
        tty.until("slots free")
        assert tty.modes() != tty.before
        way(tty)
        ends(tty, pg)


def test_a_terminal_that_is_closed_ends_it() -> None:
    """There is nothing to give back then, and nothing went wrong."""
    with top("--dsn", f"host=127.0.0.1 port={free_port()} user=x") as tty:
        tty.until("unreachable")
        tty.hang_up()
        assert tty.wait() == 0


def test_it_ends_at_once_while_nobody_answers(pg: Postgres) -> None:
    """A connection that hangs holds nobody up."""
    pg.pause()
    try:
        with top("--dsn", pg.dsn()) as tty:
            tty.until("waiting for the first reading")
            tty.press("q")
            assert tty.wait() == 0
            assert restored(tty)
    finally:
        pg.resume()


def test_a_crash_gives_the_terminal_back_and_tells(pg: Postgres) -> None:
    """A mistake of ours is not hidden behind a screen."""
    code = (
        "import sys, pgheadroom.commands.top as t\n"
        "def broken(state, now, look): raise ZeroDivisionError('a mistake')\n"
        "t.screen = broken\n"
        "from pgheadroom.commands import cli; sys.exit(cli.main(sys.argv[1:]))"
    )
    environment = clean_environment(TERM="xterm-256color")
    with Tty([sys.executable, "-c", code, "top", "--dsn", pg.dsn()], environment) as tty:
        assert tty.wait() == 1
        assert restored(tty)
        said = tty.read()
        assert "ZeroDivisionError: a mistake" in said[said.rfind(BACK) :]
    until(partial(is_alone, pg), SECONDS, "end of the connection")


def test_ctrl_z_gives_the_terminal_back_for_a_while(pg: Postgres) -> None:
    with top("--dsn", pg.dsn()) as tty:
        tty.until("slots free")
        tty.press("\x1a")
        until(lambda: restored(tty), SECONDS, "terminal given back")
        until(lambda: os.waitpid(tty.process.pid, os.WNOHANG | os.WUNTRACED)[0], SECONDS, "stopped")
        shown = tty.read().count(ALTERNATE)
        tty.process.send_signal(signal.SIGCONT)
        until(lambda: tty.read().count(ALTERNATE) > shown, SECONDS, "screen again")
        tty.until("slots free")
        tty.press("q")
        ends(tty, pg)


def test_keys(pg: Postgres, clients: Clients) -> None:
    clients.fill(pg.tcp, 2, application_name="zebra")
    with top("--dsn", pg.dsn()) as tty:
        tty.until("zebra")
        tty.press("\x1b[A")  # an arrow
        tty.press("s")
        tty.until("s by growth")
        tty.press("s")
        frame = tty.until("s by name")
        rows = [line.split()[0] for line in frame if line.startswith(("zebra", "pgheadroom "))]
        assert rows == ["pgheadroom", "zebra"]
        tty.press("p")
        tty.until("PAUSED")
        clients.fill(pg.tcp, 3, application_name="zebra")
        until(lambda: tty.read().count("\x1b[H") > 3, SECONDS, "more frames")
        assert "12 of 15 slots" in "\n".join(tty.frame())
        tty.press("p")
        tty.until("9 of 15 slots free")
        tty.press("Q")
        ends(tty, pg)


def test_no_color_is_no_colour(pg: Postgres) -> None:
    with top("--dsn", pg.dsn(), NO_COLOR="1") as tty:
        tty.until("slots free")
        coloured = {f"\x1b[{number}m" for number in range(30, 50)}
        assert not any(sequence in tty.read() for sequence in coloured)
        assert ";3" not in tty.read().replace("\x1b[?", "")
        tty.press("q")
        ends(tty, pg)


def test_a_terminal_that_does_not_speak_utf_8(pg: Postgres) -> None:
    """The same bar, of other characters."""
    with top("--dsn", pg.dsn(), PYTHONIOENCODING="latin-1") as tty:
        frame = tty.until("# used 1  . free 14  / reserve 5  of 20")
        assert f"{'#' * 4}{'.' * 56}{'/' * 20}" in frame
        tty.press("q")
        ends(tty, pg)


def test_one_of_several_targets(pg: Postgres) -> None:
    gone = f"host=127.0.0.1 port={free_port()} user=x"
    several = ("--targets", f"here={pg.dsn()}", "--targets", f"gone={gone}")
    with top(*several, "--target", "gone") as tty:
        tty.until("unreachable")
        tty.press("q")
        ends(tty, pg)
    with top(*several) as tty:
        assert tty.wait() == 2
        assert "choose one with --target: here, gone" in tty.read()
    with top(*several, "--target", "elsewhere") as tty:
        assert tty.wait() == 2
        assert "no such target: elsewhere; there are here, gone" in tty.read()


@pytest.mark.parametrize(
    ("words", "complaints"),
    [
        ([], ["no target is configured", "top needs a terminal"]),
        (
            ["--dsn", "host=x"],
            ["top needs a terminal; to print one reading, use `pgheadroom once`"],
        ),
        (["--interval-seconds", "0"], ["--interval-seconds: '0' is not allowed"]),
        (["--target"], ["--target: no value is given"]),
    ],
)
def test_wrong_arguments_and_a_pipe(words: list[str], complaints: list[str]) -> None:
    done = run("top", *words)
    assert (done.returncode, done.stdout) == (2, "")
    for complaint in complaints:
        assert complaint in done.stderr


def test_help() -> None:
    done = run("top", "--help")
    assert done.returncode == 0
    for words in ("--target NAME", "q quits", "pgheadroom once", "--interval-seconds"):
        assert words in done.stdout
    assert "\n  top " in run("--help").stdout
