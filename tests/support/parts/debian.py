"""Names the Debian packages of the programs that come from Debian, and how they run.

Prometheus' family comes from Debian's unstable suite, because the stable one's is years old and Go
programs need nothing around them. The others come from the running release.
"""

import shutil
from pathlib import Path
from typing import Final

from tests.support.parts import wrapper
from tests.support.parts.apt import Apt
from tests.support.parts.command import run
from tests.support.parts.libraries import library_folders
from tests.support.parts.part import UnavailableError, Workshop
from tests.support.parts.sources import Source, suite_sources, system_sources

SUITE: Final = "sid"
_POOLERS: Final = {
    "pgbouncer": "usr/sbin/pgbouncer",
    "odyssey": "usr/bin/odyssey",
    "pgpool": "usr/sbin/pgpool",
}
# An ordinary user's PATH often lacks the folders where Debian puts servers.
_SERVER_FOLDERS: Final = "/usr/local/sbin:/usr/sbin:/sbin"


def prometheus(shop: Workshop) -> None:
    """Unpack Prometheus, Alertmanager and their tools."""
    _unpack_go(shop, "prometheus", "promtool", "prometheus-alertmanager")
    programs = shop.bench / "usr" / "bin"
    for name in ("alertmanager", "amtool"):
        (program,) = programs.glob(f"*{name}")
        _look_here(program)
        wrapper.write(shop.bench / "trial" / name, program, {}, cwd=shop.bench)
        there = shop.home / program.relative_to(shop.bench)
        wrapper.write(shop.bench / "bin" / name, there, {}, cwd=shop.home)
    for name in ("prometheus", "promtool"):
        run([programs / name, "--version"], unprivileged=True)
    config = shop.bench / "trial" / "config.yml"
    config.write_text("{route: {receiver: nobody}, receivers: [{name: nobody}]}")
    run([shop.bench / "trial" / "amtool", "check-config", config], unprivileged=True)
    run([shop.bench / "trial" / "alertmanager", "--version"], unprivileged=True)


def _look_here(program: Path) -> None:
    """Have Alertmanager look for its templates below its working folder.

    Debian builds the absolute path in, and without root nothing can be put there. The same path
    without its first slash, and with another one inside, is as long and is relative.
    """
    absolute = b"/usr/share/prometheus/alertmanager"
    relative = b"usr/share/prometheus//alertmanager"
    program.write_bytes(program.read_bytes().replace(absolute, relative))


def postgres_exporter(shop: Workshop) -> None:
    """Unpack the exporter that the benchmarks compare with."""
    _unpack_go(shop, "prometheus-postgres-exporter")
    run([shop.bench / "usr/bin/prometheus-postgres-exporter", "--version"], unprivileged=True)


def _unpack_go(shop: Workshop, *packages: str) -> None:
    apt = _apt(shop, suite_sources(SUITE), SUITE)
    shop.say(f"fetching {', '.join(packages)} from {SUITE}")
    apt.unpack(packages, shop.bench)


def pgbouncer(shop: Workshop) -> None:
    """Unpack PgBouncer with the libraries this machine lacks."""
    unpack_with_dependencies(shop, "pgbouncer")
    _wrap(shop, "pgbouncer", "usr/sbin/pgbouncer")


def poolers(shop: Workshop) -> None:
    """Unpack the newest PgBouncer, Odyssey and pgpool-II, with a C library of their own."""
    apt = _apt(shop, suite_sources(SUITE), f"{SUITE}-fresh", fresh=True)
    wanted = apt.libraries("pgbouncer", "odyssey", "pgpool2")
    shop.say(f"fetching poolers from {SUITE}, {len(wanted)} packages")
    apt.unpack(wanted, shop.bench)
    for name, program in _POOLERS.items():
        trial = shop.bench / "trial"
        wrapper.write_with_loader(trial, shop.bench / program, shop.bench)
        run([trial, "--version"], unprivileged=True)
        # The bench becomes the home: what the script says must hold there.
        script = shop.bench / "bin" / name
        script.parent.mkdir(exist_ok=True)
        script.write_text(trial.read_text().replace(str(shop.bench), str(shop.home)))
        script.chmod(0o755)
        trial.unlink()


def chromium(shop: Workshop) -> None:
    """Unpack Chromium with the libraries and one font, which this machine may lack too."""
    unpack_with_dependencies(shop, "chromium", "fonts-dejavu-core", "fontconfig-config")
    fonts = shop.home / "fonts.conf"
    (shop.bench / "fonts.conf").write_text(
        '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>'
        f"<dir>{shop.home}/usr/share/fonts</dir><dir>/usr/share/fonts</dir>"
        '<cachedir prefix="xdg">fontconfig</cachedir></fontconfig>\n'
    )
    # The program itself, not Debian's start script, which looks below /usr only.
    _wrap(shop, "chromium", "usr/lib/chromium/chromium", FONTCONFIG_FILE=str(fonts))


def systemd(shop: Workshop) -> None:
    """Unpack systemd-analyze, which judges units without a systemd that runs."""
    unpack_with_dependencies(shop, "systemd")
    _wrap(shop, "systemd-analyze", "usr/bin/systemd-analyze")


def faketime(shop: Workshop) -> None:
    """Unpack the library by which one program's clock is stepped."""
    unpack_with_dependencies(shop, "libfaketime")
    # For programs with threads; its folder is named after the machine.
    (library,) = shop.bench.glob("usr/lib/*/faketime/libfaketimeMT.so.1")
    library.rename(shop.bench / library.name)
    env = {"LD_PRELOAD": str(shop.bench / library.name), "FAKETIME": "@2001-01-01 00:00:00"}
    if not run(["date", "+%Y"], env=env, unprivileged=True).startswith("2001"):
        raise UnavailableError("libfaketime does not step the clock here")


def on_path(program: str) -> Path | None:
    """Return the system's own *program*, if it has one."""
    found = shutil.which(program) or shutil.which(program, path=_SERVER_FOLDERS)
    return None if found is None else Path(found)


def unpack_with_dependencies(shop: Workshop, *packages: str) -> None:
    """Unpack *packages* of the running release with every dependency that is not installed."""
    apt = _apt(shop, system_sources(), "fresh" if shop.fresh else "release", fresh=shop.fresh)
    wanted = apt.missing(*packages)
    shop.say(f"fetching {packages[0]} and what it needs, {len(wanted)} packages")
    apt.unpack(wanted, shop.bench)


def _apt(shop: Workshop, sources: tuple[Source, ...], name: str, *, fresh: bool = False) -> Apt:
    shop.say("reading the package lists of " + ", ".join(source.suite for source in sources))
    return Apt(shop.cache / "apt" / name, sources, fresh=fresh)


def _wrap(shop: Workshop, name: str, program: str, **env: str) -> None:
    """Write the script that starts *program*, and see whether it does start."""
    if not (shop.bench / program).exists():
        text = f"the package holds no {program}"
        raise UnavailableError(text)
    folders = library_folders(shop.bench)
    here, there = (
        {**env, "LD_LIBRARY_PATH": wrapper.library_path(folders, place)}
        for place in (shop.bench, shop.home)
    )
    trial = shop.bench / "trial"
    wrapper.write(trial, shop.bench / program, here)
    run([trial, "--version"], unprivileged=True)
    trial.unlink()
    wrapper.write(shop.bench / "bin" / name, shop.home / program, there)
