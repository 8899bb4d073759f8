"""Says what an alert is called on a pager: the server, how it stands, and the application.

A pager's lock screen shows one line. It has to tell which of forty servers it is, and whose fault.
"""

from __future__ import annotations

from pgheadroom.model.alert import Alert, AlertName, Severity
from pgheadroom.state import State
from pgheadroom.status.standing import Standing, standing
from pgheadroom.status.status import status

_OF_THE_WHOLE = (
    *(AlertName.EXHAUSTED, AlertName.IMMINENT, AlertName.EXPECTED, AlertName.LOW),
    *(AlertName.CLIENTS_EXHAUSTED, AlertName.CLIENTS_IMMINENT, AlertName.CLIENTS_LOW),
)
"""Alerts about what the headline is about, too; those of one role or database are not."""

_SUPERSEDES: dict[AlertName, tuple[AlertName, ...]] = {
    AlertName.EXHAUSTED: (
        *(AlertName.IMMINENT, AlertName.EXPECTED, AlertName.LOW, AlertName.LEAKING),
        AlertName.UNKNOWN,
    ),
    AlertName.IMMINENT: (AlertName.EXPECTED, AlertName.LOW, AlertName.LEAKING),
    AlertName.CLIENTS_EXHAUSTED: (
        *(AlertName.CLIENTS_IMMINENT, AlertName.CLIENTS_LOW, AlertName.UNKNOWN),
    ),
    AlertName.CLIENTS_IMMINENT: (AlertName.CLIENTS_LOW,),
}
"""What need not be told beside what; the same as in deploy/alertmanager/alertmanager.yml."""


def title(state: State, alert: Alert) -> str:
    """Return *alert* of *state* in a line, beginning with the name of the target.

    ``orders: 5 of 95 slots free, full in about 20 s: nest-api +24/min``.
    """
    stands = standing(state)
    if alert.name in _OF_THE_WHOLE and not alert.about and stands is not Standing.WAITING:
        if stands is Standing.RECOVERING:
            # Without how long ago: what was posted is not posted again with each second.
            return f"{state.target}: recovered, {status(state).left}"
        return f"{state.target}: {status(state).sentence}"
    words = alert.summary.removesuffix(".")
    if alert.about:
        words += f" ({', '.join(value for _, value in alert.about)})"
    if alert.application_name is not None:
        words += f": {alert.application_name}"
    return f"{state.target}: {words}"


def superseded_by(state: State, alert: Alert) -> AlertName | None:
    """Return the alert of *state* that says all that *alert* says, and more; None if none does."""
    for other in state.alerts:
        if other.about != alert.about:
            continue
        if other.name is alert.name and _worse(other, alert):
            return other.name
        if alert.name in _SUPERSEDES.get(other.name, ()):
            return other.name
    return None


def _worse(one: Alert, other: Alert) -> bool:
    return one.severity is Severity.CRITICAL and other.severity is not Severity.CRITICAL
