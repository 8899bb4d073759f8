"""Logs in to a target: tries its addresses in order, at most one attempt pending at each."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from psycopg import ProgrammingError

from pgheadroom.model.reading import Failure, Outcome, most_telling
from pgheadroom.model.slots import RdsReserve
from pgheadroom.net.pending import Arrived, PendingByAddress
from pgheadroom.postgres import addresses, libpq, refusal
from pgheadroom.postgres.addresses import Address
from pgheadroom.postgres.knock import refused_before_tls

APPLICATION_NAME = "pgheadroom"

_KEEPALIVE_SECONDS = "5"
_HIDDEN = "server sent an error response during SSL exchange"

Answer = TypeVar("Answer")
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class ConnectOptions:
    """How to get at one target, and how long to wait for it."""

    name: str
    conninfo: str = field(repr=False)
    password_file: Path | None = None
    """Read before each attempt, so that a rotated password is found."""
    extra_reserved: int = 0
    rds_reserve: RdsReserve = RdsReserve.AUTO
    limit_share: float = 0.5
    """A CONNECTION LIMIT of which this share is used is read, however many limits there are."""
    connect_timeout_seconds: float = 5.0
    """For each address that the connection string leads to."""
    read_timeout_seconds: float = 3.0
    backoff_first_seconds: float = 1.0
    backoff_longest_seconds: float = 15.0
    application_name: str = APPLICATION_NAME
    canary: ConnectOptions | None = None
    """How an ordinary role would get in, if one is to try; as long as it does, its logins are
    *backoff_first_seconds* apart."""


async def enter(
    options: ConnectOptions,
    pending: PendingByAddress[Made],
    make: Callable[[str, Arrived], Coroutine[Any, Any, Made]],
    *,
    was_alive: bool,
    clock: Callable[[], float],
) -> tuple[Made, Address] | Failure:
    """Try every address that *options* lead to until one lets us in; return why not if none does.

    *make* logs in by a connection string, and does not begin where an attempt is *pending*.
    *was_alive* tells a server that shuts down from one that starts (see ``refusal``).
    """
    failures: list[Failure] = []
    seconds = options.connect_timeout_seconds
    try:
        candidates = await within(seconds, resolve(options))
    except addresses.HostUnknownError as error:
        return Failure(clock(), Outcome.HOST_UNKNOWN, f"cannot resolve {error}")
    except TimeoutError:
        detail = "the host's name was not resolved in time"
        return Failure(clock(), Outcome.HOST_UNKNOWN, detail)
    except ProgrammingError:
        detail = "the connection string, the service file or libpq's environment cannot be parsed"
        return Failure(clock(), Outcome.ERROR, detail)
    except OSError as error:
        detail = f"cannot read {error.filename}: {error.strerror}"
        return Failure(clock(), Outcome.AUTH, detail)
    pending.give_up(but={candidate.resolved for candidate in candidates})
    for candidate in candidates:
        try:
            entered = await pending.at(candidate.resolved).within(
                seconds, partial(make, candidate.conninfo)
            )
        except TimeoutError:
            detail = f"{candidate.place} did not let us in within {seconds:g} s"
            failures.append(Failure(clock(), Outcome.TIMEOUT, detail))
        except libpq.LibpqError as error:
            answer = refusal.parse(str(error))
            if _HIDDEN in answer.text:
                answer = await refused_before_tls(candidate, seconds) or answer
            outcome = refusal.outcome(answer, was_alive=was_alive)
            failures.append(Failure(clock(), outcome, f"{candidate.place}: {answer.detail}"))
        else:
            pending.give_up()
            return entered, candidate
    return most_telling(failures)


async def resolve(options: ConnectOptions) -> list[Address]:
    """Return the addresses to try; raises what ``candidates`` raises, and OSError."""
    params = addresses.expand(options.conninfo)
    extra = {"application_name": options.application_name, "client_encoding": "SQL_ASCII"}
    if options.password_file is not None:
        extra["password"] = _password(options.password_file)
    # An answer that never comes, because the network was cut, must not wait for TCP's patience.
    milliseconds = round(options.read_timeout_seconds * 1000)
    params.setdefault("tcp_user_timeout", str(milliseconds))
    # And a login that says nothing for long must be told from a network that was cut.
    for name in ("keepalives_idle", "keepalives_interval"):
        params.setdefault(name, _KEEPALIVE_SECONDS)
    return await addresses.candidates(params, extra)


def _password(file: Path) -> str:
    """Return what *file* holds; raises OSError, also if that can't be a password."""
    try:
        # Some editors begin a file with a byte-order mark; it is no part of the password.
        password = file.read_text(encoding="utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise OSError(errno.EILSEQ, "it is not UTF-8", str(file)) from None
    if "\0" in password:
        raise OSError(errno.EILSEQ, "it holds a NUL byte", str(file))
    return password


async def within(seconds: float, work: Awaitable[Answer]) -> Answer:
    """Await *work*, at most *seconds*.

    Safe here where ``wait_for`` around psycopg is not: all that is ever awaited is a socket's
    readiness, so cancelling takes no time.
    """
    async with asyncio.timeout(seconds):
        return await work
