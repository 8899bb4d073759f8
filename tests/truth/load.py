"""Keeps a server busy with every kind of process, with and without a connection slot.

Each kind is a thread that works while it is switched on. A `Director` switches them on and off at
random, from a seed, so that a run can be repeated.
"""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from tests.support.servers import rawclient
from tests.support.servers.clients import Clients
from tests.support.servers.datadir import Setting
from tests.support.servers.postgres import Postgres
from tests.support.servers.rawclient import ProtocolError, QueryError, Refused, Session
from tests.support.servers.wire import HangUpError
from tests.truth.oracle import Oracle

SETTINGS: Final[dict[str, Setting]] = {
    "max_connections": 60,
    "max_worker_processes": 64,
    "max_parallel_workers": 60,
    "max_parallel_workers_per_gather": 24,
    "max_parallel_maintenance_workers": 8,
    "max_logical_replication_workers": 8,
    "max_sync_workers_per_subscription": 3,
    "max_wal_senders": 10,
    "max_replication_slots": 10,
    "wal_level": "logical",
    "autovacuum": True,
    "autovacuum_naptime": 1,
    "autovacuum_max_workers": 6,
    "min_parallel_table_scan_size": 0,
    "parallel_setup_cost": 0,
}
CHURNERS: Final = 3
"""Sessions that may come and go between two asks of the oracle."""
MOST_SHARE: Final = 0.75
"""The load never takes more of the ordinary slots than this: it justifies no page."""
_MOST_STALLED: Final = 5
_TABLES: Final = 8
_CLOSED: Final = (OSError, HangUpError, QueryError, ProtocolError)
"""How a session ends that somebody terminates, or whose server is restarted."""


def prepare(server: Postgres) -> None:
    """Make the roles, tables, publication and subscription that the load needs."""
    for role in ("watcher login in role pg_monitor", "shop login", "plain login"):
        server.sql(f"create role {role}")
    server.sql("create role few login connection limit 2")
    server.require_scram("stalled")
    server.sql("create database narrow connection limit 3")
    server.sql("create table big as select g, repeat('x', 200) t from generate_series(1, 20000) g")
    server.sql("alter table big set (parallel_workers = 24)")
    server.sql("create database copy")
    with rawclient.admitted(server.unix, database="copy") as copy:
        for number in range(_TABLES):
            server.sql(
                f"create table t{number} (id int);"
                f"alter table t{number} set (autovacuum_vacuum_threshold = 10,"
                " autovacuum_vacuum_scale_factor = 0)"
            )
            server.sql(f"insert into t{number} select generate_series(1, 2000)")
            copy.query(f"create table t{number} (id int)")
        tables = ", ".join(f"t{number}" for number in range(_TABLES))
        # Updates would need a key, and are none of the subscription's business here.
        server.sql(f"create publication everything for table {tables} with (publish = 'insert')")
        server.sql("select pg_create_logical_replication_slot('copy', 'pgoutput')")
        copy.query(
            f"create subscription copy connection '{server.dsn(tcp=False)}' publication everything"
            " with (create_slot = false, slot_name = 'copy')"
        )


