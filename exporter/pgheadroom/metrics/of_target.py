"""Lists the metrics that every target has, whatever its kind."""

from __future__ import annotations

from pgheadroom.metrics import points
from pgheadroom.metrics.metric import Metric
from pgheadroom.model.reading import Outcome, ProbeKind
from pgheadroom.status.figures import climbing_seconds, growth_rates, history_seconds

OF_TARGET: tuple[Metric, ...] = (
    Metric(
        "pgheadroom_up",
        "1 if the newest reading of the target is a sample, 0 if it failed; see"
        " pgheadroom_target_state for how.",
        (),
        points.one(lambda s: None if s.outcome is None else s.outcome is Outcome.OK),
    ),
    Metric(
        "pgheadroom_target_state",
        "How the target stands by the newest reading: 1 for the state that holds, else 0.",
        ("state",),
        points.states,
    ),
    Metric(
        "pgheadroom_condition",
        "How the target is, by its slots and its alerts: 1 for the condition that holds, else 0."
        " Steady, rising (nothing pages), warning, critical, recovering or unknown.",
        ("condition",),
        points.conditions,
    ),
    Metric(
        "pgheadroom_application_oldest_connection_seconds",
        "Age of the application's oldest connection when the breakdown was taken.",
        ("application_name",),
        points.oldest,
    ),
    Metric(
        "pgheadroom_application_growth",
        "Connections a second by which the application grows, below 0 if it shrinks: over the"
        " stretch that the present forecast was seen in, without one over five minutes.",
        ("application_name",),
        points.by_name(growth_rates),
    ),
    Metric(
        "pgheadroom_application_climbing_seconds",
        "For how long the application has climbed without coming back, at least, and higher than it"
        " ever was; 0 if it does not climb.",
        ("application_name",),
        points.by_name(climbing_seconds),
    ),
    Metric(
        "pgheadroom_application_verdict",
        "What the application's curve looks like: 1 for the verdict that holds, else 0.",
        ("application_name", "verdict"),
        points.application_verdicts,
    ),
    Metric(
        "pgheadroom_applications_in_other",
        "Application names that are summed in `other`.",
        (),
        points.one(points.in_other),
    ),
    Metric(
        "pgheadroom_application_names_folded",
        "Application names, as clients gave them, that were folded into another because they"
        " held a uuid, a pod's hash, a pid, a port or the like.",
        (),
        points.one(points.rewritten),
    ),
    Metric(
        "pgheadroom_history_seconds",
        "How far back the history of use reaches, which forecasts compare with: the daily rhythm is"
        " known after a day (86400), the weekly one after a week.",
        (),
        points.one(history_seconds),
    ),
    Metric(
        "pgheadroom_canary_up",
        "1 if the canary's newest login got in, 0 if not; of targets that have a canary.",
        (),
        points.newest(ProbeKind.CANARY, lambda probe: probe.outcome is Outcome.OK),
    ),
    Metric(
        "pgheadroom_canary_seconds",
        "How long the canary's logins took that got in, from looking up the host's name: a"
        " histogram.",
        ("le",),
        points.canary_durations,
        kind="histogram",
    ),
    Metric(
        "pgheadroom_canary_failures_total",
        "Logins of the canary that did not get in, by cause.",
        ("state",),
        points.canary_failures,
        kind="counter",
    ),
    Metric(
        "pgheadroom_alert",
        "1 while the daemon's own verdict is that this alert fires, else 0.",
        ("alertname", "severity"),
        points.alerts,
    ),
    Metric(
        "pgheadroom_policy_seconds",
        "The thresholds in force that are times; the name is that of the setting.",
        ("name",),
        points.policy("seconds"),
    ),
    Metric(
        "pgheadroom_policy_ratio",
        "The thresholds in force that are shares of a limit; the name is that of the setting.",
        ("name",),
        points.policy("ratio"),
    ),
    Metric(
        "pgheadroom_sample_timestamp_seconds",
        "When the newest sample was taken, in seconds since the epoch.",
        (),
        points.of_sample(lambda s: s.at),
    ),
    Metric(
        "pgheadroom_sample_duration_seconds",
        "How long the newest sample took, as we waited for it.",
        (),
        points.of_sample(lambda s: s.duration_seconds),
    ),
    Metric(
        "pgheadroom_breakdown_timestamp_seconds",
        "When connections were last counted by application, in seconds since the epoch;"
        " between two breakdowns only their number is followed.",
        (),
        points.of_sample(lambda s: s.holders.at),
    ),
    Metric(
        "pgheadroom_failures_total",
        "Readings that got no sample, by cause.",
        ("state",),
        points.failures,
        kind="counter",
    ),
)
"""Metrics of every target."""
