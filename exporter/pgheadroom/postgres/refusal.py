"""Classifies a refusal by SQLSTATE and routine, a pooler's by its text, in whatever language it is.

The text of a refusal is translated by the server's ``lc_messages``; its SQLSTATE and the name of
the C routine that raised it are not. Routines by ``proc.c``, ``postinit.c``, ``miscinit.c`` and
``backend_startup.c`` of PostgreSQL 14 to 18.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pgheadroom.model.reading import Outcome
from pgheadroom.text import escaped

_TOO_MANY_CONNECTIONS = "53300"
_CANNOT_CONNECT_NOW = "57P03"

_BY_ROUTINE = {
    "InitPostgres": Outcome.RESERVED_ONLY,
    "InitializeSessionUserId": Outcome.ROLE_LIMIT,
    "CheckMyDatabase": Outcome.DATABASE_LIMIT,
}

# A pooler passes the server's text on and leaves the routine out, PgBouncer up to 1.18 the SQLSTATE
# too (it puts its own, of class 08, in its place); then the text must do.
_BY_TEXT = (
    (re.compile(r"connection slots are reserved"), Outcome.RESERVED_ONLY),
    (re.compile(r"too many connections for role"), Outcome.ROLE_LIMIT),
    (re.compile(r"too many connections for database"), Outcome.DATABASE_LIMIT),
    (re.compile(r"sorry, too many clients already"), Outcome.FULL),
    # PgBouncer: of its console, to who is neither in stats_users nor in admin_users
    (re.compile(r"^not allowed$|^no such user|password authentication failed"), Outcome.AUTH),
    (re.compile(r"^(?:pooler is|server) shutting down"), Outcome.SHUTTING_DOWN),
)

# What poolers say of themselves when they let no more clients in, or have no server connection to
# lend. None of them translates it. PostgreSQL's "sorry, too many clients already" has a small s.
_POOLER_FULL = re.compile(
    r"no more connections allowed"  # PgBouncer: max_client_conn
    r"|client connections exceeded"  # PgBouncer from 1.24 on: max_{db,user}_client_connections
    r"|query_wait_timeout"  # PgBouncer: no server connection came free in time
    r"|too many (?:client )?tcp connections|too many active clients for user"  # Odyssey
    r"|Sorry, too many clients already"  # pgpool-II, where its reserved_connections are above 0
    r"|\(EMAXCONN(?:SESSION)?\)|\(ECHECKOUTTIMEOUT\)|[Mm]ax client connections reached"  # Supavisor
    r"|could not get connection from the pool"  # pgcat
    r"|Timed-out waiting to acquire database connection"  # RDS Proxy
    r"|connection pool is full"  # pgagroal
)
_OF_POOLERS = frozenset({_TOO_MANY_CONNECTIONS, "XX000", "58000"})
"""SQLSTATEs, beside class 08, under which a pooler says that it is full."""

_BY_SQLSTATE = {
    "42501": Outcome.AUTH,  # no CONNECT privilege on the database
    "57014": Outcome.TIMEOUT,  # statement_timeout
    "55P03": Outcome.TIMEOUT,  # lock_timeout
    "25P03": Outcome.TIMEOUT,
}

# libpq's own words, when no server spoke. libpq and strerror speak English in a Python process,
# which leaves LC_MESSAGES at "C".
_BY_LIBPQ = (
    (re.compile(r"no password supplied|authentication method|Kerberos|GSSAPI"), Outcome.AUTH),
    (re.compile(r"could not translate host name"), Outcome.HOST_UNKNOWN),
    (re.compile(r"timeout expired|timed out"), Outcome.TIMEOUT),
    (
        re.compile(
            r"refused|No such file or directory|unreachable|No route to host|reset by peer"
            r"|closed the connection|Broken pipe|could not connect"
        ),
        Outcome.UNREACHABLE,
    ),
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The parts of a server's error that do not change with its language, and the text."""

    sqlstate: str | None
    routine: str | None
    text: str

    @property
    def detail(self) -> str:
        r"""Return one line for the log; a newline in what a server said is written ``\u000a``."""
        if self.sqlstate is not None:
            return f"{escaped(self.text.strip())} (SQLSTATE {self.sqlstate})"
        # libpq's own words: what comes in further lines is advice for a person at a terminal.
        first_line, _, _ = self.text.partition("\n")
        return " ".join(first_line.split())


# A server's message may have several lines; it ends where libpq adds a field in a line of its own.
_VERBOSE = re.compile(
    r"^[^\n]*?:\s+((?=[A-Z]*\d)[0-9A-Z]{5}):\s+"
    r"((?s:.*?))(?=\n(?:[^\s:\"][^\n:]*:  |LINE \d+: )|\s*\Z)",
    re.MULTILINE,
)
_LOCATION = re.compile(r"^[^\n:]+:\s+(\w+), [\w./]+:\d+\s*$", re.MULTILINE)
_PREFIX = re.compile(r'^connection to server (?:at|on socket) "[^"]*".*? failed: ')


def parse(message: str) -> Refusal:
    """Take *message*, libpq's account of an error at verbosity VERBOSE, apart.

    Such a message is ``SEVERITY:  SQLSTATE: text`` and, in a line of its own, ``LOCATION:
    routine, file:line``; the words before the colons may be in any language. Anything else is
    text that libpq wrote itself.
    """
    match = _VERBOSE.search(message)
    if not match:
        return Refusal(None, None, _PREFIX.sub("", message.strip()))
    location = _LOCATION.search(message)
    return Refusal(match[1], location[1] if location else None, match[2])


def outcome(refusal: Refusal, *, was_alive: bool) -> Outcome:
    """Return how a target stands that gave *refusal*.

    A server that starts and one that shuts down answer alike except for the translated text, so
    *was_alive* decides: whether we held a session there until just now (or still do). A server
    that had sessions is not starting.
    """
    code = refusal.sqlstate
    if code is None:
        return _without_code(refusal.text)
    if _pooler_is_full(code, refusal):
        return Outcome.POOLER_FULL
    if code == _TOO_MANY_CONNECTIONS:
        return _too_many(refusal)
    if code == _CANNOT_CONNECT_NOW:
        return Outcome.SHUTTING_DOWN if was_alive else Outcome.STARTING
    if code.startswith("08"):
        return _by_text(refusal.text) or Outcome.ERROR
    return _BY_SQLSTATE.get(code, Outcome.AUTH if code.startswith("28") else Outcome.ERROR)


def _pooler_is_full(code: str, refusal: Refusal) -> bool:
    """Say whether a pooler speaks of itself; a routine says that PostgreSQL has spoken."""
    of_pooler = code.startswith("08") or code in _OF_POOLERS
    return of_pooler and refusal.routine is None and bool(_POOLER_FULL.search(refusal.text))


def _too_many(refusal: Refusal) -> Outcome:
    if refusal.routine is not None:
        return _BY_ROUTINE.get(refusal.routine, Outcome.FULL)
    return _by_text(refusal.text) or Outcome.FULL


def _by_text(text: str) -> Outcome | None:
    for pattern, outcome_of in _BY_TEXT:
        if pattern.search(text):
            return outcome_of
    return None


def _without_code(text: str) -> Outcome:
    for pattern, outcome_of in _BY_LIBPQ:
        if pattern.search(text):
            return outcome_of
    return Outcome.ERROR


def ends_session(sqlstate: str | None) -> bool:
    """Say whether an error leaves no session: libpq's own, 57P0x (shutdown) and class 08."""
    return sqlstate is None or sqlstate.startswith(("57P0", "08"))
