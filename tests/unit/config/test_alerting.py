"""Tests the errors for wrong Alertmanager settings, and that they contain no secret."""

import os
from pathlib import Path

import pytest
from tests.support.settings import settings_from

from pgheadroom.config.load import ConfigurationError
from pgheadroom.config.settings import Settings

SECRET = "gar-nicht-geheim-4711"  # noqa: S105 - planted, to be looked for


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the tester's own PGHEADROOM_ variables out."""
    for name in list(os.environ):
        if name.startswith("PGHEADROOM_"):
            monkeypatch.delenv(name)


def read(*arguments: str) -> Settings:
    return settings_from(*arguments)


def problems(*arguments: str) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        read(*arguments)
    return caught.value.problems


def test_nobody_is_told_unless_asked_for() -> None:
    assert read().alertmanager_urls == []


def test_the_ways_to_give_a_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = ["http://am1:9093", "https://[::1]/am"]
    assert read("--alertmanager-urls", "http://am1:9093,https://[::1]/am/").alertmanager_urls == (
        expected
    )
    twice = ("--alertmanager-urls", expected[0], "--alertmanager-urls", expected[1])
    assert read(*twice).alertmanager_urls == expected
    file = tmp_path / "pgheadroom.yaml"
    for text in ("[http://am1:9093, 'https://[::1]/am']", "http://am1:9093, https://[::1]/am"):
        file.write_text(f"alertmanager_urls: {text}\n")
        assert read("--config", str(file)).alertmanager_urls == expected
    for text in ('["http://am1:9093", "https://[::1]/am"]', ",".join(expected)):
        monkeypatch.setenv("PGHEADROOM_ALERTMANAGER_URLS", text)
        assert read().alertmanager_urls == expected
    monkeypatch.setenv("PGHEADROOM_ALERTMANAGER_URLS", expected[0])
    assert read().alertmanager_urls == expected[:1]


def test_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read("--alert-labels", "team=db,env=prod").alert_labels == {"team": "db", "env": "prod"}
    monkeypatch.setenv("PGHEADROOM_ALERT_LABELS__TEAM", "payments")
    assert read().alert_labels == {"team": "payments"}


@pytest.mark.parametrize(
    "url",
    [
        "ftp://am:9093",
        "am:9093",
        "http://",
        "http://am:99999",
        "http://am:0",
        "http://am:x",
        "http://a..b",
        "http://a b",
        "http://am/#x",
        "http://am\n:9093",
        "http://[zz]:9093",
        "http://[127.0.0.1]:9093",
        "http://ä:9093",
    ],
)
def test_not_an_address(url: str) -> None:
    (told,) = problems("--external-url", url)
    assert told == (
        f"--external-url: {url!r} is not allowed; give http://HOST:PORT or https://HOST:PORT;"
        " a path may follow"
    )


@pytest.mark.parametrize(
    "url",
    [
        f"http://user:{SECRET}@am:9093",
        f"http://{SECRET}@am",
        f"http://user:{SECRET}/x@am",
        f"https://am/?token={SECRET}",
    ],
)
def test_a_secret_in_an_address_is_refused_and_not_repeated(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for found in (
        problems("--alertmanager-urls", f"http://fine,{url}"),
        problems("--alertmanager-urls", f'["{url}"]'),
        problems("--external-url", url),
    ):
        (told,) = found
        assert "give http://HOST:PORT/PATH or https://HOST:PORT/PATH, " in told
        assert "without a user, a password or a query" in told
        assert "alertmanager_password_file" in told
        assert SECRET not in told
    monkeypatch.setenv("PGHEADROOM_ALERTMANAGER_URLS", url)
    (told,) = problems()
    assert told.startswith("PGHEADROOM_ALERTMANAGER_URLS 0: ")
    assert SECRET not in told


def test_a_secret_where_a_list_should_be_is_not_repeated(tmp_path: Path) -> None:
    file = tmp_path / "pgheadroom.yaml"
    file.write_text(f"alertmanager_urls: http://user:{SECRET}@am\n")
    (told,) = problems("--config", str(file))
    assert told.startswith(f"{file}:1: alertmanager_urls.0: this value is not allowed; give http")
    assert SECRET not in told


def test_one_alertmanager_twice() -> None:
    (told,) = problems("--alertmanager-urls", "http://am:9093,https://am:9093/")
    assert told.startswith("--alertmanager-urls: the same address is given twice")


@pytest.mark.parametrize(
    ("label", "told"),
    [
        ("alertname=x", "'alertname' is not allowed; every alert already has alertname, severity,"),
        ("target=x", "'target' is not allowed"),
        ("role=x", "'role' is not allowed"),
        ("1st=x", "'1st' is not allowed as a name; give letters, digits and _, without"),
        ("a-b=x", "'a-b' is not allowed as a name"),
        ("__a=x", "'__a' is not allowed as a name"),
        ("team=", "team has no value; give one"),
    ],
)
def test_labels_that_are_refused(label: str, told: str) -> None:
    (problem,) = problems("--alert-labels", f"fine=x,{label}")
    assert problem.startswith("--alert-labels: ")
    assert told in problem


@pytest.mark.parametrize("seconds", ["4.9", "601", "often"])
def test_the_beat_has_bounds(seconds: str) -> None:
    (told,) = problems("--alertmanager-resend-seconds", seconds)
    assert told == (
        f"--alertmanager-resend-seconds: '{seconds}' is not allowed; give seconds, from 5 to 600"
    )


def test_credentials_that_do_not_go_together() -> None:
    told = problems(
        *("--alertmanager-username", "me", "--alertmanager-key-file", "/k"),
        *("--alertmanager-bearer-token-file", "/t"),
    )
    assert told == (
        "--alertmanager-username is given without alertmanager_password_file; give both or neither",
        "--alertmanager-key-file is given without alertmanager_cert_file; give both or neither",
        (
            "--alertmanager-bearer-token-file is given together with --alertmanager-username or"
            " alertmanager_password_file; give only one way to log in"
        ),
    )


def test_credentials_that_go_together() -> None:
    settings = read(
        *("--alertmanager-username", "me", "--alertmanager-password-file", "/p"),
        *("--alertmanager-cert-file", "/c", "--alertmanager-key-file", "/k"),
    )
    assert settings.alertmanager_password_file == Path("/p")
