"""Defines the settings about alerts: thresholds, and the Alertmanagers to notify."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, Field, field_validator

from pgheadroom.config.strict import Strict, several
from pgheadroom.model.thresholds import Thresholds

URLS = "give http://HOST:PORT or https://HOST:PORT; a path may follow"

_HOURS, _DAYS = 3600, 86400
_THRESHOLDS = Thresholds()


def _seconds(name: str, most: float, description: str) -> Any:  # noqa: ANN401 - as pydantic's own Field
    return Field(
        default=getattr(_THRESHOLDS, name + "_seconds"), ge=0, le=most, description=description
    )


def _ratio(name: str, description: str) -> Any:  # noqa: ANN401
    return Field(default=getattr(_THRESHOLDS, name + "_ratio"), ge=0, le=1, description=description)


_HOST_NAME = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?")
_LABEL_NAME = re.compile(r"(?!__)[A-Za-z_][A-Za-z0-9_]*")
_OWN_LABELS = ("alertname", "severity", "target", "server", "role", "database", "user")


def url(value: str, whose: str = "alertmanager") -> str:
    """Return *value* without a slash at its end; refuse what is no plain address of a server.

    The settings that begin with *whose* are those by which to log in there.
    """
    if "@" in value or "?" in value:
        message = (
            "give http://HOST:PORT/PATH or https://HOST:PORT/PATH, without a user, a password or a"
            f" query; to log in, use {whose}_username with {whose}_password_file, or"
            f" {whose}_bearer_token_file"
        )
        raise ValueError(message)
    if not _is_plain(value):
        raise ValueError(URLS)
    return value.rstrip("/")


def urls_of(text: str) -> list[str]:
    """Return the URLs in *text*, with commas between them."""
    return [part.strip() for part in text.split(",")]


def _is_plain(value: str) -> bool:
    # urlsplit drops line ends and tabs, wherever they are, before it looks.
    if not value.isascii() or not value.isprintable() or " " in value or "#" in value:
        return False
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and _has_host(parts) and parts.port != 0
    except ValueError:  # a port that is none, or brackets around no IPv6 address
        return False


def _has_host(parts: SplitResult) -> bool:
    host = parts.hostname or ""
    if parts.netloc.startswith("["):
        return ipaddress.ip_address(host).version == 6  # noqa: PLR2004 - the one that has brackets
    return _HOST_NAME.fullmatch(host) is not None


Url = Annotated[str, AfterValidator(url)]


class AlertSettings(Strict):
    """From where on something is worth an alert (the settings behind Thresholds), and who hears."""

    paging_horizon_seconds: float = _seconds(
        "paging_horizon",
        _DAYS,
        "page when the last ordinary slot is forecast to be taken within this time, if the two"
        " floors below are met",
    )
    paging_floor_ratio: float = _ratio(
        "paging_floor",
        "share of the ordinary slots that must be in use before a forecast pages",
    )
    early_floor_ratio: float = _ratio(
        "early_floor",
        "lower share that is enough when a sign says that the growth goes on: the growing"
        " application's connections are busy, wait for locks or are not used, it has lasted as long"
        " as paging_horizon_seconds, or three quarters of its way lie behind it",
    )
    busy_ratio: float = _ratio(
        "busy",
        "share of an application's connections that must not be idle for its growth"
        " to count as busy",
    )
    forecast_horizon_seconds: float = _seconds(
        "forecast_horizon",
        14 * _DAYS,
        "warn when the last ordinary slot is forecast to be taken within this time",
    )
    planning_horizon_seconds: float = _seconds(
        "planning_horizon",
        182 * _DAYS,
        "PostgresPeaksOutgrowLimit warns when the peaks of a weekday, which grow from week to week,"
        " reach the limit within this time",
    )
    leak_seconds: float = _seconds(
        "leak",
        7 * _DAYS,
        "how long an application must grow, without falling back, to count as a leak",
    )
    low_free_ratio: float = _ratio(
        "low_free",
        "PostgresConnectionsLow warns when this share of the ordinary slots, or less, is free",
    )
    low_hold_seconds: float = _seconds(
        "low_hold",
        _DAYS,
        "how long few slots must stay free before PostgresConnectionsLow fires",
    )
    logins_warning_ratio: float = _ratio(
        "logins_warning",
        "warn when logins that do not finish hold this share of the ordinary slots",
    )
    logins_critical_ratio: float = _ratio(
        "logins_critical",
        "page when logins that do not finish hold this share of the ordinary slots",
    )
    logins_hold_seconds: float = _seconds(
        "logins_hold",
        _HOURS,
        "how long logins must hold that share before an alert fires",
    )
    limit_warning_ratio: float = _ratio(
        "limit_warning",
        "warn when this share of a role's or a database's CONNECTION LIMIT is in use",
    )
    limit_critical_ratio: float = _ratio(
        "limit_critical",
        "page when this share of a role's or a database's CONNECTION LIMIT is in use",
    )
    limit_hold_seconds: float = _seconds(
        "limit_hold",
        _HOURS,
        "how long a CONNECTION LIMIT must be used that far before an alert fires",
    )
    blind_warning_seconds: float = _seconds(
        "blind_warning",
        _HOURS,
        "warn when there has been no sample for this long",
    )
    blind_critical_seconds: float = _seconds(
        "blind_critical",
        _DAYS,
        "page when there has been no sample for this long",
    )
    queue_wait_seconds: float = _seconds(
        "queue_wait",
        _HOURS,
        "how long a pooler's client may wait for a server connection before it counts as refused;"
        " a shorter query_wait_timeout replaces it",
    )
    queue_hold_seconds: float = _seconds(
        "queue_hold",
        _HOURS,
        "how long clients must have been waiting in a pool before its queue can page",
    )
    queue_horizon_seconds: float = _seconds(
        "queue_horizon",
        _HOURS,
        "page when the oldest client in a growing queue will have waited for queue_wait_seconds"
        " within this time",
    )
    paused_hold_seconds: float = _seconds(
        "paused_hold",
        _DAYS,
        "how long a pooler's database must be paused or disabled before PoolerPaused warns",
    )
    overcommit_hold_seconds: float = _seconds(
        "overcommit_hold",
        _DAYS,
        "how long poolers must be able to open more connections than the server has slots before"
        " PostgresSlotsOvercommitted warns",
    )
    resolve_hold_seconds: float = _seconds(
        "resolve_hold",
        _DAYS,
        "how long the cause of an alert must be gone before the alert resolves",
    )

    alertmanager_urls: list[Url] = Field(
        default_factory=list,
        description="addresses of the Alertmanagers to post alerts to, every member of a cluster"
        " listed; without any, alerts are only shown",
    )
    alertmanager_username: str | None = Field(
        default=None,
        description="user name for the Alertmanagers; needs alertmanager_password_file",
    )
    alertmanager_password_file: Path | None = Field(
        default=None,
        description="file that holds the password for the Alertmanagers; read at each post",
    )
    alertmanager_bearer_token_file: Path | None = Field(
        default=None,
        description="file that holds a bearer token for the Alertmanagers, instead of a user name;"
        " read at each post",
    )
    alertmanager_ca_file: Path | None = Field(
        default=None,
        description="PEM file of the CA certificates to trust for the Alertmanagers, instead of"
        " the system's; read at each post",
    )
    alertmanager_cert_file: Path | None = Field(
        default=None,
        description="PEM file of our client certificate for the Alertmanagers; needs"
        " alertmanager_key_file; read at each post",
    )
    alertmanager_key_file: Path | None = Field(
        default=None,
        description="PEM file of the client certificate's key, without a password; read at each"
        " post",
    )
    alertmanager_resend_seconds: float = Field(
        default=30.0,
        ge=5,
        le=600,
        description="time between two posts while nothing changes; an alert expires if it is not"
        " posted again within four times as long",
    )
    alert_labels: dict[str, str] = Field(
        default_factory=dict, description="additional labels for every alert that is posted"
    )
    external_url: Url | None = Field(
        default=None,
        description="address at which people open this daemon's pages; posted alerts link to it",
    )

    @field_validator("alertmanager_urls", mode="before")
    @classmethod
    def _in_short(cls, value: object) -> object:
        return urls_of(value) if isinstance(value, str) else value

    @field_validator("alertmanager_urls")
    @classmethod
    def _each_once(cls, value: list[str]) -> list[str]:
        if len({url.partition("://")[2] for url in value}) < len(value):
            message = "the same address is given twice; give each Alertmanager once"
            raise ValueError(message)
        return value

    @field_validator("alert_labels")
    @classmethod
    def _labels(cls, value: dict[str, str]) -> dict[str, str]:
        if problems := list(_wrong_labels(value)):
            raise several(problems)
        return value

    def misfits(self) -> list[str]:
        """Say what does not go together."""
        return [*super().misfits(), *wrong_credentials(self, "alertmanager")]

    @property
    def thresholds(self) -> Thresholds:
        """The same as the judge takes it."""
        return Thresholds(**{f.name: getattr(self, f.name) for f in fields(Thresholds)})


def _wrong_labels(labels: dict[str, str]) -> Iterator[str]:
    for name, value in labels.items():
        if name in _OWN_LABELS:
            own = ", ".join(_OWN_LABELS)
            yield f"{name!r} is not allowed; every alert already has {own}"
        elif not _LABEL_NAME.fullmatch(name):
            quoted = "this" if "@" in name else repr(name)  # a connection string, perhaps
            yield (
                f"{quoted} is not allowed as a name; give letters, digits and _, without a digit or"
                " two _ at the start"
            )
        elif not value:
            yield f"{name} has no value; give one, because Alertmanager drops an empty label"


def wrong_credentials(settings: Strict, whose: str) -> Iterator[str]:
    """Yield what does not go together in the settings by which to log in, which *whose* begins."""

    def given(name: str) -> bool:
        return getattr(settings, f"{whose}_{name}") is not None

    for one, other in (("username", "password_file"), ("cert_file", "key_file")):
        if given(one) != given(other):
            present, missing = (one, other) if given(one) else (other, one)
            yield f"{whose}_{present} is given without {whose}_{missing}; give both or neither"
    if given("bearer_token_file") and (given("username") or given("password_file")):
        yield (
            f"{whose}_bearer_token_file is given together with {whose}_username or"
            f" {whose}_password_file; give only one way to log in"
        )
