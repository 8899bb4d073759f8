"""Tests that a refusal in German keeps its code and its routine."""

from tests.support.fixtures.postgres import MakePostgres
from tests.support.servers.clients import Clients
from tests.support.servers.rawclient import Refused


def test_a_refusal_is_translated_but_for_code_and_routine(
    make_postgres: MakePostgres, clients: Clients
) -> None:
    """Texts are German, C and R (and V) are what they are everywhere."""
    server = make_postgres(part="postgres-nls", lc_messages="de_DE.UTF-8")
    server.sql("create role app login")
    _, ordinary = clients.fill(server.tcp, user="app")
    _, superuser = clients.fill(server.tcp)
    assert isinstance(ordinary, Refused)
    assert isinstance(superuser, Refused)
    assert "Verbindungen" in ordinary.message
    assert superuser.message == "tut mir leid, schon zu viele Verbindungen"
    assert [(r.sqlstate, r.routine, r.fields["V"]) for r in (ordinary, superuser)] == [
        ("53300", "InitPostgres", "FATAL"),
        ("53300", "InitProcess", "FATAL"),
    ]
