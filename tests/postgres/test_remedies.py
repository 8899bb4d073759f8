"""Tests that statements to copy find and end exactly the sessions that they speak of.

Names of applications, roles and databases are as hostile as a server lets them be. Each statement
is pasted into psql, and sent by the wire where a backslash in a literal means something else.
"""

import csv
import io
import subprocess
from pathlib import Path
from typing import Final

import pytest
from tests.postgres.conftest import Watcher
from tests.postgres.test_runbook_sql import await_end, require_alive
from tests.support.servers.clients import Clients
from tests.support.servers.headroom import clean_environment
from tests.support.servers.postgres import Postgres
from tests.support.servers.rawclient import Session
from tests.support.servers.wait import until

from pgheadroom.demo.binaries import newest_install
from pgheadroom.model.reading import Outcome
from pgheadroom.state import State
from pgheadroom.status.remedies import remedies

pytestmark = pytest.mark.majors(14, 18)

APPLICATIONS: Final = (
    "nest-api",
    "billing-7",
    "pay-7f9c8d6b5-x2x4z",
    "x' OR true; DROP ROLE shop; --",
    "\\' OR true; --",
    "\\",
    "ends with \\",
    "\\! touch pwned",
    "\\q",
    "\\\\\\'''",
    ":'HOME' :\"USER\" :AUTOCOMMIT :{?x}",
    "E'\\x41' $$ $1 /* -- */ ;",
    "50%_!*",
    "a_b",
    "%",
    "!",
    "caf\u00e9 \u202e\u200b\u05d0",
    "line\n\\! touch pwned",
    " spaces around ",
    "``touch pwned`` $(touch pwned)",
    "x" * 63,
    "",
)
PLACES: Final = (
    "x'; DROP ROLE shop; --",
    'a"b',
    "\\! touch pwned",
    "\\' OR true --",
    "caf\u00e9",
    "\u05d0\u05d1",
    ":'HOME' :\"USER\"",
    "control\ncharacter",
    "right\u202eleft \u200b \u3164",
    "\\u0041",
)
"""Names of roles and databases."""
TOLD_AS_CODES: Final = ("control\ncharacter", "right\u202eleft \u200b \u3164", "\\u0041")
"""Of those, the ones of which a reading does not tell what they are."""
UNSEEN: Final = (*TOLD_AS_CODES, "\u05d0\u05d1")
"""Of those, the ones that are never shown as they are, as an identifier must be."""
ALMOST: Final = {
    "nest-api": "nest-api-x",
    "billing-7": "billing-web",
    "pay-7f9c8d6b5-x2x4z": "pay-web",
    "50%_!*": "50 _!7",
    "a_b": "axb",
    "%": "abc",
    "": "named",
}
"""By name, what is almost the same."""

Rows = list[dict[str, str]]


def psql(server: Postgres, text: str, folder: Path, dbname: str = "postgres") -> Rows:
    """Paste *text* into psql, run in an empty *folder*, and return the rows that it shows."""
    done = subprocess.run(
        [
            newest_install() / "bin" / "psql",
            *("--no-psqlrc", "--csv", "--set=ON_ERROR_STOP=1", "--file=-"),
            f"--dbname={server.dsn(tcp=False, dbname=dbname, client_encoding='UTF8')}",
        ],
        cwd=folder,
        input=text + "\n",
        encoding="utf-8",
        env=clean_environment(),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), text
    assert list(folder.iterdir()) == [], text
    return list(csv.DictReader(io.StringIO(done.stdout)))


def wire(clients: Clients, server: Postgres, text: str) -> set[int]:
    """Send *text* where backslashes are special in every literal; return the pids it returns."""
    with clients.admitted(server.unix) as session:
        session.query("set standard_conforming_strings = off")
        return {int(row[0] or 0) for row in session.query(text)}


def pids(found: Rows) -> set[int]:
    return {int(row["pid"]) for row in found}


def numbers(sessions: list[Session]) -> set[int]:
    return {session.pid for session in sessions}


async def full(watch: Watcher, pg: Postgres) -> State:
    """Return what a reading tells of *pg*, as if it then were full."""
    state = await watch(pg.dsn(user="pgheadroom")).sample()
    assert state.outcome is Outcome.OK
    return state._replace(outcome=Outcome.FULL)


