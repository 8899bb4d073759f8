"""Tests how a refusal is worded: where, what was given, what is allowed; without a secret."""

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.settings import PYDANTICS_PHRASES, settings_from

from pgheadroom.config.connection_strings import CONNECTIONS
from pgheadroom.config.given import kind_of
from pgheadroom.config.load import ConfigurationError
from pgheadroom.config.objections import nearest
from pgheadroom.config.settings import FoldRule, Settings
from pgheadroom.config.target import TargetSettings

SECRET = "gar-nicht-geheim-4711"  # noqa: S105 - planted, to be looked for
DSN = f"postgresql://u:{SECRET}@h/d?x=1"

# Words of pydantic, of its sources, of Python: nobody who configures a daemon speaks them.
FOREIGN = re.compile(
    r"\bvalid\b|\b[Ii]nput\b|unable to|type=|pydantic|Settings|Source|Error\b|instance"
    r"|dictionary|None\b|True|False|\bdict\b|\bstr\b|\bint\b|\bbool\b|greater than|less than"
    r"|[Ff]ield required|[Ee]xtra inputs|not permitted|validation error|further information"
)
SAYS_WHAT = re.compile(r"give|did you mean|allowed only with|no such setting|not JSON|JSON with")

VALUES: tuple[Any, ...] = (
    *(
        [],
        [1],
        [[]],
        [None],
        {},
        {"a": 1},
        {"a": {"b": 1}},
        {"1 x": "y"},
        {"a": None},
        {"a": [DSN]},
    ),
    *(5, -1e9, 0.5, 10**30, "text", "", " ", DSN, None, True, False, [True], [{"x": "y"}]),
)
KINDS = ("list", "mapping", "number", "text", "empty", "true")
OF_KIND: dict[str, Any] = dict(zip(KINDS, ([1], {"a": 1}, 10**9, "text", "", True), strict=True))
NAMES = tuple(Settings.model_fields)


def words(*arguments: str, environment: dict[str, str] | None = None) -> tuple[str, ...]:
    """Return what is said against it; nothing if it is allowed."""
    try:
        settings_from(*arguments, environment=environment or {})
    except ConfigurationError as error:
        return error.problems
    return ()


