"""Decides how closely to look now: not at all, a pulse, or a full reading.

A full reading names who holds the slots, but its cost grows with the number of sessions (a
millisecond at a few hundred, 20 ms at 4,000); a pulse counts them and costs a tenth of that. So a
full reading is taken when the count went where it had not been of late, when it is far from what
the last one explains, when few slots are left, and every few seconds in any case, as far as a share
of one processor of the server allows.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import NamedTuple

from pgheadroom.model.postgres import PG_18
from pgheadroom.model.reading import Sample
from pgheadroom.model.slots import Slots, Tier


class Depth(enum.Enum):
    """What to ask the server for."""

    NOTHING = enum.auto()
    PULSE = enum.auto()
    FULL = enum.auto()


@dataclass(frozen=True, slots=True)
class Pace:
    """How often, and what share of one of the server's processors a full reading may take."""

    full_seconds: float = 5.0
    """A full reading at least this often, while it is cheap."""
    full_seconds_at_most: float = 30.0
    """... and at least this often, whatever it costs."""
    calm_share: float = 1 / 6000
    """While nothing moves: a sixth of a millisecond of work a second."""
    moved_share: float = 1 / 400
    """When the count went where it had not been of late."""
    far_ratio: float = 0.05
    """The count is far from what the last full reading explains when they differ by more than this
    share of the ordinary limit: a twentieth of the slots, and nobody knows whose. ..."""
    far_seconds: float = 2.0
    """... Then one is taken wherever the count had been of late, at most this often ..."""
    far_share: float = 1 / 50
    """... and never for more than this share, 20 ms of work a second. A reading measures as dear as
    the server is busy, so that 1/400 holds one of 75 ms back for half a minute, just while somebody
    asks who came. At 4,000 sessions one works for 20 ms: one in 2 s is half of this share, and one
    that measures ten times as dear, because it waits, is still taken every 10 s. A climb of 5 % for
    each fills the server with twenty of them; only a count that goes to and fro pays for longer."""
    lately_seconds: float = 30.0
    """Counts are remembered for so long: sessions that come and go move the count all the time, and
    who they are is read every few seconds anyway."""
    few_seconds: float = 2.0
    """A full reading at least this often when few slots are left, ..."""
    few_share: float = 1 / 20
    """... at once when something moves then: knowing who is worth its price."""
    few_slots: int = 5
    few_ratio: float = 0.1
    """Free slots are few at or below the larger of the two; the ratio is of the ordinary limit."""
    slots_per_second: int = 2500
    """On 14 to 17 the logins in progress are found in the table of locks, which is read whole: two
    milliseconds of work at 5,000 slots. So a larger server is asked every second only when few
    slots are left, and every so many seconds else; and one of half the size, while sessions come
    and go so fast that it takes two looks to tell them apart. What is not counted is not said."""
    again_cost: float = 1.2
    """What a further look costs, in first looks: it asks about some processes beside."""


DEFAULT_PACE = Pace()

_BLOCKERS_SECONDS = 5.0
"""It is asked at most this often who blocks whom: a person reads it, and acts on it, in minutes."""
_BLOCKERS_SHARE = 0.002
"""... and for no more than this share of the time, by the server's clock: its waiting included."""

_HALF_A_BEAT = 0.5  # seconds; samples are taken on a beat, and late by milliseconds


class Cost(NamedTuple):
    """What a full reading costs the server, in seconds of a processor.

    A server tells how long a reading took, not how much of that it worked. But a reading works as
    much as one that took less and counted as many sessions; what it took beyond that, it waited.
    """

    fixed_seconds: float = 0.001
    per_session_seconds: float = 25e-6
    """The least that a session has cost in any reading so far; at first five times what it cost
    where it was measured."""

    def learn(self, took_seconds: float, sessions: int) -> Cost:
        """Return what is known after a reading of *sessions* sessions that *took_seconds*."""
        least = max(0.0, took_seconds - self.fixed_seconds) / max(1, sessions)
        return self._replace(per_session_seconds=min(self.per_session_seconds, least))

    def of(self, sessions: int) -> float:
        """Return what a reading of *sessions* sessions costs, at the most."""
        return self.fixed_seconds + self.per_session_seconds * max(1, sessions)


@dataclass(frozen=True, slots=True)
class Pulse:
    """What a pulse brings: how many slots are in use."""

    at: float
    duration_seconds: float
    visible: int
    """Client backends that have logged in."""
    hidden: int
    """Logins in progress."""
    started_at: float
    """When the postmaster started."""


