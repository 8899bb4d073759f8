"""Reads the web configuration file (TLS, headers, logins) in the exporter-toolkit's format.

The file is the one that exporters of Prometheus share (prometheus/exporter-toolkit). What of it is
not supported is refused by name. docs/web-config.md lists it.
"""

from __future__ import annotations

import enum
import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

MOST_COST = 14
"""Of bcrypt; a comparison takes about a second then, and twice as long with each step more."""

# In Go's names, which the file uses, and OpenSSL's.
_CIPHERS = {
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
}
# TLS 1.3 has these always, in Go as in Python, whatever a configuration says.
_CIPHERS_OF_TLS13 = (
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "TLS_CHACHA20_POLY1305_SHA256",
)

_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}

_HEADERS: dict[str, tuple[str, ...]] = {
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
    "Content-Security-Policy": (),
}
"""The headers that may be set; for some, the values that they may have."""

# The last character of the salt has four bits that count for nothing: 0, or the salt is not one.
_HASH = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}", re.ASCII)
_LEAST_COST = 4

_FROM_FILES = "this daemon reads certificates and keys from files: cert_file, key_file"
_UNSUPPORTED = {
    "": {"rate_limit": "logins that fail are limited anyway, see docs/web-config.md"},
    "tls_server_config": {
        "cert": _FROM_FILES,
        "key": _FROM_FILES,
        "client_ca": "this daemon reads it from a file: client_ca_file",
        "curve_preferences": "Python's ssl cannot set their order",
    },
}


class ClientCertificate(enum.Enum):
    """What is asked of a client."""

    NONE = "NoClientCert"
    IF_GIVEN = "VerifyClientCertIfGiven"
    """A client may come without; the one that it shows must be good."""
    REQUIRED = "RequireAndVerifyClientCert"


_UNVERIFIED = ("RequestClientCert", "RequireAnyClientCert", "RequireClientCert")


@dataclass(frozen=True, slots=True)
class Tls:
    """How to serve HTTPS."""

    cert_file: Path
    key_file: Path
    client_certificate: ClientCertificate = ClientCertificate.NONE
    client_ca_file: Path | None = None
    client_allowed_sans: frozenset[str] = frozenset()
    """Names of which a client's certificate must have one; empty if any will do."""
    min_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    max_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
    ciphers: tuple[str, ...] = ()
    """In OpenSSL's names, for TLS 1.2; empty for OpenSSL's own choice."""
    prefer_server_ciphers: bool = True


