"""Turns Settings into the options of each part: login, policy, notifier, importer, saver."""

from __future__ import annotations

from collections.abc import Mapping

from pgheadroom.backtest.prometheus_api import PrometheusApi
from pgheadroom.board import Board
from pgheadroom.config.settings import Settings
from pgheadroom.config.target import TargetSettings
from pgheadroom.importing.at_start import Importer, Wish
from pgheadroom.judge.rules.slots import least_share
from pgheadroom.metrics.own import SelfMetrics
from pgheadroom.model.identity import Identity, TargetKind
from pgheadroom.model.names import NameFolder
from pgheadroom.net.credentials import Credentials
from pgheadroom.notify.alertmanager import Notifier
from pgheadroom.notify.notification import NotificationOptions
from pgheadroom.pgbouncer.exporter_page import PageLimits
from pgheadroom.pgbouncer.source import pgbouncer_sources
from pgheadroom.postgres.canary import APPLICATION_NAME as CANARY
from pgheadroom.postgres.login import ConnectOptions
from pgheadroom.postgres.source import Sources, postgres_sources
from pgheadroom.step import Policy
from pgheadroom.storage.directory import StateDirectory
from pgheadroom.storage.saver import SnapshotSaver


def connect_options(settings: Settings, name: str, target: TargetSettings) -> ConnectOptions:
    """Return how to log in to *target*, which is called *name*."""
    return ConnectOptions(
        name=name,
        conninfo=target.dsn.get_secret_value(),
        password_file=target.password_file,
        extra_reserved=target.extra_reserved,
        rds_reserve=target.rds_reserve,
        limit_share=least_share(settings.thresholds),
        connect_timeout_seconds=settings.connect_timeout_seconds,
        read_timeout_seconds=settings.read_timeout_seconds,
        backoff_first_seconds=max(1.0, settings.interval_seconds),
        backoff_longest_seconds=settings.backoff_longest_seconds,
        canary=_canary_options(settings, name, target),
    )


def identities(targets: Mapping[str, TargetSettings]) -> dict[str, Identity]:
    """Return which targets they are, by name."""
    return {name: target.identity for name, target in targets.items()}


def sources(
    settings: Settings, name: str, target: TargetSettings, *, thorough: bool = False
) -> Sources:
    """Return the ways in which *target*, which is called *name*, is asked.

    *thorough* has a canary ask, too, whether its role may use the reserved slots.
    """
    match target.watched_as:
        case TargetKind.POSTGRES:
            return postgres_sources(
                connect_options(settings, name, target),
                interval_seconds=settings.interval_seconds,
                knock_interval_seconds=settings.knock_interval_seconds,
                thorough=thorough,
            )
        case TargetKind.PGBOUNCER:
            return pgbouncer_sources(
                connect_options(settings, name, target),
                page=_page(target),
                interval_seconds=settings.interval_seconds,
                thorough=thorough,
            )


def _page(target: TargetSettings) -> tuple[str, PageLimits] | None:
    url, clients, size = target.metrics_url, target.max_client_conn, target.default_pool_size
    if url is None or clients is None or size is None:
        return None
    return url, PageLimits(clients, size)


def _canary_options(settings: Settings, name: str, target: TargetSettings) -> ConnectOptions | None:
    if target.canary_dsn is None:
        return None
    return ConnectOptions(
        name=name,
        conninfo=target.canary_dsn.get_secret_value(),
        password_file=target.canary_password_file,
        connect_timeout_seconds=settings.connect_timeout_seconds,
        read_timeout_seconds=settings.read_timeout_seconds,
        backoff_first_seconds=settings.canary_interval_seconds,
        backoff_longest_seconds=max(
            settings.canary_interval_seconds, settings.backoff_longest_seconds
        ),
        application_name=CANARY,
    )


def policy(settings: Settings) -> Policy:
    """Return what *settings* say about the way readings become a state."""
    return Policy(
        fold=NameFolder(settings.rules).fold,
        most_applications=settings.max_applications,
        thresholds=settings.thresholds,
    )


def notifier(settings: Settings, board: Board, own: SelfMetrics) -> Notifier:
    """Return what tells the Alertmanagers of *settings* about the alerts on *board*."""
    return Notifier(
        settings.alertmanager_urls,
        NotificationOptions(
            settings.alertmanager_resend_seconds, settings.alert_labels, settings.external_url
        ),
        Credentials(
            username=settings.alertmanager_username,
            password_file=settings.alertmanager_password_file,
            bearer_token_file=settings.alertmanager_bearer_token_file,
            ca_file=settings.alertmanager_ca_file,
            cert_file=settings.alertmanager_cert_file,
            key_file=settings.alertmanager_key_file,
        ),
        board,
        own,
    )


def importer(settings: Settings, board: Board) -> Importer | None:
    """Return what imports the past of the targets on *board*; None where that is not wanted."""
    if settings.import_prometheus_url is None:
        return None
    credentials = Credentials(
        username=settings.import_prometheus_username,
        password_file=settings.import_prometheus_password_file,
        bearer_token_file=settings.import_prometheus_bearer_token_file,
        ca_file=settings.import_prometheus_ca_file,
        cert_file=settings.import_prometheus_cert_file,
        key_file=settings.import_prometheus_key_file,
    )
    logins = (
        "import_prometheus_username and import_prometheus_password_file, or"
        " import_prometheus_bearer_token_file"
    )
    api = PrometheusApi(settings.import_prometheus_url, credentials, logins)
    return Importer(Wish(api, settings.import_since_seconds), board, policy(settings))


def unnamed(settings: Settings, targets: Mapping[str, TargetSettings]) -> str | None:
    """Return the one of *targets* that has no name in *settings*; None if each has one."""
    others = {name: target for name, target in targets.items() if name not in settings.targets}
    return next((name for name, target in others.items() if name == target.address), None)


def saver(
    settings: Settings, targets: Mapping[str, TargetSettings], board: Board, own: SelfMetrics
) -> SnapshotSaver | None:
    """Return what saves the states of *targets*; None where *settings* name no directory."""
    path = settings.directory_of_state()
    if path is None:
        return None
    return SnapshotSaver(StateDirectory(path), board, own, unnamed(settings, targets))
