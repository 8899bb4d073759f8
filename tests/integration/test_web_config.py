"""Tests a daemon with a web configuration file: who gets in, who does not, and how fast."""

import itertools
import runpy
import shutil
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Protocol

import pytest
from tests.support.fixtures.logs import show_on_failure
from tests.support.fixtures.programs import MakePrometheus
from tests.support.parts import hand_over
from tests.support.servers.guarded_headroom import (
    LOGIN,
    PASSWORD,
    USER,
    GuardedHeadroom,
    authorization,
    hashed,
)
from tests.support.servers.headroom import run
from tests.support.servers.ports import LOOPBACK, free_port
from tests.support.servers.postgres import Postgres
from tests.support.servers.scratch import make_folder, remove_folder
from tests.support.servers.tls import make_certificate
from tests.support.servers.wait import until

from pgheadroom.web.auth import MOST_CHECKS

pytestmark = pytest.mark.majors(17)

HEALTHCHECK = Path(__file__).parents[2] / "deploy" / "healthcheck.py"

TLS = "tls_server_config: {cert_file: server.crt, key_file: server.key}\n"
MUTUAL = """
tls_server_config:
  cert_file: server.crt
  key_file: server.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: server.crt
"""


def users(cost: int = 4) -> str:
    return f'basic_auth_users: {{{USER}: "{hashed(PASSWORD, cost)}"}}\n'


def trusting(certificate: Path, own: tuple[Path, Path] | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=certificate)
    if own:
        context.load_cert_chain(*own)
    return context


class MakeGuarded(Protocol):
    """Starts a daemon with *web* as its web configuration file."""

    def __call__(self, web: str, *, config: str = "", mutual: bool = False) -> GuardedHeadroom:
        """Return the running daemon."""
        ...


@pytest.fixture
def make(request: pytest.FixtureRequest) -> Iterator[MakeGuarded]:
    """Return a function that starts a daemon with a web configuration file.

    Where that says TLS, there is a certificate; with *mutual* the daemon's own is ours as well.
    What it watches is down, unless *config* says otherwise.
    """
    with ExitStack() as stack:
        folder = make_folder()
        stack.callback(remove_folder, folder)

        def make(web: str, *, config: str = "", mutual: bool = False) -> GuardedHeadroom:
            pair = make_certificate(folder)
            hand_over(folder)
            trust = trusting(pair[0], pair if mutual else None) if "cert_file" in web else None
            config = config or f'targets: {{db: "host={LOOPBACK} port={free_port()}"}}'
            daemon = GuardedHeadroom(folder, config, web, trust)
            show_on_failure(request, "log of pgheadroom", daemon.log.read)
            return stack.enter_context(daemon)

        yield make


_CLOSED = ("EOF", "certificate required", "connection reset by peer", "broken pipe")
"""How Prometheus puts a connection that is closed on it in the middle of a handshake."""


