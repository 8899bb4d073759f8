"""Defines the settings of one target."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import (
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    field_validator,
    model_validator,
)

from pgheadroom.config.alerting import Url
from pgheadroom.config.connection_strings import canary_string, connection_string
from pgheadroom.config.strict import Strict
from pgheadroom.model.identity import Identity, TargetKind
from pgheadroom.model.slots import RdsReserve
from pgheadroom.postgres.whereabouts import address, database

NO_CANARY = "canary_password_file is allowed only with canary_dsn"
_NO_PAGE = (
    "max_client_conn and default_pool_size are allowed only with metrics_url; a console reports"
    " them itself"
)
_NO_LIMITS = (
    "metrics_url needs kind: pgbouncer, and max_client_conn and default_pool_size, which the page"
    " does not report"
)
_NO_POOLER = "serves and replicas are allowed only with kind: pgbouncer"
TARGET_NAMES = "give up to 63 letters, digits and _ . : -, with a letter or digit first"
TargetName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]*$", max_length=63)
]


class TargetSettings(Strict):
    """One server to watch."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: TargetKind | None = Field(
        default=None,
        description="what the target is: postgres, or pgbouncer for PgBouncer's console; left out,"
        " it is pgbouncer where the connection string says dbname=pgbouncer",
    )
    serves: TargetName | None = Field(
        default=None,
        description="for a pooler: the target behind it, if pgheadroom cannot find it by itself",
    )
    replicas: int = Field(
        default=1,
        ge=1,
        le=10_000,
        description="for a pooler: how many processes like this one there are, watched or not;"
        " what it may open counts that many times",
    )
    dsn: SecretStr = Field(
        default=SecretStr(""),
        description="libpq connection string or URI; what it leaves out comes from libpq's"
        " environment, service file and password file",
    )
    metrics_url: Url | None = Field(
        default=None,
        description="for a pooler whose console is closed: the page of its own exporter, such as"
        " http://POD:9127/metrics of CloudNativePG; needs max_client_conn and default_pool_size",
    )
    max_client_conn: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="with metrics_url: the pooler's max_client_conn, which the page does not"
        " report (PgBouncer's default is 100)",
    )
    default_pool_size: int | None = Field(
        default=None,
        ge=1,
        le=100_000,
        description="with metrics_url: the pooler's default_pool_size (PgBouncer's default is 20)",
    )
    password_file: Path | None = Field(
        default=None, description="file that holds the password; read at each attempt to connect"
    )
    extra_reserved: int = Field(
        default=0,
        ge=0,
        le=10_000,
        description="slots that the provider holds back and no setting of the server shows",
    )
    rds_reserve: RdsReserve = Field(
        default=RdsReserve.AUTO,
        description="whether rds.rds_superuser_reserved_connections names the same slots as"
        " reserved_connections: same, separate, or auto (the same where both are equal)",
    )
    canary_dsn: SecretStr | None = Field(
        default=None,
        description="connection string of an application's role that logs in and out repeatedly, as"
        " proof that applications can connect",
    )
    canary_password_file: Path | None = Field(
        default=None,
        description="file that holds the canary's password; read at each login",
    )

    _dsn = field_validator("dsn")(connection_string)
    _canary_dsn = field_validator("canary_dsn")(canary_string)

    @property
    def address(self) -> str:
        """Where the server is, in a few characters without a secret; see ``whereabouts``."""
        if self.metrics_url is not None:
            place = urlsplit(self.metrics_url)
            return address(f"host={place.hostname} port={place.port or 80}")
        return address(self.dsn.get_secret_value())

    @property
    def identity(self) -> Identity:
        """Which target it is."""
        return Identity(self.address, self.watched_as, self.serves or "", self.replicas)

    @property
    def watched_as(self) -> TargetKind:
        """What it is, by *kind* or else by its database: PgBouncer keeps that name for itself."""
        if self.kind is not None:
            return self.kind
        if self.metrics_url is not None:
            return TargetKind.PGBOUNCER
        console = database(self.dsn.get_secret_value()) == "pgbouncer"
        return TargetKind.PGBOUNCER if console else TargetKind.POSTGRES

    @model_validator(mode="after")
    def _has_a_canary(self) -> Self:
        if self.canary_password_file is not None and self.canary_dsn is None:
            raise ValueError(NO_CANARY)
        return self

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> Self:
        pooler = self.watched_as is not TargetKind.POSTGRES
        of_a_pooler = self.serves is not None or self.replicas != 1
        if of_a_pooler and not pooler:
            raise ValueError(_NO_POOLER)
        limits = self.max_client_conn, self.default_pool_size
        if self.metrics_url is None and limits != (None, None):
            raise ValueError(_NO_PAGE)
        if self.metrics_url is not None and (None in limits or not pooler):
            raise ValueError(_NO_LIMITS)
        return self
