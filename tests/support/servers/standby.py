"""Starts a server that follows another one by streaming replication."""

from pathlib import Path

from tests.support.parts import hand_over
from tests.support.servers.postgres import Postgres


class Standby(Postgres):
    """A server that follows *primary*, of the same *home*, until it is promoted.

    Both begin as copies of one template and so are one system to PostgreSQL; the primary has all
    that it wrote since.
    """

    def __init__(self, home: Path, primary: Postgres) -> None:
        follows = f"host={primary.socket_directory} port={primary.port} user=postgres"
        # A standby must not have less than the template was made with.
        super().__init__(home, primary_conninfo=follows, max_connections=100, max_wal_senders=10)
        signal = self.data / "standby.signal"
        signal.touch()
        hand_over(signal)
