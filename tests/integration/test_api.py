"""Tests the API against docs/api.md, and that the stream stays fast for every reader."""

import asyncio
import contextlib
import http.client
import json
import re
import signal
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from tests.integration.conftest import MakeHeadroom
from tests.support.servers import http as simple
from tests.support.servers.clients import Clients
from tests.support.servers.headroom import Headroom
from tests.support.servers.ports import free_port
from tests.support.servers.postgres import Postgres
from tests.support.servers.wait import until

from pgheadroom.web.stream import MOST_LISTENERS

pytestmark = pytest.mark.majors(17)

Json = Any

DOCUMENT = Path(__file__).parents[2] / "docs" / "api.md"


def config(server: Postgres, *more: str) -> str:
    gone = "".join(f'  {name}: "host=127.0.0.1 port={free_port()} user=x"\n' for name in more)
    return f'targets:\n  db: "{server.dsn()}"\n{gone}'


def get(daemon: Headroom, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=10)
    try:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", path, headers=given)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def target(daemon: Headroom, name: str = "db") -> Json:
    return simple.get_json(f"{daemon.url}/api/v1/targets/{name}")


def examples() -> list[Json]:
    """Return what docs/api.md shows as JSON."""
    found = re.findall(r"```json\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    return [json.loads(text) for text in found]


def shape(value: Json) -> Json:
    """Return the keys of *value*, all the way down; what varies by name or length is left out."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items() if not _by_name(key, inner)}
    if isinstance(value, list):
        return shape(value[0]) if value else None
    return None


def _by_name(key: str, value: Json) -> bool:
    """Tell whether the keys of *value* are names of others, and not ours."""
    return isinstance(value, dict) and key in ("states", "applications", "about")


@contextlib.asynccontextmanager
async def listening(
    daemon: Headroom, query: str = "?target=db"
) -> AsyncIterator[aiohttp.StreamReader]:
    # Not the pool of a session, which would hand out a hundred connections and no more.
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session,
        session.get(f"{daemon.url}/api/v1/stream{query}") as answer,
    ):
        assert answer.status == 200
        assert answer.content_type == "text/event-stream"
        yield answer.content


async def event(reader: aiohttp.StreamReader) -> tuple[str, Json]:
    kind = (await reader.readline()).decode().strip().removeprefix("event: ")
    data = (await reader.readline()).decode().removeprefix("data: ")
    assert await reader.readline() == b"\n"
    return kind, json.loads(data)


async def event_of(reader: aiohttp.StreamReader, wanted: str) -> Json:
    while True:
        kind, data = await event(reader)
        if kind == wanted:
            return data


def test_all_targets_worst_first(pg: Postgres, make_headroom: MakeHeadroom) -> None:
    daemon = make_headroom(config(pg, "gone"))
    daemon.ready()
    listed = simple.get_json(f"{daemon.url}/api/v1/targets")["targets"]
    assert [(one["target"], one["state"]) for one in listed] == [
        ("gone", "unreachable"),
        ("db", "ok"),
    ]
    assert listed[1]["slots"]["max_connections"] == 20
    assert "applications" not in listed[1]


def test_one_target_with_its_history(
    pg: Postgres, make_headroom: MakeHeadroom, clients: Clients
) -> None:
    clients.fill(pg.tcp, 6, application_name="billing")
    daemon = make_headroom(config(pg))
    daemon.ready()
    expected = {"billing": 6, "pgheadroom": 1}

    def counts() -> dict[str, int]:
        return {
            one["application_name"]: one["connections"] for one in target(daemon)["applications"]
        }

    until(lambda: counts() == expected, 5, "sample without a knock in it")
    shown = target(daemon)
    assert shown["slots"]["max_connections"] == 20
    assert shown["history"]["target"] == "db"
    assert shown["history"]["points"][-1]["applications"]["billing"] == 6


def test_an_unknown_target_is_told_which_there_are(
    pg: Postgres, make_headroom: MakeHeadroom
) -> None:
    daemon = make_headroom(config(pg))
    for path in ("/api/v1/targets/%3Cscript%3E", "/api/v1/stream?target=orders"):
        status, headers, body = get(daemon, path)
        assert status == 404
        assert headers["Content-Type"].startswith("application/json")
        error = "no such target; configured are: db"
        assert json.loads(body) == {"error": error, "targets": ["db"]}


def test_nobody_keeps_an_answer(pg: Postgres, make_headroom: MakeHeadroom) -> None:
    daemon = make_headroom(config(pg))
    for path in ("/api/v1/targets", "/api/v1/targets/db"):
        assert get(daemon, path)[1]["Cache-Control"] == "no-store"


def test_the_document_shows_every_key(
    pg: Postgres, make_headroom: MakeHeadroom, clients: Clients
) -> None:
    """Of a server with an alert, limits and a knock, so that nothing is empty."""
    pg.sql("create role reports login connection limit 4")
    pg.sql("create database shop connection limit 6")
    with_canary = f'{{dsn: "{pg.dsn()}", canary_dsn: "{pg.dsn(user="reports")}"}}'
    daemon = make_headroom(f"targets: {{db: {with_canary}}}")
    daemon.ready()
    clients.fill(pg.tcp, 1, user="reports", database="shop")
    clients.fill(pg.tcp)
    until(lambda: target(daemon)["alerts"], 20, "alert")
    until(lambda: target(daemon)["knock"], 20, "knock")
    until(lambda: target(daemon)["canary"], 20, "canary")
    one, many = examples()
    listed = simple.get_json(f"{daemon.url}/api/v1/targets")
    # Peaks that outgrow the limit take weeks to show: the OpenAPI document has their keys.
    given = target(daemon)
    assert given["planning"] is None
    assert shape({**one, "planning": None}) == shape(given)
    assert shape(many) == shape(listed)


async def test_the_stream_tells_what_happens(
    pg: Postgres, make_headroom: MakeHeadroom, clients: Clients
) -> None:
    daemon = make_headroom(config(pg))
    daemon.ready()
    async with asyncio.timeout(20), listening(daemon) as reader:
        kind, data = await event(reader)
        assert (kind, data["target"]) == ("history", "db")
        await event_of(reader, "target")
        clients.fill(pg.tcp, 5, application_name="<script>")
        while True:
            data = await event_of(reader, "target")
            if data["slots"]["used"] == 6:
                break
        assert abs(data["now"] - time.time()) < 2
        assert data["recent"][-1]["applications"]["<script>"] == 5


async def test_there_is_a_sign_of_life_each_second(
    pg: Postgres, make_headroom: MakeHeadroom
) -> None:
    """Also when samples are far apart."""
    daemon = make_headroom(f'interval_seconds: 30\ntargets: {{db: "{pg.dsn()}"}}')
    daemon.ready()
    async with asyncio.timeout(10), listening(daemon) as reader:
        await event_of(reader, "target")
        began = time.monotonic()
        for _ in range(3):
            kind, _ = await event(reader)
            assert kind == "beat"
        assert 2 < time.monotonic() - began < 4


async def test_of_many_targets_only_changes_are_told(
    pg: Postgres, make_headroom: MakeHeadroom, clients: Clients
) -> None:
    daemon = make_headroom(config(pg, "gone"))
    daemon.ready()
    async with asyncio.timeout(20), listening(daemon, "") as reader:
        kind, whole = await event(reader)
        assert (kind, whole["whole"], whole["order"]) == ("targets", True, ["gone", "db"])
        assert [one["target"] for one in whole["targets"]] == ["gone", "db"]
        kind, change = await event(reader)
        while change["targets"]:  # the first seconds of a daemon are full of news
            kind, change = await event(reader)
        assert (kind, change["whole"], change["order"]) == ("targets", False, None)
        clients.fill(pg.tcp, 3)
        used = 1
        while used < 4:  # a sample may come between two of the three
            kind, change = await event(reader)
            assert {one["target"] for one in change["targets"]} <= {"db"}
            used = change["targets"][0]["slots"]["used"] if change["targets"] else used
        assert used == 4


async def test_a_hundred_listen_and_no_more(pg: Postgres, make_headroom: MakeHeadroom) -> None:
    daemon = make_headroom(config(pg))
    daemon.ready()
    async with asyncio.timeout(60), contextlib.AsyncExitStack() as stack:
        readers = [
            await stack.enter_async_context(listening(daemon)) for _ in range(MOST_LISTENERS)
        ]
        views = await asyncio.gather(*(event_of(reader, "target") for reader in readers))
        assert {view["target"] for view in views} == {"db"}
        assert await asyncio.to_thread(stream_answer, daemon) == (503, "10")
        # Who leaves makes room.
        await stack.aclose()
    async with asyncio.timeout(20):
        while (await asyncio.to_thread(stream_answer, daemon))[0] != 200:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)


def stream_answer(daemon: Headroom) -> tuple[int, str | None]:
    """Return the status and when to ask again, and leave before the stream begins."""
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=10)
    try:
        connection.request("GET", "/api/v1/stream?target=db")
        response = connection.getresponse()
        return response.status, response.headers["Retry-After"]
    finally:
        connection.close()


def deaf_listener(daemon: Headroom) -> socket.socket:
    """Ask for the stream and never read, with as little room for what comes as can be had."""
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    deaf.connect(("127.0.0.1", daemon.port))
    deaf.sendall(b"GET /api/v1/stream?target=db HTTP/1.1\r\nHost: x\r\n\r\n")
    return deaf


async def test_a_slow_one_holds_nobody_up(
    pg: Postgres, make_headroom: MakeHeadroom, clients: Clients
) -> None:
    for number in range(10):
        clients.fill(pg.tcp, 1, application_name=f"{chr(97 + number)}" * 40)
    daemon = make_headroom(config(pg))
    daemon.ready()
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(deaf_listener(daemon))
        async with asyncio.timeout(30), listening(daemon) as reader:
            for _ in range(5):
                began = time.monotonic()
                await event_of(reader, "target")
                assert time.monotonic() - began < 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_ends_quickly_while_pages_are_open(
    pg: Postgres, make_headroom: MakeHeadroom, number: signal.Signals
) -> None:
    """And the pages hear the end of the stream; also with one that does not listen."""
    daemon = make_headroom(config(pg))
    daemon.ready()
    with deaf_listener(daemon):
        async with asyncio.timeout(30), listening(daemon) as reader, listening(daemon, "") as other:
            await event_of(reader, "target")
            await event_of(other, "targets")
            began = time.monotonic()
            assert await asyncio.to_thread(daemon.stop, number) == 0
            # aiohttp would wait a minute for them; an interpreter on a busy machine takes seconds
            assert time.monotonic() - began < 20
            await reader.read()
            assert reader.at_eof()
    assert "level=error" not in daemon.log.read()
    assert "Traceback" not in daemon.log.read()


def test_what_happened_is_told_and_outlasts_a_restart(
    pg: Postgres, make_headroom: MakeHeadroom, clients: Clients, tmp_path: Path
) -> None:
    """The list of the page, of /api/v1/events and of the log are one."""
    settings = f'state_directory: "{tmp_path}"\n{config(pg)}'
    daemon = make_headroom(settings)
    daemon.ready()
    clients.fill(pg.tcp, application_name="checkout-api")

    def told(kind: str) -> list[Json]:
        found = simple.get_json(f"{daemon.url}/api/v1/events")["events"]
        return [one for one in found if one["kind"] == kind]

    until(lambda: bool(told("alert_begins")), 10, "an event")
    clients.close()
    until(lambda: bool(told("recovers")), 15, "the recovery")
    (begins,) = [
        one for one in told("alert_begins") if one["alertname"] == "PostgresConnectionsExhausted"
    ]
    assert (begins["level"], begins["target"]) == ("critical", "db")
    assert begins["application_name"] == "checkout-api"
    assert begins["words"].startswith("FULL: 0 of 15 slots free, ")
    assert begins["words"] in daemon.log.read()
    assert begins in target(daemon)["events"]
    status, _, body = get(daemon, "/api/v1/events?target=db")
    assert (status, begins in json.loads(body)["events"]) == (200, True)
    assert get(daemon, "/api/v1/events?target=other")[0] == 404
    daemon.stop()
    daemon = make_headroom(settings)
    daemon.ready()
    assert begins in simple.get_json(f"{daemon.url}/api/v1/events")["events"]
