"""Answers the JSON API: all targets in short, or everything known of one."""

from __future__ import annotations

import json
from collections.abc import Mapping

from aiohttp import web

from pgheadroom.board import Board
from pgheadroom.state import State
from pgheadroom.status.ranking import worst_first
from pgheadroom.web.json_values import Json
from pgheadroom.web.view import event_views, history_view, summary_view, target_view

HISTORY_SECONDS = 3600.0
_MOST_EVENTS = 500


class Api:
    """The answers below ``/api/v1``; docs/api.md says what is in them."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._summaries = Summaries()
        board.when_gone(self._summaries.forget)

    def add_to(self, app: web.Application) -> None:
        """Have *app* answer."""
        app.router.add_get("/api/v1/targets", self._targets)
        app.router.add_get("/api/v1/targets/{name}", self._target)
        app.router.add_get("/api/v1/events", self._events)

    async def _targets(self, _request: web.Request) -> web.Response:
        states = worst_first(self._board.states())
        return _json(b'{"targets":[%b]}' % b",".join(map(self._summaries.of, states)))

    async def _target(self, request: web.Request) -> web.Response:
        try:
            state = self._board.state(request.match_info["name"])
        except KeyError:
            return unknown(self._board)
        history = history_view(state, HISTORY_SECONDS)
        return _json(encoded({**target_view(state), "history": history}))

    async def _events(self, request: web.Request) -> web.Response:
        states = self._board.states()
        wanted = request.query.get("target")
        if wanted is not None:
            states = tuple(state for state in states if state.target == wanted)
            if not states:
                return unknown(self._board)
        return _json(encoded({"events": event_views(states, _MOST_EVENTS)}))


class Summaries:
    """Each target in short, as JSON: made once for each state that is asked for."""

    def __init__(self) -> None:
        self._made: dict[str, tuple[State, bytes]] = {}

    def of(self, state: State) -> bytes:
        """Return the summary of *state*."""
        view = self._made.get(state.target)
        if view is None or view[0] is not state:
            view = self._made[state.target] = state, encoded(summary_view(state))
        return view[1]

    def forget(self, target: str) -> None:
        """Keep nothing of *target*, which is no longer watched."""
        self._made.pop(target, None)


def encoded(view: Mapping[str, Json]) -> bytes:
    """Return *view* as JSON in one line, in ASCII alone: a name cannot break out of it."""
    return json.dumps(view, allow_nan=False, separators=(",", ":")).encode("ascii")


def unknown(board: Board) -> web.Response:
    """Return the answer to a target that is not configured."""
    names = [state.target for state in board.states()]
    error = {"error": f"no such target; configured are: {', '.join(names)}", "targets": names}
    return _json(encoded(error), 404)


def _json(body: bytes, status: int = 200) -> web.Response:
    return web.Response(status=status, body=body, content_type="application/json")
