"""Defines every setting: its type, default, range and description.

Every setting can be a flag, an environment variable and a key of the YAML file; a flag wins over
the environment, the environment over the file. What is wrong is told all at once.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Le
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from pgheadroom.config.alerting import AlertSettings, url, wrong_credentials
from pgheadroom.config.connection_strings import canary_string, connection_string
from pgheadroom.config.strict import Strict
from pgheadroom.config.target import NO_CANARY, TargetName, TargetSettings
from pgheadroom.model.names import DEFAULT_RULES, Rule

PREFIX = "PGHEADROOM_"
DEFAULT_PORT = 10187
_LIBPQ_VARIABLES = ("PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGSERVICE")

ADDRESSES = f"give HOST:PORT or :PORT, such as :{DEFAULT_PORT}"
_HIGHEST_PORT = 65535


def _shorthand(value: object) -> object:
    """Let a target be just its connection string."""
    return {"dsn": value} if isinstance(value, str) else value


def _import_url(value: str) -> str:
    return url(value, "import_prometheus")


class FoldRule(Strict):
    """One more rule by which application names are folded."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pattern: str = Field(min_length=1, description="regular expression, case ignored")
    replacement: str = Field(default="*", description="what replaces each match")

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            message = f"not a regular expression of Python: {error}"
            raise ValueError(message) from None
        return value

    @model_validator(mode="after")
    def _replaces(self) -> FoldRule:
        try:
            re.compile(self.pattern).sub(self.replacement, "")
            re.compile(self.pattern + "|").sub(self.replacement, "x")
        except (re.error, IndexError) as error:
            message = f"the replacement does not fit the pattern: {error}"
            raise ValueError(message) from None
        return self


