"""Makes a test server's certificate, for localhost, valid for two days."""

from pathlib import Path

from tests.support.parts import hand_over
from tests.support.parts.command import run


def make_certificate(folder: Path, *, expired: bool = False) -> tuple[Path, Path]:
    """Write a self-signed certificate and its key into *folder* and return their paths."""
    certificate, key = folder / "server.crt", folder / "server.key"
    # A request of its own first: `openssl req` itself cannot date a certificate back.
    run(
        [
            *("openssl", "req", "-new", "-nodes", "-subj", "/CN=localhost"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-out", folder / "server.csr", "-keyout", key),
        ]
    )
    names = folder / "server.ext"
    names.write_text(
        "subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:TRUE\n"
        # By these, two of one name are told apart.
        "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid:always\n"
    )
    run(
        [
            *("openssl", "x509", "-req", "-in", folder / "server.csr", "-signkey", key),
            *("-days", "-1" if expired else "2", "-extfile", names, "-out", certificate),
        ]
    )
    key.chmod(0o600)  # PostgreSQL refuses a key that others may read
    hand_over(key)
    return certificate, key
