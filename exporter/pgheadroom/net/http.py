"""Posts to an Alertmanager and says how that ended: accepted, refused, or worth another try.

Expected trouble, our own missing files included, is a value and never an exception.
"""

from __future__ import annotations

import asyncio
import base64
import enum
import ssl
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from pgheadroom.net.resolver import Resolver

_TRY_AGAIN = frozenset({408, 429})
"""Statuses of the refusing kind that speak of the moment, not of what was posted."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who we are and whom we trust; files are read before each post, so that they may rotate."""

    username: str | None = None
    password_file: Path | None = None
    bearer_token_file: Path | None = None
    ca_file: Path | None = None
    """Who may vouch for the server; None means those whom the system trusts."""
    cert_file: Path | None = None
    key_file: Path | None = None


class Verdict(enum.Enum):
    """What became of a post."""

    ACCEPTED = enum.auto()
    REFUSED = enum.auto()
    """The same post will be refused again."""
    FAILED = enum.auto()
    """It may go better the next time."""


@dataclass(frozen=True, slots=True)
class PostOutcome:
    """What became of a post, and why; the reason is one line, free of secrets."""

    verdict: Verdict
    reason: str = ""


class _UnusableFileError(Exception):
    """One of our files can't be used; the message says which and why, and nothing of its text."""


async def post(
    url: str, body: bytes, credentials: Credentials, timeout_seconds: float = 5.0
) -> PostOutcome:
    """Post *body*, which is JSON, to *url*; return within *timeout_seconds* how it ended."""
    try:
        async with asyncio.timeout(timeout_seconds):
            # In a thread, because reading the certificates that the system trusts takes a while.
            headers, trust = await asyncio.to_thread(_prepare, credentials)
            return await _post(url, body, headers, trust)
    except _UnusableFileError as error:
        return PostOutcome(Verdict.FAILED, str(error))
    except TimeoutError:
        return PostOutcome(Verdict.FAILED, f"no answer within {timeout_seconds:g} s")
    except (aiohttp.ClientError, OSError) as error:
        return PostOutcome(Verdict.FAILED, str(error) or type(error).__name__)


async def _post(
    url: str, body: bytes, headers: dict[str, str], trust: ssl.SSLContext | None
) -> PostOutcome:
    # A connection for each post: a kept one may be gone when it is needed most.
    connector = aiohttp.TCPConnector(force_close=True, resolver=Resolver(), ssl=trust or True)
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        # A redirect is not followed: our credentials are for this address only.
        session.post(url, data=body, headers=headers, allow_redirects=False) as response,
    ):
        return _judged(response.status)


def _judged(status: int) -> PostOutcome:
    reason = f"it answered with HTTP status {status}"
    if 200 <= status < 300:  # noqa: PLR2004 - HTTP's statuses of success
        return PostOutcome(Verdict.ACCEPTED)
    if status >= 500 or status in _TRY_AGAIN:  # noqa: PLR2004 - HTTP's statuses of the server's trouble
        return PostOutcome(Verdict.FAILED, reason)
    return PostOutcome(Verdict.REFUSED, reason)


def _prepare(credentials: Credentials) -> tuple[dict[str, str], ssl.SSLContext | None]:
    headers = {"Content-Type": "application/json"}
    if credentials.username is not None and credentials.password_file is not None:
        password = _read(credentials.password_file).rstrip("\r\n")
        pair = f"{credentials.username}:{password}".encode()
        headers["Authorization"] = "Basic " + base64.b64encode(pair).decode()
    elif credentials.bearer_token_file is not None:
        token = _read(credentials.bearer_token_file).strip()
        if not (token and token.isascii() and token.isprintable()):
            raise _UnusableFileError(f"{credentials.bearer_token_file} does not hold a token")
        headers["Authorization"] = f"Bearer {token}"
    return headers, _trust(credentials)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")  # a byte-order mark is no part of a secret
    except OSError as error:
        raise _UnusableFileError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise _UnusableFileError(f"{path} is not UTF-8") from None


def _trust(credentials: Credentials) -> ssl.SSLContext | None:
    """Return whom we trust and who we are; None when that is what the system has."""
    ca, cert, key = credentials.ca_file, credentials.cert_file, credentials.key_file
    if ca is None and cert is None:
        return None
    used = f"{ca}"
    try:
        context = ssl.create_default_context(cafile=ca)
        if cert is not None:
            used = f"{cert} with {key}"
            # An empty password, or OpenSSL would ask for one at the terminal and wait.
            context.load_cert_chain(cert, key, password="")
    except OSError as error:
        why = getattr(error, "reason", None) or error.strerror or "not a certificate in PEM form"
        raise _UnusableFileError(f"cannot use {used}: {why}") from None
    return context
