"""Tests anchors and merge keys of the file, and that it is read strictly."""

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.support.settings import settings_from

from pgheadroom.config.load import ConfigurationError
from pgheadroom.config.settings import Settings
from pgheadroom.config.yaml_file import read_mapping

ANCHORED = """
x-base: &base
  password_file: /run/secrets/monitor
  extra_reserved: 3
x-canary: &canary {canary_dsn: host=h user=canary, extra_reserved: 9}
targets:
  orders: {<<: *base, dsn: host=a}
  billing: {dsn: host=b, <<: [*base, *canary], password_file: /else}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "pgheadroom.yaml"


def read(file: Path, text: str) -> Settings:
    file.write_text(text)
    return settings_from("--config", str(file), environment={})


def problems(file: Path, text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigurationError) as caught:
        read(file, text)
    return caught.value.problems


def test_what_targets_share_is_said_once(file: Path) -> None:
    """A target's own keys win over what it merges, and of several the first one."""
    targets = read(file, ANCHORED).targets
    assert {
        name: (target.dsn.get_secret_value(), str(target.password_file), target.extra_reserved)
        for name, target in targets.items()
    } == {"orders": ("host=a", "/run/secrets/monitor", 3), "billing": ("host=b", "/else", 3)}
    assert targets["orders"].canary_dsn is None
    assert targets["billing"].canary_dsn is not None


def test_a_merge_of_a_merge_before_its_own_turn(file: Path) -> None:
    """The inner one stands deeper than the one that uses it, so that it is built later."""
    text = """
x-deep: {deeper: {deepest: &b {<<: &a {extra_reserved: 1, password_file: /p}, extra_reserved: 2}}}
targets: {t: {<<: *b, dsn: host=x}}
"""
    target = read(file, text).targets["t"]
    assert (target.extra_reserved, str(target.password_file)) == (2, "/p")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("targets:\n  a: {dsn: host=x, dsn: host=y}\n", ":2: the key 'dsn' appears twice"),
        ("x-a: &a {k: 1, k: 2}\n", ":1: the key 'k' appears twice"),
        (
            "x-a: &a {k: 1}\ntargets: {t: {<<: *a, <<: *a}}\n",
            ":2: the key '<<' appears twice; to m",
        ),
        ("targets: {t: {<<: 5}}\n", ":1: expected a mapping or list of mappings for merging"),
        ("targets: {t: {<<: [5]}}\n", ":1: expected a mapping for merging"),
        ("x: 1\n", "x: no such setting"),
        ("xinterval_seconds: 1\n", "xinterval_seconds: no such setting; did you mean interval_sec"),
        ("x-a: &a {foo: 1}\ntargets: {t: {<<: *a, dsn: host=x}}\n", "targets.t.foo: no such setti"),
        ("targets: {t: {x-note: 1, dsn: host=x}}\n", "targets.t.x-note: no such setting"),
        ("listen: !!binary aGFsbG8=\n", ":1: binary data, which no setting takes"),
        ("? postgresql://u:secret@h\n: 1\n? postgresql://u:secret@h\n: 1\n", ":3: the key '…' ap"),
    ],
)
def test_it_is_as_strict_as_ever(file: Path, text: str, told: str) -> None:
    found = problems(file, text)
    assert any(told in line for line in found), found
    assert "secret" not in "".join(found)


def test_a_mapping_that_merges_itself_ends(file: Path) -> None:
    file.write_text("x-a: &a {<<: *a, k: 1}\n")
    found, wrong = read_mapping(file, "settings")
    assert (found.values, wrong) == ({"x-a": {"k": 1}}, [])


def test_merges_of_merges_do_not_grow(file: Path) -> None:
    """Ten times ten times ten ... of one key are one key."""
    lines = ["x-0: &a0 {k: 1}"]
    for n in range(1, 12):
        many = ", ".join([f"*a{n - 1}"] * 10)
        lines.append(f"x-{n}: &a{n} {{<<: [{many}], k{n}: {n}}}")
    file.write_text("\n".join(lines))
    found, wrong = read_mapping(file, "settings")
    assert wrong == []
    assert len(found.values["x-11"]) == 12


_KEYS = st.text(alphabet="abcdefgh", min_size=1, max_size=4).map(lambda key: f"k{key}")


@given(
    st.recursive(
        st.integers() | st.booleans(),
        lambda inner: st.dictionaries(_KEYS, inner, max_size=4) | st.lists(inner, max_size=3),
        max_leaves=12,
    ).map(lambda inner: {"top": inner})
)
def test_every_key_is_found_on_its_line(values: dict[str, object]) -> None:
    """Whatever a file holds, in whatever depth."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(yaml.safe_dump(values, default_flow_style=False))
        file.flush()
        lines = Path(file.name).read_text().splitlines()
        found, wrong = read_mapping(Path(file.name), "settings")
    assert (found.values, wrong) == (values, [])
    for location in _locations(values):
        number = found.place(location).removeprefix(f"{file.name}:").removesuffix(": ")
        if isinstance(location[-1], str):
            assert lines[int(number) - 1].lstrip("- ").startswith(f"{location[-1]}:")
        assert found.place((*location, "not there")) == found.place(location)


def _locations(value: object, above: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    below: Iterable[tuple[str | int, object]] = ()
    if isinstance(value, dict):
        below = value.items()
    if isinstance(value, list):
        below = enumerate(value)
    for part, inner in below:
        yield (*above, part)
        yield from _locations(inner, (*above, part))
