"""Fuzzes a scraper's headers and a Prometheus's answers."""

from __future__ import annotations

import math
from typing import Any

from fuzz.harness import Harness
from fuzz.postgres import done
from pgheadroom.backtest.prometheus import histories
from pgheadroom.backtest.prometheus_api import PrometheusApi, PrometheusError
from pgheadroom.metrics.exposition import Format
from pgheadroom.model.names import NameFolder
from pgheadroom.model.reading import Sample
from pgheadroom.state import State
from pgheadroom.step import Policy, step
from pgheadroom.storage.recording import line_of, parse
from pgheadroom.web.auth import credentials
from pgheadroom.web.site import accepts_gzip

_POLICY = Policy(NameFolder().fold)


def headers(data: bytes) -> None:
    """Accept, Accept-Encoding and Authorization, decoded as aiohttp does."""
    value = data.decode("utf-8", "surrogateescape")
    assert Format.of(value) in Format
    assert accepts_gzip(value) in (True, False)
    pair = credentials(value)
    assert pair is None or b":" not in pair[0]


class Answered(PrometheusApi):
    """A Prometheus that has two answers: what series there are, and all else."""

    def __init__(self, series: bytes, values: bytes) -> None:
        super().__init__("http://prometheus:9090")
        self._bodies = {"series": series, "query_range": values}

    async def _get(self, path: str, fields: list[tuple[str, str]]) -> Any:  # noqa: ANN401 - it is JSON
        del fields
        return self._data(200, self._bodies[path])


async def _replayed(api: Answered) -> None:
    found = await histories(api, 0.0, 60.0)
    state = State("db")
    for history in found.histories:
        assert history.name.isprintable()
        async for reading in history.readings(api, 0.0, 60.0, 15.0):
            assert math.isfinite(reading.at)
            if isinstance(reading, Sample):
                state = step(state, reading, _POLICY)
            parse(line_of(reading))


def prometheus(data: bytes) -> None:
    """Two answers of a Prometheus, a line each."""
    series, _, values = data.partition(b"\n")
    try:
        done(_replayed(Answered(series, values)))
    except PrometheusError as error:
        assert str(error).isprintable()


_OWN = (
    b'{"status":"success","data":[{"__name__":"pgheadroom_max_connections","target":"a"}]}\n'
    b'{"status":"success","data":{"result":['
    b'{"metric":{"__name__":"pgheadroom_max_connections","target":"a"},"values":[[0,"100"]]},'
    b'{"metric":{"__name__":"pgheadroom_connections","application_name":"api","state":"idle"},'
    b'"values":[[0,"7"],[15,"NaN"]]},'
    b'{"metric":{"__name__":"pgheadroom_target_state","state":"ok"},"values":[[0,"1"]]}]}}'
)
_PEER = (
    b'{"status":"success","data":[{"__name__":"pg_settings_max_connections","instance":"b"}]}\n'
    b'{"status":"success","data":{"result":['
    b'{"metric":{"__name__":"pg_settings_max_connections"},"values":[[0,"100"]]},'
    b'{"metric":{"datname":"shop","state":"idle"},"values":[[0,"7"],[15,"8"]]}]}}'
)

HARNESSES = (
    Harness(
        "headers",
        headers,
        (
            b"application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.3",
            b"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8",
            b"text/plain;version=1.0.0;escaping=underscores",
            b"gzip;q=0.0, br, identity",
            b"Basic YW5uYTpwYXNzOndvcnQ=",
        ),
        share=100,
        words=("application/openmetrics-text;", "text/plain;", "version=", "escaping=", "Basic "),
        longest=256,
    ),
    Harness(
        "prometheus",
        prometheus,
        (_OWN, _PEER, b'{"status":"error","error":"too many samples"}'),
        share=50,
        words=("1e999", '"Inf"', "9" * 400, '"pgheadroom_target_state"', '"pg_up"', "[]", "{}"),
    ),
)
