"""Streams an event a second to open pages, made once however many listen.

Server-sent events. Each second a listener gets the newest there is, or a sign of life. Nobody waits
for a slow one, and nothing is kept for it: it misses seconds, and is told the newest when it reads.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from typing import Protocol

from aiohttp import web

from pgheadroom.board import Board
from pgheadroom.model.postgres import PostgresFacts
from pgheadroom.state import State
from pgheadroom.status.ranking import worst_first
from pgheadroom.web.api import HISTORY_SECONDS, encoded, unknown
from pgheadroom.web.view import history_view, summary_view, target_view

MOST_LISTENERS = 100

_BEAT_SECONDS = 1.0
_RECENT_SECONDS = 3.0
"""How far back an event about one target tells, so that no sample falls between two events."""
_ROWS_A_BEAT = 200
_STUCK_SECONDS = 30.0
"""A listener that takes nothing for so long is gone."""

_HEADERS = {"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}


class Stream:
    """The answer to ``/api/v1/stream``, for as long as the daemon runs."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._all = All(board)
        self._ones: dict[str, One] = {}
        board.when_gone(self._forget)
        self._listeners = 0
        self._closing = asyncio.Event()

    def add_to(self, app: web.Application) -> None:
        """Have *app* answer, and end the streams when it ends."""
        app.router.add_get("/api/v1/stream", self._answer)
        app.on_shutdown.append(self._close)

    async def _close(self, _app: web.Application) -> None:
        self._closing.set()

    def _forget(self, target: str) -> None:
        self._all.forget(target)
        one = self._ones.pop(target, None)
        if one is not None:
            one.over = True

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        source: Source = self._all
        if "target" in request.query:
            name = request.query["target"]
            try:
                self._board.state(name)
            except KeyError:
                return unknown(self._board)
            source = self._ones.setdefault(name, One(self._board, name))
        if self._listeners >= MOST_LISTENERS:
            words = f"{MOST_LISTENERS} pages are open already\n"
            return web.Response(status=503, text=words, headers={"Retry-After": "10"})
        response = web.StreamResponse(headers=_HEADERS)
        self._listeners += 1
        try:
            await response.prepare(request)
            await self._tell(request, response, source)
        except ConnectionResetError:
            pass  # the page was closed: that is how a stream ends
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()
        finally:
            self._listeners -= 1
        return response

    async def _tell(
        self, request: web.Request, response: web.StreamResponse, source: Source
    ) -> None:
        number, told_at = 0, 0.0
        while not (self._closing.is_set() or source.over):
            now = time.monotonic()
            if request.transport is None:
                return
            if not request.transport.get_write_buffer_size():
                # As old as it can be, it could not tell what happened since; then all is told.
                number, event = source.news(number if now - told_at < _RECENT_SECONDS else 0)
                told_at = now
                async with asyncio.timeout(_STUCK_SECONDS):
                    await response.write(event)
            elif now - told_at > _STUCK_SECONDS:
                raise TimeoutError
            with contextlib.suppress(TimeoutError):
                # On the beat, so that all listeners share what is made.
                pause = _BEAT_SECONDS - time.monotonic() % _BEAT_SECONDS
                async with asyncio.timeout(pause):
                    await self._closing.wait()


class Source(Protocol):
    """Where events come from."""

    over: bool
    """Whether what is told of is no longer watched."""

    def news(self, number: int) -> tuple[int, bytes]:
        """Return the number of the newest event, and what to tell a reader of event *number*.

        0 is who has heard nothing yet, or nothing for too long.
        """


class One:
    """The events about one target."""

    def __init__(self, board: Board, target: str) -> None:
        self._board = board
        self._target = target
        self.over = False
        self._number = 0
        self._state: State | None = None
        self._newest = b""
        self._whole = b""

    def news(self, number: int) -> tuple[int, bytes]:
        """Return all of the last hour to who is new, else the newest, else a sign of life."""
        state = self._board.state(self._target)
        if state is not self._state:
            self._number, self._state = self._number + 1, state
            recent = history_view(state, _RECENT_SECONDS)
            view = {"now": time.time(), **target_view(state), "recent": recent["points"]}
            self._newest, self._whole = _event("target", encoded(view)), b""
        if number == self._number:
            return number, _event("beat", encoded({"now": time.time()}))
        if number:
            return self._number, self._newest
        if not self._whole:
            self._whole = _event("history", encoded(history_view(state, HISTORY_SECONDS)))
        return self._number, self._whole + self._newest


Figures = tuple[object, ...]


class All:
    """The events about all targets in short: what changed, as most of a large fleet does not."""

    def __init__(self, board: Board, clock: Callable[[], float] = time.monotonic) -> None:
        self._board = board
        self._clock = clock
        self.over = False
        self._rows: dict[str, tuple[State, bytes]] = {}
        self._order: list[str] = []
        self._beat = -1
        self._number = 0
        self._changes = b""
        self._whole = b""

    def news(self, number: int) -> tuple[int, bytes]:
        """Return what changed to who has heard the event before, else all."""
        beat = int(self._clock() / _BEAT_SECONDS)
        if beat != self._beat:
            self._beat = beat
            self._look(beat)
        if number and number >= self._number - 1:
            return self._number, self._changes
        if not self._whole:
            self._whole = self._told(self._order, whole=True, order=self._order)
        return self._number, self._whole

    def forget(self, target: str) -> None:
        """Keep nothing of *target*; readers learn that it is gone from a whole new list."""
        if self._rows.pop(target, None) is not None:
            self._order = [name for name in self._order if name != target]
            self._whole = b""
            self._number += 2
            self._beat = -1

    def _look(self, beat: int) -> None:
        states = self._board.states()
        turns = 1 + len(states) // _ROWS_A_BEAT
        changed: list[str] = []
        for number, state in enumerate(states):
            row = self._rows.get(state.target)
            # Of a large fleet the figures of some are told with each beat; what is urgent, at once.
            figures = _figures if (beat + number) % turns == 0 else _urgent
            if row is None or figures(row[0]) != figures(state):
                self._rows[state.target] = state, encoded(summary_view(state))
                changed.append(state.target)
        order = [state.target for state in worst_first(states)] if changed else self._order
        self._number += 1
        self._changes = self._told(changed, order=None if order == self._order else order)
        self._order, self._whole = order, b""

    def _told(
        self, names: list[str], *, whole: bool = False, order: list[str] | None = None
    ) -> bytes:
        head = json.dumps({"now": time.time(), "whole": whole, "order": order})
        rows = b",".join(self._rows[name][1] for name in names)
        return _event("targets", b'%b,"targets":[%b]}' % (head[:-1].encode(), rows))


def _urgent(state: State) -> Figures:
    # Not what alerts say: their figures are of each sample.
    fires = [(*alert.key, alert.application_name) for alert in state.alerts]
    return state.outcome, state.since, state.detail, fires


def _figures(state: State) -> Figures:
    """Return what of *state* is worth an event: all but when it was sampled."""
    main = None if state.sample is None else state.sample.main
    facts = None if state.sample is None else state.sample.facts
    # Of a server the slots by kind; of a pooler the queue.
    slots = facts.slots if isinstance(facts, PostgresFacts) else facts and facts.pools
    return (
        *_urgent(state),
        main,
        slots,
        None if state.pooling is None else state.pooling._replace(at=0.0),
        state.usage.forecasts,
        state.countdown.seconds,
        [alert.description for alert in state.alerts],
    )


def _event(kind: str, data: bytes) -> bytes:
    # JSON has no line breaks; one would end the data.
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), data)
