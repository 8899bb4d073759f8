"""Reads the web configuration file (TLS, headers, logins) in the exporter-toolkit's format.

The file is the one that exporters of Prometheus share (prometheus/exporter-toolkit). What of it is
not supported is refused by name. docs/web-config.md lists it.
"""

from __future__ import annotations

import copy
import re
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictStr,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import ErrorDetails

from pgheadroom.config.allowed import one_of
from pgheadroom.config.given import Location
from pgheadroom.config.web_objections import web_objection
from pgheadroom.web.config import ClientCertificate, Tls, WebConfig

MOST_COST = 14
"""Of bcrypt; a comparison takes about a second then, and twice as long with each step more."""
_LEAST_COST = 4

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
_CLIENT_CERTIFICATES = {kind.value: kind for kind in ClientCertificate}
_UNVERIFIED = ("RequestClientCert", "RequireAnyClientCert", "RequireClientCert")

# The last character of the salt has four bits that count for nothing: 0, or the salt is not one.
_HASH = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}", re.ASCII)


def _unsaid(value: object, handler: ValidatorFunctionWrapHandler) -> Any:  # noqa: ANN401 - what the field holds
    """Take a key without a value for one that is not there, as YAML means it."""
    return "" if value is None else handler(value)


def _printable(value: str) -> str:
    if not (value.isascii() and value.isprintable()):
        raise ValueError("give one line of printable ASCII")
    return value


def _one_of(*allowed: str) -> AfterValidator:
    def check(value: str) -> str:
        if value and value not in allowed:
            raise ValueError(f"give {one_of(allowed)}")
        return value

    return AfterValidator(check)


def _verified(value: str) -> str:
    if value in _UNVERIFIED:
        raise ValueError(
            "a client certificate is always verified here;"
            f" give {one_of(filter(None, _CLIENT_CERTIFICATES))}"
        )
    return value


def _no_http2(value: bool) -> bool:  # noqa: FBT001 - what is validated
    if value:
        raise ValueError("only HTTP/1.1 is served; give false")
    return value


def _hash(value: str) -> str:
    """Check a hash; what stands in its place is never repeated: it may be a password."""
    match = _HASH.fullmatch(value)
    if match is None:
        raise ValueError("give a bcrypt hash: $2y$, the cost, $ and 53 characters")
    if not _LEAST_COST <= int(match[1]) <= MOST_COST:
        raise ValueError(f"give a bcrypt hash with a cost from {_LEAST_COST} to {MOST_COST}")
    return value


def _user(name: str) -> str:
    if ":" in name:
        raise ValueError("a user whose name has a colon can never log in; give another name")
    return name


def _cipher(name: str) -> str:
    if name not in _CIPHERS and name not in _CIPHERS_OF_TLS13:
        raise ValueError(f"give {one_of((*_CIPHERS, *_CIPHERS_OF_TLS13))}")
    return name


_Empty = BeforeValidator(lambda value: {} if value is None else value)
_Text = Annotated[StrictStr, WrapValidator(_unsaid)]
_Header = Annotated[_Text, AfterValidator(_printable)]
_Version = Annotated[_Text, _one_of(*_VERSIONS)]
_Flag = StrictBool | None


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _TlsSection(_Section):
    cert_file: Annotated[_Text, Field(min_length=1)]
    key_file: Annotated[_Text, Field(min_length=1)]
    client_auth_type: Annotated[
        _Text, AfterValidator(_verified), _one_of(*_CLIENT_CERTIFICATES, *_UNVERIFIED)
    ] = ""
    client_ca_file: _Text = ""
    client_allowed_sans: list[StrictStr] | None = None
    min_version: _Version = ""
    max_version: _Version = ""
    cipher_suites: list[Annotated[StrictStr, AfterValidator(_cipher)]] | None = None
    prefer_server_cipher_suites: _Flag = None


class _Headers(_Section):
    strict_transport_security: _Header = Field("", alias="Strict-Transport-Security")
    x_content_type_options: Annotated[_Header, _one_of("nosniff")] = Field(
        "", alias="X-Content-Type-Options"
    )
    x_frame_options: Annotated[_Header, _one_of("deny", "sameorigin")] = Field(
        "", alias="X-Frame-Options"
    )
    x_xss_protection: _Header = Field("", alias="X-XSS-Protection")
    content_security_policy: _Header = Field("", alias="Content-Security-Policy")


class _HttpSection(_Section):
    http2: Annotated[_Flag, AfterValidator(_no_http2)] = None
    headers: Annotated[_Headers, _Empty] = _Headers()


class _File(_Section):
    tls_server_config: _TlsSection | None = None
    http_server_config: Annotated[_HttpSection, _Empty] = _HttpSection()
    basic_auth_users: Annotated[
        dict[
            Annotated[StrictStr, AfterValidator(_user)],
            Annotated[_Text, AfterValidator(_hash)],
        ],
        _Empty,
    ] = {}