@contextmanager
def file_of(values: object) -> Iterator[str]:
    """Write *values* to a configuration file; JSON is YAML."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(json.dumps(values))
        file.flush()
        yield file.name


def words_of_file(values: object, *arguments: str, **environment: str) -> tuple[str, ...]:
    """Return what is said against *values* in a file, without the file and line it begins with."""
    with file_of(values) as file:
        told = words("--config", file, *arguments, environment=environment)
    return tuple(line.removeprefix(f"{file}:1: ") for line in told)


def hold(told: tuple[str, ...], *beginnings: str) -> None:
    """Have every line of *told* name the setting, in one of its names, and what is allowed."""
    for line in told:
        assert SECRET not in line
        assert line.startswith(beginnings), line
        rest = line
        for beginning in beginnings:
            rest = rest.replace(beginning, "")
        assert not FOREIGN.search(rest), line
        assert not any(phrase in line for phrase in PYDANTICS_PHRASES), line
        assert SAYS_WHAT.search(line), line


@pytest.mark.parametrize("name", [name for name in NAMES if name != "config"])
def test_whatever_the_file_says(name: str) -> None:
    for value in VALUES:
        hold(words_of_file({name: value}), name)


@pytest.mark.parametrize(
    "path",
    [
        *(("targets", "t", name) for name in TargetSettings.model_fields),
        *(("fold_rules", name) for name in FoldRule.model_fields),
        *(("targets", "t"), ("alert_labels", "t")),
    ],
    ids=".".join,
)
def test_whatever_the_file_says_deeper(path: tuple[str, ...]) -> None:
    name, *rest = path
    for value in VALUES:
        inner: object = value
        for key in reversed(rest):
            inner = {key: inner}
        hold(
            words_of_file({name: [inner] if name == "fold_rules" else inner}),
            *(f"{name}.", f"{name}: "),
        )


@pytest.mark.parametrize("name", [name for name in NAMES if name != "config"])
def test_whatever_a_variable_or_a_flag_says(name: str) -> None:
    variable, flag = f"PGHEADROOM_{name.upper()}", "--" + name.replace("_", "-")
    for value in VALUES:
        text = value if isinstance(value, str) else json.dumps(value)
        hold(words(environment={variable: text}), variable)
        if Settings.model_fields[name].annotation is not bool:
            hold(words(f"{flag}={text}"), flag)


@pytest.mark.parametrize("name", TargetSettings.model_fields)
def test_whatever_a_variable_says_of_a_target(name: str) -> None:
    variable = f"PGHEADROOM_TARGETS__T__{name.upper()}"
    for value in VALUES:
        text = value if isinstance(value, str) else json.dumps(value)
        hold(words(environment={variable: text}), variable, "PGHEADROOM_TARGETS")


def fitting(name: str) -> set[str]:
    """Return the kinds that the setting *name* may be of, or that only its own words can judge."""
    if kind_of(name) is dict:
        return {"mapping"}
    if kind_of(name) is list:
        return {"empty", "text"} if name == "alertmanager_urls" else set()
    annotation = Settings.model_fields[name].annotation
    if annotation in (int, float):
        return set()
    return {"true"} if annotation is bool else {"text", "empty"} if name == "dsn" else {"text"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [name for name in NAMES if name != "config"])
def test_what_is_of_a_wrong_kind_is_refused(name: str, kind: str) -> None:
    """In the file, where kinds can be told apart; no number is true, no path is empty."""
    told = words_of_file({name: OF_KIND[kind]})
    if kind not in fitting(name):
        assert any(line.startswith((f"{name}: ", f"{name}.")) for line in told), told


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_variable_is_none_at_all(name: str) -> None:
    variables = {f"PGHEADROOM_{name.upper()}": "", "PGHEADROOM_TARGETS__A__DSN": ""}
    found = settings_from(environment=variables)
    assert found == Settings()


@given(
    path=st.lists(
        st.sampled_from(["targets", "fold_rules", "t", "dsn", "pattern", *NAMES]), max_size=3
    ),
    leaf=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(DSN),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    ),
    place=st.sampled_from(["file", "variable", "flag"]),
)
@settings(deadline=None, max_examples=300)
def test_whatever_anybody_says_anywhere(path: list[str], leaf: object, place: str) -> None:
    """No secret, no word of pydantic's, and never anything but a list of lines."""
    value = leaf
    for key in reversed(path[1:]):
        value = {key: value}
    name = path[0] if path else "listen"
    text = value if isinstance(value, str) else json.dumps(value)
    if place == "file":
        with file_of({name: value}) as file:
            told = words("--config", file)
    elif place == "variable":
        told = words(environment={f"PGHEADROOM_{name.upper()}": text})
    else:
        told = words(f"--{name.replace('_', '-')}={text}")
    for line in told:
        assert SECRET not in line
        assert line.isprintable()
        assert not re.search(r"unable to parse|pydantic|type=|Value error", line), line
        assert not any(phrase in line for phrase in PYDANTICS_PHRASES if phrase not in text), line


@given(name=st.sampled_from(NAMES), at=st.integers(min_value=0, max_value=4))
def test_a_name_with_one_letter_twice_gets_the_right_one(name: str, at: int) -> None:
    """As interval_seconds is suggested for intervall_seconds."""
    assert nearest(name[: at + 1] + name[at:], Settings.model_fields) == name


def test_it_is_told_in_the_words_of_the_place() -> None:
    told = words_of_file(
        {"listen": 1, "alertmanager_cert_file": "/c", "targets": {"a": [1]}, "low_free_ratio": 2},
        *("--canary-dsn", "host=x", "--interval-seconds", "often"),
        PGHEADROOM_MAX_APPLICATIONS="many",
        PGHEADROOM_LOG_LEVEL="loud",
        PGHEADROOM_DEMO="perhaps",
        PGHEADROOM_TARGETS__B__EXTRA_RESERVED="-1",
        PGHEADROOM_TARGETS__B__PASWORD_FILE="/p",
        PGHEADROOM_TARGETS__C='{"dsn": "x", "dns": "host=x"}',
    )
    number, meant = "is not allowed; give a whole number", "no such setting; did you mean"
    assert set(told) == {
        "listen: 1 is not allowed; give HOST:PORT or :PORT, such as :10187",
        "targets.a: a list is not allowed; give a connection string, or a mapping of "
        + ", ".join(TargetSettings.model_fields),
        "low_free_ratio: 2 is not allowed; give a share from 0 to 1",
        f"PGHEADROOM_TARGETS__B__EXTRA_RESERVED: '-1' {number} from 0 to 10000",
        f"PGHEADROOM_TARGETS__B__PASWORD_FILE: {meant} PGHEADROOM_TARGETS__B__PASSWORD_FILE?",
        f"PGHEADROOM_TARGETS__C dsn: not a connection string of libpq; {CONNECTIONS}",
        f"PGHEADROOM_TARGETS__C dns: {meant} dsn?",
        "PGHEADROOM_LOG_LEVEL: 'loud' is not allowed; give debug, info, warning or error",
        "PGHEADROOM_DEMO: 'perhaps' is not allowed; give true or false",
        "--interval-seconds: 'often' is not allowed; give seconds, from 0.1 to 60",
        f"PGHEADROOM_MAX_APPLICATIONS: 'many' {number} from 1 to 1000",
    }