def statements(state: State, longest: str = "0 seconds") -> dict[str, str]:
    """Return the statements by label; what must have been idle for long, for *longest* only."""
    found = {one.label: one.statement for one in remedies(state)}
    for text in found.values():
        assert text.replace("\n", "").isprintable()
        assert not [line for line in text.splitlines() if line.startswith("\\")]
    return {
        label: text.replace("'10 seconds'", f"'{longest}'").replace("'1 minute'", f"'{longest}'")
        for label, text in found.items()
    }


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@pytest.fixture
def troubled(pg: Postgres) -> Postgres:
    """Return a server with our role and another."""
    pg.sql("create role pgheadroom login in role pg_monitor")
    pg.sql("create role shop login")
    return pg


@pytest.mark.parametrize("name", APPLICATIONS)
async def test_exactly_the_sessions_of_an_application(
    troubled: Postgres, clients: Clients, watch: Watcher, tmp_path: Path, name: str
) -> None:
    where = {"user": "shop"}
    idle, _ = clients.fill(troubled.tcp, 4, **where, application_name=name)
    opened = clients.admitted(troubled.tcp, **where, application_name=name)
    opened.query("begin")
    busy = clients.admitted(troubled.tcp, **where, application_name=name)
    busy.send_query("select pg_sleep(60)")
    sleeps = f"select from pg_stat_activity where pid = {busy.pid} and state = 'active'"
    until(lambda: troubled.sql(sleeps) == [()], 10, "its sleep")
    others = [
        clients.admitted(troubled.tcp, **where, application_name=one)
        for one in ("report", "psql", "", ALMOST.get(name, "x"))
        if one != name
    ]
    state = await full(watch, troubled)
    # After the reading, by its name, in another database and of another role: a superuser's.
    others.append(
        clients.admitted(troubled.tcp, user="shop", database="template1", application_name=name)
    )
    others.append(clients.admitted(troubled.tcp, application_name=name))
    found = statements(state)
    theirs = {opened.pid, busy.pid, *numbers(idle)}

    see = found["see its sessions"]
    shown = psql(troubled, see, tmp_path)
    assert pids(shown) == theirs == wire(clients, troubled, see)
    assert [int(row["pid"]) for row in shown[:4]] == [one.pid for one in idle]
    assert [bool(row["idle"]) for row in shown] == [row["state"] != "active" for row in shown]

    ending = found["end its idle sessions"]
    fresh = ending.replace("'0 seconds'", "'1 hour'")
    assert psql(troubled, fresh, tmp_path) == [], "none is idle for so long"
    by_wire = ending.replace("state = 'idle'", f"state = 'idle'\n  AND pid = {idle[0].pid}")
    assert wire(clients, troubled, by_wire) == {idle[0].pid}
    await_end(troubled, {idle[0].pid})
    ended = psql(troubled, ending, tmp_path)
    assert pids(ended) == numbers(idle[1:])
    assert {row["ended"] for row in ended} == {"t"}
    await_end(troubled, numbers(idle))

    require_alive(*others, opened)
    assert busy.pid in troubled.client_pids()
    forgotten = psql(troubled, found["end its forgotten transactions"], tmp_path)
    assert pids(forgotten) == {opened.pid}
    await_end(troubled, {opened.pid})
    require_alive(*others)
    assert busy.pid in troubled.client_pids()
    ours = "select count(*) from pg_stat_activity where usename = 'pgheadroom'"
    assert troubled.sql(ours) == [("1",)]


@pytest.mark.parametrize("name", PLACES)
async def test_exactly_the_sessions_of_a_role_in_a_database(
    troubled: Postgres, clients: Clients, watch: Watcher, tmp_path: Path, name: str
) -> None:
    troubled.sql(f"create role {quoted(name)} login")
    troubled.sql(f"create database {quoted(name)} encoding utf8 template template0")
    idle, _ = clients.fill(troubled.tcp, 3, user=name, database=name, application_name="nest-api")
    state = await full(watch, troubled)
    others = [clients.admitted(troubled.tcp, user=name, database=name, application_name="report")]
    if name not in TOLD_AS_CODES:
        others.append(clients.admitted(troubled.tcp, user="shop", application_name="nest-api"))
    found = statements(state)
    see = found["see its sessions"]
    assert pids(psql(troubled, see, tmp_path)) == numbers(idle) == wire(clients, troubled, see)
    ending = found["end its idle sessions"]
    assert pids(psql(troubled, ending, tmp_path)) == numbers(idle)
    await_end(troubled, numbers(idle))
    require_alive(*others)
    (label,) = [one for one in found if one.startswith("cap its role")] or [""]
    assert (label == "") == (name in UNSEEN)
    if label:
        psql(troubled, found[label], tmp_path)
        assert _limits(troubled) == {"pgheadroom": "-1", "shop": "-1", name: label.split()[-1]}
        psql(troubled, found["take the cap back"], tmp_path)
    assert set(_limits(troubled).values()) == {"-1"}


