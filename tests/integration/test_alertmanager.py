"""Tests that every Alertmanager is notified at once and as long as needed, each by itself."""

import asyncio
import socket
import statistics
import time
from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pytest
import pytest_asyncio
import structlog
from aiohttp import web
from tests.integration.conftest import MakeHeadroom
from tests.support.fixtures.logs import show_on_failure
from tests.support.needs import need
from tests.support.servers.alertmanager import Alertmanager
from tests.support.servers.guarded_alertmanager import PASSWORD, USER, GuardedAlertmanager
from tests.support.servers.ports import LOOPBACK, free_port
from tests.support.servers.postgres import Postgres
from tests.support.servers.wait import auntil, until

from pgheadroom.board import Board
from pgheadroom.metrics.own import SelfMetrics
from pgheadroom.model.alert import Alert, AlertName, Severity
from pgheadroom.net.credentials import Credentials
from pgheadroom.notify.alertmanager import Notifier
from pgheadroom.notify.notification import NotificationOptions
from pgheadroom.state import State
from pgheadroom.watch.jobs import Jobs

SECRET = "gar-nicht-geheim-4711"  # noqa: S105 - planted, to be looked for
NOBODY = "{route: {receiver: nobody}, receivers: [{name: nobody}]}"
WEBHOOK = """
route: {receiver: pager, group_by: [alertname, target], group_wait: 0s, group_interval: 1s}
receivers:
  - name: pager
    webhook_configs: [{url: "%s", send_resolved: true}]
"""
OFTEN = NotificationOptions(resend_seconds=0.5)

MakeAlertmanager = Callable[[str], Alertmanager]
LogLines = list[MutableMapping[str, Any]]


def alert(name: AlertName = AlertName.EXHAUSTED, **changes: Any) -> Alert:  # noqa: ANN401 - any field
    made = Alert(
        name, Severity.CRITICAL, time.time(), "0 of 97 slots are left; api-* holds 61.", "api-*"
    )
    return replace(made, **changes)


class Paging:
    """What the daemon runs to tell *urls*, but for the samplers: the test publishes instead."""

    def __init__(
        self, urls: list[str], options: NotificationOptions, credentials: Credentials
    ) -> None:
        self.board = Board(["db"])
        self.own = SelfMetrics()
        self.notifier = Notifier(urls, options, credentials, self.board, self.own)
        self._jobs = Jobs(self.own)
        for alertmanager in self.notifier.alertmanagers:
            self._jobs.repeat("page", alertmanager.turn)

    def fires(self, *alerts: Alert) -> None:
        """Publish that *alerts*, and no others, fire."""
        self.board.publish(State("db", alerts=alerts))

    def metric(self, name: str, **labels: str) -> float | None:
        """Return the value of one of the daemon's own series."""
        return self.own.registry.get_sample_value(f"pgheadroom_{name}", labels)

    async def end(self) -> None:
        """End as the daemon does."""
        await self._jobs.end()
        await Jobs(self.own).guarded("page", self.notifier.flush)()
        assert self.metric("bugs_total", job="page") == 0


class MakePaging(Protocol):
    """Begins to tell Alertmanagers."""

    def __call__(
        self, *urls: str, options: NotificationOptions = ..., credentials: Credentials = ...
    ) -> Paging:
        """Return what does."""
        ...


@pytest_asyncio.fixture
async def make_paging() -> AsyncIterator[MakePaging]:
    """Return a function that begins to tell Alertmanagers, which ends with the test."""
    made: list[Paging] = []

    def make(
        *urls: str,
        options: NotificationOptions = NotificationOptions(),  # noqa: B008 - a frozen value
        credentials: Credentials = Credentials(),  # noqa: B008 - a frozen value
    ) -> Paging:
        made.append(Paging(list(urls), options, credentials))
        return made[-1]

    yield make
    for paging in made:
        await paging.end()


MakeGuarded = Callable[[bool], GuardedAlertmanager]


