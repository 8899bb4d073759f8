"""Shows who is connected to a server, from outside, and disconnects everybody.

Asked of the process table and not of SQL: no view shows a client that has yet to say its name, and
SQL needs a free slot.
"""

import signal
from pathlib import Path
from typing import Final

from tests.support.servers.process import family, send
from tests.support.servers.rawclient import Session
from tests.support.servers.wait import until

_END_SECONDS: Final = 20.0
# The server itself gives its own objects smaller numbers.
_DATABASES: Final = "select quote_ident(datname) from pg_database where oid >= 16384"
_ROLES: Final = "select quote_ident(rolname) from pg_roles where oid >= 16384"
_SOCKET: Final = "socket:"
_ENDING: Final = "socket: of a process that is ending"
# The postmaster itself holds a new client's socket until the child for it is born.
_QUIET_ROUNDS: Final = 2


def client_pids(postmaster: int) -> list[int]:
    """Return the processes that serve a client: sessions, stalled logins, silent sockets.

    They are those that hold a socket which the postmaster does not.
    """
    inherited = _sockets(postmaster)
    return [pid for pid in family(postmaster)[1:] if _sockets(pid) - inherited]


def end_all(postmaster: int) -> None:
    """End every connection, and wait until none is left."""
    told: set[int] = set()
    quiet = 0

    def all_gone() -> bool:
        nonlocal quiet
        clients = set(client_pids(postmaster))
        for pid in clients - told:
            send(pid, signal.SIGTERM)
        told.update(clients)
        quiet = 0 if clients else quiet + 1
        return quiet == _QUIET_ROUNDS

    until(all_gone, _END_SECONDS, "end of the connections")


def drop_objects(session: Session) -> None:
    """Drop the databases and roles that were made since the server was."""
    databases = session.query(_DATABASES)
    for (name,) in databases:
        session.query(f"alter database {name} is_template false")
        session.query(f"drop database {name}")
    roles = session.query(_ROLES)
    for (name,) in roles:
        session.query(f"drop owned by {name}")
        session.query(f"drop role {name}")


def _sockets(pid: int) -> set[str]:
    found = set()
    try:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            found.add(str(link.readlink()))
    except (FileNotFoundError, ProcessLookupError):
        return set()  # ended, or closed a file, while we looked: the next round will tell
    except PermissionError:
        # What is about to end belongs to nobody but root; it has not ended yet.
        return {_ENDING}
    return {name for name in found if name.startswith(_SOCKET)}
