"""Runs a test's own name server: it answers, fails, or is silent."""

import socket
import struct
import threading
from types import TracebackType
from typing import Final, Literal, Self

Mood = Literal["answers", "fails", "hangs"]

_A_RECORD: Final = 1
_ANSWERED: Final = 0x8180
_FAILED: Final = 0x8182  # SERVFAIL
_HEADER_BYTES: Final = 12
_TURN_SECONDS: Final = 0.2


class NameServer:
    """A name server for UDP, at port 53 of the loopback interface, that knows one address."""

    def __init__(self, address: str) -> None:
        self.mood: Mood = "answers"
        self._address = socket.inet_aton(address)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 53))
        self._socket.settimeout(_TURN_SECONDS)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="name server", daemon=True)

    def _serve(self) -> None:
        while not self._ended.is_set():
            try:
                query, client = self._socket.recvfrom(512)
            except TimeoutError:
                continue
            if self.mood != "hangs":
                self._socket.sendto(self._answer(query), client)

    def _answer(self, query: bytes) -> bytes:
        end = query.index(b"\0", _HEADER_BYTES) + 5
        question = query[_HEADER_BYTES:end]
        if self.mood == "fails":
            return query[:2] + struct.pack("!5H", _FAILED, 1, 0, 0, 0) + question
        record = b""
        if struct.unpack("!H", question[-4:-2])[0] == _A_RECORD:
            # The name of the question, an address of the Internet, good for no time, four bytes.
            record = struct.pack("!3HIH", 0xC00C, _A_RECORD, 1, 0, 4) + self._address
        head = query[:2] + struct.pack("!5H", _ANSWERED, 1, 1 if record else 0, 0, 0)
        return head + question + record

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()
        self._socket.close()