@pytest.fixture
def make_guarded(request: pytest.FixtureRequest) -> Iterator[MakeGuarded]:
    """Return a function that starts an Alertmanager which wants TLS and a password."""
    with ExitStack() as stack:

        def make(mutual: bool) -> GuardedAlertmanager:  # noqa: FBT001 - the one thing that differs
            server = GuardedAlertmanager(need("alertmanager"), NOBODY, mutual=mutual)
            show_on_failure(request, "log of Alertmanager", server.log.read)
            return stack.enter_context(server)

        yield make


class Receiver:
    """What is posted to it, by an answer that the real Alertmanager cannot be made to give."""

    def __init__(self) -> None:
        self.status = 200
        self.headers: dict[str, str] = {}
        self.wanted: str | None = None
        """The Authorization without which it answers 401."""
        self.posts: list[Any] = []
        self.accepted: list[Any] = []
        self.arrived: list[float] = []
        self.url = ""

    async def _post(self, request: web.Request) -> web.Response:
        self.arrived.append(time.monotonic())
        body = await request.json()
        self.posts.append(body)
        if self.wanted is not None and request.headers.get("Authorization") != self.wanted:
            return web.Response(status=401, text=f"not {request.headers.get('Authorization')}")
        if self.status == 200:
            self.accepted.append(body)
        return web.Response(status=self.status, headers=self.headers)

    async def serve(self) -> web.AppRunner:
        """Listen; return what ends it."""
        app = web.Application()
        app.router.add_post("/{path:.*}", self._post)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, LOOPBACK, 0).start()
        self.url = f"http://{LOOPBACK}:{runner.addresses[0][1]}"
        return runner


@pytest_asyncio.fixture
async def receivers() -> AsyncIterator[list[Receiver]]:
    """Return two receivers of posts."""
    made = [Receiver(), Receiver()]
    runners = [await receiver.serve() for receiver in made]
    yield made
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
def log() -> Iterator[LogLines]:
    """Return the list to which every line of log is added."""
    with structlog.testing.capture_logs() as lines:
        yield lines


def frozen() -> socket.socket:
    """Return a listener whose connections are accepted by the kernel and never answered."""
    return socket.create_server((LOOPBACK, 0))


async def shown(
    server: Alertmanager | GuardedAlertmanager, count: int, seconds: float = 10.0
) -> list[dict[str, Any]]:
    """Wait until *server* shows *count* active alerts, and return them."""
    found: list[dict[str, Any]] = []

    async def as_many() -> bool:
        found[:] = await asyncio.to_thread(server.alerts)
        return len(found) == count

    await auntil(as_many, seconds, f"{count} active alerts")
    return found


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


async def test_a_new_alert_arrives_whole_and_at_once(
    make_alertmanager: MakeAlertmanager, make_paging: MakePaging
) -> None:
    server = make_alertmanager(NOBODY)
    options = NotificationOptions(30.0, {"team": "payments"}, "https://headroom.example")
    paging = make_paging(server.url, options=options)
    fires = alert(about=(("role", "app"),))
    paging.fires(fires)
    (found,) = await shown(server, 1, 1.0)
    assert found["labels"] == {
        "alertname": "PostgresConnectionsExhausted",
        "severity": "critical",
        "target": "db",
        "role": "app",
        "team": "payments",
    }
    assert found["annotations"] == {
        "summary": "db: No connection slot is left for applications (app): api-*",
        "description": "0 of 97 slots are left; api-* holds 61. Stop api-* from growing: scale it"
        " down or roll back its last deploy, then end its idle sessions. Do not restart"
        " PostgreSQL: the application would refill its pools.",
        "runbook_url": fires.runbook_url,
        "application_name": "api-*",
    }
    assert found["generatorURL"] == "https://headroom.example/targets/db"
    assert moment(found["startsAt"]) == pytest.approx(fires.since, abs=0.002)
    assert moment(found["endsAt"]) == pytest.approx(time.time() + 120, abs=10)


