"""Builds the dashboard of pgheadroom itself: sampling, cost, deliveries of alerts."""

from __future__ import annotations

from dashboards.builder import common, cost, frame, links, parts, variables
from dashboards.builder.cost import DOWN
from dashboards.builder.meaning import STATE_LINES
from dashboards.builder.parts import (
    BLUE,
    GREEN,
    ORANGE,
    RED,
    Json,
    curve,
    fixed,
    lines,
    name,
    now,
    of_many,
    own,
    rows,
    stat,
    steps,
    texts,
    what_to_do,
)

BLIND = "PostgresHeadroomUnknown"
FAILED = "Failed readings"
NOBODY_IS_PAGED = "not configured: nobody is paged by this daemon"
AGE = "time() - max by (target, server) ({}{})"
"""Of the newest sample, among daemons that watch the same target."""


def daemons() -> Json:
    """Return how many daemons are scraped."""
    return stat(
        "Daemons",
        what_to_do("Daemons that Prometheus scrapes. If one is missing it is down.", DOWN),
        now(f"count({own('pgheadroom_build_info')})", "daemons"),
        unit="none",
        thresholds=steps(BLUE),
    )


def version() -> Json:
    """Return what runs."""
    return stat(
        "Version",
        what_to_do("Versions in use. More than one: an update is not finished.", DOWN),
        rows(f"max by (version) ({own('pgheadroom_build_info')})"),
        unit="none",
        field="version",
        color=fixed("text"),
    )


def configuration() -> Json:
    """Return whether the newest configuration is in force."""
    return stat(
        "Config reload",
        what_to_do(
            "Whether the newest configuration is in use. Refused: it is invalid, and the old one"
            " stays in use; the log says which key is wrong.",
            DOWN,
        ),
        now(f"min({own('pgheadroom_config_last_reload_successful')})", "newest reload"),
        unit="none",
        mappings=texts(_1=("ok", "text"), _0=("refused", ORANGE)),
    )


def bugs() -> Json:
    """Return exceptions that should not happen."""
    return common.none_is_good(
        "Internal errors",
        what_to_do(
            "Exceptions that should not happen, within this time range. Each is in the log with its"
            " traceback: please report it.",
            DOWN,
        ),
        now(f"sum(increase({own('pgheadroom_bugs_total')}[$__range]))", "errors"),
        RED,
        decimals=0,
    )


def alertmanagers() -> Json:
    """Return whether alerts can be delivered."""
    return stat(
        "Alertmanagers",
        what_to_do(
            "Whether each Alertmanager accepted the newest post. The daemon posts regularly even if"
            " no alert fires, so a broken connection shows early. Check its address and the log."
            " Not configured: only Prometheus's rules page, if you use them.",
            DOWN,
        ),
        now(f"min({own('pgheadroom_alertmanager_up')})", "reached"),
        unit="none",
        mappings=texts(_1=("all reached", GREEN), _0=("not reached", RED)),
        noValue=NOBODY_IS_PAGED,
        thresholds=steps("text"),
        size=20,
    )


def blind() -> Json:
    """Return how many targets are not read in full."""
    return common.none_is_good(
        "Targets with limited visibility",
        what_to_do(
            "Targets whose role may not see every session, so that counts are estimates: grant it"
            " pg_monitor.",
            BLIND,
        ),
        now(
            f"count(max by (target, server) ({of_many('pgheadroom_visibility')}) == 0) or vector(0)"
        ),
        ORANGE,
    )


def duration() -> Json:
    """Return how long samples take."""
    series = of_many("pgheadroom_sample_duration_seconds")
    return lines(
        "Duration of a sample: the ten slowest",
        what_to_do(
            "How long the daemon waited for its newest sample. If that is close to the interval,"
            " the server or the network is slow, or very many sessions are open.",
            BLIND,
        ),
        curve(
            f"max by (target, server) ({series})"
            f" and topk(10, max by (target, server) ({series} @ end()))",
            "{{target}}",
        ),
        unit="s",
        legend="right",
    )


def age() -> Json:
    """Return how old the newest samples are."""
    series = of_many("pgheadroom_sample_timestamp_seconds")
    newest = AGE.format(series, "")
    return lines(
        "Age of the newest sample: the ten oldest",
        what_to_do(
            "Normally a second or two plus the scrape interval. A line that climbs is a target that"
            " cannot be read, or was removed from the settings; its figures are as old as this.",
            BLIND,
        ),
        curve(f"{newest} and topk(10, {AGE.format(series, ' @ end()')})", "{{target}}"),
        unit="s",
        legend="right",
    )


