"""Tests that the daemon comes back when a password, a certificate or a name was bad for a while."""

from pathlib import Path

import pytest
from tests.reliability.conftest import MakeNamespace, MakeTrial
from tests.reliability.sql import END_OURS
from tests.reliability.trial import LONG
from tests.support.fixtures.postgres import MakePostgres
from tests.support.servers.clients import Clients
from tests.support.servers.nameserver import Mood, NameServer
from tests.support.servers.tls import make_certificate

pytestmark = pytest.mark.majors(18)


def test_password_rotated(make_postgres: MakePostgres, trial: MakeTrial, tmp_path: Path) -> None:
    server = make_postgres()
    server.sql("create role watcher login in role pg_monitor")
    server.require_scram("watcher", password="old")
    file = tmp_path / "password"
    file.write_text("old\n")
    dsn = server.dsn(user="watcher")
    with trial("password", dsn, server, passes=["auth"], password_file=file) as tried:
        server.sql("alter role watcher password 'new'")
        server.sql(END_OURS)
        tried.shows("auth")
        tried.lasts(1, 20)
        file.write_text("new\n")
        tried.over()
    assert tried.observer.states == ["ok", "auth", "ok"]
    assert "SCRAM" not in tried.daemon.log.read()


def test_certificate_expired(make_postgres: MakePostgres, trial: MakeTrial, tmp_path: Path) -> None:
    server = make_postgres(tls=True)
    good = Path(str(server.settings["ssl_cert_file"]))
    trusted = tmp_path / "trusted.crt"
    trusted.write_bytes(good.read_bytes())
    dsn = server.dsn(sslmode="verify-full", sslrootcert=str(trusted))
    with trial("certificate", dsn, server, passes=["error"]) as tried:
        folder = server.socket_directory / "expired"
        folder.mkdir(mode=0o755)
        expired, key = make_certificate(folder, expired=True)
        trusted.write_bytes(good.read_bytes() + expired.read_bytes())
        server.reload(ssl_cert_file=str(expired), ssl_key_file=str(key))
        server.sql(END_OURS)
        tried.shows("error")
        tried.lasts(1, 20)
        assert "certificate verify failed" in tried.lines()[0]["reason"]
        server.reload(ssl_cert_file=str(good), ssl_key_file=str(good.with_suffix(".key")))
        tried.over()
    assert tried.observer.states == ["ok", "error", "ok"]


@pytest.mark.parametrize("mood", ["hangs", "fails"] if LONG else ["hangs"])
def test_names(
    make_postgres: MakePostgres,
    make_namespace: MakeNamespace,
    clients: Clients,
    trial: MakeTrial,
    tmp_path: Path,
    mood: Mood,
) -> None:
    """In a network of its own, whose only name server is the test's."""
    resolv, nsswitch = tmp_path / "resolv.conf", tmp_path / "nsswitch.conf"
    resolv.write_text("nameserver 127.0.0.1\n")
    nsswitch.write_text("hosts: files dns\n")
    files = {Path("/etc/resolv.conf"): resolv, Path("/etc/nsswitch.conf"): nsswitch}
    with make_namespace(files).inside(), NameServer("127.0.0.1") as names:
        server = make_postgres()
        counter = clients.admitted(server.unix)
        dsn = server.dsn().replace("127.0.0.1", "db1.example")
        with trial(
            f"names {mood.removesuffix('s')}", dsn, server, passes=["host_unknown"]
        ) as tried:
            names.mood = mood
            counter.query(END_OURS)
            tried.shows("host_unknown")
            tried.lasts(2, 20)
            names.mood = "answers"
            tried.over()
        assert tried.observer.states == ["ok", "host_unknown", "ok"]
        server.close()