def test_the_file_and_the_line_are_told(tmp_path: Path) -> None:
    """Of the key itself, or of the nearest thing around it."""
    file = tmp_path / "pgheadroom.yaml"
    file.write_text(
        """x-base: &base
  extra_reserved: many
targets:
  orders:
    dns: host=a
  billing: {<<: *base, dsn: host=b}
  1: host=c
  spare:
    dsn: host=d
    serves: nobody
fold_rules:
  - pattern: a
  - patern: b
alertmanager_key_file: /key
alertmanager_username: me
intervall_seconds: 3
"""
    )
    told = words("--config", str(file))
    assert sorted(line.removeprefix(f"{file}:").split(": ")[:2] for line in told) == [
        *(["13", "fold_rules.1.patern"], ["13", "fold_rules.1.pattern"]),
        *(["16", "intervall_seconds"], ["2", "targets.billing.extra_reserved"]),
        *(["5", "targets.orders.dns"], ["7", "targets"], ["8", "targets.spare"]),
    ]
    assert f"{file}:5: targets.orders.dns: no such setting; did you mean dsn?" in told
    file.write_text(
        "alertmanager_key_file: /key\nalertmanager_username: me\n"
        "targets:\n  a: {dsn: host=a, kind: pgbouncer,\n    serves: b}"
    )
    told = words("--config", str(file))
    assert sorted(line.removeprefix(f"{file}:")[:34] for line in told) == [
        "1: alertmanager_key_file is given ",
        "2: alertmanager_username is given ",
        "5: targets.a.serves: there is no t",
    ]


def test_what_does_not_go_together_is_told_in_the_words_of_each_place() -> None:
    told = words_of_file({"alertmanager_cert_file": "/c"}, PGHEADROOM_CANARY_DSN="host=x")
    assert sorted(line.partition(";")[0] for line in told) == [
        "PGHEADROOM_CANARY_DSN is allowed only with dsn",
        "alertmanager_cert_file is given without alertmanager_key_file",
    ]
    (line,) = words_of_file(
        {"alertmanager_cert_file": "/c"}, "--alertmanager-key-file", "/k", "--canary-dsn=host=x"
    )
    assert line.startswith("--canary-dsn is allowed only with dsn; ")


def test_a_list_of_targets_below_variables_that_add_one_is_not_passed_over() -> None:
    (told,) = words_of_file({"targets": ["host=a"]}, PGHEADROOM_TARGETS__B="host=b")
    assert told.startswith("targets: a list is not allowed; give a mapping of names, each")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--targets", DSN),
        ("--targets", f"host=h password={SECRET}"),
        (f"--demo={DSN}",),
        ("--listen", DSN),
        ("--external-url", DSN),
        ("--fold-rules", DSN),
        ("--alert-labels", DSN),
        ("--log-level", f"password={SECRET}"),
        (DSN,),
    ],
)
def test_a_connection_string_in_a_wrong_place_is_not_repeated(arguments: tuple[str, ...]) -> None:
    told = words(*arguments)
    assert told
    assert SECRET not in "".join(told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[{"pattern": "a"', "not JSON: expecting ',' delimiter at character 17"),
        ('[{"pattern": "a", "pattern": "b"}]', "JSON with a duplicate key"),
        ('[{"pattern": "a\\u0000"}]', "JSON with a NUL character"),
        ("[" * 100_000, "JSON that is nested too deeply"),
    ],
)
def test_json_that_is_none(text: str, told: str) -> None:
    for (line,) in (
        words("--fold-rules", text),
        words(environment={"PGHEADROOM_FOLD_RULES": text}),
    ):
        assert told in line


def test_a_key_without_a_value_says_nothing(tmp_path: Path) -> None:
    file = tmp_path / "empty.yaml"
    file.write_text("targets:\nlisten:\ninterval_seconds:\n")
    assert words("--config", str(file)) == ()
