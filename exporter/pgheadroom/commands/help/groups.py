"""Sorts the settings into groups, by which --help lists them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from pgheadroom.model.thresholds import Thresholds

GROUPS: Mapping[str, tuple[str, ...]] = {
    "connection": (
        "config",
        "dsn",
        "targets",
        "connect_timeout_seconds",
        "read_timeout_seconds",
        "backoff_longest_seconds",
    ),
    "sampling": ("interval_seconds", "knock_interval_seconds"),
    "canary": ("canary_dsn", "canary_password_file", "canary_interval_seconds"),
    "application names": ("max_applications", "fold_rules", "fold_defaults"),
    "alerts": tuple(field.name for field in fields(Thresholds)),
    "alertmanagers": (
        "alertmanager_urls",
        "alertmanager_username",
        "alertmanager_password_file",
        "alertmanager_bearer_token_file",
        "alertmanager_ca_file",
        "alertmanager_cert_file",
        "alertmanager_key_file",
        "alertmanager_resend_seconds",
        "alert_labels",
        "external_url",
    ),
    "import at start": (
        "import_prometheus_url",
        "import_since_seconds",
        "import_prometheus_username",
        "import_prometheus_password_file",
        "import_prometheus_bearer_token_file",
        "import_prometheus_ca_file",
        "import_prometheus_cert_file",
        "import_prometheus_key_file",
    ),
    "serving": ("listen", "web_config_file", "enable_reload", "demo"),
    "state and log": ("state_directory", "log_format", "log_level"),
}
"""Every setting, once, below a heading."""

FIRST = ("config", "dsn", "targets", "connect_timeout_seconds", "read_timeout_seconds")
"""What matters to every command that connects to servers."""