@dataclass(frozen=True, slots=True)
class WebConfig:
    """Everything that the file says."""

    tls: Tls | None = None
    """None is plain HTTP."""
    headers: Mapping[str, str] = field(default_factory=dict)
    users: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Names and bcrypt hashes; empty lets everybody in."""


def web_config(given: Mapping[str, object], folder: Path, problems: list[str]) -> WebConfig:
    """Return what *given*, the parsed file, says; paths in it are relative to *folder*.

    What is wrong is added to *problems*, a line each; what is returned is of no use then.
    """
    root = _Section("", given, problems)
    root.only("tls_server_config", "http_server_config", "basic_auth_users")
    tls = root.section("tls_server_config")
    http = root.section("http_server_config")
    http.only("http2", "headers")
    if http.flag("http2", default=False):
        http.complain("http2", "true is not supported: HTTP/1.1 is served; allowed is false")
    return WebConfig(
        tls=_tls(tls, folder) if tls.given else None,
        headers=_headers(http.section("headers")),
        users=_users(root.section("basic_auth_users")),
    )


class _Section:
    """One mapping of the file, and the list that takes what is wrong with it."""

    def __init__(self, name: str, given: Mapping[str, object], problems: list[str]) -> None:
        self.name = name
        self.given = given
        self._problems = problems

    def complain(self, key: str, words: str) -> None:
        where = f"{self.name}.{key}" if self.name else key
        self._problems.append(f"{where}: {words}")

    def only(self, *known: str) -> None:
        """Refuse every other key."""
        unsupported = _UNSUPPORTED.get(self.name, {})
        for key in self.given:
            if key in unsupported:
                self.complain(key, f"not supported: {unsupported[key]}")
            elif key not in known:
                self.complain(key, f"no such key; allowed are {', '.join(known)}")

    def section(self, key: str) -> _Section:
        """Return the mapping at *key*, empty if there is none."""
        name = f"{self.name}.{key}" if self.name else key
        value = self.given.get(key)
        if value is None:
            value = {}
        elif not isinstance(value, dict):
            self.complain(key, "should be a mapping")
            value = {}
        strings = {name: found for name, found in value.items() if isinstance(name, str)}
        if len(strings) < len(value):
            self.complain(key, "each key should be a string; a number is one in quotes")
        return _Section(name, strings, self._problems)

    def text(self, key: str) -> str:
        """Return the string at *key*, empty if there is none."""
        value = self.given.get(key)
        if value is None or isinstance(value, str):
            return value or ""
        self.complain(key, "should be a string; a number is one in quotes")
        return ""

    def texts(self, key: str) -> Sequence[str]:
        """Return the list of strings at *key*, empty if there is none."""
        value = self.given.get(key)
        if value is None:
            return ()
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return value
        self.complain(key, "should be a list of strings")
        return ()

    def flag(self, key: str, *, default: bool) -> bool:
        value = self.given.get(key)
        if isinstance(value, bool):
            return value
        if value is not None:
            self.complain(key, "should be true or false")
        return default

    def choice(self, key: str, allowed: Mapping[str, T], default: T) -> T:
        """Return what the string at *key* stands for."""
        value = self.text(key)
        if value and value not in allowed:
            self.complain(key, f"{value!r} is not allowed: allowed are {', '.join(allowed)}")
        return allowed.get(value, default)


def _tls(section: _Section, folder: Path) -> Tls | None:
    """Return what the section says; None if it does not name the files."""
    section.only(
        *("cert_file", "key_file", "client_auth_type", "client_ca_file", "client_allowed_sans"),
        *("min_version", "max_version", "cipher_suites", "prefer_server_cipher_suites"),
    )
    for key in ("cert_file", "key_file"):
        if not section.given.get(key):
            section.complain(key, "is missing")
    lowest = section.choice("min_version", _VERSIONS, ssl.TLSVersion.TLSv1_2)
    highest = section.choice("max_version", _VERSIONS, ssl.TLSVersion.TLSv1_3)
    if lowest > highest:
        section.complain("max_version", "is below min_version")
    asked = _client_certificate(section)
    ca, cert, key = map(section.text, ("client_ca_file", "cert_file", "key_file"))
    tls = Tls(
        cert_file=folder / cert,
        key_file=folder / key,
        client_certificate=asked,
        client_ca_file=folder / ca if ca else None,
        client_allowed_sans=_allowed_sans(section, asked),
        min_version=lowest,
        max_version=highest,
        ciphers=_ciphers(section, lowest),
        prefer_server_ciphers=section.flag("prefer_server_cipher_suites", default=True),
    )
    return tls if cert and key else None


def _client_certificate(section: _Section) -> ClientCertificate:
    known = {kind.value: kind for kind in ClientCertificate}
    value = section.text("client_auth_type")
    if value in _UNVERIFIED:
        words = f"{value} is not supported: a certificate that is asked for is verified; allowed"
        section.complain("client_auth_type", f"{words} are {', '.join(known)}")
        return ClientCertificate.NONE
    kind = section.choice("client_auth_type", known, ClientCertificate.NONE)
    has_ca = bool(section.given.get("client_ca_file"))
    if kind is not ClientCertificate.NONE and not has_ca:
        section.complain("client_ca_file", f"is missing; client_auth_type {kind.value} needs it")
    if value in ("", ClientCertificate.NONE.value) and has_ca:
        section.complain("client_ca_file", "is of no use without a client_auth_type")
    return kind


def _allowed_sans(section: _Section, asked: ClientCertificate) -> frozenset[str]:
    key = "client_allowed_sans"
    names = section.texts(key)
    if section.given.get(key) == []:
        section.complain(key, "is empty, which would let nobody in; leave it out to allow any name")
    elif names and asked is not ClientCertificate.REQUIRED:
        section.complain(key, f"needs client_auth_type {ClientCertificate.REQUIRED.value}")
    return frozenset(names)


def _ciphers(section: _Section, lowest: ssl.TLSVersion) -> tuple[str, ...]:
    key = "cipher_suites"
    names = section.texts(key)
    for name in names:
        if name not in _CIPHERS and name not in _CIPHERS_OF_TLS13:
            allowed = ", ".join((*_CIPHERS, *_CIPHERS_OF_TLS13))
            section.complain(key, f"{name!r} is not supported; allowed are {allowed}")
    older = tuple(_CIPHERS[name] for name in names if name in _CIPHERS)
    if names and not older and lowest < ssl.TLSVersion.TLSv1_3:
        section.complain(key, "has none for TLS 1.2; add one, or set min_version: TLS13")
    return older


def _headers(section: _Section) -> dict[str, str]:
    section.only(*_HEADERS)
    found: dict[str, str] = {}
    for key, allowed in _HEADERS.items():
        value = section.text(key)
        if not value:
            continue
        if allowed and value not in allowed:
            section.complain(key, f"{value!r} is not allowed: allowed are {', '.join(allowed)}")
        if not (value.isascii() and value.isprintable()):
            section.complain(key, "should be one line of printable ASCII")
        found[key] = value
    return found


def _users(section: _Section) -> dict[str, str]:
    """Take the users; what stands in place of a hash is never repeated: it may be a password."""
    found: dict[str, str] = {}
    for name in section.given:
        value = section.text(name)
        match = _HASH.fullmatch(value)
        if ":" in name:
            section.complain(name, "a name with a colon in it can never log in")
        if match is None:
            section.complain(name, "should be a bcrypt hash: $2y$, the cost, $ and 53 characters")
        elif not _LEAST_COST <= int(match[1]) <= MOST_COST:
            section.complain(name, f"bcrypt's cost should be from {_LEAST_COST} to {MOST_COST}")
        found[name] = value
    return found
