"""Tests that the daemon survives any bytes that are sent to its port."""

import re
import select
import socket
import struct

import pytest
from tests.integration.conftest import MakeHeadroom
from tests.support.servers.headroom import Headroom
from tests.support.servers.postgres import Postgres
from tests.support.servers.wait import until

pytestmark = pytest.mark.majors(17)

GET = b"GET /metrics HTTP/1.1\r\nHost: x\r\n"
CHUNKED = b"POST /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
CLOSE = b"Connection: close\r\n\r\n"
HELLO = bytes.fromhex("1603010200010001fc0303") + bytes(range(256)) + bytes(250)
METHODS = ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PRI", "get", "X" * 99)
PATHS = (
    *("/%00", "/..", "/../../etc/passwd", "/static/../../etc/passwd", "/static/%2e%2e%2fpage.css"),
    *("//metrics", "/static/%00", "/targets/%00", "/targets/%ff", "/targets/..%2f", "/metrics/"),
    *("/api/v1/targets/%ED%A0%80", "/api/v1/targets/" + "a" * 4000, "/api/v1/targets/%", "*"),
    *("/probe?target=%00", "/probe?target=%ff", "/probe?" + "target=a&" * 500, "/probe?target"),
    *("/api/v1/stream?target=%0a", "http://elsewhere/metrics", "/%", "/\x7f", "/é", "?", "/a b"),
)
HEADERS = (
    "Accept: application/openmetrics-text;version=latest",
    "Accept: text/plain;version=x.y",
    "Accept: " + ",".join(["application/openmetrics-text"] * 300),
    "Accept-Encoding: gzip;q=" + "9" * 4000,
    "Authorization: Basic =",
    'If-None-Match: "',
    'If-None-Match: W/"x", *, "\\"',
    "Range: bytes=9-1",
    'Cookie: a="\\',
    "Expect: 100-continue",
    "Expect: 200-ok",
    "Upgrade: websocket\r\nConnection: upgrade",
    "Upgrade: h2c\r\nHTTP2-Settings: AAAA\r\nConnection: Upgrade, HTTP2-Settings",
    "Content-Type: multipart/form-data",
    "X: \xff\xfe",
)
RAW = {
    "HTTP/0.9": b"GET /metrics\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/9.9": b"GET / HTTP/9.9\r\n\r\n",
    "no version": b"GET / HTTP/\r\n\r\n",
    "NULs": b"\0" * 5000,
    "TLS": HELLO,
    "PostgreSQL": struct.pack("!ii", 8, 80877103),
    "line ends": b"\r\n" * 5000,
    "no end of a line": b"A" * 100_000,
    "no end of a header": GET + b"X: " + b"a" * 100_000,
    "many headers": GET + b"".join(b"X%d: 1\r\n" % n for n in range(5000)) + b"\r\n",
    "a long address": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
    "NUL in a header": GET + b"X: a\0b\r\n\r\n",
    "line end in a header": GET + b"X: a\rb\r\n\r\n",
    "a folded header": GET + b"X: a\r\n b\r\n" + CLOSE,
    "a space in a name": GET + b"X : a\r\n\r\n",
    "no name": GET + b": a\r\n\r\n",
    "no host": b"GET /metrics HTTP/1.1\r\n" + CLOSE,
    "two hosts": GET + b"Host: y\r\n" + CLOSE,
    "a negative length": GET + b"Content-Length: -1\r\n\r\n",
    "an absurd length": GET + b"Content-Length: 99999999999999999999\r\n\r\nabc",
    "no length": GET + b"Content-Length: a\r\n\r\n",
    "two lengths": GET + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nabc",
    "length and chunks": GET + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "an unknown coding": GET + b"Transfer-Encoding: gzip, chunked, x\r\n\r\n",
    "a body that is no gzip": GET
    + b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"
    + GET
    + CLOSE,
    "no chunk": CHUNKED + b"nonsense\r\n",
    "a negative chunk": CHUNKED + b"-1\r\nabc\r\n",
    "an absurd chunk": CHUNKED + b"f" * 40 + b"\r\nabc",
    "a chunk that does not end": CHUNKED + b"3\r\nabcdef\r\n0\r\n\r\n",
    "an endless trailer": CHUNKED + b"0\r\nX: " + b"a" * 100_000,
    "a body for a GET": GET + b"Content-Length: 5\r\n" + CLOSE + b"hello",
    "pipelined": (GET + b"\r\n") * 50 + GET + CLOSE,
    "pipelined nonsense": GET + b"\r\n" + b"\1\2\3\r\n\r\n",
    "half a request": GET,
}


def answers(daemon: Headroom, sent: bytes) -> list[int]:
    """Send these bytes, and return the statuses of all that is answered.

    Who is not answered soon hangs up: the daemon may be waiting for more.
    """
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=10) as line:
        received = b""
        try:
            line.sendall(sent)
            if not select.select([line], [], [], 0.5)[0]:
                line.shutdown(socket.SHUT_WR)
            while piece := line.recv(1 << 16):
                received += piece
                if b"text/event-stream" in received:
                    break
        except ConnectionError:
            pass  # it may hang up on who talks nonsense
    statuses = re.findall(rb"^HTTP/\d\.\d (\d+) ", received, re.MULTILINE)
    assert b"Traceback" not in received
    return [int(status) for status in statuses]


def request(method: str, path: str, header: str = "X: y") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\n{header}\r\n"
    return head.encode("latin-1") + CLOSE


def test_whatever_is_sent(pg: Postgres, make_headroom: MakeHeadroom) -> None:
    """No answer is a 5xx, nothing is logged, and sampling goes on."""
    daemon = make_headroom(f'interval_seconds: 0.2\ntargets: {{db: "{pg.dsn()}"}}\n')
    daemon.ready()
    before = daemon.log.read()
    sent = {
        **RAW,
        **{method: request(method, "/metrics") for method in METHODS},
        **{path: request("GET", path) for path in PATHS},
        **{header: request("GET", "/metrics", header) for header in HEADERS},
        **{f"{header} of a file": request("GET", "/static/page.css", header) for header in HEADERS},
    }
    found = {name: answers(daemon, bytes_) for name, bytes_ in sent.items()}
    assert {name: all_ for name, all_ in found.items() if any(one >= 500 for one in all_)} == {}
    # It is there to be answered: what is wrong is said to be, and the last good one still answered.
    assert found["pipelined"] == [200] * 51
    assert found["HTTP/0.9"] == [200]
    assert found["NULs"] == found["TLS"] == found["an absurd length"] == [400]
    assert found["/%00"] == found["/../../etc/passwd"] == found["//metrics"] == [404]
    assert found["POST"] == [405]
    assert found["Accept: text/plain;version=x.y"] == [200]
    assert daemon.log.read() == before
    at = daemon.metric('pgheadroom_sample_timestamp_seconds{target="db"}')
    assert at is not None
    later = 'pgheadroom_sample_timestamp_seconds{target="db"}'
    until(lambda: (daemon.metric(later) or 0.0) > at, 5, "next sample")
    assert daemon.metric('pgheadroom_failures_total{state="timeout",target="db"}') in (None, 0)
    assert daemon.stop() == 0
