"""Opens the sessions that hold slots in a test, and closes them at its end."""

from collections.abc import Callable
from typing import TypeVar

from tests.support.servers import rawclient
from tests.support.servers.rawclient import Held, Refused, Session
from tests.support.servers.wire import Address

T = TypeVar("T", bound=Held)


class Clients:
    """Opens sessions of all kinds, and remembers them."""

    def __init__(self) -> None:
        self._held: list[Held] = []

    def connect(
        self,
        address: Address,
        *,
        user: str = "postgres",
        database: str = "postgres",
        **startup: str,
    ) -> Session | Refused:
        """Do as `rawclient.connect` does."""
        answer = rawclient.connect(address, user=user, database=database, **startup)
        if isinstance(answer, Session):
            self._held.append(answer)
        return answer

    def admitted(
        self,
        address: Address,
        *,
        user: str = "postgres",
        database: str = "postgres",
        **startup: str,
    ) -> Session:
        """Do as `rawclient.admitted` does."""
        session = rawclient.admitted(address, user=user, database=database, **startup)
        return self._keep(session)

    def fill(
        self,
        address: Address,
        count: int = 1000,
        *,
        user: str = "postgres",
        database: str = "postgres",
        **startup: str,
    ) -> tuple[list[Session], Refused | None]:
        """Open up to *count* sessions, until one is refused; return both."""
        sessions, refused = rawclient.fill(address, count, user=user, database=database, **startup)
        self._held += sessions
        return sessions, refused

    def stall(self, address: Address, count: int, *, user: str) -> Refused | None:
        """Begin *count* logins that never end, or fewer if one is refused."""
        return self._repeat(count, lambda: rawclient.stall(address, user=user))

    def silent(self, address: Address, count: int) -> None:
        """Open *count* connections that never say a word."""
        self._repeat(count, lambda: rawclient.silent(address))

    def _repeat(self, count: int, opened: Callable[[], T | Refused]) -> Refused | None:
        for _ in range(count):
            answer = opened()
            if isinstance(answer, Refused):
                return answer
            self._held.append(answer)
        return None

    def _keep(self, held: T) -> T:
        self._held.append(held)
        return held

    def close(self) -> None:
        """Close everything, what a test has closed already included."""
        while self._held:
            self._held.pop().close()
