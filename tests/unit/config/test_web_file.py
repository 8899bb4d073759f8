"""Tests what the web configuration file may say, and how the rest is refused by its key."""

import re
import ssl
from pathlib import Path

import pytest
import yaml
from tests.support.settings import PYDANTICS_PHRASES

from pgheadroom.config.load import ConfigurationError, load_web
from pgheadroom.config.web_file import SECTIONS, web_config
from pgheadroom.web.config import ClientCertificate, Tls, WebConfig

FOLDER = Path("/etc/pgheadroom")
HASH = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG"
OPTIONAL = "client_auth_type: VerifyClientCertIfGiven, client_ca_file: ca.crt"
FILES = "cert_file: a.crt, key_file: a.key"
SECRET = "gar-nicht-geheim-4711"  # noqa: S105 - planted, to be looked for


def read(text: str) -> tuple[WebConfig, list[str]]:
    problems: list[str] = []
    return web_config(yaml.safe_load(text) or {}, FOLDER, problems), problems


def right(text: str) -> WebConfig:
    config, problems = read(text)
    assert problems == []
    return config


def tls(text: str) -> Tls:
    found = right(f"tls_server_config: {{{FILES}, {text}}}").tls
    assert found
    return found


@pytest.mark.parametrize(
    "text", ["", "tls_server_config:\nhttp_server_config: {}\nbasic_auth_users: {}"]
)
def test_an_empty_file_is_plain_http_for_everybody(text: str) -> None:
    assert right(text) == WebConfig()


def test_the_whole_of_it() -> None:
    config = right(
        f"""
tls_server_config:
  cert_file: tls/server.crt
  key_file: /run/secrets/server.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: tls/ca.crt
  client_allowed_sans: [prometheus.example, "::1"]
  min_version: TLS12
  max_version: TLS12
  cipher_suites: [TLS_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384]
  prefer_server_cipher_suites: false
http_server_config:
  http2: false
  headers: {{X-Frame-Options: deny, Strict-Transport-Security: max-age=60, X-XSS-Protection: ""}}
basic_auth_users: {{prometheus: {HASH}, "12": {HASH}}}
"""
    )
    assert config == WebConfig(
        tls=Tls(
            cert_file=FOLDER / "tls/server.crt",
            key_file=Path("/run/secrets/server.key"),
            client_certificate=ClientCertificate.REQUIRED,
            client_ca_file=FOLDER / "tls/ca.crt",
            client_allowed_sans=frozenset({"prometheus.example", "::1"}),
            min_version=ssl.TLSVersion.TLSv1_2,
            max_version=ssl.TLSVersion.TLSv1_2,
            ciphers=("ECDHE-RSA-AES256-GCM-SHA384",),
            prefer_server_ciphers=False,
        ),
        headers={"X-Frame-Options": "deny", "Strict-Transport-Security": "max-age=60"},
        users={"prometheus": HASH, "12": HASH},
    )
    assert "$2y" not in repr(config)


def test_what_is_wrong_is_worded_for_the_file() -> None:
    _, problems = read(
        "tls_server_config: {cert_file: 7, key_file: '', client_allowed_sans: [1], 3: x}\n"
        "http_server_config: {http2: ja, headers: {Server: x}}\n"
        f"basic_auth_users: {{12: {HASH}}}"
    )
    headers = "Strict-Transport-Security, X-Content-Type-Options, X-Frame-Options"
    headers += ", X-XSS-Protection or Content-Security-Policy"
    text = "give text (put a number in quotes)"
    assert sorted(problems) == [
        f"basic_auth_users: a key that is not text is not allowed; {text}",
        f"http_server_config.headers.Server: no such key; use {headers}",
        "http_server_config.http2: 'ja' is not allowed; give true or false",
        "tls_server_config.cert_file: 7 is not allowed; give the path of a file",
        f"tls_server_config.client_allowed_sans: 1 is not allowed in this list; {text}",
        "tls_server_config.key_file: is missing",
        f"tls_server_config: a key that is not text is not allowed; {text}",
    ]


