"""Tests every way to a server that libpq knows, a pooler, and odd names."""

from pathlib import Path
from shutil import copyfile

import pytest
from structlog.testing import capture_logs
from tests.postgres.conftest import Watcher
from tests.support.fixtures.postgres import MakePostgres
from tests.support.fixtures.programs import MakePgBouncer
from tests.support.servers.clients import Clients
from tests.support.servers.pgbouncer import ADMIN
from tests.support.servers.ports import free_port
from tests.support.servers.postgres import Postgres
from tests.unit.metrics.test_exposition import parsed, published

from pgheadroom.metrics.exposition import Format
from pgheadroom.model.capacity import CapacityKind
from pgheadroom.model.reading import Outcome


@pytest.mark.majors(14, 18)
async def test_a_password_from_the_password_file(
    pg: Postgres, watch: Watcher, tmp_path: Path
) -> None:
    pg.sql("create role app login")
    pg.require_scram("app", password="secret")
    file = tmp_path / "pgpass"
    file.write_text(f"127.0.0.1:{pg.port}:*:app:secret\n")
    file.chmod(0o600)
    state = await watch(pg.dsn(user="app", passfile=str(file))).sample()
    assert state.outcome is Outcome.OK


@pytest.mark.majors(17)
@pytest.mark.parametrize("by", ["conninfo", "environment"])
async def test_a_service_file(
    pg: Postgres, watch: Watcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    file = tmp_path / "services"
    file.write_text(f"[orders]\nhost=127.0.0.1\nport={pg.port}\nuser=postgres\ndbname=postgres\n")
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    if by == "environment":
        monkeypatch.setenv("PGSERVICE", "orders")
    watched = watch("service=orders" if by == "conninfo" else "")
    assert (await watched.sample()).outcome is Outcome.OK
    knocked = (await watched.knock()).knocks.newest
    assert knocked is not None
    assert knocked.outcome is Outcome.OK


@pytest.mark.majors(17)
async def test_a_service_that_is_not_there(
    pg: Postgres, watch: Watcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It must not lead to whatever else listens where libpq looks by default."""
    file = tmp_path / "services"
    file.write_text("[orders]\nhost=127.0.0.1\n")
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    state = await watch(f"service=missing host=127.0.0.1 port={pg.port} user=postgres").sample()
    assert state.outcome is Outcome.ERROR
    assert "missing" in state.detail


@pytest.mark.majors(17)
async def test_libpqs_environment(
    pg: Postgres, watch: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"HOST": "127.0.0.1", "PORT": pg.port, "USER": "postgres"}.items():
        monkeypatch.setenv(f"PG{name}", str(value))
    assert (await watch("dbname=postgres").sample()).outcome is Outcome.OK


@pytest.mark.majors(15)
async def test_a_host_by_name(pg: Postgres, watch: Watcher) -> None:
    conninfo = f"host=localhost port={pg.port} user=postgres dbname=postgres"
    assert (await watch(conninfo).sample()).outcome is Outcome.OK


@pytest.mark.majors(17)
async def test_the_host_that_is_up_of_several(pg: Postgres, watch: Watcher) -> None:
    conninfo = f"host=127.0.0.1,127.0.0.1 port={free_port()},{pg.port} user=postgres"
    assert (await watch(conninfo + " dbname=postgres").sample()).outcome is Outcome.OK


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("read-write", Outcome.OK),
        ("primary", Outcome.OK),
        ("prefer-standby", Outcome.OK),
        ("standby", Outcome.ERROR),
    ],
)
@pytest.mark.majors(16)
async def test_target_session_attrs(
    pg: Postgres, watch: Watcher, wanted: str, expected: Outcome
) -> None:
    watched = watch(pg.dsn(target_session_attrs=wanted))
    assert (await watched.sample()).outcome is expected


@pytest.mark.parametrize("mode", ["prefer", "require", "verify-ca"])
async def test_tls(make_postgres: MakePostgres, watch: Watcher, mode: str) -> None:
    """A server that takes nothing but TLS is sampled, and knocked at, without a refusal."""
    server = make_postgres(tls=True)
    server.sql("create role app login")
    server.access[:0] = ["hostnossl all app 127.0.0.1/32 reject"]
    server.reload()
    certificate = str(server.settings["ssl_cert_file"])
    start = server.log.size()
    watched = watch(server.dsn(user="app", sslmode=mode, sslrootcert=certificate))
    assert (await watched.sample()).outcome is Outcome.OK
    knocked = (await watched.knock()).knocks.newest
    assert knocked is not None
    assert knocked.outcome is Outcome.OK
    assert "FATAL" not in server.log.read(start)


async def test_tls_that_cannot_be_verified(make_postgres: MakePostgres, watch: Watcher) -> None:
    server, other = make_postgres(tls=True), make_postgres(tls=True)
    certificate = str(other.settings["ssl_cert_file"])
    watched = watch(server.dsn(sslmode="verify-ca", sslrootcert=certificate))
    assert (await watched.sample()).outcome is Outcome.ERROR
    assert "certificate" in watched.state.detail
    knocked = (await watched.knock()).knocks.newest
    assert knocked is not None
    assert knocked.outcome is Outcome.ERROR


@pytest.mark.parametrize("name", ["sslrootcert", "sslcert"])
async def test_a_file_of_ours_that_cannot_be_used_is_no_news_of_the_server(
    make_postgres: MakePostgres, watch: Watcher, tmp_path: Path, name: str
) -> None:
    """The reading says it in libpq's words; a knock that cannot be is told once, in the log."""
    server = make_postgres(tls=True)
    root, wrong = tmp_path / "root.crt", tmp_path / "wrong.crt"
    copyfile(str(server.settings["ssl_cert_file"]), root)
    wrong.write_text("no certificate at all\n")
    conninfo = server.dsn(sslrootcert=str(root), sslmode="verify-ca")
    watched = watch(f"{conninfo} sslcert={wrong}" if name == "sslcert" else conninfo)
    if name == "sslrootcert":
        assert (await watched.sample()).outcome is Outcome.OK
        assert (await watched.knock()).knocks.newest is not None
        root.unlink()
    known = watched.state.knocks.newest
    with capture_logs() as log:
        for _ in range(2):
            assert (await watched.knock()).knocks.newest is known
    (line,) = [line for line in log if line["event"] == "cannot knock"]
    assert (wrong if name == "sslcert" else root).name in line["reason"]
    if name == "sslcert":
        state = await watched.sample()
        assert state.outcome is Outcome.ERROR
        assert wrong.name in state.detail


@pytest.mark.majors(17)
async def test_a_client_certificate_that_is_not_there_is_left_out(
    make_postgres: MakePostgres, watch: Watcher, tmp_path: Path
) -> None:
    """As libpq does; so a knock shows what a login would meet."""
    server = make_postgres(tls=True)
    watched = watch(server.dsn(sslmode="require", sslcert=str(tmp_path / "no.crt")))
    assert (await watched.sample()).outcome is Outcome.OK
    knocked = (await watched.knock()).knocks.newest
    assert knocked is not None
    assert knocked.outcome is Outcome.OK


async def test_a_knock_leaves_no_trace_in_the_servers_log(pg: Postgres, watch: Watcher) -> None:
    """Neither where no password is wanted nor where one is asked for."""
    pg.sql("create role app login")
    pg.require_scram("app", password="secret")
    pg.sql("create role trusted login")
    start = pg.log.size()
    for user in ("app", "trusted"):
        knocked = (await watch(pg.dsn(user=user)).knock()).knocks.newest
        assert knocked is not None
        assert knocked.outcome is Outcome.OK
    pg.disconnect_everybody()
    assert pg.log.read(start).strip() == ""


@pytest.mark.majors(14, 18)
async def test_through_a_transaction_pooler(
    pg: Postgres, make_pgbouncer: MakePgBouncer, clients: Clients, watch: Watcher
) -> None:
    """Said to be one; and no setting of ours stays behind for the pooler's other clients."""
    pooler = make_pgbouncer(pg, default_pool_size=1)
    clients.fill(pg.tcp, 4, application_name="api")
    watched = watch(pooler.dsn())
    for _ in range(3):
        state = await watched.sample()
        assert state.outcome is Outcome.OK
    assert state.sample is not None
    assert state.sample.postgres.server.pooled
    assert state.sample.main.used == 5
    other = clients.admitted(pooler.tcp, user="app")
    for name in ("default_transaction_read_only", "transaction_read_only"):
        assert other.query(f"show {name}") == [("off",)]
    for name in ("statement_timeout", "lock_timeout"):
        assert other.query(f"show {name}") == [("0",)]


@pytest.mark.majors(17)
async def test_a_pooler_that_is_full(
    pg: Postgres, make_pgbouncer: MakePgBouncer, clients: Clients, watch: Watcher
) -> None:
    pooler = make_pgbouncer(pg, max_client_conn=2)
    clients.fill(pooler.tcp, 2, user="app")
    watched = watch(pooler.dsn())
    assert (await watched.sample()).outcome is Outcome.POOLER_FULL
    knocked = (await watched.knock()).knocks.newest
    assert knocked is not None
    assert knocked.outcome is Outcome.POOLER_FULL


@pytest.mark.majors(17)
async def test_a_full_server_behind_a_pooler(
    pg: Postgres, make_pgbouncer: MakePgBouncer, clients: Clients, watch: Watcher
) -> None:
    """The pooler passes the server's SQLSTATE on, or keeps us waiting: it is never `ok`."""
    pooler = make_pgbouncer(pg)
    clients.fill(pg.tcp)
    state = await watch(
        pooler.dsn(), read_timeout_seconds=1.0, connect_timeout_seconds=1.0
    ).sample()
    assert state.outcome in (Outcome.FULL, Outcome.TIMEOUT)


HOSTILE = [
    "line\nbreak",
    'quote"d',
    "back\\slash",
    "tab\tbed",
    "bell\x07",
    "right\u202eleft",
    "café",
    "\U0001f4a9" * 15,
    "</script><script>alert(1)</script>",
    "[bold red]x[/]",
    "x" * 63,
]


@pytest.mark.parametrize("encoding", ["UTF8", "LATIN1", "SQL_ASCII"])
async def test_names_of_any_kind(
    make_postgres: MakePostgres, clients: Clients, watch: Watcher, encoding: str
) -> None:
    """Whatever clients call themselves, roles and databases are called, we read it."""
    server = make_postgres(max_connections=60)
    database = f"d_{encoding.lower()}"
    server.sql(f"create database {database} encoding '{encoding}' template template0")
    for name in HOSTILE:
        clients.admitted(
            server.tcp, database=database, application_name=name, client_encoding="SQL_ASCII"
        )
    # Roles belong to all databases, and their names are the bytes that their creators sent.
    creator = clients.admitted(server.tcp, database=database, client_encoding=encoding)
    creator.query('create role "caf\u00e9" login connection limit 5')
    creator.query('create role "line\nbreak" login connection limit 5')
    # In a UTF-8 database these bytes are no character at all; in one of EUC_JP, no end of one.
    byte = "convert_from('\\xe9', 'SQL_ASCII')" if encoding == "SQL_ASCII" else "chr(233)"
    creator.query(
        f"do $$ begin execute 'create role \"' || {byte} || '\" login connection limit 5'; end $$"
    )
    server.sql("create database japanese encoding 'EUC_JP' template template0")
    for other in ("postgres", "japanese"):
        elsewhere = await watch(server.dsn(dbname=other)).sample()
        assert elsewhere.outcome is Outcome.OK, elsewhere.detail
    state = await watch(server.dsn(dbname=database)).sample()
    assert state.outcome is Outcome.OK, state.detail
    assert state.sample is not None
    assert state.sample.main.used == len(HOSTILE) + 4
    assert len(state.sample.limits_of(CapacityKind.ROLE)) == 3
    page = published(state).page(Format.OPENMETRICS)
    assert len(parsed(page, Format.OPENMETRICS)) > 50


async def test_it_says_which_cluster_it_is(pg: Postgres, watch: Watcher) -> None:
    """To any role, on every major."""
    pg.sql("create role nobody login")
    ((expected,),) = pg.sql("select system_identifier from pg_control_system()")
    state = await watch(pg.dsn(user="nobody")).sample()
    assert state.sample is not None
    assert state.sample.postgres.server.identifier == expected
    assert state.server.endswith(f"#{expected}")


@pytest.mark.majors(14, 18)
async def test_a_cluster_that_does_not_say_which_it_is_is_watched(
    major: int, make_postgres: MakePostgres, watch: Watcher
) -> None:
    """As of some clouds."""
    pg = make_postgres(major)
    pg.sql("create role nobody login")
    pg.sql("revoke execute on function pg_control_system() from public")
    watched = watch(pg.dsn(user="nobody"))
    for _ in range(2):
        state = await watched.sample()
        assert state.outcome is Outcome.OK
        assert state.identifier == ""


@pytest.mark.majors(17)
async def test_a_console_of_pgbouncer_is_told(
    pg: Postgres, watch: Watcher, make_pgbouncer: MakePgBouncer
) -> None:
    """In one line, before anything is asked of it that it does not understand."""
    pooler = make_pgbouncer(pg)
    state = await watch(pooler.dsn(user=ADMIN, dbname="pgbouncer")).sample()
    assert state.outcome is Outcome.ERROR
    assert "this is PgBouncer's console and no PostgreSQL server" in state.detail
