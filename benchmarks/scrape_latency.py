"""Measures how long a scrape takes, of pgheadroom and of postgres_exporter on one server.

    python -m benchmarks.scrape_latency
    python -m benchmarks.scrape_latency --help

Both watch one server with 50 applications, both are scraped in turn through a kept connection with
the headers of Prometheus, and pgheadroom samples meanwhile. Then pgheadroom alone watches the same
server under many names: how long a scrape of them all takes, and how late samples come.
"""

from __future__ import annotations

import argparse
import gzip
import re
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack

from tests.support.parts import find
from tests.support.servers.postgres import Postgres

from benchmarks.support import machine, watchers
from benchmarks.support.figures import quantile, say, table
from benchmarks.support.sessions import held, role
from benchmarks.support.watchers import Scraper, Watcher

_RATIO = 20
_P99_MS = 10
_STAMP = re.compile(
    rb'^pgheadroom_sample_timestamp_seconds\{server="[^"]*",target="([^"]+)"\} (\S+)$', re.MULTILINE
)


def timed(scraper: Scraper) -> float:
    """Return how many milliseconds a scrape takes."""
    began = time.perf_counter()
    scraper.scrape()
    return (time.perf_counter() - began) * 1000


def in_turn(server: Postgres, ours: int, peers: int) -> tuple[list[float], list[float]]:
    """Scrape pgheadroom *ours* times and postgres_exporter *peers* times, interleaved."""
    with ExitStack() as stack:
        daemon = stack.enter_context(watchers.pgheadroom({"here": watchers.dsn(server)}))
        exporter = stack.enter_context(watchers.postgres_exporter(watchers.peer_dsn(server)))
        our_scraper, peer_scraper = Scraper(daemon), Scraper(exporter)
        for scraper in (our_scraper, peer_scraper):
            for _ in range(5):
                scraper.scrape()
        our_times: list[float] = []
        peer_times: list[float] = []
        for _ in range(peers):
            peer_times.append(timed(peer_scraper))
            for _ in range(ours // peers):
                our_times.append(timed(our_scraper))
                time.sleep(0.02)  # so that samples, and new pages, come in between
        return our_times, peer_times


def many(server: Postgres, targets: int, seconds: float) -> list[list[str]]:
    """Watch *server* under so many names; return rows of what a scrape and a sample take."""
    dsns = {f"t{number:03}": watchers.dsn(server) for number in range(targets)}
    # Without knocks: they come and go on the one real server, where every other target would see
    # something move and take a full reading. Real targets are servers of their own.
    with watchers.pgheadroom(dsns, knock_interval_seconds="0") as daemon:
        scraper = Scraper(daemon)
        body = scraper.scrape()
        time.sleep(5)
        times: list[float] = []
        stamps: dict[bytes, list[float]] = {}
        began, used = time.monotonic(), daemon.cpu_seconds()
        while (passed := time.monotonic() - began) < seconds:
            times.append(timed(scraper))
            page = gzip.decompress(scraper.scrape())
            for name, stamp in _STAMP.findall(page):
                known = stamps.setdefault(name, [])
                if not known or known[-1] != float(stamp):
                    known.append(float(stamp))
            time.sleep(max(0.0, 0.5 - (time.monotonic() - began - passed)))
        share = (daemon.cpu_seconds() - used) / (time.monotonic() - began)
        return _rows(daemon, len(body), times, _lateness(stamps), share)


def _lateness(stamps: dict[bytes, list[float]]) -> list[float]:
    """Return by how many milliseconds each sample missed the beat of one second."""
    late = []
    for times in stamps.values():
        phase = quantile([stamp % 1 for stamp in times], 0.5)
        late += [abs((stamp - phase + 0.5) % 1 - 0.5) * 1000 for stamp in times]
    return late


def _rows(
    daemon: Watcher, size: int, times: list[float], late: list[float], share: float
) -> list[list[str]]:
    scrape, beat = (f"{quantile(v, 0.5):.1f} / {quantile(v, 0.99):.1f} ms" for v in (times, late))
    return [
        ["a scrape, gzip, median / p99", scrape],
        ["its size, compressed", f"{size / 1024:.0f} KiB"],
        ["samples off their beat, median / p99", beat],
        ["samples looked at", str(len(late))],
        ["processor", f"{share:.0%} of one"],
        ["memory", f"{daemon.resident_mib():.0f} MiB"],
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print tables, and return 1 if a bar is missed."""
    options = _options(argv)
    home = find(f"postgres{options.major}").path
    if home is None:
        sys.exit(
            f"PostgreSQL {options.major} is missing; python -m tests.support.parts install --peer"
        )
    connections = max(250, options.targets + 250)
    with ExitStack() as stack:
        server = stack.enter_context(Postgres(home, max_connections=connections))
        role(server)
        stack.enter_context(held(server, options.sessions, options.applications))
        say(f"{options.sessions} sessions of {options.applications} applications: in turn")
        ours, peers = in_turn(server, options.scrapes, options.peer_scrapes)
        say(f"{options.targets} targets")
        rows = many(server, options.targets, options.seconds)
    ratio = quantile(peers, 0.5) / quantile(ours, 0.5)
    p99 = quantile(ours, 0.99)
    sys.stdout.write(f"{machine.description([options.major])}\n\n")
    sys.stdout.write(
        table(
            ["", "scrapes", "median, ms", "p99, ms", "most, ms"],
            [
                [name, str(len(times)), *(f"{quantile(times, q):.2f}" for q in (0.5, 0.99, 1.0))]
                for name, times in (("pgheadroom", ours), ("postgres_exporter", peers))
            ],
        )
    )
    sys.stdout.write(f"\nmedian {ratio:.0f} times lower\n\n{options.targets} targets\n\n")
    sys.stdout.write(table(["", ""], rows))
    return 0 if ratio >= _RATIO and p99 < _P99_MS else 1


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scrape_latency",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--major", type=int, default=17)
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--applications", type=int, default=50)
    parser.add_argument("--scrapes", type=int, default=1000)
    parser.add_argument("--peer-scrapes", type=int, default=100)
    parser.add_argument("--targets", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