def _limits(pg: Postgres) -> dict[str, str]:
    rows = pg.sql("select rolname, rolconnlimit from pg_roles where oid >= 16384")
    return {str(name): str(limit) for name, limit in rows}


async def test_who_calls_itself_as_we_do(
    troubled: Postgres, clients: Clients, watch: Watcher, tmp_path: Path
) -> None:
    """It is ended, and neither we nor the superuser who ends it."""
    theirs, _ = clients.fill(troubled.tcp, 3, user="shop", application_name="pgheadroom")
    watcher = watch(troubled.dsn(user="pgheadroom"))
    state = (await watcher.sample())._replace(outcome=Outcome.FULL)
    ended = psql(troubled, statements(state)["end its idle sessions"], tmp_path)
    assert pids(ended) == numbers(theirs)
    await_end(troubled, numbers(theirs))
    assert watcher.backend_pid in troubled.client_pids()
    assert (await watcher.sample()).outcome is Outcome.OK


async def test_who_calls_itself_as_the_superuser_does(
    troubled: Postgres, clients: Clients, watch: Watcher, tmp_path: Path
) -> None:
    """Its role tells it apart, and whoever runs the statement is never ended."""
    theirs, _ = clients.fill(troubled.tcp, 3, user="shop", application_name="psql")
    state = await full(watch, troubled)
    superuser = clients.admitted(troubled.unix, application_name="psql")
    ending = statements(state)["end its idle sessions"]
    assert pids(psql(troubled, ending, tmp_path)) == numbers(theirs)
    await_end(troubled, numbers(theirs))
    require_alive(superuser)


async def test_a_star_that_a_stranger_wrote_ends_nobody(
    troubled: Postgres, clients: Clients, watch: Watcher, tmp_path: Path
) -> None:
    """It fits everything: what else is known is excepted, and none is ended by it."""
    stars, _ = clients.fill(troubled.tcp, 4, user="shop", application_name="*")
    for name in ("report", "nest-api", "", "billing-7"):
        clients.admitted(troubled.tcp, user="shop", application_name=name)
    found = statements(await full(watch, troubled))
    assert pids(psql(troubled, found["see its sessions"], tmp_path)) == numbers(stars)
    assert not [one for one in found if one.startswith("end")]


async def test_without_the_privilege_to_see_states(
    troubled: Postgres, clients: Clients, watch: Watcher, tmp_path: Path
) -> None:
    """Names are seen by everybody, and what the superuser who pastes it sees is all."""
    troubled.sql("revoke pg_monitor from pgheadroom")
    theirs, _ = clients.fill(troubled.tcp, 3, user="shop", application_name="nest-api")
    theirs[0].query("begin")
    clients.admitted(troubled.tcp, user="shop", application_name="report")
    found = statements(await full(watch, troubled))
    assert "end its forgotten transactions" not in found
    assert pids(psql(troubled, found["see its sessions"], tmp_path)) == numbers(theirs)
    ending = psql(troubled, found["end its idle sessions"], tmp_path)
    assert pids(ending) == numbers(theirs[1:])


async def test_a_strangers_function_is_not_called(
    troubled: Postgres, clients: Clients, watch: Watcher, tmp_path: Path
) -> None:
    """Who may create one could have it fit better than PostgreSQL's own."""
    troubled.sql("create database shop")
    with clients.admitted(troubled.unix, database="shop") as owner:
        for name, argument in (("pg_terminate_backend", "int"), ("btrim", "name")):
            owner.query(
                f"create function public.{name}({argument}) returns text"
                " language sql as $$ select 'trapped' $$"
            )
        owner.query("create view public.pg_stat_activity as select 1 as pid")
    theirs, _ = clients.fill(troubled.tcp, 3, user="shop", application_name=" nest-api")
    ending = statements(await full(watch, troubled))["end its idle sessions"]
    ended = psql(troubled, ending, tmp_path, "shop")
    assert pids(ended) == numbers(theirs)
    assert {row["ended"] for row in ended} == {"t"}
    await_end(troubled, numbers(theirs))
