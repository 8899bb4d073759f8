"""Tests that an answer that no Prometheus gives is one error, in words."""

import pytest
from fuzz.postgres import done
from fuzz.web import Answered, prometheus

from pgheadroom.backtest.prometheus_api import PrometheusError


def answered(data: str) -> Answered:
    body = f'{{"status": "success", "data": {data}}}'.encode()
    return Answered(body, body)


@pytest.mark.parametrize("data", ["1", "null", "[1]", '["ab", "abc"]', '[{"target": 7}]', "[[1]]"])
def test_no_list_of_series(data: str) -> None:
    with pytest.raises(PrometheusError, match="the answer is no list of series; is it Prometheus"):
        done(answered(data).series(["up"], 0.0, 1.0))


@pytest.mark.parametrize(
    "result",
    [
        "7",
        "[7]",
        '[{"metric": {}}]',
        '[{"metric": {"a": 1}, "values": []}]',
        '[{"metric": {}, "values": [[1]]}]',
        '[{"metric": {}, "values": [["soon", "1"]]}]',
        f'[{{"metric": {{}}, "values": [[{"9" * 400}, "1"]]}}]',
        '[{"metric": {}, "values": [[1e999, "1"]]}]',
        '[{"metric": {}, "values": [[-1, "1"]]}]',
    ],
)
def test_no_range_of_values(result: str) -> None:
    with pytest.raises(PrometheusError, match="the answer is no range of values; is it Promethe"):
        done(answered(f'{{"result": {result}}}').query_range("up", 0.0, 1.0, 1.0))


def test_a_state_without_a_label() -> None:
    """Of a series that is not as we write it there is nothing to tell."""
    series = b'{"status":"success","data":[{"__name__":"pgheadroom_max_connections"}]}\n'
    metric = b'{"metric":{"__name__":"pgheadroom_target_state"},"values":[[0,"1"]]}'
    prometheus(series + b'{"status":"success","data":{"result":[' + metric + b"]}}")
