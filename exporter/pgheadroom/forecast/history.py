"""Keeps how use went, from the last seconds back to last week, in bounded memory.

Rungs of a ladder: the buckets of rung 0 are a second wide, those of each further rung twice as wide
as those of the one below, and a rung keeps the newest SPAN of them. So half a minute is known to
the second, an hour to two minutes, a week to a few hours: what happened lately matters in detail,
what happened long ago in outline. A bucket that is complete is folded into the one above it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

RUNGS = 16
"""Buckets of the last one are nine hours wide; SPAN of them are twelve days."""
SPAN = 32
"""Buckets on each rung."""
LONGEST_SECONDS = float((SPAN - 1) << (RUNGS - 1))
"""How far back a history reaches, at least, once it is full."""

_LEAST_NAMES = 64

Span = tuple[int, int]
"""Fewest and most connections."""


class Bucket(NamedTuple):
    """What the samples of a stretch of time have in common. A tuple, because there are many."""

    nth: int
    """Which stretch: its start, in seconds since the epoch, divided by its width."""
    samples: int
    total: int
    """Slots in use, summed over the samples."""
    low: int
    high: int
    free: int
    """The fewest slots that were free for ordinary roles."""
    spans: Mapping[str, Span]
    """By application, of the samples in which it was seen at all."""

    @property
    def mean(self) -> float:
        """Slots in use, on average."""
        return self.total / self.samples


Rung = tuple[Bucket, ...]


class History(NamedTuple):
    """The rungs, finest first; the buckets of each, oldest first."""

    rungs: tuple[Rung, ...] = ((),) * RUNGS

    def add(
        self, at: float, used: int, free: int, spans: Mapping[str, Span]
    ) -> tuple[History, int]:
        """Return the history with one more sample, and on how many rungs, from 0 up, it shows.

        *used* slots were taken and *free* ones left for ordinary roles *at* seconds since
        the epoch. When the clock was set back, what now lies in the
        future is dropped, so that time runs forwards in what is left.
        """
        index = int(at)
        rungs = list(self.rungs)
        if rungs[0] and index < rungs[0][-1].nth:
            rungs = [
                tuple(bucket for bucket in rung if bucket.nth <= index >> number)
                for number, rung in enumerate(rungs)
            ]
        carried = Bucket(index, 1, used, used, used, free, spans)
        most = _LEAST_NAMES + max(len(spans), _LEAST_NAMES)
        for number, rung in enumerate(rungs):
            rungs[number], out = _with(rung, index, carried, most)
            if out is None:
                return History(tuple(rungs)), number + 1
            carried, index = out, out.nth >> 1
        return History(tuple(rungs)), RUNGS

    def bucket_at(self, at: float) -> Bucket | None:
        """Return the finest bucket that is known of the time *at*, or of the nearest before it."""
        index = int(at)
        for rung in self.rungs:
            if rung and rung[0].nth <= index:
                # Without gaps in the rung it is at this very place, else before it.
                place = min(index - rung[0].nth, len(rung) - 1)
                while rung[place].nth > index:
                    place -= 1
                return rung[place]
            index >>= 1
        return None

    def least_free_before(self, at: float, last: float = -1.0, around: float = 0.0) -> float:
        """Return the fewest free slots that are known of the time before *at*; infinite if none.

        Moments at which no more than the *last* few were free do not count, nor does the time
        *around* them, in seconds before and after.
        """
        least = min((bucket.free for _, bucket in self._before(at)), default=math.inf)
        if least > last:
            return least
        stretches = [(b.nth << n, (b.nth + 1) << n, b.free) for n, b in self._before(at)]
        tight = [(start - around, end + around) for start, end, free in stretches if free <= last]
        return min(
            (
                free
                for start, end, free in stretches
                if all(end <= begun or start >= over for begun, over in tight)
            ),
            default=math.inf,
        )

    def most_before(self, at: float, name: str) -> int:
        """Return the most connections that application *name* is known to have had before *at*."""
        return max((b.spans[name][1] for _, b in self._before(at) if name in b.spans), default=0)

    @property
    def began(self) -> float | None:
        """When the oldest bucket began, in seconds since the epoch; None without any."""
        for number in reversed(range(RUNGS)):  # no finer rung reaches back further
            if self.rungs[number]:
                return float(self.rungs[number][0].nth << number)
        return None

    @property
    def known_since(self) -> float | None:
        """Return when the first sample that it tells of was taken, or a little before.

        None if it is empty. *began* may be up to twice as far back; this is the start of the
        bucket that the sample is in on the finest rung that nothing was dropped from.
        """
        since: float | None = None
        above = 0
        for number, rung in reversed([*enumerate(self.rungs)]):
            samples = sum([bucket.samples for bucket in rung])
            if since is not None and (not rung or samples - rung[-1].samples != above):
                break  # its oldest buckets are told of further up alone
            if rung:
                since, above = float(rung[0].nth << number), samples
        return since

    def with_older(self, older: History) -> History:
        """Return the history that comes of all samples of *older* and then all of this one.

        Those of *older* were taken before. Nothing of this one is lost: each rung is filled up at
        its old end, as far as it reaches. Where many applications come and go, which of them are
        kept in a bucket of both may differ from what one history of all would have kept.
        """
        rungs: list[Rung] = []
        carried: list[Bucket] = []
        """What became complete on the rung below, of *older* alone: the rest is in here already."""
        for rung, before in zip(self.rungs, older.rungs, strict=True):
            old, complete = before, list[Bucket]()
            for bucket in carried:
                old, out = _with(old, bucket.nth >> 1, bucket, _most(bucket, bucket))
                if out is not None:
                    complete.append(out)
            if old and rung and old[-1].nth < rung[-1].nth:
                complete.append(old[-1])
            rungs.append(_joined(old, rung))
            carried = complete
        return History(tuple(rungs))

    def stretches(self) -> list[tuple[float, float, Bucket]]:
        """Return start, width in seconds and bucket of each stretch, oldest first, none told twice.

        Each as fine as it is known.
        """
        stretches: list[tuple[float, float, Bucket]] = []
        samples: list[int] = []
        known_from = math.inf
        for number, rung in enumerate(self.rungs):
            for bucket in reversed(rung):
                start, end = bucket.nth << number, (bucket.nth + 1) << number
                if start >= known_from:
                    continue
                # Finer buckets may have told of its later part, which may be all that was sampled.
                later = sum(n for n, one in zip(samples, stretches, strict=True) if one[0] < end)
                if bucket.samples > later:
                    stretches.append((float(start), min(end, known_from) - start, bucket))
                    samples.append(bucket.samples - later)
                    known_from = start
        stretches.reverse()
        return stretches

    def backwards(self) -> Iterator[tuple[int, int, Bucket]]:
        """Yield start, end and bucket of each stretch, the newest first, none told twice.

        Each as fine as it is known; a coarse bucket that reaches into finer ones is left out.
        """
        known_from = math.inf
        for number, rung in enumerate(self.rungs):
            for bucket in reversed(rung):
                begins, ends = bucket.nth << number, (bucket.nth + 1) << number
                if ends > known_from:
                    continue
                yield begins, ends, bucket
                known_from = begins

    def _before(self, at: float) -> Iterator[tuple[int, Bucket]]:
        for number, rung in enumerate(self.rungs):
            end = int(at) >> number  # the bucket of this index holds *at* itself
            for bucket in rung:
                if bucket.nth >= end:
                    break
                yield number, bucket


def _joined(old: Rung, new: Rung) -> Rung:
    """Return *old*, what of it is still kept, and then *new*, as one rung."""
    if not (old and new):
        return old or new
    first, dropped = new[0], new[-1].nth - SPAN
    for bucket in old:
        if bucket.nth == first.nth:  # in which one ended and the other began
            new = (_merged(first, bucket, _most(first, bucket)), *new[1:])
    return (*(bucket for bucket in old if dropped < bucket.nth < first.nth), *new)


def _most(one: Bucket, other: Bucket) -> int:
    """Return how many applications the two of them together may have."""
    return _LEAST_NAMES + max(len(one.spans), len(other.spans), _LEAST_NAMES)


def _with(rung: Rung, nth: int, new: Bucket, most: int) -> tuple[Rung, Bucket | None]:
    """Return *rung* with *new* in its bucket *nth*, and the bucket that became complete by that.

    Of the applications in a bucket the *most* biggest are kept.
    """
    if not rung:
        return (_placed(new, nth),), None
    last = rung[-1]
    if last.nth >= nth:  # greater when the clock was set back into a bucket that was complete
        return (*rung[:-1], _merged(last, new, most)), None
    first, oldest = 0, nth - SPAN
    while first < len(rung) and rung[first].nth <= oldest:
        first += 1
    return (*rung[first:], _placed(new, nth)), last


def _placed(bucket: Bucket, nth: int) -> Bucket:
    return bucket if bucket.nth == nth else Bucket(nth, *bucket[1:])


def _merged(one: Bucket, other: Bucket, most: int) -> Bucket:
    # Taken apart at once, and compared in place of min() and max(): with every sample, twice.
    nth, samples, total, low, high, free, spans = one
    _, more, added, low_too, high_too, free_too, spans_too = other
    return Bucket(
        nth,
        samples + more,
        total + added,
        min(low_too, low),
        max(high_too, high),
        min(free_too, free),
        _merged_spans(spans, spans_too, most),
    )


def _merged_spans(
    one: Mapping[str, Span], other: Mapping[str, Span], most: int
) -> Mapping[str, Span]:
    if one is other:  # of two samples that share one breakdown
        return one
    both = dict(one)
    # Compared first: in a wide bucket most spans hold what one second brings.
    for name, span in other.items():
        if name not in one:
            both[name] = span
            continue
        (low, high), (lowest, highest) = span, one[name]
        if low < lowest or high > highest:
            both[name] = (min(low, lowest), max(high, highest))
    if len(both) > most:  # applications that come and go for a week must not pile up here
        biggest = sorted(both, key=lambda name: -both[name][1])[:most]
        return {name: both[name] for name in biggest}
    return both
