"""Says where a connection string leads, for display: few characters and no secrets.

That is the name of a target that has none in the settings, and the first half of `server`, the
label by which two servers are told apart whatever their targets are called.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import socket

from psycopg import ProgrammingError

from pgheadroom.postgres.addresses import Params, expand, split

LONGEST = 63
"""Characters, as in the name of a target."""

_SCHEMES = ("postgresql", "postgres")
_USUAL_PORT = "5432"
_USUAL_DIRECTORIES = frozenset({"/var/run/postgresql", "/run/postgresql", "/tmp"})  # noqa: S108 - PostgreSQL's own defaults
_OTHERS = re.compile(r"[^A-Za-z0-9_.-]+")
_DIGITS = 8  # of a hash; among a thousand names one collision in eight thousand fleets


def address(conninfo: str, machine: str | None = None) -> str:
    """Return where *conninfo* and libpq's environment lead: the host, and the port if not 5432.

    What leads to this machine (a Unix socket, localhost) is called by its name, *machine*. Several
    hosts are joined by ``_``. Letters, digits and ``_ . : -``, 63 of them at most, a letter or
    digit first; no user, no password, no database.
    """
    machine = socket.gethostname() if machine is None else machine
    try:
        params = expand(conninfo)
    except ProgrammingError:  # which the first attempt to connect reports
        params = {}
    places = [(_host(one["host"], machine), one["port"]) for one in split(params)]
    if len({port for _, port in places}) == 1:
        where = "_".join(host for host, _ in places) + _behind(places[0][1])
    else:
        where = "_".join(host + _behind(port) for host, port in places)
    return _fitting(where + _wanted(params))


def seen_from(conninfo: str, host: str, port: int, machine: str | None = None) -> str:
    """Return the address of *host* and *port* as the machine that *conninfo* leads to means them.

    Its loopback and its Unix sockets (an empty *host*) are that machine. Empty where *host* is a
    list, which is no one server.
    """
    if "," in host:
        return ""
    machine = socket.gethostname() if machine is None else machine
    try:
        first = split(expand(conninfo))[0]["host"]
    except (ProgrammingError, LookupError):  # which the first attempt to connect reports
        return ""
    there = _plain(machine) if first.startswith(("/", "@")) else _host(first, machine)
    where = _host(host, there) if host else there
    return _fitting(where + _behind(str(port)))


def database(conninfo: str) -> str:
    """Return the database that *conninfo* and libpq's environment lead to; empty for none."""
    try:
        return expand(conninfo).get("dbname", "")
    except ProgrammingError:  # which the first attempt to connect reports
        return ""


def breaks_off(conninfo: str) -> bool:
    """Tell whether *conninfo* is a URI in which libpq takes a part of the password for the host.

    Or for the port, or the database: because of an ``@`` or a ``/`` that should have been encoded.
    """
    scheme, is_uri, rest = conninfo.partition("://")
    before, _, path = rest.partition("?")[0].partition("/")
    return bool(is_uri) and scheme in _SCHEMES and (before.count("@") > 1 or "@" in path)


def _behind(port: str) -> str:
    return "" if port == _USUAL_PORT else f":{_OTHERS.sub('-', port)}"


def _wanted(params: Params) -> str:
    """Return which of several servers is meant, where not just any."""
    attributes = params.get("target_session_attrs", "any")
    return "" if attributes == "any" else f":{_OTHERS.sub('-', attributes)}"


def _host(text: str, machine: str) -> str:
    if text.startswith(("/", "@")):
        directory = text.rstrip("/") or "/"
        return _plain(machine if directory in _USUAL_DIRECTORIES else f"{machine}{directory}")
    host = text.lower().rstrip(".")
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        here = host in ("localhost", "localhost.localdomain") or host.endswith(".localhost")
        return _plain(machine if here else host)
    if ip.is_loopback or ip.is_unspecified:
        return _plain(machine)
    return str(ip).replace(":", "-").replace("%", "-")  # only an IPv6 address looks like this


def _plain(text: str) -> str:
    """Return *text* in characters that a name may have, and still like no other text's."""
    plain = _OTHERS.sub("-", text).lstrip("-_.") or "server"
    return plain if plain == text else f"{plain}-{_hash(text)}"


def _fitting(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    return f"{text[: LONGEST - _DIGITS - 1]}-{_hash(text)}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:_DIGITS]