def test_a_misspelt_key_is_told_the_right_one() -> None:
    _, problems = read(f"tls_server_config: {{{FILES}, client_ca_fil: x}}\nbasic_auth_user: {{}}")
    assert sorted(problems) == [
        "basic_auth_user: no such key; did you mean basic_auth_users?",
        "tls_server_config.client_ca_fil: no such key; did you mean client_ca_file?",
    ]


def test_the_file_and_the_line_are_told(tmp_path: Path) -> None:
    file = tmp_path / "web.yaml"
    file.write_text(
        f"basic_auth_users:\n  me: {SECRET}\ntls_server_config:\n  cert_file: a\n  key: b\n"
    )
    with pytest.raises(ConfigurationError) as caught:
        load_web(file)
    assert sorted(problem.partition("; ")[0] for problem in caught.value.problems) == [
        f"web_config_file: {file}:2: basic_auth_users.me: this value is not allowed",
        f"web_config_file: {file}:3: tls_server_config.key_file: is missing",
        f"web_config_file: {file}:5: tls_server_config.key: not supported",
    ]


@pytest.mark.parametrize(
    ("section", "name"),
    [
        *(
            (section, field.alias or name)
            for section, model in SECTIONS.items()
            for name, field in model.model_fields.items()
        ),
        ("basic_auth_users", "me"),
    ],
)
def test_whatever_the_file_says_is_refused_in_our_words(section: str, name: str) -> None:
    """Values of every kind, in the place of every key."""
    path = [part for part in (*section.split("."), name) if part]
    lists: tuple[object, ...] = ([], [1], [[]], [None])
    values = (None, 5, -1e9, True, "", "text", SECRET, *lists, {}, {"a": 1})
    for value in values:
        content: object = value
        for key in reversed(path):
            content = {key: content}
        assert isinstance(content, dict)
        problems: list[str] = []
        web_config(content, FOLDER, problems)
        for line in problems:
            assert line.startswith(path[0]), line
            assert not any(phrase in line for phrase in PYDANTICS_PHRASES), line
            assert re.search(r"give|is missing|needs|only|no such key|leave it out|add", line), line
            assert SECRET not in line or name != "me"


def test_a_certificate_may_be_optional() -> None:
    found = tls(OPTIONAL)
    assert found.client_certificate is ClientCertificate.IF_GIVEN


def test_ciphers_of_tls_13_alone_need_tls_13() -> None:
    assert tls("cipher_suites: [TLS_AES_128_GCM_SHA256], min_version: TLS13").ciphers == ()
    _, problems = read(f"tls_server_config: {{{FILES}, cipher_suites: [TLS_AES_128_GCM_SHA256]}}")
    assert [problem.split(":")[0] for problem in problems] == ["tls_server_config.cipher_suites"]


