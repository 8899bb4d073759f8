"""What to send to a server of this version: the SQL, complete with the settings it runs under.

Every statement travels with its own settings, for its own transaction only (``SET LOCAL``): a
pooler in between would lose a session's settings, or hand them to another client.
"""

from __future__ import annotations

from importlib.resources import files

from pgheadroom.reading import PG_17, PG_18

# 17 and newer number a virtual transaction by the slot of its process: client backends have the
# first max_connections of them (proc.c, InitProcGlobal), so other kinds of process drop out.
_CLIENT_SLOT = (
    "pg_catalog.split_part(l.virtualtransaction, '/', 1)::pg_catalog.int4"
    " OPERATOR(pg_catalog.<) pg_catalog.current_setting('max_connections')::pg_catalog.int4"
)
_ANY_SLOT = "true"

_HIDDEN_BY_LOCK = """
    SELECT pg_catalog.count(DISTINCT l.pid)
    FROM pg_catalog.pg_lock_status() AS l
    WHERE l.locktype OPERATOR(pg_catalog.=) 'virtualxid'
        AND l.pid IS NOT NULL
        AND {client_slot}
        AND NOT EXISTS (
            SELECT FROM activity AS a
            WHERE a.pid OPERATOR(pg_catalog.=) l.pid AND {listed}
        )
"""

# On 18 a login under way is listed, but only to who may see every session.
_HIDDEN_BY_STATE = """
    SELECT CASE WHEN pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') THEN (
        SELECT pg_catalog.count(*)
        FROM activity AS a
        WHERE a.backend_type OPERATOR(pg_catalog.=) 'client backend'
            AND a.state OPERATOR(pg_catalog.=) 'starting'
    ) ELSE ({by_lock}) END
"""


class Statements:
    """The statements for servers of one version, complete with the settings they run under."""

    def __init__(self, version: int, statement_timeout_seconds: float) -> None:
        client_slot = _CLIENT_SLOT if version >= PG_17 else _ANY_SLOT
        if version >= PG_18:
            by_lock = _HIDDEN_BY_LOCK.format(client_slot=client_slot, listed="a.datid IS NOT NULL")
            hidden = _HIDDEN_BY_STATE.format(by_lock=by_lock)
        else:
            hidden = _HIDDEN_BY_LOCK.format(client_slot=client_slot, listed="true")
        milliseconds = max(1, round(statement_timeout_seconds * 1000))
        prelude = (
            "SET TRANSACTION READ ONLY;"
            " SET LOCAL search_path = pg_catalog, pg_temp;"
            f" SET LOCAL statement_timeout = {milliseconds};"
            f" SET LOCAL lock_timeout = {milliseconds};"
        )
        self.full = (prelude + _text("full").format(hidden=hidden)).encode()
        self.pulse = (prelude + _text("pulse")).encode()
        with_hidden = _text("pulse_with_hidden").format(client_slot=client_slot)
        self.pulse_with_hidden = (prelude + with_hidden).encode()


def _text(name: str) -> str:
    return files("pgheadroom").joinpath(f"queries/{name}.sql").read_text()