def _rates(title: str, text: str, alert: str, counter: str, what: str) -> Json:
    """Return how often each second something failed, by how."""
    return lines(
        title,
        what_to_do(text, alert),
        curve(
            f"sum by (state) (rate({counter}[$__rate_interval]))"
            f" and on (state) sum by (state) (increase({counter}[$__range] @ end())) > 0",
            "{{state}}",
        ),
        unit=f"suffix:{what}/s",
        legend="right",
        stacked=True,
        noValue=f"no {what}",
        overrides=STATE_LINES,
    )


def failures() -> Json:
    """Return how readings failed."""
    return _rates(
        FAILED,
        "Failed readings per second, by cause, of all targets. `full` is what the daemon is"
        " made to detect; the other causes are problems to fix.",
        BLIND,
        of_many("pgheadroom_failures_total"),
        "failures",
    )


def knock_failures() -> Json:
    """Return how knocks failed."""
    return _rates(
        "Refused knocks",
        "Logins that stop at the server's first answer and were refused, per second, by cause,"
        " of all targets. These servers refuse new clients.",
        "PostgresConnectionsRefused",
        of_many("pgheadroom_knock_failures_total"),
        "refusals",
    )


def _outcomes(title: str, text: str, rate: str, legend: str, what: str, none: str) -> Json:
    """Return how often each second something succeeded and failed; *none* is said without any."""
    return lines(
        title,
        what_to_do(text, DOWN),
        curve(rate, legend),
        unit=f"suffix:{what}/s",
        noValue=none,
        overrides=[
            parts.ending("ok", color=fixed(GREEN)),
            parts.ending("error", color=fixed(RED)),
        ],
    )


def sends() -> Json:
    """Return how alerts are sent."""
    posts = own("pgheadroom_alertmanager_posts_total")
    return _outcomes(
        "Posts to Alertmanagers",
        "Posts per second, by outcome. Errors: the daemon's alerts do not arrive; those of the"
        " Prometheus rules still do.",
        f"sum by (alertmanager, outcome) (rate({posts}[$__rate_interval]))",
        "{{alertmanager}}: {{outcome}}",
        "posts",
        NOBODY_IS_PAGED,
    )


def saves() -> Json:
    """Return how snapshots are saved."""
    saved = own("pgheadroom_state_saves_total")
    return _outcomes(
        "State saved",
        "Snapshots written per second, by outcome. They let a restart continue with the"
        " history. Errors: the directory is full or not writable; the log says which.",
        f"sum by (outcome) (rate({saved}[$__rate_interval]))",
        "{{outcome}}",
        "snapshots",
        "not configured: a restart begins without history",
    )


def names() -> Json:
    """Return how the number of application names is limited."""
    return lines(
        "Folded application names",
        what_to_do(
            "Names with a pod hash or similar that were folded into another name, and names beyond"
            " the limit that are summed in `other`. Many in other: add a fold rule.",
            DOWN,
        ),
        curve(f"max({of_many('pgheadroom_application_names_folded')})", "folded, at most"),
        curve(f"max({of_many('pgheadroom_applications_in_other')})", "in other, at most"),
        unit="none",
        decimals=0,
        custom={"axisSoftMax": 5},
        overrides=[
            name("folded, at most", color=fixed(BLUE)),
            name("in other, at most", color=fixed(ORANGE)),
        ],
    )


def itself() -> Json:
    """Return the dashboard of the daemon."""
    return frame.dashboard(
        links.SELF,
        "pgheadroom / pgheadroom itself",
        "Does the daemon sample in time, what does it cost, do its alerts arrive?",
        variables=[
            variables.DATASOURCE,
            variables.JOB,
            variables.INSTANCE,
            *variables.which(many=True),
        ],
        annotations=frame.alerts(parts.MANY, f'alertname="{BLIND}"', on=False, panels=[FAILED]),
        content=[
            (
                4,
                [
                    (3, daemons()),
                    (3, version()),
                    (3, configuration()),
                    (3, bugs()),
                    (7, alertmanagers()),
                    (5, blind()),
                ],
            ),
            "Sampling",
            (8, [(12, duration()), (12, age())]),
            (8, [(12, failures()), (12, knock_failures())]),
            "Cost",
            (
                8,
                [
                    (6, cost.processor()),
                    (6, cost.memory()),
                    (6, cost.connections()),
                    (6, cost.scrape()),
                ],
            ),
            "Alerts sent, snapshots saved",
            (7, [(8, sends()), (8, saves()), (8, names())]),
        ],
    )