async def test_it_leaves_within_a_tenth_of_a_second(
    receivers: list[Receiver], make_paging: MakePaging
) -> None:
    receiver = receivers[0]
    paging = make_paging(receiver.url)
    await auntil(lambda: receiver.posts == [[]], 5, "empty post")
    took = []
    for number, name in enumerate([*AlertName][:9]):
        published = time.monotonic()
        paging.fires(alert(name))
        count = number + 2
        await auntil(lambda count=count: len(receiver.posts) == count, 5, "post")  # type: ignore[misc] # mypy infers no type for a default
        took.append(receiver.arrived[-1] - published)
    assert statistics.median(took) < 0.1


async def test_what_every_sample_says_anew_is_posted_on_the_beat_alone(
    receivers: list[Receiver], make_paging: MakePaging
) -> None:
    """Figures, and a culprit that changes with each sample; the post has the newest of them."""
    receiver = receivers[0]
    paging = make_paging(receiver.url, options=NotificationOptions(resend_seconds=3.0))
    await auntil(lambda: receiver.posts == [[]], 5, "empty post")
    since, began = time.time(), time.monotonic()
    paging.fires(alert(since=since))
    await auntil(lambda: len(receiver.posts) == 2, 5, "first alert")
    samples = 0
    while len(receiver.posts) < 4:
        samples += 1
        name = "api" if samples % 2 else "jobs"
        words = f"{samples} of 97 slots are left; {name} holds 61."
        paging.fires(
            alert(since=since, description=words, application_name=name, told_at=time.time())
        )
        await asyncio.sleep(0.02)
    assert time.monotonic() - began > 5
    assert samples > 50
    newest = receiver.posts[3][0]["annotations"]["description"]
    assert newest.startswith("At 2")
    told = int(newest.partition("UTC: ")[2].partition(" of")[0])
    assert samples - told < 20


async def test_a_firing_alert_never_expires_and_ends_when_it_resolves(
    make_alertmanager: MakeAlertmanager, make_paging: MakePaging
) -> None:
    """It would within two seconds, were it not told again."""
    server = make_alertmanager(NOBODY)
    paging = make_paging(server.url, options=OFTEN)
    paging.fires(alert())
    (first,) = await shown(server, 1)

    async def outlived() -> bool:
        (now,) = await asyncio.to_thread(server.alerts)
        assert now["fingerprint"] == first["fingerprint"]
        assert moment(now["startsAt"]) == moment(first["startsAt"])
        return time.time() > moment(first["endsAt"]) + 1

    await auntil(outlived, 10, "moment at which it would have expired")
    paging.fires()
    assert await shown(server, 0, 1.0) == []


async def test_what_was_told_survives_a_restart_of_alertmanager(
    make_alertmanager: MakeAlertmanager, make_paging: MakePaging
) -> None:
    """Alertmanager keeps no alerts on disk: it has them back on the next beat."""
    server = make_alertmanager(NOBODY)
    paging = make_paging(server.url, options=OFTEN)
    paging.fires(alert())
    await shown(server, 1)
    await asyncio.to_thread(server.stop)
    await asyncio.to_thread(server.start)
    await shown(server, 1)


async def test_one_that_is_down_at_first_is_told_later(
    make_alertmanager: MakeAlertmanager, make_paging: MakePaging, log: LogLines
) -> None:
    """The other one is told at once, and the late one what holds by then, not what held before."""
    up, late = make_alertmanager(NOBODY), make_alertmanager(NOBODY)
    await asyncio.to_thread(late.stop)
    paging = make_paging(up.url, late.url)
    paging.fires(alert(AlertName.RESERVE), alert())
    await shown(up, 2, 1.0)
    name = f"{LOOPBACK}:{late.port}"
    failed = partial(paging.metric, "alertmanager_posts_total", alertmanager=name, outcome="error")
    await auntil(lambda: (failed() or 0) >= 2, 10, "second failure")
    assert paging.metric("alertmanager_up", alertmanager=name) == 0
    paging.fires(alert())
    await shown(up, 1, 1.0)
    await asyncio.to_thread(late.start)
    (found,) = await shown(late, 1, 20)
    assert found["labels"]["alertname"] == "PostgresConnectionsExhausted"
    up_again = partial(paging.metric, "alertmanager_up", alertmanager=name)
    await auntil(lambda: up_again() == 1, 5, "metric")
    of_late = [line["event"] for line in log if line["alertmanager"] == name]
    assert of_late == ["alertmanager does not accept alerts", "alertmanager accepts alerts again"]


