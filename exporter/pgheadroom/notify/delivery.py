"""Posts to an Alertmanager and says how that ended: accepted, refused, or worth another try."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from pgheadroom.net.credentials import Credentials
from pgheadroom.net.http import HttpError, Request, ask

_TRY_AGAIN = frozenset({408, 429})
"""Statuses of the refusing kind that speak of the moment, not of what was posted."""


class Verdict(enum.Enum):
    """What became of a post."""

    ACCEPTED = enum.auto()
    REFUSED = enum.auto()
    """The same post will be refused again."""
    FAILED = enum.auto()
    """It may go better the next time."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a post, and why; the reason is one line, free of secrets."""

    verdict: Verdict
    reason: str = ""


async def deliver(
    url: str, body: bytes, credentials: Credentials, timeout_seconds: float
) -> Delivery:
    """Post *body*, which is JSON, to *url*; return within *timeout_seconds* how it ended."""
    try:
        response = await ask(
            Request(url, json=body, credentials=credentials, timeout_seconds=timeout_seconds)
        )
    except HttpError as error:
        return Delivery(Verdict.FAILED, str(error))
    status = response.status
    reason = f"it answered with HTTP status {status}"
    if 200 <= status < 300:  # noqa: PLR2004 - HTTP's statuses of success
        return Delivery(Verdict.ACCEPTED)
    if status >= 500 or status in _TRY_AGAIN:  # noqa: PLR2004 - HTTP's statuses of the server's trouble
        return Delivery(Verdict.FAILED, reason)
    return Delivery(Verdict.REFUSED, reason)
