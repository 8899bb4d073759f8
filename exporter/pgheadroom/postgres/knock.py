"""Sends a StartupMessage and reports whether the server would let a new client log in.

This needs no password, holds a slot for milliseconds and sees what no SQL shows: a server that
turns everyone away before it asks who they are. It looks like a client that has no password and
goes away to ask for one (as psql does), which the server does not even log.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from pgheadroom.model.reading import Outcome, Probe, ProbeKind
from pgheadroom.net.descriptors import SPENT
from pgheadroom.net.pending import Arrived, Pending
from pgheadroom.postgres import refusal
from pgheadroom.postgres.addresses import Address, Params, is_port
from pgheadroom.text import escaped

_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
_TERMINATE = b"X" + struct.pack("!i", 4)
_PROTOCOL_3_0 = 196608
_AUTHENTICATION_OK = 0
_LONGEST_ANSWER = 64 * 1024  # bytes
_GOODBYE_SECONDS = 1.0
_KEEPALIVE = {"TCP_KEEPIDLE": 5, "TCP_KEEPINTVL": 5, "TCP_USER_TIMEOUT": 3000}
_LENGTH_OF_NUMBER = 4  # bytes; a message's length counts itself
_PLAIN = frozenset({"disable", "allow"})
_VERIFIED = frozenset({"verify-ca", "verify-full"})
_SQLSTATE = re.compile(r"[0-9A-Z]{5}")
_STRICT = _VERIFIED | {"require"}


class UnusableError(Exception):
    """What answered does not speak PostgreSQL's protocol, or not as the settings demand."""


class OurFileError(Exception):
    """A certificate or key of ours cannot be used; the message says which and why."""


async def knock(
    address: Address,
    *,
    was_alive: bool,
    timeout_seconds: float,
    pending: Pending[refusal.Refusal | None],
    clock: Callable[[], float] = time.time,
) -> Probe:
    """Knock once at *address*, for at most *timeout_seconds*.

    *pending* is the attempt at this address: a knock that got no answer is waited for again by the
    next one, instead of a second one beside it.

    *was_alive* tells a server that shuts down from one that starts (see ``refusal``). An answer
    that judges the role, the password or the database counts as let in: a client that is judged has
    a slot. Raises OSError when it is us who have no descriptor left, and OurFileError when a file
    of ours is missing: that says nothing of the server.
    """
    at = clock()
    began = time.perf_counter()
    if pending.ended:
        pending.give_up()  # an answer that came meanwhile says how it was, not how it is
    try:
        refused = await pending.within(timeout_seconds, partial(_ask, address))
    except TimeoutError:
        outcome, detail = Outcome.TIMEOUT, f"no answer within {timeout_seconds:g} s"
    except ssl.SSLError as error:
        outcome, detail = Outcome.ERROR, f"TLS: {error.reason or error}"
    except UnusableError as error:
        outcome, detail = Outcome.ERROR, str(error)
    except OSError as error:
        if error.errno in SPENT:
            raise
        outcome, detail = Outcome.UNREACHABLE, error.strerror or str(error)
    except EOFError:
        outcome, detail = Outcome.UNREACHABLE, "closed without an answer"
    else:
        outcome, detail = _judge(refused, was_alive=was_alive)
    return Probe(ProbeKind.KNOCK, at, time.perf_counter() - began, outcome, detail)


_ADMITTED = frozenset({Outcome.AUTH, Outcome.ERROR})


def _judge(refused: refusal.Refusal | None, *, was_alive: bool) -> tuple[Outcome, str]:
    if refused is None:
        return Outcome.OK, ""
    outcome = refusal.outcome(refused, was_alive=was_alive)
    if outcome in _ADMITTED:
        return Outcome.OK, ""
    return outcome, refused.detail


async def _ask(address: Address, arrived: Arrived) -> refusal.Refusal | None:
    """Return the refusal, or None when the server went on with the login."""
    reader, writer = await _open(address)
    arrived()
    _outlive_no_network(writer)
    try:
        refused = await _encrypt(reader, writer, address.params)
        if refused is not None:
            return refused
        writer.write(startup_message(address.params))
        kind, payload = await message(reader)
        if kind == b"E":
            return parse_error(payload)
        if admits(kind, payload):
            # No password wanted (trust): a session begins, so end it as one ends sessions.
            # Its greeting is read to the end: to close on unread bytes would reset the
            # connection, and the server would log that. However it parts: we have our answer.
            writer.write(_TERMINATE)
            with contextlib.suppress(OSError, EOFError):
                await reader.readexactly(_LONGEST_ANSWER)  # more than any greeting has
        return None
    finally:
        writer.close()
        # TLS says goodbye and waits for the answer; not for long.
        asyncio.get_running_loop().call_later(_GOODBYE_SECONDS, writer.transport.abort)


async def _open(address: Address) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if address.socket_path is not None:
        path = address.socket_path
        return await asyncio.open_unix_connection(
            "\0" + path[1:] if path.startswith("@") else path, limit=_LONGEST_ANSWER
        )
    params = address.params
    if not is_port(params["port"]):  # libpq's environment, or a service file, may say so
        raise UnusableError("the port is not a number from 1 to 65535")
    direct = _tls_context(params) if _direct(params) else None
    return await asyncio.open_connection(
        params.get("hostaddr") or params["host"],
        int(params["port"]),
        limit=_LONGEST_ANSWER,
        ssl=direct,
        server_hostname=params["host"] if direct else None,
    )


def _outlive_no_network(writer: asyncio.StreamWriter) -> None:
    """Have the kernel end a wait for an answer when the network has been cut."""
    line: socket.socket = writer.get_extra_info("socket")
    if line.family == socket.AF_UNIX:
        return
    line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if hasattr(socket, name):  # Linux has them all
            line.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


