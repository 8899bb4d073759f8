"""Holds the credentials and the trusted CAs of HTTP requests."""

from __future__ import annotations

import base64
import ssl
from dataclasses import dataclass
from pathlib import Path


class UnusableFileError(Exception):
    """A file of ours can't be used; the message says which and why, and nothing of its text."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who we are and whom we trust; files are read before each request, so that they may rotate."""

    username: str | None = None
    password_file: Path | None = None
    bearer_token_file: Path | None = None
    ca_file: Path | None = None
    """Who may vouch for the server; None means those whom the system trusts."""
    cert_file: Path | None = None
    key_file: Path | None = None

    @property
    def secret(self) -> bool:
        """Whether a request carries what another server must not see."""
        return self.username is not None or self.bearer_token_file is not None

    def headers(self) -> dict[str, str]:
        """Read the files and return the header to send; raises UnusableFileError."""
        if self.username is not None and self.password_file is not None:
            password = _read(self.password_file).rstrip("\r\n")
            pair = f"{self.username}:{password}".encode()
            return {"Authorization": "Basic " + base64.b64encode(pair).decode()}
        if self.bearer_token_file is not None:
            token = _read(self.bearer_token_file).strip()
            if not (token and token.isascii() and token.isprintable()):
                raise UnusableFileError(f"{self.bearer_token_file} does not hold a token")
            return {"Authorization": f"Bearer {token}"}
        return {}

    def trust(self) -> ssl.SSLContext | None:
        """Return whom we trust and who we are; None when that is what the system has.

        Raises UnusableFileError.
        """
        if self.ca_file is None and self.cert_file is None:
            return None
        used = f"{self.ca_file}"
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            if self.cert_file is not None:
                used = f"{self.cert_file} with {self.key_file}"
                # An empty password, or OpenSSL would ask for one at the terminal and wait.
                context.load_cert_chain(self.cert_file, self.key_file, password="")
        except OSError as error:
            why = (
                getattr(error, "reason", None) or error.strerror or "not a certificate in PEM form"
            )
            raise UnusableFileError(f"cannot use {used}: {why}") from None
        return context


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")  # a byte-order mark is no part of a secret
    except OSError as error:
        raise UnusableFileError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UnusableFileError(f"{path} is not UTF-8") from None