class Lately(NamedTuple):
    """What the last seconds brought."""

    counts: tuple[tuple[float, int], ...] = ()
    """When, and how many sessions were visible then; oldest first."""
    again_at: float = -math.inf
    """When it last took more than one look to tell the count."""

    def add(
        self, at: float, visible: int, *, again: bool = False, pace: Pace = DEFAULT_PACE
    ) -> Lately:
        """Return what is known after one more count, for which it was perhaps looked *again*.

        After a clock was set back, counting starts again.
        """
        recent = [one for one in self.counts if 0 <= at - one[0] < pace.lately_seconds]
        return Lately((*recent, (at, visible)), at if again else self.again_at)

    def looks(self, now: float, pace: Pace = DEFAULT_PACE) -> float:
        """Return what the next count is expected to cost, in first looks."""
        again = 0 <= now - self.again_at < pace.lately_seconds
        return 1 + pace.again_cost if again else 1.0

    def covers(self, visible: int, until: float) -> bool:
        """Say whether the count was as low as *visible*, and as high, by *until*.

        *until* is the last full reading: what went further after it is not explained yet.
        """
        before = [count for at, count in self.counts if at <= until]
        return bool(before) and min(before) <= visible <= max(before)


class BlockersPace(NamedTuple):
    """When it may be asked again who blocks whom."""

    not_before: float = -math.inf
    """In seconds of a monotonic clock."""

    def asked(self, now: float, took_seconds: float) -> BlockersPace:
        """Return what is known after it was asked until *now*, which *took_seconds*."""
        return BlockersPace(now + max(_BLOCKERS_SECONDS, took_seconds / _BLOCKERS_SHARE))

    def allows(self, now: float) -> bool:
        """Say whether it may be asked *now*."""
        return now >= self.not_before


def depth(last: Sample | None, now: float, lately: Lately, pace: Pace = DEFAULT_PACE) -> Depth:
    """Return what to ask for at *now*, given the *last* sample of this server.

    Clocks may step back; then a full reading is taken, which sets things right.
    """
    if last is None or not 0 <= now - last.at < pace.full_seconds_at_most:
        return Depth.FULL
    if now - last.holders.at >= _full_interval(last, pace):
        return Depth.FULL
    looked_at = last.postgres.slots.limits.max_connections * lately.looks(now, pace)
    every = math.ceil(looked_at / pace.slots_per_second)
    if last.postgres.server.version >= PG_18 or every == 1 or _few(last, pace):
        return Depth.PULSE
    return Depth.PULSE if now - last.at >= every - _HALF_A_BEAT else Depth.NOTHING


def moved(last: Sample, pulse: Pulse, lately: Lately, pace: Pace = DEFAULT_PACE) -> bool:
    """Say whether *pulse* tells of a change that a full reading should explain right away.

    While few slots are left that is any change; else one that leads where the count was not
    *lately*, or far from what the last full reading explains: half of the sessions may have come
    since, and be told as nobody's.
    """
    if pulse.started_at != last.postgres.server.started_at:
        return True
    holders = last.holders
    few = _few(last, pace)
    if pulse.visible == holders.visible:
        return False
    age, cost = pulse.at - holders.at, holders.cost_seconds
    if few:
        return age >= cost / pace.few_share
    if _far(last, pulse, pace) and age >= max(pace.far_seconds, cost / pace.far_share):
        return True
    return not lately.covers(pulse.visible, holders.at) and age >= cost / pace.moved_share


def carry(last: Sample, pulse: Pulse) -> Sample:
    """Return the sample that *pulse* makes of the *last* one, whose holders it carries on."""
    slots = Slots(last.postgres.slots.limits, visible=pulse.visible, hidden=pulse.hidden)
    return last._replace(
        at=pulse.at,
        duration_seconds=pulse.duration_seconds,
        main=slots.ordinary,
        facts=last.postgres._replace(slots=slots),
    )


def _full_interval(last: Sample, pace: Pace) -> float:
    cost = last.holders.cost_seconds
    if _few(last, pace):
        interval = max(pace.few_seconds, cost / pace.few_share)
    else:
        interval = max(pace.full_seconds, cost / pace.calm_share)
    return min(pace.full_seconds_at_most, interval)


def _few(last: Sample, pace: Pace) -> bool:
    ordinary = last.postgres.slots.limits.of(Tier.ORDINARY)
    return last.postgres.slots.free(Tier.ORDINARY) <= max(pace.few_slots, pace.few_ratio * ordinary)


def _far(last: Sample, pulse: Pulse, pace: Pace) -> bool:
    ordinary = last.postgres.slots.limits.of(Tier.ORDINARY)
    return abs(pulse.visible - last.holders.visible) > pace.far_ratio * ordinary
