"""Lists the rules that are evaluated for each kind of target."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from pgheadroom.judge.evaluation import Evaluation
from pgheadroom.judge.finding import Finding
from pgheadroom.judge.rules.forecasts import expected, imminent
from pgheadroom.judge.rules.outgrown import outgrown
from pgheadroom.judge.rules.overcommit import overcommitted
from pgheadroom.judge.rules.queues import paused, queue
from pgheadroom.judge.rules.refusals import full, refused, unknown
from pgheadroom.judge.rules.slots import exhausted, limits, logins, low, reserve
from pgheadroom.model.identity import TargetKind
from pgheadroom.state import State

ReadingRule = Callable[[State, float], Iterable[Finding]]
"""Takes a state and the time, and needs no sample."""
SampleRule = Callable[[Evaluation], Iterable[Finding]]
"""Evaluated while the newest reading is a sample whose main capacity has a limit."""


class Rules(NamedTuple):
    """The rules of one kind of target, in the order in which their alerts are told."""

    of_every_reading: tuple[ReadingRule, ...]
    of_a_sample: tuple[SampleRule, ...]


RULES: Mapping[TargetKind, Rules] = {
    TargetKind.POSTGRES: Rules(
        of_every_reading=(refused, unknown, full),
        of_a_sample=(
            *(exhausted, reserve, low, logins, limits, imminent, expected, overcommitted),
            outgrown,
        ),
    ),
    TargetKind.PGBOUNCER: Rules(
        of_every_reading=(refused, unknown, full, queue, paused),
        of_a_sample=(exhausted, low, limits, imminent),
    ),
}
