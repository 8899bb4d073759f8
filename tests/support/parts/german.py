"""Makes a PostgreSQL server speak German.

The npm builds are compiled without message catalogues, Debian's with them. Its server is taken
from the system if there is one, else unpacked; the locale is compiled into a folder of our own, so
that the system's list of locales stays as it is.
"""

from pathlib import Path
from typing import Final

from tests.support.parts import wrapper
from tests.support.parts.cluster import make_template
from tests.support.parts.command import run
from tests.support.parts.debian import unpack_with_dependencies
from tests.support.parts.libraries import library_folders
from tests.support.parts.part import UnavailableError, Workshop

LOCALE: Final = "de_DE.UTF-8"
_I18N: Final = Path("usr/share/i18n")


def build(shop: Workshop) -> None:
    """Put together a `bin`, a locale and a template of a server that has a German catalogue."""
    system = Path("/")
    if shop.fresh or _server(system) is None:
        unpack_with_dependencies(shop, "postgresql", "locales")
        root, final = shop.bench, shop.home
    else:
        root = final = system
    server = _server(root)
    if server is None:
        text = "Debian's PostgreSQL holds no German catalogue"
        raise UnavailableError(text)
    _compile_locale(shop, root)
    folders = () if root == system else library_folders(root)
    for place, scripts in ((root, "trial"), (final, "bin")):
        locales = (shop.bench if scripts == "trial" else shop.home) / "locale"
        env = {
            "LOCPATH": str(locales),
            "LD_LIBRARY_PATH": wrapper.library_path(folders, place),
        }
        for program in ("postgres", "initdb"):
            script = shop.bench / scripts / program
            wrapper.write(script, place / server / program, env)
    make_template(shop.bench / "trial", shop.bench / "template")


def _server(root: Path) -> Path | None:
    """Return the newest `usr/lib/postgresql/N/bin` below *root* whose catalogue is there too."""
    catalogues = root / "usr/share/locale/de/LC_MESSAGES"
    majors = (
        program.parent.parent.name for program in root.glob("usr/lib/postgresql/*/bin/initdb")
    )
    complete = [int(major) for major in majors if (catalogues / f"postgres-{major}.mo").exists()]
    return Path(f"usr/lib/postgresql/{max(complete)}/bin") if complete else None


def _compile_locale(shop: Workshop, root: Path) -> None:
    shop.say(f"compiling the locale {LOCALE}")
    sources = next(
        (place for place in (root, Path("/")) if (place / _I18N / "locales/de_DE").exists()), None
    )
    if sources is None:
        unpack_with_dependencies(shop, "locales")
        sources = shop.bench
    (shop.bench / "locale").mkdir()
    name, _, encoding = LOCALE.partition(".")
    run(
        ["localedef", "-i", name, "-f", encoding, shop.bench / "locale" / LOCALE],
        env={"I18NPATH": str(sources / _I18N)},
    )
