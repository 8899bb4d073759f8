"""Asks a server over HTTP once: one request, one deadline, one way to say what went wrong."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp

from pgheadroom.net.credentials import Credentials, UnusableFileError
from pgheadroom.net.resolver import Resolver
from pgheadroom.text import printable

NOBODY = Credentials()


class HttpError(Exception):
    """There is no answer; the message is one line that says why, free of secrets."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for: a GET of *url*, or a POST of *json* if there is some."""

    url: str
    params: Sequence[tuple[str, str]] = ()
    json: bytes | None = None
    credentials: Credentials = NOBODY
    timeout_seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class Response:
    """What was answered."""

    status: int
    body: bytes


async def ask(request: Request) -> Response:
    """Return the answer to *request*; raises HttpError when there is none in time."""
    try:
        async with asyncio.timeout(request.timeout_seconds):
            # In a thread, because reading the certificates that the system trusts takes a while.
            headers, trust = await asyncio.to_thread(_prepared, request.credentials)
            return await _ask(request, headers, trust)
    except UnusableFileError as error:
        raise HttpError(str(error)) from None
    except TimeoutError:
        raise HttpError(f"no answer within {request.timeout_seconds:g} s") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise HttpError(_why(error)) from None


def _prepared(credentials: Credentials) -> tuple[dict[str, str], ssl.SSLContext | None]:
    return credentials.headers(), credentials.trust()


async def _ask(request: Request, headers: dict[str, str], trust: ssl.SSLContext | None) -> Response:
    method = "GET"
    if request.json is not None:
        method, headers = "POST", {**headers, "Content-Type": "application/json"}
    # A connection for each request: a kept one may be gone when it is needed most.
    connector = aiohttp.TCPConnector(force_close=True, resolver=Resolver(), ssl=trust or True)
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.request(
            method,
            request.url,
            params=request.params or None,
            data=request.json,
            headers=headers,
            # Our credentials are for this address only, and a POST would arrive as a GET.
            allow_redirects=method == "GET" and not request.credentials.secret,
        ) as response,
    ):
        return Response(response.status, await response.read())


def _why(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorError) and error.os_error.strerror:
        return error.os_error.strerror
    return printable(str(error) or type(error).__name__)
