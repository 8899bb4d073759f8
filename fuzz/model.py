"""Fuzzes application names: on the page, in a log, in an alert, in JSON."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable

import structlog
from prometheus_client.core import Metric
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.registry import Collector

from fuzz.harness import Harness
from pgheadroom import log
from pgheadroom.metrics.exposition import Format, collected, family
from pgheadroom.metrics.table import TABLE
from pgheadroom.model.names import NameFolder
from pgheadroom.model.reading import Group
from pgheadroom.model.recorded import recorded_sample
from pgheadroom.model.slots import Limits
from pgheadroom.postgres.rows import text
from pgheadroom.state import State
from pgheadroom.step import Policy, step
from pgheadroom.storage.plain import plain, typed
from pgheadroom.text import harmless, printable
from pgheadroom.web.api import encoded
from pgheadroom.web.view import target_view

_LONGEST = 128
_FOLDER = NameFolder()
_MOST = 10


def _said(data: bytes) -> str:
    """Return *data* as text: by our own decoding, or as characters that UTF-8 cannot hold."""
    if data[:1] == b"\0":
        return data[1 : len(data) - (len(data) - 1) % 2].decode("utf-16-le", "surrogatepass")
    return text(data)


def name(data: bytes) -> None:
    """Folded, shown, made harmless and brought back from a file."""
    said = _said(data)
    folded = _FOLDER.fold(said)
    assert folded
    for shown in (folded, printable(said), harmless(said), harmless(folded)):
        assert shown.isprintable()
        assert len(shown) <= _LONGEST
        shown.encode()
    for active in "<>@&":
        assert active not in harmless(said)
    assert typed(str, json.loads(json.dumps(plain(said)))) == said


class _Connections(Collector):
    """The one family of the page that is made of names."""

    def __init__(self, state: State) -> None:
        metric = next(one for one in TABLE if one.name == "pgheadroom_connections")
        self._family = family(metric, (state.target, state.server), metric.points(state))

    def collect(self) -> Iterable[Metric]:
        return (self._family,)


def _parsed(page: str, format_: Format) -> set[str]:
    """Return the names on *page*, which has one family."""
    (found,) = (
        parse_openmetrics(page + "# EOF\n")  # type: ignore[no-untyped-call] # the library's
        if format_ is Format.OPENMETRICS
        else parse_text(page)
    )
    names = [sample.labels["application_name"] for sample in found.samples]
    assert len(names) == len(set(names))
    return set(names)


def page(data: bytes) -> None:
    """Names, one a line, on a page that is parsed back; and in the API's JSON."""
    said = [_said(line) for line in data.split(b"\n")]
    groups = tuple(Group(one, "idle", number + 1, 1.0) for number, one in enumerate(said))
    sample = recorded_sample(1000.0, Limits(100, 3), groups)
    state = step(State("db"), sample, Policy(_FOLDER.fold, _MOST))
    expected = {folded for folded, _ in state.applications.counts}
    for format_ in Format:
        text_ = collected(_Connections(state), format_).decode()
        assert _parsed(text_, format_) == expected
    assert len(expected) <= _MOST + 2
    shown = json.loads(encoded(target_view(state)))["applications"]
    assert {one["application_name"] for one in shown} == expected


def line_of_log(data: bytes) -> None:
    """What is logged is one line, and that line is ours."""
    said = _said(data)
    for format_ in ("logfmt", "json"):
        stream = io.StringIO()
        log.configure(format_, "info", stream)
        structlog.get_logger("fuzz").warning("target unreadable", target="db", reason=said)
        written = stream.getvalue()
        assert written.count("\n") == 1
        assert written.endswith("\n")
        assert written[:-1].isprintable()
        written.encode()
        if format_ == "json":
            assert json.loads(written)["event"] == "target unreadable"


_SEEDS = (
    b"checkout-6d4b75cb6d-hwx8z",
    b"psql - 127.0.0.1:33160",
    b"550e8400-e29b-41d4-a716-446655440000",
    b"app - db-client.internal:40112 pid=4711 [::1]:5",
    "\0" + "a\0\ud83d",
    'a"} 1\n# EOF\n\\',
    "<!channel> @here [x](https://evil.example)",
    "\u202eevil\u2066\x1b[31m",
)
_BYTES = tuple(
    seed if isinstance(seed, bytes) else seed.encode("utf-8", "surrogatepass") for seed in _SEEDS
)
_WORDS = ("-0", "pid=", "[1]", ":5432", "@h", "\u202e", "\\u", "&#", "](", "://", '"} 1', "# EOF")

HARNESSES = (
    Harness("name", name, _BYTES, share=250, words=_WORDS, longest=1024),
    Harness("page", page, (*_BYTES, b"\n".join(_BYTES)), share=40, words=_WORDS, longest=1024),
    Harness("line-of-log", line_of_log, _BYTES, share=50, words=_WORDS, longest=512),
)
