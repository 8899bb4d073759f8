"""Tests that the SQL of the runbooks finds the trouble and ends what it says, no more."""

import csv
import io
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from tests.support.servers.clients import Clients
from tests.support.servers.headroom import clean_environment
from tests.support.servers.postgres import Postgres
from tests.support.servers.process import send
from tests.support.servers.rawclient import Refused, Session
from tests.support.servers.wait import until

from pgheadroom.demo.binaries import newest_install

FOLDER: Final = Path(__file__).parents[2] / "alerts" / "runbooks"
RESERVED_SINCE: Final = 16
SHOWN_SINCE: Final = 18
POOLER: Final = "PgBouncer"
BLOCK: Final = re.compile(
    r"^(?:<!-- (?P<where>[^\n]*) -->\n)?^```(?P<language>sql|sh)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
CHANGES: Final = re.compile(r"\b(ALTER|GRANT|REVOKE|pg_terminate_backend)\b")

EXHAUSTED: Final = "PostgresConnectionsExhausted"
LOGINS: Final = "PostgresLoginsPilingUp"
LOW: Final = "PostgresConnectionsLow"
IMMINENT: Final = "PostgresConnectionsExhaustionImminent"
LEAKING: Final = "PostgresApplicationLeaking"

Rows = list[dict[str, str]]


@dataclass(frozen=True, slots=True)
class Block:
    """Something to paste, and the line before it that says where it runs."""

    runbook: str
    language: str
    where: str
    text: str

    def runs_on(self, major: int) -> bool:
        """Tell whether it is for PostgreSQL *major*."""
        if not self.where:
            return True
        since = re.fullmatch(r"PostgreSQL (\d+)\+", self.where)
        assert since, f"{self.runbook} says of a block: {self.where}"
        return major >= int(since[1])

    def setting(self, **values: str) -> str:
        r"""Return the text with other values than its own in its ``\set`` lines."""
        text = self.text
        for name, value in values.items():
            text, found = re.subn(rf"(?m)^\\set {name} .*$", rf"\\set {name} '{value}'", text)
            assert found == 1
        return text


def _blocks() -> Iterator[Block]:
    for path in sorted(FOLDER.glob("*.md")):
        for found in BLOCK.finditer(path.read_text()):
            yield Block(path.stem, found["language"], found["where"] or "", found["text"])


BLOCKS: Final = tuple(_blocks())
SQL: Final = tuple(b for b in BLOCKS if b.language == "sql" and b.where != POOLER)


def block(runbook: str, words: str, language: str = "sql") -> Block:
    """Return the one block of *runbook* that has *words* in it."""
    (found,) = (
        b for b in BLOCKS if (b.runbook, b.language) == (runbook, language) and words in b.text
    )
    return found


def psql(dsn: str, text: str) -> str:
    """Paste *text* into psql and return what it prints, as CSV; every error fails the test."""
    done = subprocess.run(
        [
            newest_install() / "bin" / "psql",
            *("--no-psqlrc", "--csv", "--set=ON_ERROR_STOP=1", f"--dbname={dsn}"),
        ],
        input=text,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), text
    return done.stdout


def rows(server: Postgres, text: str) -> Rows:
    """Run the one query of *text* as a superuser and return its rows by column."""
    return list(csv.DictReader(io.StringIO(psql(server.dsn(tcp=False), text))))


def require_alive(*sessions: Session) -> None:
    """Fail if one of *sessions*, which wait for nothing, no longer gets answers."""
    for session in sessions:
        assert session.query("select 1") == [("1",)]


def await_end(server: Postgres, pids: set[int]) -> None:
    until(lambda: not pids & set(server.client_pids()), 10, f"end of {pids}")


def make_objects(pg: Postgres) -> None:
    """Make the roles and the database that the runbooks' examples speak of."""
    pg.sql("create role app login connection limit 12")
    pg.sql("create role pgheadroom login")
    pg.sql("create database shop connection limit 15")


@pytest.fixture
def troubled(pg: Postgres, clients: Clients) -> Postgres:
    """Return a server that has a little of every trouble that the runbooks ask about."""
    make_objects(pg)
    pg.sql("grant pg_monitor to pgheadroom")
    if pg.major >= RESERVED_SINCE:
        pg.sql("grant pg_use_reserved_connections to pgheadroom")
    pg.require_scram("stalled")
    app = {"user": "app", "database": "shop", "application_name": "nest-api"}
    clients.fill(pg.tcp, 4, **app)
    blocker = clients.admitted(pg.tcp, **app)
    blocker.query("begin; select pg_advisory_xact_lock(1)")
    clients.admitted(pg.tcp, **app).send_query("select pg_advisory_lock(1)")
    clients.fill(pg.tcp, 2, application_name="report")
    clients.admitted(pg.tcp, user="pgheadroom", application_name="pgheadroom")
    clients.stall(pg.tcp, 2, user="stalled")
    waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
    until(lambda: pg.sql(waiting) == [("1",)], 10, "session that waits for a lock")
    return pg


def test_every_question_finds_the_trouble(troubled: Postgres) -> None:
    asked = 0
    for one in SQL:
        if one.runs_on(troubled.major) and not CHANGES.search(one.text):
            assert rows(troubled, one.text), f"{one.runbook} found nothing by\n{one.text}"
            asked += 1
    assert asked >= 20


def test_the_figures_are_the_servers_own(troubled: Postgres) -> None:
    """Twelve slots are taken: nine sessions, two stalled logins, and psql itself."""
    (figures,) = rows(troubled, block(EXHAUSTED, "AS ordinary_limit").text)
    limit = 15 if troubled.major >= RESERVED_SINCE else 17
    assert figures == {
        "ordinary_limit": str(limit),
        "used": "12",
        "free_for_applications": str(limit - 12),
        "free_for_superusers": "8",
    }


def test_the_holder_of_most_slots_is_named_first(troubled: Postgres) -> None:
    holders = rows(troubled, block(EXHAUSTED, "idle_in_transaction,").text)
    assert holders[0].pop("oldest")
    assert holders[0] == {
        "application_name": "nest-api",
        "role": "app",
        "database": "shop",
        "connections": "6",
        "idle": "4",
        "idle_in_transaction": "1",
    }
    for runbook, words in (
        (IMMINENT, "last_minute"),
        ("PostgresConnectionsExhaustionExpected", "this_hour"),
        (LOW, "AS working"),
    ):
        first = rows(troubled, block(runbook, words).text)[0]
        assert (first["application_name"], first["connections"]) == ("nest-api", "6")


def test_where_the_culprits_connections_come_from(troubled: Postgres) -> None:
    """By the name that the alert gives, folded or not; and who else has its role."""
    for name in ("nest-api", "nest-*"):
        (found,) = rows(
            troubled, block(IMMINENT, "GROUP BY usename, client_addr").setting(app=name)
        )
        assert found.pop("newest")
        assert found == {"role": "app", "client_addr": "127.0.0.1", "connections": "6"}
        (found,) = rows(troubled, block(LEAKING, "GROUP BY client_addr\n").setting(app=name))
        assert (found["client_addr"], found["connections"]) == ("127.0.0.1", "6")
    sharing = rows(troubled, block(EXHAUSTED, "GROUP BY application_name\n").text)
    assert sharing == [{"application_name": "nest-api", "sessions": "6"}]
    (first, *_) = rows(troubled, block(EXHAUSTED, "max(backend_start) AS newest").text)
    assert (first["application_name"], first["sessions"], first["idle"]) == ("nest-api", "6", "4")


def test_who_holds_the_lock_that_others_wait_for(troubled: Postgres) -> None:
    (found,) = rows(troubled, block(LOW, "pg_blocking_pids").text)
    assert (found["state"], found["sessions_waiting"]) == ("idle in transaction", "1")
    ended = block(LOW, "pg_terminate_backend").setting(pid=found["pid"])
    assert rows(troubled, ended) == [{"ended": "t"}]
    await_end(troubled, {int(found["pid"])})
    until(lambda: not rows(troubled, block(LOW, "pg_blocking_pids").text), 10, "end of the wait")


def test_use_of_the_limits(troubled: Postgres) -> None:
    used = {"connection_limit": "12", "used": "6", "free": "6"}
    (role,) = rows(troubled, block("PostgresRoleConnectionsLow", "AS free\n").text)
    assert role == {"role": "app", **used}
    used = {"connection_limit": "15", "used": "6", "free": "9"}
    (database,) = rows(troubled, block("PostgresDatabaseConnectionsLow", "AS free\n").text)
    assert database == {"database": "shop", **used}


def test_logins_under_way_are_listed_one_by_one(troubled: Postgres) -> None:
    found = rows(troubled, block(LOGINS, "'starting'").text)
    stalled = {row["pid"] for row in found}
    assert len(stalled) == len(found) == 2
    assert stalled <= {str(pid) for pid in troubled.client_pids()}
    if troubled.major >= SHOWN_SINCE:
        assert {row["client_addr"] for row in found} == {"127.0.0.1"}
    else:
        assert not stalled & {pid for (pid,) in troubled.sql("select pid from pg_stat_activity")}


@pytest.mark.majors(16, 17, 18)
def test_who_may_use_the_reserve(troubled: Postgres) -> None:
    superusers, members = (
        b for b in SQL if b.runbook == "PostgresReservedSlotsInUse" and "rolsuper" in b.text
    )
    holders = {row["application_name"] for row in rows(troubled, superusers.text)}
    assert holders == {"report", "psql"}
    assert [row["role"] for row in rows(troubled, members.text)] == ["pgheadroom"]


def test_only_so_many_idle_sessions_of_one_application_end(pg: Postgres, clients: Clients) -> None:
    """Those that were idle longest; busy ones, others' and a walsender of that name stay."""
    make_objects(pg)
    name = {"application_name": "nest-api"}
    busy = clients.admitted(pg.tcp, **name)
    busy.send_query("select pg_sleep(60)")
    opened = clients.admitted(pg.tcp, **name)
    opened.query("begin")
    sender = clients.admitted(pg.tcp, replication="true", **name)
    others, _ = clients.fill(pg.tcp, 2, user="app", application_name="nest-api-2")
    idle, _ = clients.fill(pg.tcp, 7, user="app", **name)
    ending = block(EXHAUSTED, "AND state = 'idle'")
    found = rows(pg, ending.text)
    assert [int(row["pid"]) for row in found] == [session.pid for session in idle[:5]]
    assert {row["ended"] for row in found} == {"t"}
    await_end(pg, {session.pid for session in idle[:5]})
    require_alive(*idle[5:], *others, opened)
    assert {busy.pid, sender.pid} <= set(pg.client_pids())


def test_only_forgotten_transactions_end(pg: Postgres, clients: Clients) -> None:
    name = {"application_name": "nest-api"}
    forgotten, _ = clients.fill(pg.tcp, 3, **name)
    for session in forgotten:
        session.query("begin")
    idle = clients.admitted(pg.tcp, **name)
    other = clients.admitted(pg.tcp, application_name="report")
    other.query("begin")
    ending = block(EXHAUSTED, "older_than")
    assert rows(pg, ending.text) == [], "none of them is that old"
    found = rows(pg, ending.setting(older_than="0 seconds", most="2"))
    assert [int(row["pid"]) for row in found] == [session.pid for session in forgotten[:2]]
    await_end(pg, {session.pid for session in forgotten[:2]})
    require_alive(forgotten[2], idle, other)


def test_a_name_full_of_quotes_is_only_a_name(pg: Postgres, clients: Clients) -> None:
    hostile = "x' OR true; DROP ROLE app; --"
    victim = clients.admitted(pg.tcp, application_name=hostile)
    other = clients.admitted(pg.tcp, application_name="nest-api")
    ending = block(EXHAUSTED, "AND state = 'idle'").setting(app=hostile.replace("'", "''"))
    assert [int(row["pid"]) for row in rows(pg, ending)] == [victim.pid]
    await_end(pg, {victim.pid})
    require_alive(other)


def test_a_folded_name_ends_all_that_it_stands_for(pg: Postgres, clients: Clients) -> None:
    """The alert says `billing-*`; what else is special to LIKE is only itself."""
    pods = {clients.admitted(pg.tcp, application_name=f"billing-{n}").pid for n in range(3)}
    others = [
        clients.admitted(pg.tcp, application_name=name)
        for name in ("billing", "billingx1", "rebilling-1", "a_b", "axb", "50%", "500")
    ]
    ending = block(EXHAUSTED, "AND state = 'idle'")
    assert {int(row["pid"]) for row in rows(pg, ending.setting(app="billing-*"))} == pods
    await_end(pg, pods)
    exactly = {"a_b": others[3].pid, "50%": others[5].pid}
    for name, pid in exactly.items():
        assert [int(row["pid"]) for row in rows(pg, ending.setting(app=name))] == [pid]
    await_end(pg, set(exactly.values()))
    for one in (others[0], others[1], others[2], others[4], others[6]):
        require_alive(one)


def test_every_change_is_accepted_and_takes_effect(pg: Postgres, clients: Clients) -> None:
    make_objects(pg)
    if pg.major >= RESERVED_SINCE:
        pg.sql("grant pg_use_reserved_connections to app")
    changing = [b for b in SQL if CHANGES.search(b.text) and "pg_terminate_backend" not in b.text]
    limits = {"app": "12", "shop": "15", "pgheadroom": "-1"}
    for one in (b for b in changing if b.runs_on(pg.major)):
        psql(pg.dsn(tcp=False), one.text)
        name = re.search(r"^\\set (?:role|database) '(\w+)'$", one.text, re.MULTILINE)
        if limit := re.search(r"CONNECTION LIMIT (\d+)", one.text):
            assert name
            limits[name[1]] = limit[1]
        assert _limits(pg) == limits
    with clients.admitted(pg.tcp, user="app") as session:
        assert session.query("show idle_session_timeout") == [("15min",)]
        assert session.query("show idle_in_transaction_session_timeout") == [("1min",)]
    until(lambda: pg.sql("show authentication_timeout") == [("15s",)], 10, "reloaded setting")
    if pg.major >= RESERVED_SINCE:
        members = "select pg_has_role(r, 'pg_use_reserved_connections', 'usage') from (values"
        assert pg.sql(f"{members} ('pgheadroom'), ('app')) x (r)") == [("t",), ("f",)]


def _limits(pg: Postgres) -> dict[str, str]:
    roles = "select rolname, rolconnlimit from pg_roles where rolname in ('app', 'pgheadroom')"
    databases = "select datname, datconnlimit from pg_database where datname = 'shop'"
    return {str(name): str(limit) for name, limit in pg.sql(f"{roles} union all {databases}")}


@pytest.mark.skipif(shutil.which("ps") is None, reason="ps: not on this machine")
def test_when_nobody_gets_in_one_signal_opens_the_door(pg: Postgres, clients: Clients) -> None:
    """Every slot is taken; the pid to signal is in the list, and the other sessions live on."""
    make_objects(pg)
    pg.require_scram("stalled")
    opened = clients.admitted(pg.tcp)
    opened.query("begin")
    assert clients.stall(pg.tcp, 2, user="stalled") is None
    held, refused = clients.fill(pg.tcp)
    assert isinstance(refused, Refused)
    listed = _listed(block(EXHAUSTED, "ps -C", "sh"), pg)
    assert set(listed) == {session.pid for session in held}
    under_way = _listed(block(LOGINS, "ps -C", "sh"), pg)
    assert set(under_way) == set(pg.client_pids()) - {opened.pid, *listed}
    send(listed[0], signal.SIGTERM)
    await_end(pg, {listed[0]})
    assert isinstance(clients.connect(pg.unix), Session)
    require_alive(opened, *(session for session in held if session.pid != listed[0]))


def _listed(one: Block, pg: Postgres) -> list[int]:
    """Run a block of shell and return the pids that begin its lines and serve *pg*'s clients."""
    done = subprocess.run(["sh", "-c", one.text], capture_output=True, text=True, check=True)
    pids = [int(line.split()[0]) for line in done.stdout.splitlines()]
    return [pid for pid in pids if pid in pg.client_pids()]
