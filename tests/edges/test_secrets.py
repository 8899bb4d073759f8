"""Does a planted password show up anywhere: log, page, API, error, process list?"""

import signal
from pathlib import Path

import pytest
from tests.edges.conftest import MakeHeadroom
from tests.servers.headroom import run
from tests.servers.ports import free_port
from tests.servers.postgres import Postgres
from tests.servers.wait import until

pytestmark = pytest.mark.majors(15, 18)

SECRET = "gar-nicht-geheim-4711"  # noqa: S105 - planted, to be looked for


@pytest.fixture
def guarded(pg: Postgres) -> Postgres:
    pg.sql("create role app login")
    pg.require_scram("app", password=SECRET)
    return pg


@pytest.mark.parametrize("level", ["info", "debug"])
def test_not_in_anything_that_the_daemon_says(
    guarded: Postgres, make_headroom: MakeHeadroom, tmp_path: Path, level: str
) -> None:
    """Through a good life, a wrong password, a lost server and an unparsable DSN."""
    file = tmp_path / "password"
    file.write_text(SECRET)
    good = guarded.dsn(user="app", password=SECRET)
    uri = f"postgresql://app:{SECRET}x@127.0.0.1:{guarded.port}/postgres"
    daemon = make_headroom(
        f"""
log_level: {level}
targets:
  good: "{good}"
  filed: {{dsn: "{guarded.dsn(user="app")}", password_file: "{file}"}}
  wrong: "{uri}"
  down: "host=127.0.0.1 port={free_port()} user=app password={SECRET}"
  unknown: "host=nowhere.invalid user=app password={SECRET}"
  sung: {{dsn: "{guarded.dsn()}", canary_dsn: "{good}"}}
  hoarse: {{dsn: "{guarded.dsn()}", canary_dsn: "{uri}"}}
  mute: {{dsn: "{guarded.dsn()}", canary_dsn: "host=nowhere.invalid password={SECRET}"}}
  whistled: {{dsn: "{guarded.dsn()}", canary_dsn: "{guarded.dsn(user="app")}",
    canary_password_file: "{file}"}}
"""
    )
    daemon.ready()
    for target, up in {"good": 1, "filed": 1, "wrong": 0, "down": 0, "unknown": 0}.items():
        assert daemon.metric(f'pgheadroom_up{{target="{target}"}}') == up
    for target, up in {"sung": 1, "hoarse": 0, "mute": 0, "whistled": 1}.items():
        line = f'pgheadroom_canary_up{{target="{target}"}}'
        until(lambda line=line, up=up: daemon.metric(line) == up, 10, line)  # type: ignore[misc] # bound in the loop
    pages = ("/", "/metrics", "/probe?target=wrong", "/-/ready", "/api/v1/targets/hoarse")
    said = [daemon.page(path) for path in pages]
    guarded.restart()
    failed = 'pgheadroom_failures_total{state="unreachable",target="down"}'
    until(lambda: (daemon.metric(failed) or 0) >= 2, 10, "second failure")
    said.append(Path(f"/proc/{daemon.pid}/cmdline").read_text())
    daemon.stop(signal.SIGTERM)
    said.append(daemon.log.read())
    assert len(said[-1].splitlines()) > 8
    for text in said:
        assert SECRET not in text


def test_not_in_what_the_commands_print(guarded: Postgres) -> None:
    wrong = f"host=127.0.0.1 port={guarded.port} user=app password={SECRET}x"
    for words in (
        ("once", "--dsn", wrong),
        ("check", "--dsn", wrong),
        ("once", "--json", "--dsn", wrong),
        ("check", "--dsn", guarded.dsn(), "--canary-dsn", wrong),
        ("check", "--dsn", guarded.dsn(), "--canary-dsn", f"host=h sslmode={SECRET} x=y"),
        ("check", "--canary-dsn", wrong),
        ("check", "--dsn", wrong + " nonsense"),
        ("check", "--dsn", f"host=h sslmode={SECRET}"),
        ("once", "--dsn", f"service=missing password={SECRET}"),
        ("check", f"postgresql://app:{SECRET}@h/d"),
        ("check", "--targets", f"a b=postgresql://app:{SECRET}@h/d"),
        ("check", "--targets", f"postgresql://app:{SECRET}@h/d"),
        ("check", f"--dns=postgresql://app:{SECRET}@h/d"),
    ):
        done = run(*words)
        assert done.returncode in (1, 2)
        assert SECRET not in done.stdout + done.stderr, words


def test_not_in_what_is_said_of_the_environment() -> None:
    for name, value in {
        "PGHEADROOM_DSN": f"postgresql://u:{SECRET}@h/d?x=1",
        "PGHEADROOM_CANARY_DSN": f"postgresql://u:{SECRET}@h/d?x=1",
        "PGHEADROOM_TARGETS__A__CANARY_DSN": f"postgresql://u:{SECRET}@h/d?x=1",
        "PGHEADROOM_TARGETS": f'{{"a": {SECRET}',
        "PGHEADROOM_TARGETS__A": f"postgresql://u:{SECRET}@h/d?x=1",
        "PGHEADROOM_TARGETS__A__DNS": f"postgresql://u:{SECRET}@h/d",
        "PGHEADROOM_DNS": f"postgresql://u:{SECRET}@h/d",
    }.items():
        done = run("check", **{name: value})
        assert done.returncode == 2
        assert SECRET not in done.stdout + done.stderr