def test_every_cipher_is_one_that_openssl_has() -> None:
    """By Go's name, which is the standard's one, and OpenSSL's own, for the same number."""
    names = [
        f"TLS_ECDHE_{kind}_WITH_{rest}"
        for kind in ("RSA", "ECDSA")
        for rest in (
            *("AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305_SHA256"),
            *("AES_128_CBC_SHA", "AES_256_CBC_SHA"),
        )
    ]
    for name in names:
        found = tls(f"cipher_suites: [{name}]").ciphers
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers(":".join(found))
        known = {cipher["name"] for cipher in context.get_ciphers()}
        assert set(found) <= known
        words = name.replace("POLY1305_SHA256", "POLY1305").replace("CBC_SHA", "SHA")
        short = words.removeprefix("TLS_").replace("WITH_", "").replace("AES_", "AES")
        assert found == (short.replace("_", "-"),)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("nonsense: 1", "nonsense"),
        ("rate_limit: {burst: 1}", "rate_limit"),
        ("tls_server_config: [a]", "tls_server_config"),
        ("tls_server_config: {key_file: a}", "tls_server_config.cert_file"),
        ("tls_server_config: {cert_file: a}", "tls_server_config.key_file"),
        ("http_server_config: {http2: true}", "http_server_config.http2"),
        ("http_server_config: {http2: ja}", "http_server_config.http2"),
        ("http_server_config: {http3: true}", "http_server_config.http3"),
        ("http_server_config: {headers: {Server: x}}", "http_server_config.headers.Server"),
        (
            "http_server_config: {headers: {X-Frame-Options: all}}",
            "http_server_config.headers.X-Frame-Options",
        ),
        (
            'http_server_config: {headers: {X-XSS-Protection: "1\\r\\nSet-Cookie: a"}}',
            "http_server_config.headers.X-XSS-Protection",
        ),
        ("basic_auth_users: {12: x}", "basic_auth_users"),
        (f'basic_auth_users: {{"a:b": {HASH}}}', "basic_auth_users.a:b"),
        (f"basic_auth_users: {{a: {SECRET}}}", "basic_auth_users.a"),
        ("basic_auth_users: {a: [1]}", "basic_auth_users.a"),
        (f"basic_auth_users: {{a: {HASH.replace('$10$', '$15$')}}}", "basic_auth_users.a"),
        (f"basic_auth_users: {{a: {HASH.replace('$10$', '$03$')}}}", "basic_auth_users.a"),
        (f"basic_auth_users: {{a: {HASH.replace('zoub', 'zovb')}}}", "basic_auth_users.a"),
    ],
)
def test_what_is_not_allowed_is_told_by_its_key(text: str, key: str) -> None:
    _, problems = read(text)
    assert {problem.split(": ")[0] for problem in problems} == {key}
    assert SECRET not in str(problems)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("cert: PEM", "cert"),
        ("key: PEM", "key"),
        ("client_ca: PEM", "client_ca"),
        ("curve_preferences: [X25519]", "curve_preferences"),
        ("certfile: a", "certfile"),
        ("min_version: TLS11", "min_version"),
        ("max_version: 13", "max_version"),
        ("min_version: TLS13, max_version: TLS12", "max_version"),
        ("client_auth_type: RequestClientCert, client_ca_file: a", "client_auth_type"),
        ("client_auth_type: RequireAnyClientCert, client_ca_file: a", "client_auth_type"),
        ("client_auth_type: Whatever", "client_auth_type"),
        ("client_auth_type: RequireAndVerifyClientCert", "client_ca_file"),
        ("client_ca_file: ca.crt", "client_ca_file"),
        ("client_allowed_sans: [a]", "client_allowed_sans"),
        (f"{OPTIONAL}, client_allowed_sans: [a]", "client_allowed_sans"),
        ("client_allowed_sans: []", "client_allowed_sans"),
        ("client_allowed_sans: a", "client_allowed_sans"),
        ("cipher_suites: [TLS_RSA_WITH_RC4_128_SHA], min_version: TLS13", "cipher_suites"),
        ("prefer_server_cipher_suites: 1", "prefer_server_cipher_suites"),
    ],
)
def test_what_is_not_allowed_of_tls_is_told_by_its_key(text: str, key: str) -> None:
    _, problems = read(f"tls_server_config: {{{FILES}, {text}}}")
    assert {problem.split(": ")[0] for problem in problems} == {f"tls_server_config.{key}"}


def test_all_of_it_is_told_at_once() -> None:
    _, problems = read(
        "a: 1\nrate_limit: {}\ntls_server_config: {cert: x}\nbasic_auth_users: {a: b, c: d}"
    )
    assert sorted(problem.split(": ")[0] for problem in problems) == [
        *("a", "basic_auth_users.a", "basic_auth_users.c", "rate_limit"),
        *("tls_server_config.cert", "tls_server_config.cert_file", "tls_server_config.key_file"),
    ]
