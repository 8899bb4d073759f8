"""Asks a real server over HTTP on the loopback interface."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

_DEADLINE_SECONDS: Final = 10.0
# The loopback interface needs no proxy, whatever the environment says about others.
_OPENER: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get(url: str, query: Mapping[str, str] | None = None) -> bytes:
    """Return the body of *url*."""
    address = f"{url}?{urlencode(query)}" if query else url
    with _OPENER.open(address, timeout=_DEADLINE_SECONDS) as response:
        body: bytes = response.read()
        return body


def get_json(url: str, query: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401 - it is JSON
    """Return the decoded body of *url*."""
    return json.loads(get(url, query))


def post(url: str, body: bytes = b"", content_type: str = "application/json") -> bytes:
    """Post *body* to *url* and return the answer."""
    request = urllib.request.Request(  # noqa: S310 - callers pass http URLs of this machine only
        url, data=body, headers={"Content-Type": content_type}, method="POST"
    )
    with _OPENER.open(request, timeout=_DEADLINE_SECONDS) as response:
        answer: bytes = response.read()
        return answer


def is_ready(url: str) -> bool:
    """Tell whether *url* answers 200 by now."""
    try:
        get(url)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False  # not listening yet, or 503 while it starts
    return True
