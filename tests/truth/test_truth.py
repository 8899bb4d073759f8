"""Tests that every published number is true, whatever comes and goes on the server.

A real server under a random mixed load, the whole daemon beside it, and an oracle that asks the
server for its own count a hundred times a second. In `.ci/run` each case takes seconds; `make
truth` takes minutes (TRUTH_SECONDS each, SEED for another load).
"""

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import pytest
from tests.support.fixtures.postgres import MakePostgres
from tests.support.servers.headroom import Headroom
from tests.truth.load import CHURNERS, MOST_SHARE, SETTINGS, Director, prepare
from tests.truth.oracle import Ask, Oracle
from tests.truth.published import Page, Reader

SECONDS: Final = float(os.environ.get("TRUTH_SECONDS", "20"))
SEED: Final = int(os.environ.get("SEED", "4711"))
PHASE_SECONDS: Final = 4.0
RESTART_EVERY_SECONDS: Final = 60.0
LONGEST_READING_SECONDS: Final = 3.0  # then a reading is given up
NUMBERED_SINCE: Final = 17  # from then on a backend's number tells its kind, with no privilege

# What this load never justifies.
NEVER: Final = (
    "PostgresConnectionsExhausted",
    "PostgresConnectionsExhaustionImminent",
    "PostgresReservedSlotsInUse",
    "PostgresConnectionsRefused",
)

CONFIG: Final = """
targets: {{db: "{dsn}"}}
knock_interval_seconds: 0
"""  # a knock holds a slot for a moment, and comes and goes between two asks


@pytest.mark.timeout(SECONDS + 120)
@pytest.mark.parametrize("role", ["watcher", "plain"])
def test_every_published_number_is_true(
    major: int, role: str, make_postgres: MakePostgres, tmp_path: Path
) -> None:
    server = make_postgres(major, part=None, tls=False, **SETTINGS)
    prepare(server)
    config = CONFIG.format(dsn=server.dsn(user=role))
    exact = role == "watcher" or major >= NUMBERED_SINCE
    churns: list[tuple[float, bool]] = []
    with Oracle(server) as oracle, Headroom(tmp_path, config) as daemon:
        daemon.ready()
        with Reader(daemon) as reader:
            director = Director(server, oracle, SEED + major)
            with director.at_work():
                began = restarted = time.monotonic()
                while time.monotonic() - began < SECONDS:
                    before, churned = time.time(), director.churns
                    director.switch()
                    churns.append((before, churned or director.churns))
                    churns.append((time.time(), director.churns))
                    phase = time.monotonic()
                    while time.monotonic() - phase < PHASE_SECONDS:
                        director.move()
                    if time.monotonic() - restarted > RESTART_EVERY_SECONDS:
                        director.restart()
                        restarted = time.monotonic()
            oracle.next()
    pages = reader.pages
    assert len(pages) > SECONDS / 4, "too few samples to say anything"
    wrong: list[str] = []
    judged = 0
    for number, page in enumerate(pages):
        asks = oracle.around(
            page.at - (page.value("pgheadroom_sample_duration_seconds") or 0.0), page.at
        )
        if not asks:
            continue
        judged += 1
        slack = CHURNERS + 1 if _churned(churns, asks) else 0
        if exact:
            wrong += _wrong_count(page, asks, slack)
            wrong += _wrong_peaks(page, pages[: number + 1])
        else:
            wrong += _unsaid(page)
        wrong += _disagreeing(page)
    if exact:
        wrong += _wrong_breakdowns(pages, oracle, churns)
    sys.stdout.write(
        f"PostgreSQL {major}, {role}: {judged} samples judged against {len(oracle.asks)} asks,"
        f" {len(wrong)} wrong\n"
    )
    assert judged > SECONDS / 4
    assert wrong == []
    ordinary = pages[-1].value("pgheadroom_slots_limit", tier="ordinary")
    assert ordinary is not None
    # What was certain: `most` takes parallel workers for clients until they are titled.
    assert max(ask.least for ask in oracle.asks) <= MOST_SHARE * ordinary, "the load is too large"
    pages_for_nothing = {
        name for name, severity in reader.firing if name in NEVER and severity == "critical"
    }
    assert pages_for_nothing == set()


