"""Defines what the web configuration file can say: TLS, headers, and who may log in."""

from __future__ import annotations

import enum
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


class ClientCertificate(enum.Enum):
    """What is asked of a client."""

    NONE = "NoClientCert"
    IF_GIVEN = "VerifyClientCertIfGiven"
    """A client may come without; the one that it shows must be good."""
    REQUIRED = "RequireAndVerifyClientCert"


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
