"""Lists the real programs that the tests need, and the bundles they come in."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from tests.support.parts import debian, german, npm
from tests.support.parts.part import Bundle

BUNDLES: Final = (
    Bundle(
        name="postgres",
        pin=npm.PIN,
        parts={f"postgres{major}": str(major) for major in npm.MAJORS},
        build=npm.build,
    ),
    Bundle(
        name="postgres-nls",
        pin=german.LOCALE,
        parts={"postgres-nls": ""},
        build=german.build,
    ),
    Bundle(
        name="prometheus",
        pin=f"{debian.SUITE} 2",
        parts={
            "prometheus": "usr/bin/prometheus",
            "promtool": "usr/bin/promtool",
            "alertmanager": "bin/alertmanager",
            "amtool": "bin/amtool",
        },
        build=debian.prometheus,
    ),
    Bundle(
        name="pgbouncer",
        pin="release",
        parts={"pgbouncer": "bin/pgbouncer"},
        build=debian.pgbouncer,
        elsewhere=partial(debian.on_path, "pgbouncer"),
    ),
    Bundle(
        name="poolers",
        pin=f"{debian.SUITE} 1",
        parts={
            "pgbouncer-newest": "bin/pgbouncer",
            "odyssey": "bin/odyssey",
            "pgpool": "bin/pgpool",
        },
        build=debian.poolers,
    ),
    Bundle(
        name="chromium",
        pin="release",
        parts={"chromium": "bin/chromium"},
        build=debian.chromium,
        elsewhere=partial(debian.on_path, "chromium"),
    ),
    Bundle(
        name="systemd",
        pin="release",
        parts={"systemd-analyze": "bin/systemd-analyze"},
        build=debian.systemd,
        elsewhere=partial(debian.on_path, "systemd-analyze"),
    ),
    Bundle(
        name="faketime",
        pin="release",
        parts={"faketime": "libfaketimeMT.so.1"},
        build=debian.faketime,
    ),
    Bundle(
        name="postgres-exporter",
        pin=debian.SUITE,
        parts={"postgres-exporter": "usr/bin/prometheus-postgres-exporter"},
        build=debian.postgres_exporter,
        peer=True,
    ),
)


def bundles(*, peer: bool = False) -> Iterator[Bundle]:
    """Yield what the tests need, and with *peer* what the benchmarks compare with."""
    return (bundle for bundle in BUNDLES if peer or not bundle.peer)