def _churned(churns: Sequence[tuple[float, bool]], asks: Sequence[Ask]) -> bool:
    """Tell whether sessions came and went between asks at any time of *asks*."""
    ended = [*(at for at, _ in churns[1:]), float("inf")]
    return any(
        on and at <= asks[-1].ended and end >= asks[0].began
        for (at, on), end in zip(churns, ended, strict=True)
    )


def _wrong_count(page: Page, asks: Sequence[Ask], slack: int) -> Iterator[str]:
    used = page.value("pgheadroom_slots_used")
    least = min(ask.least for ask in asks) - slack
    most = max(ask.most for ask in asks) + slack
    if used is None or not least <= used <= most:
        hidden = page.value("pgheadroom_slots_hidden")
        took = page.value("pgheadroom_sample_duration_seconds")
        yield (
            f"{page.at:.3f}: {used} slots in use, {hidden} of them hidden, and it was {least} to"
            f" {most} in {len(asks)} asks (the reading took {took:.3f} s)"
        )


def _wrong_peaks(page: Page, before: Sequence[Page]) -> Iterator[str]:
    """Yield the peaks that are below a sample of their window; one that we missed may be higher."""
    for window, seconds in (("15s", 15.0), ("1m", 60.0), ("5m", 300.0)):
        peak = page.value("pgheadroom_slots_used_peak", window=window)
        seen = max(
            other.value("pgheadroom_slots_used") or 0.0
            for other in before
            if page.at - other.at < seconds
        )
        if peak is None or peak < seen:
            yield f"{page.at:.3f}: peak of {window} is {peak}, and {seen} was seen"


def _unsaid(page: Page) -> Iterator[str]:
    """Yield where an estimate does not say that it is one, or has a peak."""
    if page.value("pgheadroom_slots_exact") != 0:
        yield f"{page.at:.3f}: an estimate that does not say so"
    if page.value("pgheadroom_slots_used_peak", window="15s") is not None:
        yield f"{page.at:.3f}: a peak rests on an estimate"


def _disagreeing(page: Page) -> Iterator[str]:
    """Yield where the parts of one sample do not agree with each other."""
    used = page.value("pgheadroom_slots_used") or 0.0
    ordinary = page.value("pgheadroom_slots_limit", tier="ordinary") or 0.0
    free = page.value("pgheadroom_slots_free", tier="ordinary")
    reserved = page.value("pgheadroom_reserved_slots_used")
    if free != max(0.0, ordinary - used):
        yield f"{page.at:.3f}: {free} free of {ordinary} with {used} in use"
    if reserved != max(0.0, used - ordinary):
        yield f"{page.at:.3f}: {reserved} of the reserve in use of {ordinary} with {used} in use"
    if page.at == page.value("pgheadroom_breakdown_timestamp_seconds"):
        told = sum(page.series["pgheadroom_connections"].values())
        if told != used:
            yield f"{page.at:.3f}: {told} by application, {used} in use"


def _wrong_breakdowns(
    pages: Sequence[Page], oracle: Oracle, churns: Sequence[tuple[float, bool]]
) -> Iterator[str]:
    """By application, role and database, as of the time that the page says."""
    known = None
    for page in pages:
        at = page.value("pgheadroom_breakdown_timestamp_seconds")
        if at is None or at == known:
            continue
        known = at
        # On a busy server a reading takes a while, and tells how things were at some time in it.
        took = page.value("pgheadroom_sample_duration_seconds") or 0.0
        asks = oracle.around(at - (took if page.at == at else LONGEST_READING_SECONDS), at)
        if not asks or _churned(churns, asks):
            continue
        applications = page.by("pgheadroom_connections", "application_name")
        applications.pop("unnamed", None)
        for what, told, true in (
            ("application", applications, [ask.by_application for ask in asks]),
            ("role", page.by("pgheadroom_role_connections", "role"), [a.by_role for a in asks]),
            (
                "database",
                page.by("pgheadroom_database_connections", "database"),
                [ask.by_database for ask in asks],
            ),
        ):
            yield from _wrong_parts(at, what, told, true)


def _wrong_parts(
    at: float, what: str, told: Mapping[str, float], true: Sequence[Mapping[str, int]]
) -> Iterator[str]:
    for name, count in told.items():
        counts = [one.get(name, 0) for one in true]
        if not min(counts) <= count <= max(counts):
            yield f"{at:.3f}: {what} {name} has {count}, and it was {counts}"
