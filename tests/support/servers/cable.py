"""Connects two networks of a test, with a delay and losses.

Two TUN devices and a thread that carries packets between them: late, or not at all.
"""

import fcntl
import os
import selectors
import struct
import threading
import time
from collections import deque
from typing import Final

from tests.support.parts.command import run
from tests.support.servers.namespace import Namespace

_SET_INTERFACE: Final = 0x400454CA  # TUNSETIFF of linux/if_tun.h
_TUN_WITHOUT_HEADER: Final = 0x0001 | 0x1000  # IFF_TUN, IFF_NO_PI
_LARGEST: Final = 65536
_TURN_SECONDS: Final = 0.05
_TCP: Final = 6

HERE: Final = "10.90.90.1"
THERE: Final = "10.90.90.2"


class Cable:
    """A link between two namespaces: *here* has the address HERE, *there* THERE."""

    def __init__(self, here: Namespace, there: Namespace) -> None:
        self.delay_seconds = 0.0
        """How long a packet takes, in either direction."""
        self.pulled = False
        """Whether nothing arrives any more, and nobody is told."""
        self.dropped_port = 0
        """The TCP port to which nothing arrives, while all else does."""
        self._ends = [_end(here, HERE, THERE), _end(there, THERE, HERE)]
        self._under_way: deque[tuple[float, int, bytes]] = deque()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._carry, name="cable", daemon=True)
        self._thread.start()

    def _carry(self) -> None:
        a, b = self._ends
        with selectors.DefaultSelector() as selector:
            selector.register(a, selectors.EVENT_READ, b)
            selector.register(b, selectors.EVENT_READ, a)
            while not self._ended.is_set():
                for key, _ in selector.select(self._pause()):
                    packet = os.read(key.fd, _LARGEST)
                    if not self._is_lost(packet):
                        due = time.monotonic() + self.delay_seconds
                        self._under_way.append((due, key.data, packet))
                while self._under_way and self._under_way[0][0] <= time.monotonic():
                    _, end, packet = self._under_way.popleft()
                    os.write(end, packet)

    def _pause(self) -> float:
        if not self._under_way:
            return _TURN_SECONDS
        return min(_TURN_SECONDS, max(0.0, self._under_way[0][0] - time.monotonic()))

    def _is_lost(self, packet: bytes) -> bool:
        if self.pulled:
            return True
        header = (packet[0] & 0x0F) * 4  # of IPv4, in words
        is_tcp = packet[0] >> 4 == 4 and packet[9] == _TCP
        return is_tcp and int(struct.unpack_from("!H", packet, header + 2)[0]) == self.dropped_port

    def close(self) -> None:
        """Take the link away."""
        self._ended.set()
        self._thread.join()
        for end in self._ends:
            os.close(end)


def _end(namespace: Namespace, own: str, peer: str) -> int:
    with namespace.inside():
        end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(end, _SET_INTERFACE, struct.pack("16sH", b"cable", _TUN_WITHOUT_HEADER))
        run(["ip", "addr", "add", own, "peer", peer, "dev", "cable"])
        run(["ip", "link", "set", "cable", "up"])
    return end
