"""Checks connection strings: libpq must be able to parse them, and the port must be one."""

from __future__ import annotations

import re

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr

from pgheadroom.postgres.addresses import is_port
from pgheadroom.postgres.whereabouts import breaks_off

CONNECTIONS = (
    "give postgresql://user@host:port/database, or key=value pairs such as host=db1 dbname=shop"
    " user=pgheadroom"
)
_ESCAPES = "in the password of a URI, write / as %2F and @ as %40"
_AROUND = re.compile(r"\A[\s\ufeff]+|(?<!\\)\s+\Z")
"""White space around a connection string, and a byte-order mark; what a backslash makes part of a
value stays."""


def connection_string(value: SecretStr) -> SecretStr:
    """Return *value* without the white space around it: what echo made ends with a newline.

    Raises ValueError for what libpq can't parse, without repeating it: it may hold a password.
    """
    value = SecretStr(_AROUND.sub("", value.get_secret_value()))
    if breaks_off(value.get_secret_value()):
        message = f"an @ too many; {_ESCAPES}"
        raise ValueError(message)
    try:
        ports = str(conninfo_to_dict(value.get_secret_value()).get("port") or "")
    except ProgrammingError:
        message = f"not a connection string of libpq; {CONNECTIONS}"
        raise ValueError(message) from None
    if not all(port == "" or is_port(port) for port in ports.split(",")):
        # In a URI that is what a password becomes that has a slash in it.
        message = f"the port is not a number from 1 to 65535; {_ESCAPES}"
        raise ValueError(message)
    return value


def canary_string(value: SecretStr | None) -> SecretStr | None:
    """Return a canary's *value* as `connection_string` does; raises ValueError.

    An empty one is refused, too: the canary would log in as our own user, and prove nothing.
    """
    if value is None:
        return None
    if not value.get_secret_value().strip():
        message = (
            "an empty connection string is not allowed; give one for an ordinary role, such as"
            " host=db1 dbname=shop user=pgheadroom_canary"
        )
        raise ValueError(message)
    return connection_string(value)
