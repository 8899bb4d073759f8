"""Fuzzes what a pooler may answer: tables of its console, pages of its exporter."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from fuzz.harness import Harness
from pgheadroom.model.identity import Identity, TargetKind
from pgheadroom.model.names import NameFolder
from pgheadroom.model.reading import Sample
from pgheadroom.pgbouncer import clients, rows
from pgheadroom.pgbouncer.exporter_page import PageError, PageLimits, sample
from pgheadroom.postgres.libpq import Table
from pgheadroom.postgres.rows import SenselessError
from pgheadroom.state import State
from pgheadroom.step import Policy, step

_POLICY = Policy(NameFolder().fold)
_NOW = 1000.0


def _judged(found: Sample) -> None:
    """Take it in twice: what a pooler says must not stop the daemon, whatever it is."""
    state = State("pool").of(Identity(kind=TargetKind.PGBOUNCER))
    for at in (_NOW, _NOW + 20):
        state = step(state, found._replace(at=at), _POLICY)


def console(data: bytes) -> None:
    """A table: the names of its columns in the first line, cells apart by tabs, NULL a tilde."""
    head, *lines = data.split(b"\n")
    columns = tuple(name.decode(errors="replace") for name in head.split(b"\t"))
    cells = (line.split(b"\t") for line in lines)
    table = Table(
        columns,
        [
            tuple(None if cell == b"~" else cell for cell in row)
            for row in cells
            if len(row) == len(columns)
        ],
    )
    readers: tuple[Callable[[Table], Any], ...] = (
        rows.lists,
        rows.config,
        rows.links,
        rows.paused,
        partial(rows.pools, databases={}, users={}),
        partial(rows.databases, address=lambda *_: ""),
        partial(rows.users, default_size=20),
        partial(rows.totals, column="wait_time"),
        partial(clients.groups, now=_NOW),
    )
    for read in readers:
        with suppress(SenselessError):
            read(table)


def page(data: bytes) -> None:
    """The page of CloudNativePG's exporter."""
    with suppress(PageError):
        _judged(sample(data.decode(errors="replace"), PageLimits(100, 20), _NOW, 0.1))


HARNESSES = (
    Harness(
        "console",
        console,
        (
            b"list\titems\nused_clients\t7\nlogin_clients\t0",
            b"database\tuser\tcl_active\tcl_waiting\tsv_active\tmaxwait\tmaxwait_us\tpool_mode\n"
            b"shop\tapp\t3\t1\t2\t0\t500\tsession",
            b"name\thost\tport\tforce_user\tpool_size\treserve_pool\tpaused\nshop\t~\t5432\t~\t20\t0\t0",
            b"key\tvalue\nmax_client_conn\t100\nquery_wait_timeout\t120",
            b"user\tdatabase\taddr\tlocal_port\tremote_pid\napp\tshop\t10.0.0.1\t4000\t17",
            b"user\tdatabase\tstate\tconnect_time\tapplication_name\n"
            b"app\tshop\tactive\t1970-01-01 00:00:10 UTC\tweb",
            b"database\twait_time\nshop\t12.5",
        ),
        share=60,
        words=("max_connections", "current_connections", "pool_size", "UTC", "unix", "yes"),
    ),
    Harness(
        "exporter-page",
        page,
        (
            b"cnpg_pgbouncer_up 1\ncnpg_pgbouncer_lists_used_clients 3\n"
            b'cnpg_pgbouncer_pools_cl_waiting{database="a",user="b"} 2\n',
        ),
        share=5,
        words=("cnpg_pgbouncer_pools_maxwait", "NaN", "+Inf", "1e999"),
    ),
)
