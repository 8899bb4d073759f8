"""Tests the daemon's answers against docs/openapi.yaml."""

from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
import yaml
from hypothesis import HealthCheck, given, settings
from schemathesis import APIOperation, Case, checks
from schemathesis.core.result import Ok
from schemathesis.core.transport import Response
from tests.integration.conftest import MakeHeadroom
from tests.support.fixtures.programs import MakePgBouncer
from tests.support.servers.clients import Clients
from tests.support.servers.headroom import Headroom
from tests.support.servers.postgres import Postgres
from tests.support.servers.wait import until

pytestmark = pytest.mark.majors(17)

Operation = APIOperation[Any, Any, Any, Any]
Request = Case[Any]

DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.yaml"
STREAM = "/api/v1/stream"
EXAMPLES = 25
"""Requests to each address with names and headers of any kind."""
CHECKED = (
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
)


def operations() -> list[Operation]:
    schema = schemathesis.openapi.from_dict(yaml.safe_load(DOCUMENT.read_text()))
    found: list[Operation] = []
    for one in schema.get_all_operations():
        assert isinstance(one, Ok), one
        found.append(one.ok())
    return found


def validated(daemon: Headroom, case: Request) -> Response:
    return case.call_and_validate(base_url=daemon.url, checks=list(CHECKED), timeout=10)


def test_the_daemon_answers_as_the_document_says(
    pg: Postgres, make_headroom: MakeHeadroom, make_pgbouncer: MakePgBouncer, clients: Clients
) -> None:
    """Of a server with an alert, limits, a knock and a pooler, so that nothing is empty."""
    pg.sql("create role reports login connection limit 4")
    pg.sql("create database shop connection limit 6")
    clients.fill(pg.tcp, 1, user="reports", database="shop", application_name="<b>")
    pooler = make_pgbouncer(pg)
    clients.fill(pooler.tcp, 1)
    targets = f'{{db: "{pg.dsn()}", gone: "host=127.0.0.1 port=1", pool: "{pooler.console}"}}'
    daemon = make_headroom(f"enable_reload: true\ntargets: {targets}\n")
    daemon.ready()
    clients.fill(pg.tcp)
    alert = (
        'pgheadroom_alert{alertname="PostgresConnectionsExhausted",severity="critical",target="db"}'
    )
    until(lambda: daemon.metric(alert) == 1, 20, "alert")
    until(lambda: daemon.metric('pgheadroom_slots_direct{target="db"}') is not None, 40, "pooling")
    until(lambda: daemon.metric('pgheadroom_knock_up{target="db"}') is not None, 20, "knock")
    for operation in operations():
        if operation.path == STREAM:
            continue  # it has no end
        for name in ("db", "gone", "pool"):
            given_ = {one.name: name for one in operation.path_parameters}
            query = {one.name: name for one in operation.query}
            case = operation.Case(path_parameters=given_, query=query)
            assert validated(daemon, case).status_code == 200
        tried(daemon, operation)
    assert "level=error" not in daemon.log.read()


def tried(daemon: Headroom, operation: Operation) -> None:
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(operation.as_strategy())
    def ask(case: Request) -> None:
        validated(daemon, case)

    ask()


def test_the_stream_is_what_the_document_says(pg: Postgres, make_headroom: MakeHeadroom) -> None:
    daemon = make_headroom(f'targets: {{db: "{pg.dsn()}"}}\n')
    (operation,) = (one for one in operations() if one.path == STREAM)
    unknown = validated(daemon, operation.Case(query={"target": "nobody"}))
    assert unknown.status_code == 404
    for query in ({}, {"target": "db"}):
        with requests.get(daemon.url + STREAM, params=query, stream=True, timeout=10) as answer:
            assert answer.status_code == 200
            assert answer.headers["Content-Type"].startswith("text/event-stream")
            assert next(answer.iter_lines(chunk_size=1)).startswith(b"event: ")
