"""Resolves a connection string to the addresses to try, in order.

libpq does what it can: the environment, service files and the password file are its own. What is
left to us is what would hold the process up (looking names up) or what its asynchronous interface
leaves to the caller (one deadline per host, ``prefer-standby``).
"""

from __future__ import annotations

import ipaddress
import os
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from psycopg import ProgrammingError, pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pgheadroom.net.resolver import look_up

Params = dict[str, str]

_SOCKET_DIRECTORIES = ("/var/run/postgresql", "/tmp")  # noqa: S108 - PostgreSQL's own defaults


@dataclass(frozen=True, slots=True)
class Address:
    """An address of a server and what libpq needs to log in. Never printed: it holds secrets."""

    params: Params = field(repr=False)

    @property
    def conninfo(self) -> str:
        """The connection string for this one address."""
        return make_conninfo("", **self.params)

    @property
    def place(self) -> str:
        """Where it leads, for the log: host and port."""
        host = self.params.get("host") or self.params.get("hostaddr", "")
        return f"{host}:{self.params['port']}"

    @property
    def resolved(self) -> str:
        """Where it leads, resolved: the same for whatever leads to the same server."""
        return f"{self.params.get('hostaddr') or self.params['host']}:{self.params['port']}"

    @property
    def socket_path(self) -> str | None:
        """The Unix socket it leads to, if it does."""
        host = self.params.get("host", "")
        if "hostaddr" in self.params or not host.startswith(("/", "@")):
            return None
        return f"{host}/.s.PGSQL.{self.params['port']}"


class HostUnknownError(Exception):
    """No name of the connection string could be resolved; the message says which."""


def is_port(text: str) -> bool:
    """Tell whether *text* is the number of a TCP port."""
    return text.isascii() and text.isdigit() and 1 <= int(text) <= 65535  # noqa: PLR2004 - TCP's highest port


def expand(conninfo: str) -> Params:
    """Return all parameters of *conninfo*, those it leaves to the environment included.

    Raises psycopg.ProgrammingError when it can't be parsed; the message then holds no secret as
    long as it is not printed: callers name the target instead.
    """
    params = {key: str(value) for key, value in conninfo_to_dict(conninfo).items()}
    # `service` stays among them: libpq then says so when there is no such service.
    return _defaults(params.get("service")) | {key: value for key, value in params.items() if value}


def _defaults(service: str | None) -> Params:
    """Ask libpq what the environment and the service file say.

    libpq reads a service's file only for the service that PGSERVICE names; so name it there for
    the moment of this call, which nothing can come between: it does not await.
    """
    before = os.environ.get("PGSERVICE")
    if service is not None:
        os.environ["PGSERVICE"] = service
    try:
        options = pq.Conninfo.get_defaults()
    finally:
        if service is not None:
            os.environ.pop("PGSERVICE")
            if before is not None:
                os.environ["PGSERVICE"] = before
    try:
        return {
            option.keyword.decode(): option.val.decode()
            for option in options
            if option.val and option.keyword != b"service"
        }
    except UnicodeDecodeError:
        raise ProgrammingError("libpq's environment or service file is not UTF-8") from None


async def candidates(params: Params, extra: Mapping[str, str]) -> list[Address]:
    """Return the addresses that *params* lead to, in the order to try them.

    *extra* is set on each. Raises HostUnknownError when not one name can be resolved.
    """
    in_order: list[Address] = []
    unknown: list[str] = []
    for one in split(params):
        try:
            addresses = await _addresses(one)
        except OSError as error:
            unknown.append(f"{one['host']}: {error.strerror or error}")
            continue
        in_order += [Address({**one, **address, **extra}) for address in addresses]
    if not in_order:
        raise HostUnknownError("; ".join(unknown))
    if params.get("load_balance_hosts") == "random":
        random.shuffle(in_order)
    if params.get("target_session_attrs") == "prefer-standby":
        standbys = [Address({**a.params, "target_session_attrs": "standby"}) for a in in_order]
        anyone = [Address({**a.params, "target_session_attrs": "any"}) for a in in_order]
        return standbys + anyone
    return in_order


def split(params: Params) -> list[Params]:
    """Return one set of parameters for each host of *params*, as libpq pairs hosts with ports."""
    hosts = params.get("host", "").split(",")
    hostaddrs = params.get("hostaddr", "").split(",")
    ports = params.get("port", "").split(",")
    count = max(len(hosts), len(hostaddrs))
    hosts = hosts if len(hosts) == count else [""] * count
    hostaddrs = hostaddrs if len(hostaddrs) == count else [""] * count
    ports = ports if len(ports) == count else ports[:1] * count
    split = []
    for host, hostaddr, port in zip(hosts, hostaddrs, ports, strict=True):
        one = {**params, "port": port or "5432"}
        one.pop("hostaddr", None)
        if hostaddr:
            one["hostaddr"] = hostaddr
        one["host"] = host or hostaddr or _socket_directory(one["port"])
        split.append(one)
    return split


def _socket_directory(port: str) -> str:
    """Return where a server of this machine listens when the connection string names none."""
    for directory in _SOCKET_DIRECTORIES:
        if Path(directory, f".s.PGSQL.{port}").exists():
            return directory
    return _SOCKET_DIRECTORIES[0]


async def _addresses(params: Params) -> list[Params]:
    host = params["host"]
    if "hostaddr" in params or host.startswith(("/", "@")):
        return [{}]
    try:
        return [{"hostaddr": str(ipaddress.ip_address(host))}]
    except ValueError:
        infos = await look_up(host, params["port"])
    return [{"hostaddr": address} for address in dict.fromkeys(info[4][0] for info in infos)]
