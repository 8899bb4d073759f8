"""Tests which roles a real PostgreSQL lets in, and what it answers the others: the suite's oracle.

With 20 slots, 3 of them for superusers and, since 16, 2 for pg_use_reserved_connections.
"""

import pytest
from tests.support.servers import rawclient
from tests.support.servers.clients import Clients
from tests.support.servers.postgres import Postgres
from tests.support.servers.rawclient import Refused, Session

FULL = "sorry, too many clients already"
TOO_MANY = "53300"
SLOTS = 20
RESERVED_SINCE = 16
WALSENDER_QUOTES_SINCE = 17


def _expect(refused: Session | Refused | None, routine: str, message: str) -> None:
    assert isinstance(refused, Refused)
    assert (TOO_MANY, routine, message) == (refused.sqlstate, refused.routine, refused.message)


def _reserved_for(server: Postgres) -> str:
    if server.major < RESERVED_SINCE:
        return "remaining connection slots are reserved for non-replication superuser connections"
    return (
        "remaining connection slots are reserved for roles with privileges of the "
        '"pg_use_reserved_connections" role'
    )


def _make_role(server: Postgres, role: str, options: str = "", member_of: str = "") -> None:
    membership = f"in role {member_of}" if member_of else ""
    server.sql(f"create role {role} login {options} {membership}")


@pytest.mark.parametrize("over", ["tcp", "unix"])
def test_ordinary_roles_get_what_nobody_reserved(pg: Postgres, clients: Clients, over: str) -> None:
    """The last slots are refused after authentication, to monitoring roles as to others."""
    _make_role(pg, "app")
    _make_role(pg, "watcher", member_of="pg_monitor")
    address = pg.tcp if over == "tcp" else pg.unix
    sessions, refused = clients.fill(address, user="app", application_name="web")
    assert len(sessions) == (15 if pg.major >= RESERVED_SINCE else 17)
    _expect(refused, "InitPostgres", _reserved_for(pg))
    _expect(clients.connect(address, user="watcher"), "InitPostgres", _reserved_for(pg))


@pytest.mark.majors(16, 17, 18)
def test_members_get_the_reserved_slots(pg: Postgres, clients: Clients) -> None:
    """Then members of pg_use_reserved_connections get two more."""
    _make_role(pg, "app")
    _make_role(pg, "member", member_of="pg_use_reserved_connections")
    clients.fill(pg.tcp, user="app")
    sessions, refused = clients.fill(pg.tcp, user="member")
    text = "remaining connection slots are reserved for roles with the SUPERUSER attribute"
    assert len(sessions) == 2
    _expect(refused, "InitPostgres", text)
    _expect(clients.connect(pg.tcp, user="app"), "InitPostgres", text)


def test_superusers_get_the_last_slots(pg: Postgres, clients: Clients) -> None:
    """Superusers get all the rest, and then nobody gets in, not even to be asked who he is."""
    _make_role(pg, "app")
    ordinary, _ = clients.fill(pg.tcp, user="app")
    superusers, refused = clients.fill(pg.tcp, user="postgres")
    assert len(ordinary) + len(superusers) == SLOTS
    _expect(refused, "InitProcess", FULL)
    _expect(clients.connect(pg.tcp, user="app"), "InitProcess", FULL)
    _expect(clients.connect(pg.tcp, user="nobody_at_all"), "InitProcess", FULL)
    _expect(clients.connect(pg.unix, user="nobody_at_all"), "InitProcess", FULL)


@pytest.mark.parametrize("limit", [0, 2])
def test_a_role_has_a_limit(pg: Postgres, clients: Clients, limit: int) -> None:
    """A role's CONNECTION LIMIT counts its own sessions."""
    _make_role(pg, "lim", f"connection limit {limit}")
    sessions, refused = clients.fill(pg.tcp, user="lim")
    assert len(sessions) == limit
    _expect(refused, "InitializeSessionUserId", 'too many connections for role "lim"')


@pytest.mark.parametrize("limit", [0, 2])
def test_a_database_has_a_limit(pg: Postgres, clients: Clients, limit: int) -> None:
    """A database's CONNECTION LIMIT counts superusers and does not stop them."""
    _make_role(pg, "app")
    pg.sql(f"create database limdb connection limit {limit}")
    superusers, _ = clients.fill(pg.tcp, min(limit, 1), database="limdb")
    sessions, refused = clients.fill(pg.tcp, user="app", database="limdb")
    assert len(superusers) + len(sessions) == limit
    _expect(refused, "CheckMyDatabase", 'too many connections for database "limdb"')
    clients.admitted(pg.tcp, database="limdb")


def test_other_refusals_have_other_codes(pg: Postgres, clients: Clients) -> None:
    """A closed database, a missing one and a missing role are no want of slots."""
    pg.sql("create database closed")
    pg.sql("alter database closed allow_connections false")
    answers = (
        clients.connect(pg.tcp, database="closed"),
        clients.connect(pg.tcp, database="missing"),
        clients.connect(pg.tcp, user="missing"),
    )
    assert [answer.sqlstate for answer in answers if isinstance(answer, Refused)] == [
        "55000",
        "3D000",
        "28000",
    ]


def test_walsenders_have_slots_of_their_own(pg: Postgres, clients: Clients) -> None:
    """Four physical walsenders get in although all slots are taken, and the fifth does not."""
    sessions, _ = clients.fill(pg.tcp)
    assert len(sessions) == SLOTS
    senders, refused = clients.fill(pg.tcp, replication="true")
    name = '"max_wal_senders"' if pg.major >= WALSENDER_QUOTES_SINCE else "max_wal_senders"
    assert len(senders) == 4
    text = f"number of requested standby connections exceeds {name} (currently 4)"
    _expect(refused, "InitProcess", text)


def test_a_stalled_login_holds_a_slot(pg: Postgres, clients: Clients) -> None:
    """Nineteen unanswered challenges and one session lock out the superuser too."""
    pg.require_scram("stalled")
    watcher = clients.admitted(pg.unix)
    assert clients.stall(pg.tcp, SLOTS - 1, user="stalled") is None
    _expect(clients.connect(pg.unix), "InitProcess", FULL)
    visible = "select count(*) from pg_stat_activity where backend_type = 'client backend'"
    locks = (
        "select count(distinct l.pid) from pg_locks l where l.locktype = 'virtualxid'"
        " and not exists (select 1 from pg_stat_get_activity(null) a where a.pid = l.pid)"
    )
    seen = (watcher.query(visible), watcher.query(locks))
    starting_is_a_row = pg.major >= 18
    assert seen == (([("20",)], [("0",)]) if starting_is_a_row else ([("1",)], [("19",)]))


def test_silent_sockets_lock_everybody_out(pg: Postgres, clients: Clients) -> None:
    """Sockets that never say a word use up the postmaster's children, which no view shows."""
    watcher = clients.admitted(pg.unix)
    opened = 0
    # The postmaster takes its callers in turn: an answer means that the silent ones have a child.
    while isinstance(answer := rawclient.connect(pg.tcp), Session):
        answer.close()
        clients.silent(pg.tcp, 5)
        opened += 5
    assert (answer.sqlstate, answer.message) == (TOO_MANY, FULL)
    assert 2 * SLOTS < opened < 4 * SLOTS
    count = "select count(*) from pg_stat_activity where backend_type = 'client backend'"
    assert watcher.query(count) == [("1",)]
