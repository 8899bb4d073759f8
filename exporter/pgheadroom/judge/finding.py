"""Defines a finding: something that is wrong now, and is or will become an alert."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pgheadroom.model.alert import About, AlertName, Key, Severity

Words = tuple[str, str | None]
"""The figures in words, and the application to blame, if there is one."""


class Finding(NamedTuple):
    """One thing that is wrong. A tuple, because many are made with every sample."""

    name: AlertName
    severity: Severity
    tell: Callable[[], Words]
    """Puts it in words; called when an alert is made of it, not each time that it is found."""
    about: About = ()
    for_seconds: float = 0.0
    """It becomes an alert when it has been found for so long."""
    keep_firing_seconds: float = 0.0
    """The alert stands for so long after it was last found, unless slots were gained."""
    hysteresis: bool = False
    """Not enough to raise the alert, but enough to keep it: what wavers about a threshold would
    flap otherwise."""

    @property
    def key(self) -> Key:
        """What makes it the same as one of another moment."""
        return self.name, self.severity, self.about
