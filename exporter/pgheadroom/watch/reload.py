"""Changes the targets without a restart: reads again, compares, applies or refuses.

Only targets are applied. Whatever else has changed is named, and counts after a restart.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import structlog

from pgheadroom.config.load import ConfigurationError
from pgheadroom.config.settings import Settings
from pgheadroom.config.target import TargetSettings
from pgheadroom.metrics.own import SelfMetrics
from pgheadroom.notify.systemd import SystemdNotifier
from pgheadroom.watch.fleet import Difference, Fleet

log = structlog.get_logger("pgheadroom.watch.reload")

Reread = Callable[[], tuple[Settings, Mapping[str, TargetSettings]]]
"""Reads the configuration once more as at the start; raises ConfigurationError."""

_ABOUT_TARGETS = frozenset({"targets", *TargetSettings.model_fields})


@dataclass(frozen=True, slots=True)
class ReloadOutcome:
    """What came of a reload; with problems, nothing was changed."""

    difference: Difference = field(default_factory=Difference)
    waiting: tuple[str, ...] = ()
    """Settings that have changed and count after a restart."""
    problems: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """All of it for people, in lines."""
        if self.problems:
            return "the configuration was refused; the old one stays in force\n" + "".join(
                f"{problem}\n" for problem in self.problems
            )
        parts = self.difference.told()
        if self.waiting:
            parts["restart to apply"] = ", ".join(self.waiting)
        return "".join(f"{what}: {names}\n" for what, names in parts.items()) or (
            "nothing has changed\n"
        )


def nothing_to_read() -> tuple[Settings, Mapping[str, TargetSettings]]:
    """Refuse to read anything: what is watched was not configured."""
    raise ConfigurationError(["there is no configuration to read again: this is the demo"])


def waiting(before: Settings, after: Settings) -> tuple[str, ...]:
    """Return the names of the settings that differ, except those of targets."""
    names = (name for name in Settings.model_fields if name not in _ABOUT_TARGETS)
    return tuple(name for name in names if getattr(before, name) != getattr(after, name))


class Reloader:
    """Reloads, one at a time, what runs with *settings*; *reread* says what is configured now."""

    def __init__(
        self,
        settings: Settings,
        reread: Reread,
        fleet: Fleet,
        own: SelfMetrics,
        systemd: SystemdNotifier,
    ) -> None:
        self._settings = settings
        self._reread = reread
        self._fleet = fleet
        self._own = own
        self._systemd = systemd
        self._one_at_a_time = asyncio.Lock()
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Have it done soon: however often this is called before it begins, it is done once."""
        self._asked.set()

    async def turn(self) -> None:
        """Wait until it is asked for, then reload."""
        await self._asked.wait()
        self._asked.clear()
        await self.reload()

    async def reload(self) -> ReloadOutcome:
        """Read the configuration and apply it, or say why not."""
        async with self._one_at_a_time:
            self._systemd.reloading()
            try:
                return await self._reload()
            finally:
                self._systemd.reloaded()

    async def answer(self) -> tuple[int, str]:
        """Reload on an HTTP request: return the status and the words."""
        outcome = await self.reload()
        return (500 if outcome.problems else 200), outcome.text

    async def _reload(self) -> ReloadOutcome:
        try:
            # Not in a thread: libpq is told of a service by an environment variable of the moment.
            settings, targets = self._reread()
        except ConfigurationError as error:
            self._own.refused()
            for problem in error.problems:
                log.warning("reload failed, the old configuration stays in use", problem=problem)
            return ReloadOutcome(problems=error.problems)
        outcome = ReloadOutcome(
            await self._fleet.follow(targets), waiting(self._settings, settings)
        )
        self._own.configured(time.time())
        log.info("reloaded", targets=len(targets), **outcome.difference.told())
        if outcome.waiting:
            log.warning(
                "settings changed; restart to apply them", settings=", ".join(outcome.waiting)
            )
        return outcome
