"""Tests that a fetched part is whole or missing with a reason, and what tests do then."""

from pathlib import Path

import pytest
from tests.support.needs import need
from tests.support.parts import find, store
from tests.support.parts.part import Bundle, UnavailableError, Workshop
from tests.support.parts.sources import Source, parse_deb822, parse_lines

STANZAS = """
Types: deb
# a comment
URIs: http://mirror.example/debian
Suites: one one-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb-src
URIs: http://mirror.example/debian
Suites: sources
Components: main
"""
LINES = """
# deb http://mirror.example/debian old main
deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian one main contrib
deb-src http://mirror.example/debian sources main
deb http://other.example/apt other non-free
"""


def _quietly(text: str) -> None:
    assert text


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have the parts looked for in a cache that holds none."""
    monkeypatch.setenv("PGHEADROOM_PARTS", str(tmp_path))
    return tmp_path


def _bundle(*failures: BaseException, pin: str = "1") -> Bundle:
    """Return a bundle that fails in turn with *failures*, and is built after these."""
    ahead = list(failures)

    def build(shop: Workshop) -> None:
        (shop.bench / "half").touch()
        if ahead:
            raise ahead.pop(0)
        (shop.bench / "tool").touch()

    return Bundle(name="bundle", pin=pin, parts={"tool": "tool"}, build=build)


def test_an_interrupted_install_is_no_part(empty_cache: Path) -> None:
    """What was begun and not ended is missing, and goes with the next attempt."""
    bundle = _bundle(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        store.install(bundle, fresh=False, say=_quietly)
    assert [part.path for part in store.parts_of(bundle)] == [None]
    store.install(bundle, fresh=False, say=_quietly)
    assert [part.path for part in store.parts_of(bundle)] == [empty_cache / "bundle" / "tool"]
    assert {path.name for path in empty_cache.iterdir()} == {"bundle", "lock"}


def test_a_failed_install_is_a_reason(empty_cache: Path) -> None:
    """Why a part cannot be had is remembered until it can."""
    bundle = _bundle(UnavailableError("the mirror is down"))
    store.install(bundle, fresh=False, say=_quietly)
    (part,) = store.parts_of(bundle)
    assert (part.path, part.reason) == (None, "the mirror is down")
    store.install(bundle, fresh=False, say=_quietly)
    assert store.parts_of(bundle)[0].path is not None
    assert not list(empty_cache.glob("*.failed"))


@pytest.mark.usefixtures("empty_cache")
def test_a_changed_pin_is_fetched_anew() -> None:
    """A bundle of another version does not count."""
    store.install(_bundle(pin="1"), fresh=False, say=_quietly)
    assert store.parts_of(_bundle(pin="2"))[0].path is None
    store.install(_bundle(pin="2"), fresh=False, say=_quietly)
    assert store.parts_of(_bundle(pin="2"))[0].path is not None


@pytest.mark.usefixtures("empty_cache")
def test_a_missing_part_skips_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the part the test is skipped; with REQUIRE_ALL=1 it fails."""
    monkeypatch.delenv("REQUIRE_ALL", raising=False)
    reason = f"prometheus: {store.HINT}"
    assert find("prometheus").reason == store.HINT
    with pytest.raises(pytest.skip.Exception, match=r"^prometheus: ") as skipped:
        need("prometheus")
    assert skipped.value.msg == reason
    monkeypatch.setenv("REQUIRE_ALL", "1")
    with pytest.raises(pytest.fail.Exception) as failed:
        need("prometheus")
    assert failed.value.msg == reason


def test_the_mirror_is_the_systems_own() -> None:
    """Both formats of apt's lists are read: binary packages of `main`, and no comments."""
    mirror = "http://mirror.example/debian"
    assert list(parse_deb822(STANZAS)) == [Source(mirror, "one"), Source(mirror, "one-updates")]
    assert list(parse_lines(LINES)) == [Source(mirror, "one")]
