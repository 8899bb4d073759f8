"""What certificate does a test server show? One of its own making, for localhost, for two days."""

from pathlib import Path

from tests.parts import hand_over
from tests.parts.command import run


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Write a self-signed certificate and its key into *folder* and return their paths."""
    certificate, key = folder / "server.crt", folder / "server.key"
    run(
        [
            *("openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            *("-out", certificate, "-keyout", key),
        ]
    )
    key.chmod(0o600)  # PostgreSQL refuses a key that others may read
    hand_over(key)
    return certificate, key
