"""Imports the past of each target while the daemon already watches it; failing is no harm."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from pgheadroom.backtest.prometheus import NothingThereError, histories
from pgheadroom.backtest.prometheus_api import PrometheusApi, PrometheusError
from pgheadroom.board import Board
from pgheadroom.durations import moment
from pgheadroom.forecast.history import LONGEST_SECONDS
from pgheadroom.importing.fetch import fetch, same_names
from pgheadroom.importing.matching import Match, Wanted, matched_all
from pgheadroom.importing.past import Past
from pgheadroom.importing.steps import stretches
from pgheadroom.model.identity import TargetKind
from pgheadroom.state import State
from pgheadroom.step import Policy

log = structlog.get_logger("pgheadroom.import")

_LOOK_SECONDS = 1.0
_FIRST_PAUSE_SECONDS = 10.0
_ATTEMPTS = 6
"""The last one some five minutes after the first."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Which past to import, and from where."""

    api: PrometheusApi
    since_seconds: float


class Importer:
    """Imports what *wish* says for each target on *board* whose history is shorter than that.

    Once for each, after the start or after it was added. The samples are Prometheus's, so nothing
    fires by them; what is imported is put below what was measured meanwhile.
    """

    def __init__(
        self, wish: Wish, board: Board, policy: Policy, clock: Callable[[], float] = time.time
    ) -> None:
        self._wish = wish
        self._board = board
        self._policy = policy
        self._clock = clock
        self._done: set[str] = set()
        self._failed = 0
        self._pause = _LOOK_SECONDS
        board.when_gone(self._done.discard)

    async def turn(self) -> None:
        """Wait for a while, then import what is due; to be called again and again."""
        await asyncio.sleep(self._pause)
        self._pause = _LOOK_SECONDS
        due = [state for state in self._board.states() if state.target not in self._done]
        if due:
            await self._attempt(due)

    async def _attempt(self, due: list[State]) -> None:
        now = self._clock()
        start = now - self._wish.since_seconds
        lacking = [state for state in due if _lacks(state, start, now)]
        self._done.update({state.target for state in due} - {state.target for state in lacking})
        if not lacking:
            return
        try:
            found = await histories(self._wish.api, start, now)
            wanted = [Wanted(one.target, one.address, one.identifier) for one in lacking]
            matches, problems = matched_all(wanted, found.histories)
            for problem in problems:
                log.warning("history not imported", reason=problem)
            self._done.update({one.target for one in lacking} - {one.target for one in matches})
            for match in matches:
                await self._import(match, start, now)
        except NothingThereError as nothing:
            log.info("no older history to import", reason=str(nothing))
            self._done.update(state.target for state in lacking)
        except PrometheusError as error:
            self._put_off(lacking, error)
        else:
            self._failed = 0

    def _put_off(self, lacking: list[State], error: PrometheusError) -> None:
        self._failed += 1
        if self._failed == _ATTEMPTS:
            log.warning("history not imported; the attempts end", reason=str(error))
            self._done.update(state.target for state in lacking)
            self._failed = 0
            return
        self._pause = _FIRST_PAUSE_SECONDS * 2 ** (self._failed - 1)
        log.warning("history not imported yet", reason=str(error), retry_seconds=self._pause)

    async def _import(self, match: Match, start: float, now: float) -> None:
        state = self._state(match.target)
        if state is None:
            return
        end = _until(state, now)
        past = Past(self._policy, end, names=same_names(match))
        await fetch(self._wish.api, match, stretches(start, end, now), past)
        self._done.add(match.target)
        summary = past.summary
        if summary is None:
            log.info("no older history to import", target=match.target)
            return
        newest = self._state(match.target)  # it was measured all the while
        if newest is None or (newest.address, newest.kind) != (state.address, state.kind):
            return
        self._board.publish(newest._replace(usage=newest.usage.with_older(past.usage)))
        log.info(
            "history imported",
            target=match.target,
            since=f"{moment(summary.first)} UTC",
            until=f"{moment(summary.last)} UTC",
            samples=summary.samples,
            highest=summary.highest,
            limit_then=summary.limit,
            **({"notes": " ".join(match.notes)} if match.notes else {}),
        )

    def _state(self, target: str) -> State | None:
        return next((one for one in self._board.states() if one.target == target), None)


def _until(state: State, now: float) -> float:
    """Return from when on the history is known already."""
    since = state.usage.known_since
    return now if since is None else min(since, now)


def _lacks(state: State, start: float, now: float) -> bool:
    """Say whether something is to be imported: nothing reaches further back than a history does."""
    if state.kind is not TargetKind.POSTGRES:
        return False
    return _until(state, now) > max(start, now - LONGEST_SECONDS)