class WatchSettings(Strict):
    """What to watch, how often, and where to serve it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    config: Path | None = Field(default=None, description="YAML file with any of these settings")
    dsn: SecretStr | None = Field(
        default=None,
        description="one server to watch: a libpq connection string or URI; the target is named"
        " after the host, and the port if that is not 5432; to choose a name, use `targets`",
    )
    targets: dict[TargetName, Annotated[TargetSettings, BeforeValidator(_shorthand)]] = Field(
        default_factory=dict,
        description="servers and poolers to watch, by name: each is a connection string or a"
        " mapping of kind, dsn, password_file, extra_reserved, rds_reserve, canary_dsn,"
        " canary_password_file and, for poolers, serves, replicas, metrics_url, max_client_conn,"
        " default_pool_size",
    )
    canary_dsn: SecretStr | None = Field(
        default=None,
        description="with `dsn`: connection string of an application's role that logs in and out"
        " repeatedly, as proof that applications can connect",
    )
    canary_password_file: Path | None = Field(
        default=None,
        description="file that holds the canary's password; read at each login",
    )
    demo: bool = Field(
        default=False,
        description="when no target is configured, start an embedded PostgreSQL with a small load"
        " and watch it (needs the extra pgheadroom[demo])",
    )
    listen: str = Field(
        default=f":{DEFAULT_PORT}",
        description="address to serve HTTP at: HOST:PORT, or :PORT for every interface",
    )
    web_config_file: Path | None = Field(
        default=None,
        description="YAML file for TLS, client certificates and passwords of the pages, in the"
        " format of the Prometheus exporters; --web.config.file is the same",
    )
    enable_reload: bool = Field(
        default=False,
        description="allow POST /-/reload to read the configuration again, as SIGHUP does",
    )
    interval_seconds: float = Field(
        default=1.0, ge=0.1, le=60, description="time between two samples of a target"
    )
    connect_timeout_seconds: float = Field(
        default=5.0, ge=0.1, le=60, description="how long a login to one address may take"
    )
    read_timeout_seconds: float = Field(
        default=3.0, ge=0.1, le=60, description="how long one sample may take"
    )
    backoff_longest_seconds: float = Field(
        default=15.0,
        ge=1,
        le=600,
        description="longest pause between two attempts to connect to a target",
    )
    knock_interval_seconds: float = Field(
        default=15.0,
        ge=0,
        le=3600,
        description="time between two knocks (logins that stop at the server's first answer); 0"
        " turns them off",
    )
    canary_interval_seconds: float = Field(
        default=5.0, ge=1, le=3600, description="time between two logins of a canary"
    )
    max_applications: int = Field(
        default=50,
        ge=1,
        le=1000,
        description="how many application names get their own series; the rest are summed as"
        " `other`",
    )
    fold_rules: list[FoldRule] = Field(
        default_factory=list,
        description="additional rules that fold application names, tried before the built-in"
        " ones; each has a pattern and a replacement",
    )
    fold_defaults: bool = Field(
        default=True,
        description="whether the built-in rules fold uuids, pod hashes, pids, replica numbers,"
        " host:port and the like",
    )
    state_directory: Path | None = Field(
        default=None,
        description="directory that keeps each target's history and alerts across restarts;"
        " created if missing, used by one daemon at a time; the default is STATE_DIRECTORY, which"
        " systemd sets; with neither, nothing is kept",
    )
    import_prometheus_url: Annotated[str, AfterValidator(_import_url)] | None = Field(
        default=None,
        description="address of a Prometheus that knows the past: after the start, the daemon"
        " fills the history of each target that is known for less than import_since_seconds from"
        " pgheadroom's own series there, or postgres_exporter's",
    )
    import_since_seconds: float = Field(
        default=1_209_600.0,
        ge=3600,
        le=34_560_000,
        description="how far back to import; 1209600 is 14 days",
    )
    import_prometheus_username: str | None = Field(
        default=None,
        description="user name for that Prometheus; needs import_prometheus_password_file",
    )
    import_prometheus_password_file: Path | None = Field(
        default=None, description="file that holds the password for that Prometheus"
    )
    import_prometheus_bearer_token_file: Path | None = Field(
        default=None,
        description="file that holds a bearer token for that Prometheus, instead of a user name",
    )
    import_prometheus_ca_file: Path | None = Field(
        default=None,
        description="PEM file of the CA certificates to trust for that Prometheus, instead of the"
        " system's",
    )
    import_prometheus_cert_file: Path | None = Field(
        default=None,
        description="PEM file of our client certificate for that Prometheus; needs"
        " import_prometheus_key_file",
    )
    import_prometheus_key_file: Path | None = Field(
        default=None,
        description="PEM file of the client certificate's key, without a password",
    )
    log_format: Literal["logfmt", "json"] = Field(
        default="logfmt", description="format of log lines"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="least severe log lines to write"
    )

    @field_validator("dsn")
    @classmethod
    def _dsn(cls, value: SecretStr | None) -> SecretStr | None:
        return None if value is None else connection_string(value)

    _canary_dsn = field_validator("canary_dsn")(canary_string)

    @field_validator("listen")
    @classmethod
    def _listen(cls, value: str) -> str:
        split_address(value)
        return value

    def misfits(self) -> list[str]:
        """Say what does not go together."""
        problems = super().misfits()
        unnamed = None if self.dsn is None else TargetSettings(dsn=self.dsn).address
        if unnamed in self.targets:
            problems.append(
                f"dsn makes a target called {unnamed}, and so does targets.{unnamed}; give only one"
                " of them, or give both a name under targets"
            )
        if self.canary_dsn is not None and self.dsn is None:
            problems.append(
                "canary_dsn is allowed only with dsn; for a server under targets, use"
                " targets.NAME.canary_dsn"
            )
        if self.canary_password_file is not None and self.canary_dsn is None:
            problems.append(NO_CANARY)
        problems += wrong_credentials(self, "import_prometheus")
        problems += [
            f"targets.{name}.serves: there is no target {target.serves}"
            for name, target in self.targets.items()
            if target.serves is not None and target.serves not in {*self.targets, unnamed}
        ]
        return problems

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules to fold application names by, in the order to apply them."""
        own = tuple(
            Rule(re.compile(rule.pattern, re.IGNORECASE), rule.replacement)
            for rule in self.fold_rules
        )
        return own + (DEFAULT_RULES if self.fold_defaults else ())

    def all_targets(self, environment: Mapping[str, str] = os.environ) -> dict[str, TargetSettings]:
        """Return the configured targets by name; with none, the one libpq's variables lead to."""
        targets = dict(self.targets)
        if self.dsn is not None:
            unnamed = TargetSettings(
                dsn=self.dsn,
                canary_dsn=self.canary_dsn,
                canary_password_file=self.canary_password_file,
            )
            targets[unnamed.address] = unnamed
        if not targets and any(environment.get(name) for name in _LIBPQ_VARIABLES):
            targets[TargetSettings().address] = TargetSettings()
        return targets

    def directory_of_state(self, environment: Mapping[str, str] = os.environ) -> Path | None:
        """Return where to remember over a restart; None if nowhere."""
        # systemd separates several with colons; the first one is ours.
        first = environment.get("STATE_DIRECTORY", "").partition(":")[0]
        return self.state_directory or (Path(first) if first else None)


class Settings(AlertSettings, WatchSettings):
    """Everything that can be set."""


def split_address(address: str) -> tuple[str | None, int]:
    """Take HOST:PORT, [IPv6]:PORT or :PORT apart; no host means every interface."""
    host, colon, port = address.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        message = f"{ADDRESSES}; put an IPv6 address in brackets, such as [::1]:80"
        raise ValueError(message)
    if not colon or not port.isascii() or not port.isdigit():
        raise ValueError(ADDRESSES)
    if len(port) > len(str(_HIGHEST_PORT)) or int(port) > _HIGHEST_PORT:
        message = f"give a port from 0 to {_HIGHEST_PORT}"
        raise ValueError(message)
    return host or None, int(port)


def allowed_range(name: str, model: type[BaseModel] = Settings) -> str:
    """Return the lowest and highest value of *name* in *model*, in words; empty if unbounded."""
    field = model.model_fields.get(name)
    bounds = field.metadata if field else []
    lowest = next((bound.ge for bound in bounds if isinstance(bound, Ge)), None)
    highest = next((bound.le for bound in bounds if isinstance(bound, Le)), None)
    return "" if lowest is None or highest is None else f"{lowest} to {highest}"
