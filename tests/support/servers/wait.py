"""Polls for an event with a deadline, so that no test guesses how long something takes."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Final, TypeVar, overload

T = TypeVar("T")

_FIRST_PAUSE_SECONDS: Final = 0.002
_LONGEST_PAUSE_SECONDS: Final = 0.05
_GROWTH: Final = 1.5


def until(condition: Callable[[], T | None], deadline_seconds: float, what: str) -> T:
    """Call *condition* until it is true and return what it gave; fail after *deadline_seconds*."""
    deadline = time.monotonic() + deadline_seconds
    pause = _FIRST_PAUSE_SECONDS
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(_complaint(what, deadline_seconds, result))
        time.sleep(pause)
        pause = min(pause * _GROWTH, _LONGEST_PAUSE_SECONDS)
    return result


@overload
async def auntil(
    condition: Callable[[], Coroutine[object, object, T | None]], deadline_seconds: float, what: str
) -> T: ...
@overload
async def auntil(condition: Callable[[], T | None], deadline_seconds: float, what: str) -> T: ...
async def auntil(
    condition: Callable[[], Awaitable[T | None] | T | None], deadline_seconds: float, what: str
) -> T:
    """Do as `until` does without holding up the event loop; *condition* may be a coroutine."""
    deadline = time.monotonic() + deadline_seconds
    pause = _FIRST_PAUSE_SECONDS
    while True:
        answer = condition()
        result = await answer if isinstance(answer, Awaitable) else answer
        if result:
            return result
        if time.monotonic() > deadline:
            raise TimeoutError(_complaint(what, deadline_seconds, result))
        await asyncio.sleep(pause)
        pause = min(pause * _GROWTH, _LONGEST_PAUSE_SECONDS)


def _complaint(what: str, deadline_seconds: float, result: object) -> str:
    return f"no {what} within {deadline_seconds:g} s (last: {result!r})"
