"""What may a user decide about alerts: from where on, and who is told."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from pydantic import BaseModel, Field

from pgheadroom.thresholds import Thresholds

_HOURS, _DAYS = 3600, 86400
_THRESHOLDS = Thresholds()


def _seconds(name: str, most: float, description: str) -> Any:  # noqa: ANN401 - as pydantic's own Field
    return Field(
        default=getattr(_THRESHOLDS, name + "_seconds"), ge=0, le=most, description=description
    )


def _ratio(name: str, description: str) -> Any:  # noqa: ANN401
    return Field(default=getattr(_THRESHOLDS, name + "_ratio"), ge=0, le=1, description=description)


class AlertSettings(BaseModel):
    """From where on something is worth an alert: the settings behind Thresholds."""

    paging_horizon_seconds: float = _seconds(
        "paging_horizon",
        _DAYS,
        "page when, as it goes on now, the last ordinary slot goes within this time ...",
    )
    paging_floor_ratio: float = _ratio(
        "paging_floor", "... and at least this share of the ordinary slots is in use"
    )
    forecast_horizon_seconds: float = _seconds(
        "forecast_horizon", 14 * _DAYS, "warn when the last ordinary slot goes within this time"
    )
    leak_seconds: float = _seconds(
        "leak",
        7 * _DAYS,
        "an application leaks when it has climbed for this long and not come back",
    )
    low_free_ratio: float = _ratio(
        "low_free", "few slots are left: this share of the ordinary ones or less is free ..."
    )
    low_hold_seconds: float = _seconds("low_hold", _DAYS, "... for this long")
    logins_warning_ratio: float = _ratio(
        "logins_warning", "warn when logins under way hold this share of the ordinary slots ..."
    )
    logins_critical_ratio: float = _ratio("logins_critical", "... page at this share ...")
    logins_hold_seconds: float = _seconds("logins_hold", _HOURS, "... if they do for this long")
    limit_warning_ratio: float = _ratio(
        "limit_warning",
        "warn when this share of a role's or a database's CONNECTION LIMIT is in use ...",
    )
    limit_critical_ratio: float = _ratio("limit_critical", "... page at this share ...")
    limit_hold_seconds: float = _seconds("limit_hold", _HOURS, "... if it is for this long")
    blind_warning_seconds: float = _seconds(
        "blind_warning", _HOURS, "warn when there was no sample for this long"
    )
    blind_critical_seconds: float = _seconds(
        "blind_critical", _DAYS, "page when there was no sample for this long"
    )
    resolve_hold_seconds: float = _seconds(
        "resolve_hold", _DAYS, "an alert resolves when its cause has been gone for this long"
    )

    @property
    def thresholds(self) -> Thresholds:
        """The same as the judge takes it."""
        return Thresholds(**{f.name: getattr(self, f.name) for f in fields(Thresholds)})