class Director:
    """Switches the kinds of load on and off; everything ends with the context."""

    def __init__(self, server: Postgres, oracle: Oracle, seed: int) -> None:
        self._server = server
        self._oracle = oracle
        self._chance = random.Random(seed)  # noqa: S311 - the same moves each time
        self._on = {kind: threading.Event() for kind in self._kinds()}
        self._at_work = {kind: threading.Lock() for kind in self._on}
        self._stop = threading.Event()
        self._held: list[Session] = []
        self._stalled = Clients()
        self._stalls = 0
        self.bugs: list[BaseException] = []

    def _kinds(self) -> dict[str, Callable[[Session], None]]:
        kinds: dict[str, Callable[[Session], None]] = {
            "parallel query 1": self._query,
            "parallel query 2": self._query,
            "parallel index build": self._index,
            "autovacuum": self._autovacuum,
            "subscription": self._subscription,
            "walsenders": self._walsenders,
            "refusals": self._refusals,
        }
        return kinds | {f"churn {number}": self._churn for number in range(CHURNERS)}

    @property
    def churns(self) -> bool:
        """Whether sessions come and go faster than the oracle asks."""
        return any(on.is_set() for kind, on in self._on.items() if kind.startswith("churn"))

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Have a thread for each kind, none of them switched on yet."""
        with ExitStack() as stack:
            stack.callback(self._stalled.close)
            for kind, work in self._kinds().items():
                thread = threading.Thread(target=self._guarded, args=(kind, work), name=kind)
                thread.start()
                stack.callback(thread.join)
            stack.callback(self._end)
            yield
        if self.bugs:
            raise self.bugs[0]

    def switch(self) -> None:
        """Switch kinds on and off; mostly on, and churn in one phase of three.

        What was switched off does nothing any more when this returns.
        """
        churn = self._chance.random() < 1 / 3
        for kind, on in self._on.items():
            wanted = churn if kind.startswith("churn") else self._chance.random() < 0.6
            if kind.startswith("refusals"):
                wanted = wanted and churn  # a refused login comes and goes just as fast
            (on.set if wanted else on.clear)()
            if not wanted:
                with self._at_work[kind]:
                    pass  # it has ended what it was doing
        self._oracle.next()  # whoever was still there is gone

    def move(self) -> None:
        """Open or close a session or a login that hangs, and let the oracle see it."""
        choice = self._chance.random()
        try:
            if not self._held:
                self._held.append(rawclient.admitted(self._server.unix, application_name="admin"))
            elif choice < 0.45 and len(self._held) < 12:
                name = self._chance.choice(["api", "worker", "report"])
                self._held.append(
                    rawclient.admitted(self._server.unix, user="shop", application_name=name)
                )
            elif choice < 0.75 and len(self._held) > 1:
                self._held.pop(self._chance.randrange(1, len(self._held))).close()
            elif choice < 0.85 and len(self._held) > 1:
                gone = self._held.pop()
                # Through a session that stays: what comes and goes, the oracle may not see.
                self._held[0].query(f"select pg_terminate_backend({gone.pid})")
                gone.close()
            elif choice < 0.93 and self._stalls < _MOST_STALLED:
                more = self._chance.randint(1, _MOST_STALLED - self._stalls)
                self._stalled.stall(self._server.tcp, more, user="stalled")
                self._stalls += more
            else:
                self._end_stalled()
        except _CLOSED:
            self._let_go()
        self._oracle.next()

    def restart(self) -> None:
        """Restart the server as an operator does, in a hurry; every session is lost."""
        self._end_stalled()
        self._let_go()
        self._server.restart("fast")
        self._oracle.next()

    def _end(self) -> None:
        self._stop.set()
        for on in self._on.values():
            on.set()
        self._let_go()

    def _end_stalled(self) -> None:
        self._stalled.close()
        self._stalls = 0

    def _let_go(self) -> None:
        while self._held:
            self._held.pop().close(abruptly=True)

    def _guarded(self, kind: str, work: Callable[[Session], None]) -> None:
        while not self._stop.is_set():
            try:
                # Kept while the kind is switched off too: what the oracle does not see come and go
                # must stay.
                with self._session("copy" if kind == "subscription" else "postgres") as session:
                    while not self._stop.is_set():
                        self._on[kind].wait()
                        with self._at_work[kind]:
                            if self._on[kind].is_set():
                                work(session)
            except _CLOSED:
                self._stop.wait(0.2)  # until the server is there again
            except BaseException as error:  # noqa: BLE001 - at_work() raises it
                self.bugs.append(error)
                return

    def _session(self, database: str) -> Session:
        return rawclient.admitted(self._server.unix, database=database, application_name="load")

    def _query(self, session: Session) -> None:
        session.query("select count(*) from big where md5(repeat(t, 20)) <> ''")

    def _index(self, session: Session) -> None:
        session.query("create index if not exists on_big on big (g); drop index on_big")

    def _autovacuum(self, session: Session) -> None:
        for number in range(_TABLES):
            session.query(f"update t{number} set id = id where id < 500")  # noqa: S608
        self._stop.wait(0.5)

    def _subscription(self, session: Session) -> None:
        session.query("alter subscription copy disable")
        self._stop.wait(0.3)
        session.query("alter subscription copy enable")
        self._stop.wait(0.3)

    def _walsenders(self, _session: Session) -> None:
        with ExitStack() as held:
            for _ in range(3):
                held.enter_context(rawclient.admitted(self._server.unix, replication="true"))
            self._stop.wait(0.05)

    def _refusals(self, _session: Session) -> None:
        for words in (
            {"user": "few"},
            {"user": "nobody"},
            {"database": "nowhere"},
            {"user": "shop", "database": "narrow"},
        ):
            answer = rawclient.connect(self._server.unix, **words)
            if not isinstance(answer, Refused):
                answer.close()
            self._stop.wait(0.005)

    def _churn(self, _session: Session) -> None:
        rawclient.admitted(self._server.unix, user="shop", application_name="churn").leave()
        self._stop.wait(0.002)