def web_config(
    content: Mapping[str, object],
    folder: Path,
    problems: list[str],
    place: Callable[[Location], str] = lambda _: "",
) -> WebConfig:
    """Return what *content*, the parsed file, says; paths in it are relative to *folder*.

    What is wrong is added to *problems*, a line each, which begins with the *place* in the file;
    what is returned is of no use then.
    """
    try:
        file = _File.model_validate(content)
    except ValidationError as error:
        details = error.errors(include_url=False)
        found = [web_objection(detail, SECTIONS) for detail in details]
        problems += dict.fromkeys(f"{place(location)}{words}" for location, words in found)
        file = _rest(content, details)  # so that the files that it names are looked at, too
    else:
        problems += [
            f"{place(('tls_server_config', key))}tls_server_config.{key}: {words}"
            for key, words in _contradictions(file.tls_server_config)
        ]
    tls = file.tls_server_config
    headers = file.http_server_config.headers.model_dump(by_alias=True)
    return WebConfig(
        tls=None if tls is None else _tls(tls, folder),
        headers={name: value for name, value in headers.items() if value},
        users=file.basic_auth_users,
    )


def _rest(content: Mapping[str, object], details: Sequence[ErrorDetails]) -> _File:
    """Return what *content* says without the keys that *details* object to."""
    rest = copy.deepcopy(dict(content))
    for detail in details:
        section: object = rest
        *path, last = [part for part in detail["loc"] if part != "[key]"]
        for part in path:
            below = section.get(part) if isinstance(section, dict) else None
            if isinstance(below, list) and isinstance(section, dict):
                section.pop(part)  # of a list that holds something wrong, nothing is left
            section = below
        if isinstance(section, dict):
            section.pop(last, None)
    try:
        return _File.model_validate(rest)
    except ValidationError:  # a key that is missing
        return _File()


def _contradictions(tls: _TlsSection | None) -> Iterator[tuple[str, str]]:
    """Yield the keys of *tls* that do not go with others, each with what is wrong with it."""
    if tls is None:
        return
    lowest, highest = _versions(tls)
    if lowest > highest:
        yield "max_version", "is below min_version"
    kind = _CLIENT_CERTIFICATES.get(tls.client_auth_type, ClientCertificate.NONE)
    if kind is not ClientCertificate.NONE and not tls.client_ca_file:
        yield "client_ca_file", f"is missing; client_auth_type {kind.value} needs it"
    if kind is ClientCertificate.NONE and tls.client_ca_file:
        yield "client_ca_file", "has no effect without client_auth_type"
    if tls.client_allowed_sans == []:
        words = "an empty list would let nobody in; leave it out to allow any name"
        yield "client_allowed_sans", words
    elif tls.client_allowed_sans and kind is not ClientCertificate.REQUIRED:
        required = ClientCertificate.REQUIRED.value
        yield "client_allowed_sans", f"needs client_auth_type {required}"
    if tls.cipher_suites and not _ciphers(tls) and lowest < ssl.TLSVersion.TLSv1_3:
        yield "cipher_suites", "has no cipher for TLS 1.2; add one, or set min_version: TLS13"


def _versions(tls: _TlsSection) -> tuple[ssl.TLSVersion, ssl.TLSVersion]:
    lowest = _VERSIONS.get(tls.min_version, ssl.TLSVersion.TLSv1_2)
    return lowest, _VERSIONS.get(tls.max_version, ssl.TLSVersion.TLSv1_3)


def _ciphers(tls: _TlsSection) -> tuple[str, ...]:
    return tuple(_CIPHERS[name] for name in tls.cipher_suites or () if name in _CIPHERS)


def _tls(tls: _TlsSection, folder: Path) -> Tls:
    lowest, highest = _versions(tls)
    return Tls(
        cert_file=folder / tls.cert_file,
        key_file=folder / tls.key_file,
        client_certificate=_CLIENT_CERTIFICATES.get(tls.client_auth_type, ClientCertificate.NONE),
        client_ca_file=folder / tls.client_ca_file if tls.client_ca_file else None,
        client_allowed_sans=frozenset(tls.client_allowed_sans or ()),
        min_version=lowest,
        max_version=highest,
        ciphers=_ciphers(tls),
        prefer_server_ciphers=tls.prefer_server_cipher_suites is not False,
    )


SECTIONS: Mapping[str, type[_Section]] = {
    "": _File,
    "tls_server_config": _TlsSection,
    "http_server_config": _HttpSection,
    "http_server_config.headers": _Headers,
}
"""What is allowed in each mapping of the file, by its path."""
