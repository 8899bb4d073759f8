"""What to send to a server of this version: the SQL, and the settings it runs under."""

from __future__ import annotations

from dataclasses import dataclass
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

_KEEPALIVES = {
    "tcp_keepalives_idle": 5,
    "tcp_keepalives_interval": 5,
    "tcp_keepalives_count": 3,
}


@dataclass(frozen=True, slots=True)
class Statements:
    """What to send for each kind of reading."""

    full: bytes
    pulse: bytes
    pulse_with_hidden: bytes


class Plan:
    """The statements for servers of one version, in the two forms in which they can be sent.

    Parsing and planning the full reading costs as much as running it. So a session that is ours
    alone is prepared once and then only told to execute. Through a pooler, which would lose what
    was prepared, or give its settings to another client, every statement is sent whole and brings
    its settings along, for its own transaction only.
    """

    def __init__(self, version: int, statement_timeout_seconds: float) -> None:
        texts = _texts(version)
        milliseconds = max(1, round(statement_timeout_seconds * 1000))
        settings = {
            "search_path": "pg_catalog, pg_temp",
            "statement_timeout": milliseconds,
            "lock_timeout": milliseconds,
        }
        local = "".join(f"SET LOCAL {name} = {value}; " for name, value in settings.items())
        self.whole = Statements(
            **{name: f"SET TRANSACTION READ ONLY; {local}{t}".encode() for name, t in texts.items()}
        )
        # So that the server, too, lets go of us soon after the network between us was cut.
        alone = settings | _KEEPALIVES
        session = "".join(f"SET SESSION {name} = {value}; " for name, value in alone.items())
        prepare = "; ".join(f"PREPARE pgheadroom_{name} AS {t}" for name, t in texts.items())
        self.prepare = (
            f"SET SESSION default_transaction_read_only = on; {session}{prepare}".encode()
        )
        self.prepared = Statements(
            **{name: f"EXECUTE pgheadroom_{name}".encode() for name in texts}
        )


def _texts(version: int) -> dict[str, str]:
    client_slot = _CLIENT_SLOT if version >= PG_17 else _ANY_SLOT
    if version >= PG_18:
        by_lock = _HIDDEN_BY_LOCK.format(client_slot=client_slot, listed="a.datid IS NOT NULL")
        hidden = _HIDDEN_BY_STATE.format(by_lock=by_lock)
    else:
        hidden = _HIDDEN_BY_LOCK.format(client_slot=client_slot, listed="true")
    return {
        "full": _text("full").format(hidden=hidden),
        "pulse": _text("pulse"),
        "pulse_with_hidden": _text("pulse_with_hidden").format(client_slot=client_slot),
    }


def _text(name: str) -> str:
    return files("pgheadroom").joinpath(f"queries/{name}.sql").read_text()
