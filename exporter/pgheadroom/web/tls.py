"""Loads the certificate and the trusted CAs, and again when the files change."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog

from pgheadroom.web.config import ClientCertificate, Tls

log = structlog.get_logger("pgheadroom.web.site")

_VERIFY = {
    ClientCertificate.NONE: ssl.CERT_NONE,
    ClientCertificate.IF_GIVEN: ssl.CERT_OPTIONAL,
    ClientCertificate.REQUIRED: ssl.CERT_REQUIRED,
}

Versions = tuple[tuple[int, int, int] | None, ...]


def server_context(tls: Tls, problems: list[str]) -> ssl.SSLContext:
    """Return how to serve HTTPS; each handshake looks whether the files have changed.

    What is wrong with the files is added to *problems*; what is returned is of no use then.
    """
    versions = _versions(tls)
    context, problems_found = _made(tls)
    problems += problems_found
    context.sni_callback = _Renewal(tls, context, versions).look
    return context


@dataclass(slots=True)
class _Renewal:
    """The context in use, and the versions of the files that it was made of, or tried with."""

    tls: Tls
    context: ssl.SSLContext
    versions: Versions

    def look(self, connection: ssl.SSLObject, _name: str | None, _first: ssl.SSLContext) -> None:
        """Give *connection*, whose handshake begins, what the files hold now."""
        versions = _versions(self.tls)
        if versions != self.versions:
            self.versions = versions
            context, problems = _made(self.tls)
            if problems:
                # While certificate and key are replaced they may not match; keep the old pair.
                log.warning("cannot reload the certificate", problems="; ".join(problems))
            else:
                self.context = context
                log.info("certificate reloaded", cert_file=str(self.tls.cert_file))
        connection.context = self.context


def _made(tls: Tls) -> tuple[ssl.SSLContext, list[str]]:
    """Return a context of what the files hold, and what is wrong with them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = tls.min_version
    context.maximum_version = tls.max_version
    context.verify_mode = _VERIFY[tls.client_certificate]
    # As Go does, which this file is made for: what is in client_ca_file is trusted, root or not.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    # A resumed session would not be asked for its certificate again. (What TLS 1.2 keeps besides
    # tickets Python cannot turn off; docs/web-config.md says so.)
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    if not tls.prefer_server_ciphers:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    if tls.ciphers:
        context.set_ciphers(":".join(tls.ciphers))
    return context, list(_load(context, tls))


def _load(context: ssl.SSLContext, tls: Tls) -> Iterator[str]:
    unreadable = [*_unreadable("cert_file", tls.cert_file), *_unreadable("key_file", tls.key_file)]
    yield from unreadable
    if not unreadable:
        # An empty password, or OpenSSL would ask for one at the terminal and wait.
        yield from _tried(
            f"cert_file: cannot use {tls.cert_file} with {tls.key_file}",
            lambda: context.load_cert_chain(tls.cert_file, tls.key_file, password=""),
        )
    if tls.client_ca_file is not None:
        ca_file = tls.client_ca_file
        yield from _unreadable("client_ca_file", ca_file) or _tried(
            f"client_ca_file: cannot use {ca_file}",
            lambda: context.load_verify_locations(cafile=ca_file),
        )


def _unreadable(key: str, path: Path) -> list[str]:
    try:
        with path.open("rb"):
            return []
    except OSError as error:
        return [f"tls_server_config.{key}: cannot read {path}: {error.strerror}"]


def _tried(what: str, work: Callable[[], None]) -> Iterator[str]:
    try:
        work()
    except OSError as error:
        why = getattr(error, "reason", None) or error.strerror or "not in PEM form"
        yield f"tls_server_config.{what}: {why}"


def _versions(tls: Tls) -> Versions:
    return tuple(map(_version, (tls.cert_file, tls.key_file, tls.client_ca_file)))


def _version(path: Path | None) -> tuple[int, int, int] | None:
    try:
        status = None if path is None else path.stat()
    except OSError:
        return None  # gone, perhaps for a moment; the next handshake looks again
    return status and (status.st_ino, status.st_size, status.st_mtime_ns)
