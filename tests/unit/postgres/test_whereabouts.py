"""Tests that a server's address is short, stable, its own, and free of secrets."""

import os
import re
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import make_conninfo

from pgheadroom.config.target import TARGET_NAMES
from pgheadroom.postgres.whereabouts import LONGEST, address

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]*")
SECRET = "gar-nicht-geheim-4711"  # noqa: S105 - planted, to be looked for


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("PG"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("conninfo", "expected"),
    [
        ("host=db1", "db1"),
        ("host=db1 port=5432 dbname=shop user=u", "db1"),
        ("host=db1 port=5433", "db1:5433"),
        (f"postgresql://u:{SECRET}@db1.example.com:6432/shop", "db1.example.com:6432"),
        ("host=DB1.Example.com.", "db1.example.com"),
        ("host=10.0.0.7", "10.0.0.7"),
        ("hostaddr=10.0.0.7", "10.0.0.7"),
        ("host=db1 hostaddr=10.0.0.7", "db1"),
        ("postgresql://u@[2001:db8::7]:5433/shop", "2001-db8--7:5433"),
        # This machine, whichever way one gets there.
        ("", "here"),
        ("user=u dbname=shop", "here"),
        ("host=localhost", "here"),
        ("host=127.0.0.1", "here"),
        ("host=127.0.1.1 port=5433", "here:5433"),
        ("postgresql://u@[::1]/shop", "here"),
        ("host=/var/run/postgresql", "here"),
        ("host=/run/postgresql/ port=5433", "here:5433"),
        ("postgresql://%2Ftmp:5434/shop", "here:5434"),
        # Several.
        ("host=db1,db2", "db1_db2"),
        ("host=db1,db2 port=5433", "db1_db2:5433"),
        ("host=db1,db2 port=5432,5433", "db1_db2:5433"),
        ("host=db1,db2 port=5434,5433", "db1:5434_db2:5433"),
        ("host=db1,db2 target_session_attrs=read-write", "db1_db2:read-write"),
        ("host=db1,db2 target_session_attrs=any", "db1_db2"),
        ("host=db1,db2 port=5433 target_session_attrs=standby", "db1_db2:5433:standby"),
    ],
)
def test_where_a_connection_string_leads(conninfo: str, expected: str) -> None:
    assert address(conninfo, "here") == expected


def test_two_servers_behind_sockets_of_this_machine_are_two() -> None:
    found = [address(f"host={path}", "here") for path in ("/srv/a-b", "/srv/a/b", "@a", "/srv")]
    assert len(set(found)) == len(found)
    assert all(re.fullmatch(r"here-[a-z-]+-[0-9a-f]{8}", one) for one in found)
    assert address("host=/srv/a-b/", "here") == found[0]


def test_the_same_socket_on_two_machines_is_two_servers() -> None:
    assert address("", "a") != address("", "b")
    assert address("", None) == address(f"host={socket.gethostname()}", None)


def test_what_libpqs_environment_says_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "db1")
    monkeypatch.setenv("PGPORT", "5433")
    assert address("", "here") == "db1:5433"
    assert address("host=db2", "here") == "db2:5433"
    monkeypatch.setenv("PGHOSTADDR", "10.0.0.7")
    monkeypatch.delenv("PGHOST")
    assert address("", "here") == "10.0.0.7:5433"


def test_what_a_service_file_says_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "services"
    file.write_text(f"[shop]\nhost=db1\nport=5433\npassword={SECRET}\n[here]\nuser=u\n")
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    assert address("service=shop", "here") == "db1:5433"
    assert address("service=here", "here") == "here"
    assert address("service=no-such", "here") == "here"
    monkeypatch.setenv("PGSERVICE", "shop")
    assert address("", "here") == "db1:5433"


def test_a_long_one_is_cut_and_still_its_own() -> None:
    hosts = [",".join(f"node{n}.rack{rack}.example.com" for n in range(5)) for rack in (1, 2)]
    found = [address(f"host={many}", "here") for many in hosts]
    assert [len(one) for one in found] == [LONGEST, LONGEST]
    assert found[0] != found[1]


@given(
    st.lists(
        st.text(st.characters(exclude_characters="\0,", exclude_categories=["Cs"])), min_size=1
    ),
    st.lists(st.integers(1, 65535), min_size=1, max_size=1),
    st.text(),
)
def test_it_may_be_a_targets_name(hosts: list[str], ports: list[int], machine: str) -> None:
    conninfo = make_conninfo("", host=",".join(hosts), port=ports[0], password=SECRET)
    found = address(conninfo, machine)
    assert NAME.fullmatch(found), (found, TARGET_NAMES)
    assert len(found) <= LONGEST
    assert SECRET not in found
