"""Checks that the daemon in this container answers: the HEALTHCHECK of the image.

Exits with 0 if it does, else with 1. It tries the address that the daemon listens at, which is in a
flag, else in the environment, else in the configuration file. It has neither a password nor a
certificate: a request to log in is an answer, and with HTTPS so is the daemon's certificate.
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


class Listener(NamedTuple):
    """The address at which a daemon serves its pages, and whether by TLS."""

    host: str
    port: int
    tls: bool


def listener(command: Sequence[str], environment: Mapping[str, str]) -> Listener:
    """Return where a daemon started by *command* in *environment* listens, and whether by TLS."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--listen")
    parser.add_argument("--config")
    parser.add_argument("--web-config-file", "--web.config.file")
    # An init ends its own arguments with two dashes, which would also end the flags.
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
    return Listener(host, int(port), tls=bool(web) and "tls_server_config" in _read(str(web)))


def healthy(at: Listener) -> bool:
    """Return whether a daemon of ours answers *at* that address."""
    try:
        return _shows_certificate(at) if at.tls else _answers(at)
    except OSError:
        return False


def _answers(at: Listener) -> bool:
    connection = http.client.HTTPConnection(at.host, at.port, timeout=_DEADLINE_SECONDS)
    try:
        connection.request("GET", "/-/healthy")
        return connection.getresponse().status in _ANSWERS
    finally:
        connection.close()


def _shows_certificate(at: Listener) -> bool:
    # The certificate need not be verified: nothing is sent, and only an answer matters.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((at.host, at.port), _DEADLINE_SECONDS) as plain:
        try:
            context.wrap_socket(plain).close()
        # Up to TLS 1.2, a daemon that requires a client certificate ends the handshake: it closes
        # the connection, possibly after an alert.
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
    sys.exit(not healthy(listener(started_by, os.environ)))
