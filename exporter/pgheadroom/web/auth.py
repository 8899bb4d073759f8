"""Lets in who logs in, or shows a client certificate with an allowed name.

Comparing a password takes bcrypt long, on purpose: it is done in a thread, one at a time, for a few
that wait, and a login that was right is remembered. Nothing of this holds up the loop.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import ipaddress
import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import bcrypt
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from pgheadroom.web.config import WebConfig

MOST_CHECKS = 16
"""Logins that are compared or wait for it; one more is sent away."""

_MOST_REMEMBERED = 1000
_BCRYPT_BYTES = 72
"""As much of a password counts; the rest never did."""

_CHALLENGE = {"WWW-Authenticate": 'Basic realm="pgheadroom", charset="UTF-8"'}


def guard(app: web.Application, config: WebConfig) -> None:
    """Have *app* set the headers of *config*, and answer only users that *config* lets in."""
    if config.headers:

        async def set_headers(_request: web.Request, response: web.StreamResponse) -> None:
            response.headers.update(config.headers)

        app.on_response_prepare.append(set_headers)
    if config.tls is not None and config.tls.client_allowed_sans:
        app.middlewares.append(_names(config.tls.client_allowed_sans))
    if config.users:
        logins = Logins(config.users)
        app.middlewares.append(_login(logins))
        app.on_cleanup.append(logins.end)


def _names(allowed: frozenset[str]) -> Middleware:
    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not allowed & _names_in(request.get_extra_info("peercert") or {}):
            words = "the client's certificate has none of the allowed names\n"
            return web.Response(status=403, text=words)
        return await handler(request)

    return middleware


def _names_in(certificate: Mapping[str, object]) -> set[str]:
    names: set[str] = set()
    entries = certificate.get("subjectAltName", ())
    for kind, name in entries if isinstance(entries, tuple) else ():
        if kind in ("DNS", "email", "URI"):
            names.add(name)
        elif kind == "IP Address" and name != "<invalid>":
            # In the shortest form, as in the configuration; OpenSSL writes all of IPv6's zeros.
            names.add(str(ipaddress.ip_address(name)))
    return names


def _login(logins: Logins) -> Middleware:
    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        pair = credentials(request.headers.get("Authorization", ""))
        if pair is None:
            words = "a user name and a password are needed\n"
            return web.Response(status=401, text=words, headers=_CHALLENGE)
        try:
            right = await logins.right(*pair)
        except TooManyLoginsError:
            words = "too many logins at once; try again\n"
            return web.Response(status=503, text=words, headers={"Retry-After": "1"})
        if not right:
            words = "no such user, or not its password\n"
            return web.Response(status=401, text=words, headers=_CHALLENGE)
        return await handler(request)

    return middleware


def credentials(header: str) -> tuple[bytes, bytes] | None:
    """Return user name and password from an Authorization *header*; None if they are not there."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):  # the latter when it is not ASCII
        return None
    return (name, password) if colon else None


class TooManyLoginsError(Exception):
    """Too many logins wait to be compared already."""


class Logins:
    """Which logins are right."""

    def __init__(self, users: Mapping[str, str]) -> None:
        self._users = {name.encode(): hashed.encode() for name, hashed in users.items()}
        self._key = secrets.token_bytes(32)
        self._remembered: dict[bytes, None] = {}
        self._checks: dict[bytes, asyncio.Task[bool]] = {}
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bcrypt")

    async def right(self, name: bytes, password: bytes) -> bool:
        """Tell whether *password* is that of *name*; raises TooManyLoginsError."""
        password = password[:_BCRYPT_BYTES]
        # Passwords are not kept, nor what anybody could compute of them.
        mark = self._mark(len(name).to_bytes(4, "big") + name + password)
        if mark in self._remembered:
            return True
        check = self._checks.get(mark)
        if check is None:
            if len(self._checks) >= MOST_CHECKS:
                raise TooManyLoginsError
            check = asyncio.create_task(self._check(mark, name, password))
            self._checks[mark] = check
        # Shielded: others may wait for the same, and the one that came first may leave.
        return await asyncio.shield(check)

    async def _check(self, mark: bytes, name: bytes, password: bytes) -> bool:
        loop = asyncio.get_running_loop()
        hashed = self._hash(name)
        try:
            same = await loop.run_in_executor(self._thread, bcrypt.checkpw, password, hashed)
        finally:
            del self._checks[mark]
        if not same or name not in self._users:
            return False
        if len(self._remembered) >= _MOST_REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
        self._remembered[mark] = None
        return True

    def _hash(self, name: bytes) -> bytes:
        """Return the hash of *name*, or of another user: the time must not tell which exist."""
        hashed = self._users.get(name)
        if hashed is not None:
            return hashed
        # Always the same one for the same name, as costs may differ.
        number = int.from_bytes(self._mark(name), "big")
        return list(self._users.values())[number % len(self._users)]

    def _mark(self, text: bytes) -> bytes:
        return hashlib.blake2b(text, key=self._key, digest_size=32).digest()

    async def end(self, _app: web.Application) -> None:
        """Compare nothing any more."""
        self._thread.shutdown(wait=False, cancel_futures=True)
