"""Asks a Prometheus over its HTTP API for series and for ranges of values.

Whatever goes wrong is one error whose message says what, and what to do about it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from pgheadroom.net.credentials import Credentials
from pgheadroom.net.http import NOBODY, HttpError, Request, ask
from pgheadroom.text import printable

Labels = dict[str, str]

_TIMEOUT_SECONDS = 120.0
_LOGINS = "--username and --password-file, or --bearer-token-file"
_LOGIN_NEEDED = (401, 403)
_TOO_MUCH = ("maximum resolution", "too many samples", "too many points", "timed out")


class PrometheusError(Exception):
    """Prometheus could not be asked, or its answer is of no use; the message says why."""


@dataclass(frozen=True, slots=True)
class Series:
    """The values of one series in a range of time."""

    labels: Labels
    values: tuple[tuple[float, float], ...]
    """(seconds since the epoch, value); points at which there was none, or NaN, are left out."""


class PrometheusApi:
    """One Prometheus; *logins* says how to log in. Raises PrometheusError only."""

    def __init__(self, url: str, credentials: Credentials = NOBODY, logins: str = _LOGINS) -> None:
        parts = _parts(url)
        if parts is None:
            raise PrometheusError("--prometheus: not a URL, such as http://prometheus:9090")
        if "@" in parts.netloc:
            words = "--prometheus: no login in the URL: use --username and --password-file"
            raise PrometheusError(words)
        self._address = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        self._credentials = credentials
        self._logins = logins

    async def series(self, selectors: list[str], start: float, end: float) -> list[Labels]:
        """Return the label sets of all series that one of *selectors* finds in that time."""
        fields = [("match[]", selector) for selector in selectors]
        data = await self._get("series", [*fields, ("start", f"{start}"), ("end", f"{end}")])
        try:
            return [_labels(labels) for labels in data]
        except (TypeError, ValueError):
            raise self._no_prometheus("list of series") from None

    async def query_range(self, query: str, start: float, end: float, step: float) -> list[Series]:
        """Return the values of *query* at *start*, every *step* seconds, up to *end*."""
        fields = [("query", query), ("start", f"{start}"), ("end", f"{end}"), ("step", f"{step}")]
        data = await self._get("query_range", fields)
        try:
            return [_series(one) for one in data["result"]]
        except (TypeError, KeyError, ValueError, OverflowError):
            raise self._no_prometheus("range of values") from None

    async def _get(self, path: str, fields: list[tuple[str, str]]) -> Any:  # noqa: ANN401 - it is JSON
        url = f"{self._address}/api/v1/{path}"
        request = Request(
            url, fields, credentials=self._credentials, timeout_seconds=_TIMEOUT_SECONDS
        )
        try:
            response = await ask(request)
        except HttpError as error:
            raise PrometheusError(f"cannot reach {self._address}: {error}") from None
        return self._data(response.status, response.body)

    def _data(self, status: int, body: bytes) -> Any:  # noqa: ANN401 - it is JSON
        if status in _LOGIN_NEEDED:
            raise PrometheusError(
                f"{self._address} does not let us in ({status}): give {self._logins}"
            )
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            raise self._no_prometheus(f"JSON but status {status}") from None
        if not isinstance(answer, Mapping) or "status" not in answer:
            raise self._no_prometheus("Prometheus's API")
        if answer["status"] != "success" or "data" not in answer:
            words = printable(str(answer.get("error", "an error without words")))
            hint = "; try a shorter --since, a longer --step, or one --target"
            too_much = any(part in words for part in _TOO_MUCH)
            raise PrometheusError(f"{self._address}: {words}{hint if too_much else ''}")
        return answer["data"]

    def _no_prometheus(self, what: str) -> PrometheusError:
        return PrometheusError(f"{self._address}: the answer is no {what}; is it Prometheus?")


def selector(names: str, labels: Mapping[str, str], *more: str) -> str:
    """Return the PromQL selector of the series whose name matches *names*, with *labels*.

    *more* matchers are added as they are.
    """
    matchers = [f'__name__=~"{names}"', *(f"{key}={quoted(labels[key])}" for key in labels), *more]
    return "{" + ",".join(matchers) + "}"


def quoted(value: str) -> str:
    """Return *value* as a string of PromQL."""
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n")):
        value = value.replace(plain, escaped)
    return f'"{value}"'


def _parts(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, half an IPv6 address
        return None
    return parts if usable and url.isprintable() else None


def _series(result: Any) -> Series:  # noqa: ANN401 - it is JSON
    values = [(float(at), float(value)) for at, value in result["values"]]
    if not all(0 <= at < math.inf for at, _ in values):
        raise ValueError
    return Series(
        labels=_labels(result["metric"]),
        values=tuple((at, value) for at, value in values if math.isfinite(value)),
    )


def _labels(result: Any) -> Labels:  # noqa: ANN401 - it is JSON
    labels = dict(result)
    if not all(isinstance(value, str) for value in labels.values()):
        raise TypeError
    return labels
