"""How closely to look now: a pulse, a pulse that counts hidden slots too, or a full reading.

A full reading names who holds the slots, but its cost grows faster than the number of sessions (a
millisecond at a few hundred, 20 ms at 4,000); a pulse counts processes and costs a twentieth of
that. So a full reading is taken when something moved, when few slots are left, and every few
seconds in any case, as far as a share of one processor of the server allows.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

from pgheadroom.reading import PG_18, Sample
from pgheadroom.slots import Slots, Tier


class Depth(enum.Enum):
    """What to ask the server for."""

    PULSE = enum.auto()
    PULSE_WITH_HIDDEN = enum.auto()
    FULL = enum.auto()


@dataclass(frozen=True, slots=True)
class Pace:
    """How often, and what share of one of the server's processors a full reading may take."""

    full_seconds: float = 5.0
    """A full reading at least this often, while it is cheap."""
    full_seconds_at_most: float = 20.0
    """... and at least this often, whatever it costs."""
    calm_share: float = 1 / 3000
    """While nothing moves: a third of a millisecond of work a second."""
    moved_share: float = 1 / 400
    """When the pulse moved."""
    few_seconds: float = 2.0
    """A full reading at least this often when few slots are left, ..."""
    few_share: float = 1 / 20
    """... at once when something moves then: knowing who is worth its price."""
    few_slots: int = 5
    few_ratio: float = 0.1
    """Free slots are few at or below the larger of the two; the ratio is of the ordinary limit."""
    slots_per_hidden_look: int = 125
    """Hidden slots are counted every second per this many of max_connections (14 to 17) ..."""
    slots_per_hidden_look_when_few: int = 1000
    """... and per this many when few slots are left."""


DEFAULT_PACE = Pace()


@dataclass(frozen=True, slots=True)
class Pulse:
    """What a pulse brings: how many processes the server lists, and perhaps the hidden slots."""

    at: float
    duration_seconds: float
    backends: int
    started_at: float
    hidden: int | None
    """None when this pulse did not count them."""


def depth(last: Sample | None, now: float, pace: Pace = DEFAULT_PACE) -> Depth:
    """Return what to ask for at *now*, given the *last* sample of this server.

    Clocks may step back; then a full reading is taken, which sets things right.
    """
    if last is None or not 0 <= now - last.at < pace.full_seconds_at_most:
        return Depth.FULL
    if now - last.breakdown.at >= _full_interval(last, pace):
        return Depth.FULL
    # On 18 a login under way is a process in the list like any other, and moves the pulse.
    per = pace.slots_per_hidden_look_when_few if _few(last, pace) else pace.slots_per_hidden_look
    every = math.ceil(last.slots.limits.max_connections / per)
    counts_hidden = last.server.version < PG_18 and now - last.hidden_at >= every - 0.5
    return Depth.PULSE_WITH_HIDDEN if counts_hidden else Depth.PULSE


def moved(last: Sample, pulse: Pulse, pace: Pace = DEFAULT_PACE) -> bool:
    """Say whether *pulse* tells of a change that a full reading should explain right away."""
    if pulse.started_at != last.server.started_at:
        return True
    same = pulse.backends == last.breakdown.backends
    same &= pulse.hidden is None or pulse.hidden == last.slots.hidden
    share = pace.few_share if _few(last, pace) else pace.moved_share
    spacing = last.breakdown.cost_seconds / share
    return not same and pulse.at - last.breakdown.at >= spacing


def carry(last: Sample, pulse: Pulse) -> Sample:
    """Return the sample that *pulse* makes of the *last* one, whose breakdown it carries on.

    What came or went since the breakdown is taken for client backends. That is exact unless a
    background process came or went too, and the next full reading tells.
    """
    visible = max(0, last.breakdown.visible + pulse.backends - last.breakdown.backends)
    hidden = last.slots.hidden if pulse.hidden is None else pulse.hidden
    return last._replace(
        at=pulse.at,
        duration_seconds=pulse.duration_seconds,
        slots=Slots(last.slots.limits, visible=visible, hidden=hidden),
        hidden_at=last.hidden_at if pulse.hidden is None else pulse.at,
    )


def _full_interval(last: Sample, pace: Pace) -> float:
    cost = last.breakdown.cost_seconds
    if _few(last, pace):
        wanted = max(pace.few_seconds, cost / pace.few_share)
    else:
        wanted = max(pace.full_seconds, cost / pace.calm_share)
    return min(pace.full_seconds_at_most, wanted)


def _few(last: Sample, pace: Pace) -> bool:
    ordinary = last.slots.limits.of(Tier.ORDINARY)
    return last.slots.free(Tier.ORDINARY) <= max(pace.few_slots, pace.few_ratio * ordinary)
