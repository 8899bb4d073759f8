"""Tests that the image can be built from its context, and its health check."""

import fnmatch
import importlib.util
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import Final

import pytest
from tests.support.servers.ports import LOOPBACK, free_port

from pgheadroom.config.settings import DEFAULT_PORT, PREFIX

ROOT: Final = Path(__file__).parents[2]
DOCKERFILE: Final = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
HEALTHCHECK: Final = ROOT / "deploy" / "healthcheck.py"


def copied() -> Iterator[str]:
    """Yield the paths that the Dockerfile copies out of the repository."""
    for words in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE):
        yield from (word.rstrip("/") for word in words.split()[:-1])


@pytest.mark.parametrize("path", list(copied()))
def test_what_is_copied_is_there_and_let_through(path: str) -> None:
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = [line[1:] for line in ignore if line.startswith("!")]
    assert (ROOT / path).exists()
    assert any(fnmatch.fnmatch(path, pattern) for pattern in allowed)


def test_everything_installed_is_locked() -> None:
    """Apart from pgheadroom's own wheel, which brings nothing along."""
    installs = re.findall(r"\bpip.*? (?:install|wheel) ([^&\n]+)", DOCKERFILE)
    assert len(installs) == 4
    assert all(("--require-hashes" in line) != ("--no-deps" in line) for line in installs)


def test_it_runs_as_nobody_in_particular() -> None:
    final = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.search(r"^USER \d{4,}:\d{4,}$", final, re.MULTILINE)
    assert f"EXPOSE {DEFAULT_PORT}\n" in final


def test_what_it_remembers_is_in_a_volume_of_its_own() -> None:
    final = DOCKERFILE.rpartition("\nFROM ")[2]
    (folder,) = re.findall(rf"^ENV {PREFIX}STATE_DIRECTORY=(\S+)$", final, re.MULTILINE)
    (user,) = re.findall(r"^USER (\S+)$", final, re.MULTILINE)
    assert f"\nVOLUME {folder}\n" in final
    assert f"chown {user} {folder}\n" in final


@pytest.fixture(scope="module")
def healthcheck() -> ModuleType:
    """Return the script that the image runs."""
    spec = importlib.util.spec_from_file_location("healthcheck", HEALTHCHECK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("command", "variable", "in_file", "expected"),
    [
        ("pgheadroom serve", None, None, f":{DEFAULT_PORT}"),
        ("pgheadroom serve", None, "targets: {}", f":{DEFAULT_PORT}"),
        ("pgheadroom serve", None, "listen: :1", ":1"),
        ("pgheadroom serve", ":2", "listen: :1", ":2"),
        ("/sbin/docker-init -- pgheadroom serve --listen :3", ":2", "listen: :1", ":3"),
        ("pgheadroom --listen=[::1]:3 --interval-seconds 2", ":2", None, "[::1]:3"),
    ],
)
def test_it_asks_where_the_daemon_listens(
    healthcheck: ModuleType,
    tmp_path: Path,
    command: str,
    variable: str | None,
    in_file: str | None,
    expected: str,
) -> None:
    """A flag wins over the variable, the variable over the file; the file is named both ways."""
    environment = {} if variable is None else {"PGHEADROOM_LISTEN": variable}
    words = command.split()
    if in_file is None:
        assert healthcheck.listener(words, environment) == listener(healthcheck, expected)
        return
    file = tmp_path / "pgheadroom.yaml"
    file.write_text(in_file)
    found = healthcheck.listener([*words, "--config", str(file)], environment)
    assert found == listener(healthcheck, expected)
    environment["PGHEADROOM_CONFIG"] = str(file)
    assert healthcheck.listener(words, environment) == found


@pytest.mark.parametrize("tls", [True, False])
@pytest.mark.parametrize("way", ["--web-config-file", "--web.config.file", "variable", "in file"])
def test_it_knows_whether_tls_is_served(
    healthcheck: ModuleType, tmp_path: Path, way: str, *, tls: bool
) -> None:
    web, config = tmp_path / "web.yml", tmp_path / "pgheadroom.yaml"
    web.write_text("tls_server_config: {cert_file: a}" if tls else "basic_auth_users: {a: b}")
    config.write_text(f"web_config_file: {web}" if way == "in file" else "targets: {}")
    words = ["serve", "--config", str(config)]
    environment = {"PGHEADROOM_WEB_CONFIG_FILE": str(web)} if way == "variable" else {}
    if way.startswith("--"):
        words += [way, str(web)]
    assert healthcheck.listener(words, environment).tls is tls


def listener(healthcheck: ModuleType, address: str) -> object:
    """Return the listener at *address*, which may leave the host out, without TLS."""
    host, _, port = address.rpartition(":")
    return healthcheck.Listener(host.strip("[]") or LOOPBACK, int(port), tls=False)


@contextmanager
def answering(status: int) -> Iterator[int]:
    """Answer /-/healthy with *status*, anything else with 404; give the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/-/healthy" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with HTTPServer((LOOPBACK, 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("host", ["", "127.0.0.1", "0.0.0.0", "localhost"])  # noqa: S104 - as a user may write it
@pytest.mark.parametrize(("status", "expected"), [(200, True), (401, True), (503, False)])
def test_an_answer_and_being_asked_to_log_in_are_healthy(
    healthcheck: ModuleType, host: str, status: int, *, expected: bool
) -> None:
    with answering(status) as port:
        assert healthcheck.healthy(listener(healthcheck, f"{host}:{port}")) is expected


@pytest.mark.parametrize("tls", [True, False])
def test_silence_is_not_healthy(healthcheck: ModuleType, *, tls: bool) -> None:
    assert not healthcheck.healthy(healthcheck.Listener(LOOPBACK, free_port(), tls))


def test_plain_http_is_not_tls(healthcheck: ModuleType) -> None:
    with answering(200) as port:
        assert not healthcheck.healthy(healthcheck.Listener(LOOPBACK, port, tls=True))
