"""Waits for work that may outlast its deadline, and never begins it twice.

A login that a server has taken up and does not finish (it is frozen, or its catalog is locked) may
hold a slot there, whether we go on waiting or not. So we wait for that one, and begin no other.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Coroutine
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")
Arrived = Callable[[], None]
Work = Callable[[Arrived], Coroutine[Any, Any, Result]]
"""What is waited for; it calls what it is given as soon as it may cost the server something."""

_PATIENCE_SECONDS = 60.0
_LONGEST_PATIENCE_SECONDS = 3600.0


class Pending(Generic[Result]):
    """One piece of work, begun when it is first asked for and kept until it has ended.

    After a minute a new one is begun in its place, for it may lead nowhere; the next time after
    two, and so on, so that a server on which nothing ends is not filled by what we gave up.
    """

    def __init__(self) -> None:
        self._task: asyncio.Task[Result] | None = None
        self._arrived = False
        self._late = False
        self._patience_seconds = _PATIENCE_SECONDS
        self._given_up_at = 0.0

    @property
    def ended(self) -> bool:
        """Whether work that outlasted its deadline has ended since: asking again tells how."""
        return self._task is not None and self._task.done()

    @property
    def under_way(self) -> bool:
        """Whether there is work that outlasted its deadline and has not ended yet."""
        return self._late and self._task is not None and not self._task.done()

    async def within(self, seconds: float, work: Work[Result]) -> Result:
        """Return what *work* returns, or raise what it raises; TimeoutError after *seconds*.

        Work that is under way is waited for again. When the time is up it is kept for the next
        one who asks if it has arrived, and cancelled if not.
        """
        task = self._begin(work) if self._task is None else self._task
        try:
            await asyncio.wait({task}, timeout=seconds)
        except BaseException:
            self.give_up()
            raise
        if task.done():
            self._task = None
            self._patience_seconds = _PATIENCE_SECONDS
            return task.result()
        self._late = True
        if not self._arrived:
            self.give_up()
        elif time.monotonic() >= self._given_up_at:
            self._patience_seconds = min(2 * self._patience_seconds, _LONGEST_PATIENCE_SECONDS)
            self.give_up()
        raise TimeoutError

    def _begin(self, work: Work[Result]) -> asyncio.Task[Result]:
        def arrived() -> None:
            self._arrived = True

        self._arrived = self._late = False
        self._given_up_at = time.monotonic() + self._patience_seconds
        self._task = asyncio.create_task(work(arrived))
        return self._task

    def give_up(self) -> Result | None:
        """Cancel what is under way; return what it had come to, if it has ended well already."""
        task, self._task = self._task, None
        if task is None:
            return None
        if task.done():
            failed = task.cancelled() or task.exception() is not None
            return None if failed else task.result()
        task.cancel()
        return None


class PendingByAddress(Generic[Result]):
    """What is pending at each address: one thing at most.

    *discard* is called with the result of work that is no longer wanted.
    """

    def __init__(self, discard: Callable[[Result], None] | None = None) -> None:
        self._discard = discard
        self._by_address: dict[str, Pending[Result]] = {}

    @property
    def answered(self) -> bool:
        """Whether something that outlasted its deadline has ended since."""
        return any(pending.ended for pending in self._by_address.values())

    @property
    def under_way(self) -> bool:
        """Whether something is still waited for that outlasted its deadline."""
        return any(pending.under_way for pending in self._by_address.values())

    def at(self, address: str) -> Pending[Result]:
        """Return what is pending at *address*."""
        return self._by_address.setdefault(address, Pending())

    def give_up(self, but: Collection[str] = ()) -> None:
        """Cancel what is pending, except at the addresses *but*."""
        for address in [address for address in self._by_address if address not in but]:
            self._drop(address)

    def forget(self) -> None:
        """Drop what has ended since it was asked for: it says how it was, not how it is."""
        for address in [address for address, one in self._by_address.items() if one.ended]:
            self._drop(address)

    def _drop(self, address: str) -> None:
        result = self._by_address.pop(address).give_up()
        if result is not None and self._discard is not None:
            self._discard(result)
