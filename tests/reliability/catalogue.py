"""Lists the faults that pgheadroom is shown to survive, and how each is made."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault in the words of the table in docs/reliability.md."""

    title: str
    made: str


FAULTS: Final = {
    "full before start": Fault(
        "server full before the daemon starts",
        "superusers hold all 20 slots",
    ),
    "full while running": Fault(
        "server full, and our backend lost",
        "superusers take every slot; `pg_terminate_backend` on ours, whose slot is taken too",
    ),
    "storm superuser": Fault(
        "full by a storm, our connection lost; we are a superuser",
        "120 clients of an ordinary role on 100 slots, who retry without a pause;"
        " `pg_terminate_backend` on ours, {losses} times",
    ),
    "storm reserve": Fault(
        "full by a storm, our connection lost; we may use the reserve",
        "the same; our role is a member of `pg_use_reserved_connections`",
    ),
    "storm restart": Fault(
        "restarted while full by a storm",
        "the same 120 clients; the server is restarted (`fast`) under them",
    ),
    "failover": Fault(
        "failover to the other host of the DSN",
        "two hosts, `target_session_attrs=read-write`; the primary is killed, its streaming"
        " standby promoted",
    ),
    "promotion": Fault(
        "the standby that we watch is promoted",
        "`pg_promote()` on a streaming standby",
    ),
    "other limits": Fault(
        "max_connections changed by a restart",
        "20 to 30, restarted (`fast`)",
    ),
    "frozen": Fault("server frozen", "SIGSTOP to all its processes for {seconds:g} s"),
    "backend killed": Fault(
        "our backend killed",
        "`kill -9` of it; the whole server recovers from the crash",
    ),
    "terminated": Fault(
        "our backend terminated again and again",
        "`pg_terminate_backend` on every session of ours, in a loop for {seconds:g} s",
    ),
    "locked catalog": Fault(
        "catalog locked",
        "`LOCK pg_database IN ACCESS EXCLUSIVE MODE` by another session for {seconds:g} s, and our"
        " connection terminated at first",
    ),
    "statement timeout": Fault(
        "statement_timeout hit",
        "our statement waits for a lock longer than our session's `statement_timeout`, for"
        " {seconds:g} s",
    ),
    "password": Fault(
        "password rotated",
        "`ALTER ROLE ... PASSWORD`, our connection terminated; the password file follows after"
        " {seconds:g} s",
    ),
    "certificate": Fault(
        "server certificate expired",
        "`sslmode=verify-full`; the server gets a certificate that ended yesterday, our connection"
        " is terminated, a good one follows after {seconds:g} s",
    ),
    "names fail": Fault(
        "DNS fails",
        "the name server says SERVFAIL for {seconds:g} s, our connection terminated at first",
    ),
    "names hang": Fault(
        "DNS hangs",
        "the name server says nothing for {seconds:g} s, our connection terminated at first",
    ),
    "dropped port": Fault(
        "port that drops packets",
        "between two network namespaces, nothing reaches the server's port for {seconds:g} s",
    ),
    "pulled cable": Fault(
        "cable pulled: half-open TCP",
        "between two network namespaces, nothing arrives in either direction for {seconds:g} s, and"
        " nobody is told",
    ),
    "latency": Fault(
        "latency of 500 ms",
        "between two network namespaces, a packet takes 250 ms each way for {seconds:g} s",
    ),
    "server clock forward": Fault(
        "server's clock an hour ahead", "stepped by libfaketime under the running server"
    ),
    "server clock back": Fault(
        "server's clock an hour behind", "stepped by libfaketime under the running server"
    ),
    "daemon clock forward": Fault(
        "daemon's clock an hour ahead", "stepped by libfaketime under the running daemon"
    ),
    "daemon clock back": Fault(
        "daemon's clock an hour behind", "stepped by libfaketime under the running daemon"
    ),
}
