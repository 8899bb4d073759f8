"""Fuzzes configuration files and web configuration files."""

from __future__ import annotations

from collections.abc import Callable

from fuzz.harness import Harness, file_of
from pgheadroom.config.flags import flag_called
from pgheadroom.config.given import Given
from pgheadroom.config.load import ConfigurationError, load, load_web
from pgheadroom.config.settings import Settings, split_address

_YAML = (
    *("!!int ", "!!float ", "!!bool ", "!!timestamp ", "!!binary ", "!!set ", "!!omap "),
    *("!!python/name:os.system", "<<: ", "&a ", "*a", "? ", "0b_", "0x", "1:60", "2001-99-99"),
    *(".nan", "-.inf", '"\\0"', '"\\ud800"', "|\n ", ">-\n ", "---\n", "%YAML 9.9\n", "~"),
)


def _told(work: Callable[[], object]) -> None:
    """Do *work*; a ConfigurationError that says something, in lines of their own, is right."""
    try:
        work()
    except ConfigurationError as error:
        assert error.problems
        assert all(problem and problem.isprintable() for problem in error.problems)


def configuration(data: bytes) -> None:
    """The file of --config."""
    with file_of(data) as path:
        flags = Given({"config": str(path)}, flag_called)
        _told(lambda: load(flags, environment={}))


def web_configuration(data: bytes) -> None:
    """The file of --web.config.file."""
    with file_of(data) as path:
        _told(lambda: load_web(path))


def address(data: bytes) -> None:
    """What stands in `listen`."""
    try:
        host, port = split_address(data.decode(errors="replace"))
    except ValueError as error:
        assert "PORT" in str(error) or "brackets" in str(error)
    else:
        assert host != ""
        assert port in range(1 << 16)


HARNESSES = (
    Harness(
        "configuration",
        configuration,
        (
            b"listen: :10187\ntargets:\n  orders: host=db user=x\n  b: {dsn: host=b}\n",
            b"fold_rules: [{pattern: 'a(b)', replacement: 'x\\1'}]\nalert_labels: {team: a}\n",
            b"alertmanager_urls: [http://a:1/x]\nexternal_url: https://[::1]:1/\n",
            b"x-a: &a {extra_reserved: 1}\ntargets: {t: {<<: [*a, *a], dsn: host=x}}\n",
            b"dsn: postgresql://u:p@h/d\nstate_directory: /x\ninterval_seconds: 1.5\n",
        ),
        share=10,
        words=(*(f"{name}: " for name in Settings.model_fields), *_YAML),
        longest=512,
    ),
    Harness(
        "web-configuration",
        web_configuration,
        (
            b"tls_server_config: {cert_file: a, key_file: b, min_version: TLS12,\n"
            b" client_auth_type: RequireAndVerifyClientCert, client_ca_file: c,\n"
            b" client_allowed_sans: [x], cipher_suites: [TLS_AES_128_GCM_SHA256]}\n",
            b"http_server_config: {http2: false, headers: {X-Frame-Options: deny}}\n"
            b"basic_auth_users:\n"
            b"  a: $2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG\n",
        ),
        share=60,
        words=_YAML,
        longest=1024,
    ),
    Harness("address", address, (b"[::1]:80", b"host:65535", b":1"), share=50, longest=64),
)
