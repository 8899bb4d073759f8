"""Makes the SQL for a server of one version, and the settings that it runs under."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from importlib.resources import files

from pgheadroom.model.activity import AGES
from pgheadroom.model.postgres import PG_17, PG_18

_PIDS = "<pids>"

# 17 and newer number a backend and its virtual transactions by its place in the array of processes,
# of which client backends have the first max_connections (proc.c, InitProcGlobal): so a number
# tells the kind, and no privilege is needed to see it.
_MAX_CONNECTIONS = "(SELECT pg_catalog.current_setting('max_connections')::pg_catalog.int4)"
_CLIENT_BY_NUMBER = f"s.i OPERATOR(pg_catalog.<) {_MAX_CONNECTIONS}"

# Before, only processes that serve a client have a client's address (pgstat_bestart), and of those
# walsenders take no slot. A physical one has no database; a logical one must be looked up, if there
# is any walsender at all: that saves a fifth of what the count costs. Where our role may not see
# addresses, whoever has a database and a role is taken: an estimate, because parallel workers and
# logical replication workers have both.
_CLIENT_BY_ADDRESS = """
            pg_catalog.pg_stat_get_backend_dbid(s.i) OPERATOR(pg_catalog.<>) 0
            AND (
                pg_catalog.pg_stat_get_backend_client_port(s.i) IS NOT NULL
                OR (
                    pg_catalog.pg_stat_get_backend_userid(s.i) OPERATOR(pg_catalog.<>) 0
                    AND NOT (SELECT pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE'))
                )
            )
            AND NOT (
                (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_get_wal_senders())
                OPERATOR(pg_catalog.>) 0
                AND pg_catalog.pg_stat_get_backend_pid(s.i) OPERATOR(pg_catalog.=) ANY (
                    SELECT w.pid FROM pg_catalog.pg_stat_get_wal_senders() AS w
                )
            )
"""

# A process holds its virtual transaction's lock before it has a row in pg_stat_activity. What is
# listed is looked up only when a lock is not our own.
_UNLISTED = """
    l.locktype OPERATOR(pg_catalog.=) 'virtualxid'
    AND l.pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid()
    AND NOT l.pid OPERATOR(pg_catalog.=) ANY (
        SELECT pg_catalog.pg_stat_get_backend_pid(s.i)
        FROM (SELECT pg_catalog.pg_stat_get_backend_idset() AS i) AS s
    )
"""

# pg_blocking_pids holds every partition of the lock table for a moment, once for each who waits.
MOST_WAITING, _SPARE = 50, 10
# A lock may be shared by everybody.
MOST_BLOCKERS = 200
_EDGES = f"""pg_catalog.string_agg(
            pg_catalog.array_to_string(
                pg_catalog.array_prepend(
                    n.pid, (pg_catalog.pg_blocking_pids(n.pid))[1:{MOST_BLOCKERS}]
                ), ' '
            ), ','
        )"""
BLOCKERS_TIMEOUT_SECONDS = 0.25
"""Who blocks whom takes milliseconds; a server that has no time for that has other troubles."""

_IDLE_IN_TRANSACTION = (
    """'{"idle in transaction","idle in transaction (aborted)"}'::pg_catalog.text[]"""
)

_UNKNOWN = "NULL::pg_catalog.int8"
_NO_PIDS = "NULL::pg_catalog.int4[]"

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
    _again: bytes = b""

    def again(self, pids: Iterable[int]) -> bytes:
        """Return a pulse that also tells what has become of *pids*; 14 to 16 only."""
        listed = ",".join(str(int(pid)) for pid in pids)
        return self._again.replace(_PIDS.encode(), f"'{{{listed}}}'".encode())


class Plan:
    """The statements for servers of one version, in the two forms in which they can be sent.

    Parsing and planning the full reading costs as much as running it. So a session that is ours
    alone is prepared once and then only told to execute. Through a pooler, which would lose what
    was prepared, or give its settings to another client, every statement is sent whole and brings
    its settings along, for its own transaction only.

    A CONNECTION LIMIT of which *limit_share* is used is read in any case, however many there are.
    Connections younger than each of *ages*, in seconds, are counted.
    """

    def __init__(
        self,
        version: int,
        statement_timeout_seconds: float,
        limit_share: float,
        ages: tuple[float, float, float] = AGES,
    ) -> None:
        texts = _texts(version, limit_share, ages)
        milliseconds = max(1, round(statement_timeout_seconds * 1000))
        settings = {
            "search_path": "pg_catalog, pg_temp",
            "statement_timeout": milliseconds,
            "lock_timeout": milliseconds,
        }
        local = "".join(f"SET LOCAL {name} = {value}; " for name, value in settings.items())
        before = f"SET TRANSACTION READ ONLY; {local}"
        # Sent whole to everybody: where nobody waits, not even its preparation is paid for.
        least = min(milliseconds, round(BLOCKERS_TIMEOUT_SECONDS * 1000))
        sooner = f"SET LOCAL statement_timeout = {least}; SET LOCAL lock_timeout = {least}; "
        self.blockers = f"{before}{sooner}{_blockers()}".encode()
        again = _again(version)
        self.whole = Statements(
            **{name: f"{before}{text}".encode() for name, text in texts.items()},
            _again=f"{before}{again.format(earlier=_PIDS + '::pg_catalog.int4[]')}".encode(),
        )
        # So that the server, too, lets go of us soon after the network between us was cut. And our
        # session is idle from one reading to the next, but never within a transaction.
        alone = settings | _KEEPALIVES | {"idle_session_timeout": 0}
        session = "".join(f"SET SESSION {name} = {value}; " for name, value in alone.items())
        prepare = [f"PREPARE pgheadroom_{name} AS {text}" for name, text in texts.items()]
        if again:
            prepare.append(f"PREPARE pgheadroom_again (int4[]) AS {again.format(earlier='$1')}")
        self.prepare = (
            f"SET SESSION default_transaction_read_only = on; {session}{'; '.join(prepare)}"
        ).encode()
        self.prepared = Statements(
            **{name: f"EXECUTE pgheadroom_{name}".encode() for name in texts},
            _again=f"EXECUTE pgheadroom_again ({_PIDS})".encode(),
        )


def _texts(version: int, limit_share: float, ages: tuple[float, float, float]) -> dict[str, str]:
    full = partial(
        _text("full").format,
        share=f"{limit_share:.6f}",
        idle_in_transaction=_IDLE_IN_TRANSACTION,
        **{f"since_{place}": _since(age) for place, age in enumerate(ages)},
    )
    if version < PG_17:
        return {
            "full": full(client=_CLIENT_BY_ADDRESS, hidden=_UNKNOWN, starting=_starting()),
            "pulse": _again(version).format(earlier=_NO_PIDS),
        }
    if version < PG_18:
        hidden = _text("hidden_17").format(max_connections=_MAX_CONNECTIONS, unlisted=_UNLISTED)
    else:
        hidden = _text("hidden_18").format(client=_CLIENT_BY_NUMBER)
    pulse = _text("pulse_17" if version < PG_18 else "pulse_18")
    return {
        "full": full(client=_CLIENT_BY_NUMBER, hidden=hidden, starting=_NO_PIDS),
        "pulse": pulse.format(client=_CLIENT_BY_NUMBER, hidden=hidden),
    }


def _since(age: float) -> str:
    now = "pg_catalog.statement_timestamp()"
    return f"{now} OPERATOR(pg_catalog.-) '{age:f} s'::pg_catalog.interval"


def _again(version: int) -> str:
    """Return the pulse of 14 to 16 with a place for the pids to ask about; empty for newer ones."""
    if version >= PG_17:
        return ""
    return _text("pulse_14").format(
        client=_CLIENT_BY_ADDRESS, starting=_starting(), earlier="{earlier}"
    )


def _blockers() -> str:
    return _text("blockers").format(
        most=MOST_WAITING, spare=_SPARE, each=MOST_BLOCKERS, edges=_EDGES
    )


def _starting() -> str:
    return _text("starting_14").format(unlisted=_UNLISTED)


def _text(name: str) -> str:
    return files("pgheadroom.postgres").joinpath(f"queries/{name}.sql").read_text()
