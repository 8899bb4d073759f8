"""Tests that all wrong settings are reported at once, without a secret."""

import json
import os
from pathlib import Path

import pytest
from tests.support.settings import settings_from

from pgheadroom.config.load import ConfigurationError
from pgheadroom.config.settings import Settings, split_address
from pgheadroom.postgres.whereabouts import address

SECRET = "gar-nicht-geheim-4711"  # noqa: S105 - planted, to be looked for


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the tester's own PGHEADROOM_ and PG variables out."""
    for name in list(os.environ):
        if name.startswith(("PGHEADROOM_", "PG")):
            monkeypatch.delenv(name)


def read(*arguments: str, environment: dict[str, str] | None = None) -> Settings:
    place = os.environ if environment is None else environment
    return settings_from(*arguments, environment=place)


def problems(*arguments: str, environment: dict[str, str] | None = None) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        read(*arguments, environment=environment)
    return caught.value.problems


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "pgheadroom.yaml"


def test_nothing_need_be_set() -> None:
    settings = read()
    assert settings.listen == ":10187"
    assert settings.all_targets({}) == {}


def test_a_flag_wins_over_a_variable_and_that_over_the_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(
        "interval_seconds: 7\nmax_applications: 7\nread_timeout_seconds: 7\n"
        "targets: {a: host=file, b: host=file}\n"
    )
    monkeypatch.setenv("PGHEADROOM_CONFIG", str(file))
    monkeypatch.setenv("PGHEADROOM_INTERVAL_SECONDS", "5")
    monkeypatch.setenv("PGHEADROOM_MAX_APPLICATIONS", "5")
    monkeypatch.setenv("PGHEADROOM_TARGETS__B__DSN", "host=variable")
    settings = read("--interval-seconds", "3", "--targets", "c=host=flag")
    assert settings.interval_seconds == 3
    assert settings.max_applications == 5
    assert settings.read_timeout_seconds == 7
    dsns = {name: target.dsn.get_secret_value() for name, target in settings.targets.items()}
    assert dsns == {"a": "host=file", "b": "host=variable", "c": "host=flag"}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("postgresql://u@h/shop\n", "postgresql://u@h/shop"),
        ("\ufeff \tpostgresql://u@h/shop \r\n", "postgresql://u@h/shop"),
        ("host=h dbname=shop\n", "host=h dbname=shop"),
        ("host=h password='x '\n", "host=h password='x '"),
        ("host=h password=x\\ \n", "host=h password=x\\ "),
    ],
)
def test_white_space_around_a_connection_string_is_no_part_of_it(
    file: Path, monkeypatch: pytest.MonkeyPatch, given: str, kept: str
) -> None:
    """A secret that was made by echo ends with a newline, wherever it is given."""
    both = {"dsn": given, "canary_dsn": given}
    file.write_text(json.dumps(both | {"targets": {"whole": both, "short": given}}))
    monkeypatch.setenv("PGHEADROOM_TARGETS__ENVIRONMENT__DSN", given)
    flags = ("--config", str(file), "--targets", json.dumps({"flag": given}))
    targets = read(*flags).all_targets({})
    assert set(targets) == {"h", "whole", "short", "environment", "flag"}
    assert {target.dsn.get_secret_value() for target in targets.values()} == {kept}
    for name in ("h", "whole"):
        canary = targets[name].canary_dsn
        assert canary is not None
        assert canary.get_secret_value() == kept
    assert read("--dsn", given).all_targets({})["h"].dsn.get_secret_value() == kept
    monkeypatch.setenv("PGHEADROOM_DSN", given)
    assert read().all_targets({})["h"].dsn.get_secret_value() == kept