async def _encrypt(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, params: Params
) -> refusal.Refusal | None:
    """Ask for TLS first, as libpq would: else the names in the startup message go in the clear.

    And a server whose pg_hba.conf demands TLS would log a refusal with every knock. Returns the
    refusal where one comes in answer already, as of a pgpool-II that is full.
    """
    over_socket = "hostaddr" not in params
    mode = params.get("sslmode", "prefer")
    if over_socket or mode in _PLAIN or _direct(params):
        return None
    writer.write(_SSL_REQUEST)
    answer = await reader.readexactly(1)
    if answer == b"E":
        return await _error_before_tls(reader)
    if answer == b"S":
        await writer.start_tls(_tls_context(params), server_hostname=params["host"])
    elif mode in _STRICT:
        raise UnusableError("the server does not offer the TLS that sslmode demands")
    return None


async def _error_before_tls(reader: asyncio.StreamReader) -> refusal.Refusal:
    """Read an ErrorResponse, or the bare text of a postmaster that cannot start a process.

    That is ``report_fork_failure_to_client``: E, a line, and a NUL. Raises UnusableError with it.
    """
    head = await reader.readexactly(_LENGTH_OF_NUMBER)
    if head.isascii() and head.decode().isprintable():
        text, _, _ = (head + await reader.read(_LONGEST_ANSWER)).partition(b"\0")
        raise UnusableError(escaped(text.decode("utf-8", errors="replace").strip()))
    length: int = struct.unpack("!i", head)[0]
    return parse_error(await _rest(reader, length))


async def refused_before_tls(address: Address, seconds: float) -> refusal.Refusal | None:
    """Return the refusal that comes in answer to a request for TLS; None if there is none.

    libpq does not show it, because nobody vouches for its text: here it is parsed, and escaped.
    """
    try:
        async with asyncio.timeout(seconds):
            return await _ask(address, lambda: None)
    except (OSError, EOFError, UnusableError, OurFileError, TimeoutError):
        return None


def _direct(params: Params) -> bool:
    return params.get("sslnegotiation") == "direct" and "hostaddr" in params


def _tls_context(params: Params) -> ssl.SSLContext:
    """Return a context that verifies what *params* ask libpq to verify, and nothing else."""
    mode = params.get("sslmode", "prefer")
    root = params.get("sslrootcert") or str(Path.home() / ".postgresql/root.crt")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if root == "system":
        context.load_default_certs()
        context.verify_mode = ssl.CERT_REQUIRED
        context.check_hostname = True
    elif mode in _VERIFIED:
        with _of_ours(root):
            context.load_verify_locations(cafile=root)
        context.verify_mode = ssl.CERT_REQUIRED
        context.check_hostname = mode == "verify-full"
    if Path(params.get("sslcert", "")).is_file():  # without it libpq logs in without one
        certificate, key = params["sslcert"], params.get("sslkey")
        with _of_ours(f"{certificate} with {key}" if key else certificate):
            # An empty password, or OpenSSL would ask for one at the terminal and wait.
            context.load_cert_chain(certificate, key, params.get("sslpassword", ""))
    if _direct(params):
        context.set_alpn_protocols(["postgresql"])
    return context


@contextlib.contextmanager
def _of_ours(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = getattr(error, "reason", None) or error.strerror or "not a certificate in PEM form"
        raise OurFileError(f"cannot use {name}: {why}") from None


def startup_message(params: Params) -> bytes:
    """Return the StartupMessage of protocol 3.0 for the user and database of *params*."""
    user = params.get("user", "")
    pairs = {
        "user": user,
        "database": params.get("dbname") or user,
        "application_name": params.get("application_name", ""),
    }
    body = b"".join(k.encode() + b"\0" + v.encode() + b"\0" for k, v in pairs.items()) + b"\0"
    return struct.pack("!ii", len(body) + 8, _PROTOCOL_3_0) + body


def admits(kind: bytes, payload: bytes) -> bool:
    """Tell whether this message ends the login; else it asks who we are.

    Raises UnusableError when it is no answer to a StartupMessage.
    """
    if kind not in (b"R", b"v") or len(payload) < _LENGTH_OF_NUMBER:
        raise UnusableError(f"unexpected answer {kind!r}")
    number: int = struct.unpack_from("!i", payload)[0]
    return kind == b"R" and number == _AUTHENTICATION_OK


async def message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Return kind and payload of the next message; raises UnusableError and EOFError."""
    kind = await reader.readexactly(1)
    return kind, await _body(reader)


async def _body(reader: asyncio.StreamReader) -> bytes:
    length: int = struct.unpack("!i", await reader.readexactly(_LENGTH_OF_NUMBER))[0]
    return await _rest(reader, length)


async def _rest(reader: asyncio.StreamReader, length: int) -> bytes:
    if not _LENGTH_OF_NUMBER <= length <= _LONGEST_ANSWER:
        raise UnusableError("what answers there does not speak PostgreSQL's protocol")
    return await reader.readexactly(length - _LENGTH_OF_NUMBER)


def parse_error(payload: bytes) -> refusal.Refusal:
    """Take an ErrorResponse apart; fields that are missing, or not what they should be, are None.

    The text may be empty.
    """
    fields = {
        chunk[:1]: chunk[1:].decode("utf-8", errors="replace")
        for chunk in payload.split(b"\0")
        if chunk
    }
    code, routine = fields.get(b"C", ""), fields.get(b"R", "")
    return refusal.Refusal(
        code if _SQLSTATE.fullmatch(code) else None,
        routine if routine.isidentifier() else None,
        fields.get(b"M", ""),
    )