async def test_a_frozen_one_delays_nobody(
    make_alertmanager: MakeAlertmanager, make_paging: MakePaging
) -> None:
    """Neither the others, nor who publishes, nor the end."""
    server = make_alertmanager(NOBODY)
    with frozen() as deaf:
        paging = make_paging(f"http://{LOOPBACK}:{deaf.getsockname()[1]}", server.url)
        began = time.monotonic()
        for number in range(100):
            paging.fires(alert(description="x" * (number + 1)))
        assert time.monotonic() - began < 0.5
        await shown(server, 1, 1.0)
        paging.fires()
        await shown(server, 0, 1.0)
        paging.fires(alert())
        began = time.monotonic()
        await paging.end()
        assert time.monotonic() - began < 1
        await shown(server, 1, 1.0)


async def test_the_last_words_are_what_is_new(
    receivers: list[Receiver], make_paging: MakePaging
) -> None:
    """An end resolves nothing, and what is known already is not told again."""
    receiver = receivers[0]
    paging = make_paging(receiver.url)
    await auntil(lambda: receiver.posts == [[]], 5, "empty post")
    paging.fires(alert())
    await auntil(lambda: len(receiver.posts) == 2, 5, "first alert")
    await auntil(
        lambda: (
            paging.metric(
                "alertmanager_posts_total",
                alertmanager=paging.notifier.alertmanagers[0].name,
                outcome="ok",
            )
            == 2
        ),
        5,
        "answer",
    )
    paging.fires(alert(), alert(AlertName.RESERVE))
    await paging.end()
    (last,) = receiver.posts[2:]
    assert [told["labels"]["alertname"] for told in last] == ["PostgresReservedSlotsInUse"]
    assert moment(last[0]["endsAt"]) > time.time() + 60


@pytest.mark.parametrize("mutual", [False, True])
async def test_tls_a_password_and_a_path(
    make_guarded: MakeGuarded,
    make_paging: MakePaging,
    tmp_path: Path,
    log: LogLines,
    mutual: bool,  # noqa: FBT001 - parametrized
) -> None:
    """A wrong password is told once; when its file is put right, the alert arrives."""
    server = make_guarded(mutual)
    password = tmp_path / "password"
    password.write_text(SECRET)
    paging = make_paging(
        server.url,
        options=OFTEN,
        credentials=Credentials(
            username=USER,
            password_file=password,
            ca_file=server.certificate,
            cert_file=server.certificate if mutual else None,
            key_file=server.key if mutual else None,
        ),
    )
    paging.fires(alert())
    name = f"localhost:{server.port}/am"
    posts = partial(paging.metric, "alertmanager_posts_total", alertmanager=name)
    await auntil(lambda: (posts(outcome="error") or 0) >= 2, 10, "second refusal")
    password.write_text(f"\ufeff{PASSWORD}\n")  # a byte-order mark is no part of it
    await shown(server, 1)
    await auntil(lambda: posts(outcome="ok"), 5, "metric")
    told = [(line["event"], line.get("reason")) for line in log]
    assert told == [
        ("alertmanager does not accept alerts", "it answered with HTTP status 401"),
        ("alertmanager accepts alerts again", None),
    ]
    assert SECRET not in str(log)


async def test_a_server_that_nobody_vouches_for_is_told_nothing(
    make_guarded: MakeGuarded, make_paging: MakePaging, tmp_path: Path, log: LogLines
) -> None:
    server = make_guarded(False)  # noqa: FBT003 - without a certificate of ours
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    paging = make_paging(server.url, credentials=Credentials(username=USER, password_file=password))
    paging.fires(alert())
    await auntil(lambda: log, 5, "line of log")
    assert "CERTIFICATE_VERIFY_FAILED" in log[0]["reason"]
    assert server.alerts() == []


