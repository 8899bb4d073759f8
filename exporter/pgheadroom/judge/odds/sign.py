"""Defines the signs by which a climb that goes through is told from one that stops."""

from __future__ import annotations

import enum


class Sign(enum.StrEnum):
    """What speaks for a climb to the limit. The value is what people are told."""

    BUSY = "most of the connections of {who} are busy, so it grows with its load"
    LOCKS = "{waiting} sessions wait for locks"
    LASTING = "it has gone on for {lasts}"
    IDLE = "{who} takes connections and does not use them"
    STEPS = "it goes up in even steps"
    FAR = "three quarters of its way lie behind it"


class Hold(enum.StrEnum):
    """Why a climb that looks like one to the limit is expected to stop before."""

    GENERATION = "generation"
    """A new generation of an application's connections comes up beside the old one, as in a rolling
    restart, and both fit."""
    START = "start"
    """Applications that were not there start their pools."""
    JOB = "job"
    """An application that was not there is at work, and no day is known to compare with."""
    FIRST_DAY = "first_day"
    """Load rises over tens of minutes or hours, and no like day is known."""
    USUAL = "usual"
    """Like days have seen as much at this time."""