def test_everything_that_is_wrong_is_told_at_once(file: Path) -> None:
    file.write_text(
        f"""
listen: nowhere
intervall_seconds: 2
max_applications: many
targets:
  orders: postgresql://u:{SECRET}@h/d?x=1
  "bad name": host=x
  billing: {{dsn: host=y, extra_reserved: -3, foo: {SECRET}}}
  numbers: 5
  pool: {{kind: pgpool, rds_reserve: both}}
fold_rules: [{{pattern: "("}}, {{pattern: a, replacement: '\\7'}}]
"""
    )
    found = problems(
        *("--config", str(file), "--interval-seconds", "0", f"--foo=postgres://u:{SECRET}@x"),
        environment={"PGHEADROOM_INTERVAL_SECS": "1"},
    )
    told = "\n".join(found)
    for key in (
        "no such flag: --foo",
        "PGHEADROOM_INTERVAL_SECS: no such setting; did you mean PGHEADROOM_INTERVAL_SECONDS?",
        f"{file}:2: listen: 'nowhere' is not allowed; give HOST:PORT or :PORT, such as :10187",
        f"{file}:3: intervall_seconds: no such setting; did you mean interval_seconds?",
        "max_applications: 'many' is not allowed",
        "targets.orders.dsn: not a connection string of libpq; give postgresql://",
        "targets: 'bad name' is not allowed as a name",
        "targets.billing.extra_reserved: -3 is not allowed",
        "targets.billing.foo: no such setting",
        "targets.numbers: a number is not allowed; give a connection string, or a mapping of",
        "targets.pool.kind: 'pgpool' is not allowed; give postgres or pgbouncer",
        "targets.pool.rds_reserve: 'both' is not allowed; give auto, same or separate",
        "--interval-seconds: '0' is not allowed; give seconds, from 0.1 to 60",
        "fold_rules.0.pattern: '(' is not allowed: not a regular expression",
        f"{file}:11: fold_rules.1: the replacement does not fit the pattern",
    ):
        assert key in told
    assert len(found) == 15
    assert SECRET not in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("listen: :1\nlisten: :2\n", ":2: the key 'listen' appears twice"),
        ("listen: [\n", ":2: expected the node content"),
        ("- a\n", "must be a mapping of settings"),
        ("targets: {a: !!python/object/apply:os.getcwd []}\n", "could not determine a constructor"),
        ("listen: 2001-99-99\n", ":1: a value that cannot be read as what it looks"),
        (
            "\nlisten: !!int x\n",
            ":2: a value that cannot be read as what it looks like, or as its tag",
        ),
        ("listen: !!bool x\n", ":1: a value that cannot be read as what it looks"),
        ("listen: !!timestamp x\n", ":1: a value that cannot be read as what it looks"),
        ("listen: 0b_\n", ":1: a value that cannot be read as what it looks"),
        (f"listen: {'9' * 5000}\n", ":1: a value that cannot be read as what it looks"),
        ('listen: "\\ud800"\n', ":1: a value that cannot be read as what it looks"),
        ('targets: {a: {password_file: "x\\0y"}}\n', ":1: a NUL character"),
        ("listen: " + "[" * 5000, "is nested too deeply"),
        ("? [a]\n: 1\n", ":1: found unhashable key"),
        ("!!set text", ":1: expected a mapping node"),
        ("_cli_parse_args: true\n", "_cli_parse_args: no such setting"),
        ("_env_file: /etc/passwd\n", "_env_file: no such setting"),
        ('"a\\nb": 1\n', "a\\u000ab: no such setting"),
    ],
)
def test_a_file_that_cannot_be_read_says_where(file: Path, text: str, told: str) -> None:
    file.write_text(text)
    assert any(told in problem for problem in problems("--config", str(file)))


def test_a_file_that_is_not_there_or_not_utf8(file: Path) -> None:
    assert problems("--config", str(file)) == (
        f"config: cannot read {file}: No such file or directory",
    )
    file.write_bytes(b"listen: \xff\n")
    assert problems("--config", str(file)) == (f"config: {file} is not UTF-8",)


def test_a_connection_string_without_a_flag_is_not_repeated() -> None:
    told = problems(f"postgresql://u:{SECRET}@h/d")
    assert told == ("unexpected argument; use --dsn CONNINFO to give a connection string",)


def test_one_name_is_one_target() -> None:
    (told,) = problems("--dsn", "host=a port=5433", "--targets", "a:5433=host=b")
    assert told.startswith("--dsn makes a target called a:5433, and so does targets.a:5433")
    assert list(read("--dsn", "host=a", "--targets", "default=host=b").all_targets({})) == [
        *("default", "a")
    ]


