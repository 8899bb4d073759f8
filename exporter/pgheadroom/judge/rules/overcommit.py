"""Finds that poolers may open more connections than a server has slots; never a page by itself."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from pgheadroom.judge.evaluation import Evaluation
from pgheadroom.judge.finding import Finding, Words
from pgheadroom.model.alert import AlertName, Severity
from pgheadroom.state import State

_KEPT_SECONDS = 3600.0
"""It is a matter of settings: pools that come and go with a pooler's restart are no news."""


def overcommitted_slots(state: State) -> int | None:
    """Return by how much pools and direct use may exceed the ordinary slots, at least 0.

    Direct use is the highest of the last day. None where there is no pooler, or nothing limits one
    of its pools.
    """
    if state.pooling is None or not state.pooling.uses or state.sample is None:
        return None
    limit, committed = state.sample.main.limit, _committed(state)
    if limit is None or committed is None:
        return None
    return max(0, committed + state.direct.highest - limit)


def _committed(state: State) -> int | None:
    """Return what the pools of all poolers may open; None where nothing limits one of them."""
    total = 0
    for use in () if state.pooling is None else state.pooling.uses:
        if use.committed is None:
            return None
        total += use.committed
    return total


def overcommitted(evaluation: Evaluation) -> Sequence[Finding]:
    """Return that poolers and direct use may take more slots than there are."""
    state = evaluation.state
    if state.pooling is None or not state.pooling.uses:
        return ()
    over = overcommitted_slots(state)
    if over == 0:
        return ()
    found = Finding(
        AlertName.OVERCOMMITTED,
        Severity.WARNING,
        partial(_words, evaluation, over),
        for_seconds=evaluation.thresholds.overcommit_hold_seconds,
        keep_firing_seconds=_KEPT_SECONDS,
    )
    return (found,)


def _words(evaluation: Evaluation, over: int | None) -> Words:
    return f"{evaluation.state.target}: {arithmetic(evaluation.state, over)}", None


def arithmetic(state: State, over: int | None) -> str:
    """Return the sum that a person can redo: pools, direct use, and the ordinary slots."""
    uses = () if state.pooling is None else state.pooling.uses
    limit = None if state.sample is None else state.sample.main.limit
    parts = []
    for use in uses:
        most = "any number of" if use.committed is None else str(use.committed)
        pools = "its pool" if use.pools == 1 else f"its {use.pools} pools"
        times = f", in {use.replicas} processes" if use.replicas > 1 else ""
        reserve = f", {use.reserve} of them from reserves" if use.reserve else ""
        parts.append(f"{use.pooler} may open {most} connections by {pools}{times}{reserve}")
    parts.append(_direct(state))
    verdict = _verdict(over, sum(use.reserve for use in uses))
    return "; ".join(parts) + f"; there are {limit} ordinary slots: {verdict}."


def _direct(state: State) -> str:
    if state.direct.hours:
        return f"direct use was up to {state.direct.highest} in the last day"
    if state.pooling is None or state.pooling.direct is None:
        return "direct use is not known"
    return f"direct use is {state.pooling.direct} now"


def _verdict(over: int | None, reserve: int) -> str:
    if over is None:
        return "nothing bounds it; set pool_size or max_db_connections"
    if over == 0:
        return "it fits"
    if over <= reserve:
        return f"it fits only without the reserve pools, over by {over} with them"
    return f"over-committed by {over}"
