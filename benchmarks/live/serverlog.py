"""Finds in the server's own log when it refused a connection for want of a slot."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from tests.support.servers.datadir import Setting

SETTINGS: Final[Mapping[str, Setting]] = {
    "log_connections": "on",
    "log_disconnections": "on",
    "log_line_prefix": "%m [%p] ",
    "log_timezone": "UTC",
    "lc_messages": "C",
}
"""What a server must be set to, so that its log can be read here."""

_FATAL: Final = re.compile(
    r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) UTC \[\d+\] FATAL: +(.*)$", re.MULTILINE
)
# The words of 14 and 15, of 16 and later, and those when not even a superuser gets in.
_NO_SLOT: Final = ("remaining connection slots are reserved", "sorry, too many clients already")


def refusals(text: str) -> list[float]:
    """Return when the log *text* says that a login was refused for want of a slot, in its order.

    Seconds since the epoch, to a millisecond. A role's or database's limit, a shutdown and a
    start-up refuse logins too; they are left out.
    """
    return [
        datetime.fromisoformat(f"{stamp}+00:00").timestamp()
        for stamp, message in _FATAL.findall(text)
        if message.startswith(_NO_SLOT)
    ]