def test_a_canary_of_the_single_target_and_of_others(file: Path) -> None:
    file.write_text("targets: {a: {dsn: host=a, canary_dsn: host=a user=c}}")
    alone = read("--config", str(file), "--dsn", "host=b", "--canary-dsn", "host=b user=c")
    found = alone.all_targets({})
    assert {name: str(target.canary_dsn) for name, target in found.items()} == {
        "a": "**********",
        "b": "**********",
    }
    canary = found["b"].canary_dsn
    assert canary is not None
    assert canary.get_secret_value() == "host=b user=c"
    assert read("--targets", "a=host=a").all_targets({})["a"].canary_dsn is None


def test_what_is_wrong_with_a_canary_is_told(file: Path) -> None:
    file.write_text(
        f"targets: {{a: {{dsn: host=a, canary_dsn: 'postgresql://u:{SECRET}@h/d?x=1'}},"
        " b: {dsn: host=b, canary_dsn: ''}, c: {dsn: host=c, canary_password_file: /p}}"
    )
    told = problems("--config", str(file), "--canary-interval-seconds", "0.5")
    assert [line.removeprefix(f"{file}:1: ").partition(": ")[0] for line in told] == [
        *("targets.a.canary_dsn", "targets.b.canary_dsn"),
        *("targets.c", "--canary-interval-seconds"),
    ]
    assert "not a connection string" in told[0]
    assert "an empty connection string is not allowed" in told[1]
    assert "only with canary_dsn" in told[2]
    assert SECRET not in str(told)
    (alone,) = problems("--canary-dsn", f"host=a password={SECRET}", "--targets", "a=host=a")
    assert alone.startswith("--canary-dsn is allowed only with dsn")
    assert SECRET not in alone
    both = problems(*("--dsn", "host=a", "--targets", "a=host=b", "--canary-password-file", "/p"))
    assert both[0].startswith("--dsn makes a target called a, and so does targets.a")
    assert both[1] == "--canary-password-file is allowed only with canary_dsn"


@pytest.mark.parametrize("name", ["PGHOST", "PGSERVICE", "PGUSER", "PGDATABASE", "PGPORT"])
def test_libpqs_own_variables_are_a_target(name: str) -> None:
    """Called by where they lead: without a host that is this machine."""
    assert list(read().all_targets({name: "x"})) == [address("")]


@pytest.mark.parametrize(
    "uri",
    [
        f"postgresql://u:12/{SECRET}@db1/shop",
        f"postgres://u:p@{SECRET}@db1/shop",
        f"postgresql://u:12/{SECRET}@db1:5432/shop?sslmode=require",
    ],
)
def test_what_libpq_takes_for_a_host_is_no_part_of_a_password(uri: str) -> None:
    """The host names the target."""
    (told,) = problems("--dsn", uri)
    assert "%40" in told
    assert SECRET not in told
    assert problems("--targets", f"a={uri}")[0].startswith("--targets a.dsn: an @ too many")
    allowed = ("postgresql://u%40x:p%40ss%2F@%2Ftmp/a?application_name=a@b", "user=a@b host=/c@d")
    for conninfo in allowed:
        assert read("--dsn", conninfo).dsn is not None


def test_a_configured_target_keeps_libpqs_variables_from_being_one() -> None:
    assert list(read("--targets", "a=host=x").all_targets({"PGHOST": "x"})) == ["a"]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (":10187", (None, 10187)),
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("[::1]:80", ("::1", 80)),
        ("localhost:65535", ("localhost", 65535)),
    ],
)
def test_an_address(address: str, expected: tuple[str | None, int]) -> None:
    assert split_address(address) == expected


@pytest.mark.parametrize(
    "address", [f"a:{'1' * 5000}", "", "10187", "host:", "::1:80", "a:65536", "a:-1", "a:٣"]
)
def test_not_an_address(address: str) -> None:
    with pytest.raises(ValueError, match=r"PORT|brackets|a port from 0 to 65535"):
        split_address(address)


def test_secrets_do_not_show_in_what_is_printed_of_settings() -> None:
    settings = read("--dsn", f"host=h password={SECRET}")
    assert SECRET not in repr(settings)
    assert SECRET not in repr(settings.all_targets({}))
    assert SECRET not in str(settings.model_dump())
