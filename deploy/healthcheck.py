"""Does the daemon in this container answer? The image's HEALTHCHECK; exits 0 if it does, else 1.

It asks where the daemon was told to listen: by a flag, else by the environment, else by its file.
It has neither a password nor a certificate: being asked for a login is an answer, and where HTTPS
is served, being shown the daemon's certificate is one.
"""  # noqa: INP001 - a script in a folder of examples

from __future__ import annotations

import argparse
import http.client
import os
import socket
import ssl
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

DEFAULT = ":10187"
_DEADLINE_SECONDS = 3.0
_ANSWERS = (http.client.OK, http.client.UNAUTHORIZED)


class Door(NamedTuple):
    """Where and how a daemon serves its pages."""

    host: str
    port: int
    tls: bool


def door(command: Sequence[str], environment: Mapping[str, str]) -> Door:
    """Return where a daemon started by *command* in *environment* listens, and whether by TLS."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--listen")
    parser.add_argument("--config")
    parser.add_argument("--web-config-file", "--web.config.file")
    # An init sets its own command line apart with two dashes, which would end the flags.
    flags, _ = parser.parse_known_args([word for word in command if word != "--"])
    config = flags.config or environment.get("PGHEADROOM_CONFIG")
    in_file = _read(config) if config else {}

    def given(flag: str | None, name: str) -> str | None:
        return flag or environment.get(f"PGHEADROOM_{name.upper()}") or in_file.get(name)

    web = given(flags.web_config_file, "web_config_file")
    address = given(flags.listen, "listen") or DEFAULT
    host, _, port = address.rpartition(":")
    # No host means every interface, the loopback among them.
    host = host.removeprefix("[").removesuffix("]") or "127.0.0.1"
    return Door(host, int(port), tls=bool(web) and "tls_server_config" in _read(str(web)))


def healthy(at: Door) -> bool:
    """Tell whether somebody answers at that door as our daemon does."""
    try:
        return _shows_certificate(at) if at.tls else _answers(at)
    except OSError:
        return False


def _answers(at: Door) -> bool:
    connection = http.client.HTTPConnection(at.host, at.port, timeout=_DEADLINE_SECONDS)
    try:
        connection.request("GET", "/-/healthy")
        return connection.getresponse().status in _ANSWERS
    finally:
        connection.close()


def _shows_certificate(at: Door) -> bool:
    # Whose it is need not be verified: nothing is sent, and the question is whether it answers.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((at.host, at.port), _DEADLINE_SECONDS) as plain:
        try:
            context.wrap_socket(plain).close()
        # Up to TLS 1.2, a daemon that wants a certificate of ours ends the handshake: it closes the
        # connection, or says why first.
        except ConnectionError:
            return True
        except ssl.SSLError as error:
            return isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)) or "ALERT" in (
                error.reason or ""
            )
    return True


def _read(file: str) -> Mapping[str, str]:
    settings = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
    return settings if isinstance(settings, dict) else {}


if __name__ == "__main__":
    # The daemon is the container's first process, or its init's child: then init's own command
    # line ends with the daemon's.
    started_by = Path("/proc/1/cmdline").read_text(encoding="utf-8").split("\0")
    sys.exit(not healthy(door(started_by, os.environ)))