async def test_a_token_is_read_anew_for_each_post(
    receivers: list[Receiver], make_paging: MakePaging, tmp_path: Path, log: LogLines
) -> None:
    receiver, token = receivers[0], tmp_path / "token"
    receiver.wanted = "Bearer second"
    token.write_text("first\n")
    make_paging(
        receiver.url + "/base/", options=OFTEN, credentials=Credentials(bearer_token_file=token)
    )
    await auntil(lambda: receiver.posts, 5, "refused post")
    assert receiver.accepted == []
    token.write_text("second\n")
    await auntil(lambda: receiver.accepted, 5, "accepted post")
    assert "first" not in str(log)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"bearer_token_file": "missing"}, "cannot read {}/missing: No such file or directory"),
        ({"bearer_token_file": "empty"}, "{}/empty does not hold a token"),
        ({"bearer_token_file": "secret"}, "{}/secret does not hold a token"),
        ({"bearer_token_file": "binary"}, "{}/binary is not UTF-8"),
        ({"username": "x", "password_file": "missing"}, "cannot read {}/missing: "),
        ({"ca_file": "missing"}, "cannot use {}/missing: No such file or directory"),
        ({"ca_file": "secret"}, "cannot use {}/secret: "),
        ({"cert_file": "secret", "key_file": "secret"}, "cannot use {0}/secret with {0}/secret: "),
    ],
)
async def test_a_file_that_cannot_be_used_is_told_before_it_is_needed(
    receivers: list[Receiver],
    make_paging: MakePaging,
    tmp_path: Path,
    log: LogLines,
    wrong: dict[str, str],
    told: str,
) -> None:
    """No alert fires, and nothing of what the file holds is told."""
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "secret").write_text(f"{SECRET}\nX-Header: x\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    files = {key: value if key == "username" else tmp_path / value for key, value in wrong.items()}
    make_paging(receivers[0].url, credentials=Credentials(**files))  # type: ignore[arg-type] # the keys say which are paths
    await auntil(lambda: log, 5, "line of log")
    assert log[0]["event"] == "alertmanager does not accept alerts"
    assert log[0]["reason"].startswith(told.format(tmp_path))
    assert SECRET not in str(log)
    assert receivers[0].posts == []


async def test_a_refused_post_is_not_repeated_before_the_beat(
    receivers: list[Receiver], make_paging: MakePaging, log: LogLines
) -> None:
    """While one that has trouble of its own is tried again and again; each is told once."""
    refusing, troubled = receivers
    refusing.status, troubled.status = 400, 503
    paging = make_paging(refusing.url, troubled.url)
    await auntil(lambda: refusing.posts and troubled.posts, 5, "empty posts")
    paging.fires(alert())
    await auntil(lambda: len(troubled.posts) >= 5, 20, "fifth try")
    assert [len(body) for body in refusing.posts] == [0, 1]
    assert [line["reason"] for line in log] == [
        "it answered with HTTP status 400",
        "it answered with HTTP status 503",
    ]
    paging.fires(alert(), alert(AlertName.RESERVE))
    await auntil(lambda: len(refusing.posts) == 3, 5, "post of what is new")


@pytest.mark.parametrize("status", [408, 429, 500])
async def test_trouble_of_the_moment_is_tried_again_soon(
    receivers: list[Receiver], make_paging: MakePaging, status: int
) -> None:
    receiver = receivers[0]
    receiver.status = status
    paging = make_paging(receiver.url)
    paging.fires(alert())
    await auntil(lambda: len(receiver.posts) >= 2, 5, "second try")
    receiver.status = 200
    await auntil(lambda: receiver.accepted, 5, "accepted post")
    (told,) = receiver.accepted[0]
    assert told["labels"]["alertname"] == "PostgresConnectionsExhausted"


async def test_a_redirect_is_not_followed(
    receivers: list[Receiver], make_paging: MakePaging, log: LogLines
) -> None:
    """Credentials are for the address that was configured."""
    elsewhere, redirecting = receivers
    redirecting.status, redirecting.headers = 307, {"Location": elsewhere.url}
    make_paging(redirecting.url)
    await auntil(lambda: log, 5, "line of log")
    assert log[0]["reason"] == "it answered with HTTP status 307"
    assert elsewhere.posts == []


async def test_a_name_that_leads_nowhere(make_paging: MakePaging, log: LogLines) -> None:
    paging = make_paging("http://nowhere.invalid:9093")
    await auntil(lambda: log, 20, "line of log")
    assert log[0]["alertmanager"] == "nowhere.invalid:9093"
    assert paging.metric("alertmanager_up", alertmanager="nowhere.invalid:9093") == 0


async def test_the_page_reaches_a_person_with_a_hostile_name_made_harmless(
    receivers: list[Receiver], make_alertmanager: MakeAlertmanager, make_paging: MakePaging
) -> None:
    """Through the real Alertmanager to a webhook, when it fires and when it resolves."""
    webhook = receivers[0]
    server = make_alertmanager(WEBHOOK % webhook.url)
    paging = make_paging(server.url)
    name = "<!channel> @here \u202e[log in](https://evil.example)\n"
    paging.fires(alert(description=f"It is {name}.", application_name=name))
    await auntil(lambda: webhook.posts, 10, "page")
    page = webhook.posts[0]
    assert page["status"] == "firing"
    (told,) = page["alerts"]
    assert told["labels"]["alertname"] == "PostgresConnectionsExhausted"
    for text in (
        told["annotations"]["description"],
        told["annotations"]["application_name"],
    ):
        assert text.isprintable()
        assert "evil.example" in text
        for active in ("<!", "@", "](", "https://"):
            assert active in name
            assert active not in text
    paging.fires()
    await auntil(lambda: webhook.posts[-1]["status"] == "resolved", 10, "end of it")


def test_the_daemon_tells_them(
    make_alertmanager: MakeAlertmanager, make_headroom: MakeHeadroom, tmp_path: Path
) -> None:
    """Whether it could is on its page and in its log before anything fires; its end is clean."""
    server = make_alertmanager(NOBODY)
    token = tmp_path / "token"
    token.write_text(SECRET)
    gone = f"{LOOPBACK}:{free_port()}"
    daemon = make_headroom(
        f"""
targets: {{db: "host=127.0.0.1 port={free_port()} user=x"}}
alertmanager_urls: ["{server.url}", "http://{gone}"]
alertmanager_bearer_token_file: {token}
"""
    )
    up = 'pgheadroom_alertmanager_up{alertmanager="%s"}'
    there = f"{LOOPBACK}:{server.port}"
    until(lambda: daemon.metric(up % there) == 1, 5, "accepted post")
    until(lambda: daemon.metric(up % gone) == 0, 5, "failed post")
    posts = 'pgheadroom_alertmanager_posts_total{alertmanager="%s",outcome="%s"}'
    assert daemon.metric(posts % (there, "ok")) == 1
    assert daemon.metric(posts % (there, "error")) == 0
    began = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - began < 3
    said = daemon.log.read()
    assert f'event="alertmanager accepts alerts" alertmanager={there}' in said
    assert f'event="alertmanager does not accept alerts" alertmanager={gone}' in said
    assert "level=error" not in said
    assert SECRET not in said


@pytest.mark.majors(17)
def test_samples_go_on_beside_a_frozen_one(pg: Postgres, make_headroom: MakeHeadroom) -> None:
    with frozen() as deaf:
        name = f"{LOOPBACK}:{deaf.getsockname()[1]}"
        daemon = make_headroom(
            f'interval_seconds: 0.2\ntargets: {{db: "{pg.dsn()}"}}\nalertmanager_urls: ["http://{name}"]\n'
        )
        daemon.ready()
        errors = f'pgheadroom_alertmanager_posts_total{{alertmanager="{name}",outcome="error"}}'
        ages = []

        def failed() -> bool:
            at = daemon.metric('pgheadroom_sample_timestamp_seconds{target="db"}')
            assert at is not None
            ages.append(datetime.now(UTC).timestamp() - at)
            return daemon.metric(errors) == 1

        until(failed, 10, "end of the hung post")
        assert len(ages) > 10
        assert max(ages) < 2
