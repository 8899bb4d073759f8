"""Exports the daemon's own metrics: build, configuration, bugs, process and interpreter."""

from __future__ import annotations

import platform

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
)

from pgheadroom import __version__

NAMES = (
    "pgheadroom_build_info",
    "pgheadroom_config_last_reload_successful",
    "pgheadroom_config_last_reload_success_timestamp_seconds",
    "pgheadroom_bugs_total",
    "pgheadroom_alertmanager_up",
    "pgheadroom_alertmanager_posts_total",
    "pgheadroom_state_saves_total",
    "pgheadroom_state_saved_timestamp_seconds",
)


class SelfMetrics:
    """The daemon's own registry: nothing here is about a target."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        build = Gauge(
            "pgheadroom_build_info",
            "The running pgheadroom, in its labels; always 1.",
            ("version", "python_version"),
            registry=self.registry,
        )
        build.labels(__version__, platform.python_version()).set(1)
        self._reloaded = Gauge(
            "pgheadroom_config_last_reload_successful",
            "1 if the configuration in force is the newest one, 0 if a newer one was refused.",
            registry=self.registry,
        )
        self._reloaded_at = Gauge(
            "pgheadroom_config_last_reload_success_timestamp_seconds",
            "When the configuration in force was read, in seconds since the epoch.",
            registry=self.registry,
        )
        self._bugs = Counter(
            "pgheadroom_bugs",
            "Exceptions that should not happen, by the job that they ended; each is in the log.",
            ("job",),
            registry=self.registry,
        )
        for job in ("sample", "knock", "page", "state", "notify", "reload", "import"):
            self._bugs.labels(job)
        self._alertmanager_up = Gauge(
            "pgheadroom_alertmanager_up",
            "1 if this Alertmanager accepted the newest post to it, 0 if not; there is one on every"
            " beat, with or without alerts.",
            ("alertmanager",),
            registry=self.registry,
        )
        self._posts = Counter(
            "pgheadroom_alertmanager_posts",
            "Posts to this Alertmanager, by how they ended.",
            ("alertmanager", "outcome"),
            registry=self.registry,
        )
        self._saves = Counter(
            "pgheadroom_state_saves",
            "Times that what is known of a target was to be saved, by how that ended.",
            ("outcome",),
            registry=self.registry,
        )
        self._saved_at = Gauge(
            "pgheadroom_state_saved_timestamp_seconds",
            "When what is known of a target, of whichever, was last saved, in seconds since the"
            " epoch; 0 before.",
            (),
            registry=None,
        )

    def configured(self, at: float) -> None:
        """Note that the configuration was read, *at* seconds since the epoch."""
        self._reloaded.set(1)
        self._reloaded_at.set(at)

    def refused(self) -> None:
        """Note that a newer configuration was refused."""
        self._reloaded.set(0)

    def bug(self, job: str) -> None:
        """Count one more exception that *job* died of."""
        self._bugs.labels(job).inc()

    def alertmanager(self, name: str) -> None:
        """Count the posts to the Alertmanager *name* from now on."""
        for outcome in ("ok", "error"):
            self._posts.labels(name, outcome)

    def posted(self, name: str, *, accepted: bool) -> None:
        """Note how the newest post to the Alertmanager *name* ended."""
        self._alertmanager_up.labels(name).set(accepted)
        self._posts.labels(name, "ok" if accepted else "error").inc()

    def keeps_state(self) -> None:
        """Show how saving goes from now on."""
        self.registry.register(self._saved_at)
        for outcome in ("ok", "error"):
            self._saves.labels(outcome)

    def state_saved(self, at: float | None) -> None:
        """Note that what is known of a target was saved *at* that time; None if it could not be."""
        self._saves.labels("error" if at is None else "ok").inc()
        if at is not None:
            self._saved_at.set(at)