def shown(daemon: GuardedHeadroom) -> str:
    """Return the certificate that the daemon shows to who does not name it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection((LOOPBACK, daemon.port)) as plain,
        context.wrap_socket(plain) as connection,
    ):
        found = connection.getpeercert(binary_form=True)
        assert found
        return ssl.DER_cert_to_PEM_cert(found).strip()


def test_prometheus_scrapes_it(make: MakeGuarded, make_prometheus: MakePrometheus) -> None:
    """With a certificate and a password; without either of them it is told why it may not."""
    daemon = make(MUTUAL + users(), mutual=True)
    ours = f"ca_file: {daemon.folder}/server.crt"
    both = f"{ours}, cert_file: {daemon.folder}/server.crt, key_file: {daemon.folder}/server.key"
    jobs = {
        "right": (both, PASSWORD),
        "no-certificate": (ours, PASSWORD),
        "wrong-password": (both, "falsch"),
    }
    prometheus = make_prometheus(
        "global: {scrape_interval: 1s}\nscrape_configs:\n"
        + "".join(
            f"  - job_name: {name}\n    scheme: https\n    tls_config: {{{tls}}}\n"
            f'    basic_auth: {{username: {USER}, password: "{password}"}}\n'
            f'    static_configs: [{{targets: ["{LOOPBACK}:{daemon.port}"]}}]\n'
            for name, (tls, password) in jobs.items()
        )
    )

    def tried() -> dict[str, str]:
        found = prometheus.targets()
        if any(target["health"] == "unknown" for target in found):
            return {}
        return {target["labels"]["job"]: target["lastError"] for target in found}

    errors = until(tried, 20, "scrape of each job")
    assert errors["right"] == ""
    # asyncio closes the connection of a failed handshake, often before it has said why.
    assert errors["no-certificate"].endswith(_CLOSED)
    assert "401" in errors["wrong-password"]
    until(partial(prometheus.query, 'pgheadroom_build_info{job="right"}'), 20, "series")


def test_who_cannot_log_in_gets_nothing(make: MakeGuarded) -> None:
    daemon = make(users() + "http_server_config: {headers: {X-Frame-Options: deny}}")
    for path in ("/", "/metrics", "/-/healthy", "/-/ready", "/api/v1/stream", "/nothing"):
        status, headers, body = daemon.ask(path, login=None)
        assert (status, b"pgheadroom" in body) == (401, False)
        assert headers["WWW-Authenticate"].startswith("Basic ")
        assert headers["X-Frame-Options"] == "deny"
    for login in ((USER, "falsch"), ("otto", PASSWORD), ("", ""), (USER, PASSWORD + "x" * 80)):
        assert daemon.ask("/metrics", login)[0] == 401
    for header in ("Basic", "Basic ?", "Basic YW5uYQ==", "Bearer YW5uYTp4", "Basic \xe4"):
        assert daemon.ask("/metrics", None, Authorization=header)[0] == 401
    status, headers, _ = daemon.ask("/metrics")
    assert (status, headers["X-Frame-Options"]) == (200, "deny")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert daemon.ask("/nothing")[0] == 404


@pytest.mark.parametrize(
    ("web", "mutual"),
    [
        (users(), False),
        (TLS + users(), False),
        (MUTUAL, True),
        (MUTUAL + "  max_version: TLS12", True),
    ],
    ids=["login", "TLS", "certificate", "certificate TLS 1.2"],
)
def test_the_image_s_health_check_needs_no_login(
    make: MakeGuarded, web: str, *, mutual: bool
) -> None:
    check = runpy.run_path(str(HEALTHCHECK))
    daemon = make(web, mutual=mutual)
    command = ["serve", "--listen", f":{daemon.port}", "--web.config.file"]
    listener = check["listener"]([*command, str(daemon.folder / "web.yml")], {})
    assert check["healthy"](listener)
    daemon.stop()
    assert not check["healthy"](listener)


def test_events_come_to_who_has_logged_in(make: MakeGuarded) -> None:
    daemon = make(TLS + users())
    connection = daemon.connect()
    connection.request("GET", "/api/v1/stream", headers={"Authorization": authorization()})
    answer = connection.getresponse()
    assert answer.status == 200
    assert answer.readline() == b"event: targets\n"
    connection.close()


def test_its_log_says_https_and_no_secret(make: MakeGuarded) -> None:
    daemon = make(TLS + users())
    daemon.ask("/metrics", (USER, "ein-falsches"))
    assert daemon.stop() == 0
    log = daemon.log.read()
    assert f"address=https://{LOOPBACK}:{daemon.port}" in log
    for secret in ("$2", PASSWORD, "ein-falsches"):
        assert secret not in log


def test_a_client_needs_a_certificate_with_an_allowed_name(make: MakeGuarded) -> None:
    daemon = make(MUTUAL + "  client_allowed_sans: [prometheus.example, 127.0.0.1]", mutual=True)
    with pytest.raises(OSError, match=r"certificate required|reset|closed"):
        daemon.ask("/metrics", trust=trusting(daemon.folder / "server.crt"))
    assert daemon.ask("/metrics")[0] == 200
    daemon.stop()
    other = (daemon.folder / "web.yml").read_text().replace("127.0.0.1", "127.0.0.2")
    (daemon.folder / "web.yml").write_text(other)
    daemon.start()
    assert {daemon.ask(path)[0] for path in ("/metrics", "/-/healthy", "/nothing")} == {403}


def test_a_certificate_is_renewed_without_a_restart(make: MakeGuarded, tmp_path: Path) -> None:
    """And while its file is broken, or does not fit its key, the old one is shown."""
    daemon = make(MUTUAL, mutual=True)
    served, key = daemon.folder / "server.crt", daemon.folder / "server.key"
    old = served.read_text().strip()
    old_trust = trusting(served, (served, key))
    (tmp_path / "new").mkdir()
    new = make_certificate(tmp_path / "new")
    kept = shutil.copy(served, tmp_path)
    served.write_text("-----BEGIN CERTIFICATE-----\n")
    assert shown(daemon) == old
    assert "cannot reload the certificate" in daemon.log.read()
    shutil.copy(new[0], served)
    assert shown(daemon) == old
    shutil.copy(new[1], key)
    assert shown(daemon) == new[0].read_text().strip()
    assert daemon.ask("/-/healthy", trust=trusting(new[0], new))[0] == 200
    # The same file says whose certificate is good: ours of before no longer is.
    old_trust.load_verify_locations(new[0])
    with pytest.raises(OSError, match=r"unknown ca|decrypt error|reset|closed"):
        daemon.ask("/-/healthy", trust=old_trust)
    assert Path(kept).read_text().strip() == old


def test_a_flood_of_wrong_logins_holds_nothing_up(pg: Postgres, make: MakeGuarded) -> None:
    """Sampling stays on time, who has logged in before is answered, and it ends when told."""
    daemon = make(users(cost=12), config=f'targets: {{db: "{pg.dsn()}"}}')
    newest = 'pgheadroom_sample_timestamp_seconds{target="db"}'
    until(lambda: daemon.metric(newest) is not None, 10, "sample")
    answers: list[int] = []
    threads = [
        threading.Thread(
            target=lambda n: answers.append(daemon.ask("/metrics", ("otto", f"{n}"))[0]), args=[n]
        )
        for n in range(50)
    ]
    samples, slowest = [daemon.metric(newest)], 0.0
    for thread in threads:
        thread.start()
    while len(answers) < len(threads) and any(thread.is_alive() for thread in threads):
        began = time.monotonic()
        samples.append(daemon.metric(newest))
        slowest = max(slowest, time.monotonic() - began)
        time.sleep(0.05)  # as often as that is enough to see every sample
    for thread in threads:
        thread.join()
    assert sorted(set(answers)) == [401, 503]
    assert answers.count(401) >= MOST_CHECKS
    at = sorted({sample for sample in samples if sample is not None})
    assert len(at) >= 3
    assert max(after - before for before, after in itertools.pairwise(at)) < 2.5
    assert slowest < 1
    assert daemon.ask("/metrics", ("otto", "again"))[0] == 401
    assert daemon.stop() == 0


def test_it_ends_when_told_in_the_middle_of_comparisons(make: MakeGuarded) -> None:
    """It waits for the one that is under way, and not for the dozen that are to come."""
    daemon = make(users(cost=14))
    assert daemon.ask("/metrics")[0] == 200
    with ExitStack() as stack:
        for number in range(12):
            connection = daemon.connect()
            stack.callback(connection.close)
            wrong = {"Authorization": authorization(("otto", str(number)))}
            connection.request("GET", "/metrics", headers=wrong)
        assert daemon.ask("/metrics")[0] == 200
        began = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - began < 8
    assert "Traceback" not in daemon.log.read()


def test_what_is_wrong_with_it_is_told_at_once(tmp_path: Path) -> None:
    """By serve and by check; the files that it names are looked at as well."""
    (tmp_path / "server.crt").write_text("no certificate")
    web = tmp_path / "web.yml"
    web.write_text(
        "tls_server_config: {cert_file: server.crt, key_file: none.key, curve_preferences: [P1]}\n"
        "basic_auth_users: {anna: ganz-offen}\nrate_limit: {burst: 1}\n"
    )
    for command in ("serve", "check"):
        done = run(command, "--dsn", "host=db", "--web.config.file", str(web))
        assert done.returncode == 2
        for word in ("curve_preferences: not supp", "none.key: No such", "anna: ", "rate_limit: "):
            assert f"{word}" in done.stderr
        assert "ganz-offen" not in done.stderr
    shutil.copy(web, tmp_path / "server.key")
    web.write_text(TLS)
    done = run("serve", "--dsn", "host=db", PGHEADROOM_WEB_CONFIG_FILE=str(web))
    assert (done.returncode, done.stdout) == (2, "")
    assert "cannot use" in done.stderr


def test_logging_in_is_compared_once(make: MakeGuarded) -> None:
    """A scrape a second would cost as much again as the daemon itself."""
    daemon = make(users(cost=14))
    began = time.monotonic()
    for _ in range(20):
        assert daemon.ask("/metrics", LOGIN)[0] == 200
    assert time.monotonic() - began < 5
