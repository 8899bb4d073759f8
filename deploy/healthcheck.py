"""Does the daemon in this container answer? The image's HEALTHCHECK; exits 0 if it does, else 1.

It asks where the daemon was told to listen: by a flag, else by the environment, else by its file.
"""  # noqa: INP001 - a script in a folder of examples

from __future__ import annotations

import argparse
import http.client
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

DEFAULT = ":10187"
_DEADLINE_SECONDS = 3.0


def listening(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """Return the HOST:PORT that a daemon started by *command* in *environment* listens at."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--listen")
    parser.add_argument("--config")
    # An init sets its own command line apart with two dashes, which would end the flags.
    flags, _ = parser.parse_known_args([word for word in command if word != "--"])
    config = flags.config or environment.get("PGHEADROOM_CONFIG")
    in_file = _read(Path(config)).get("listen") if config else None
    return flags.listen or environment.get("PGHEADROOM_LISTEN") or in_file or DEFAULT


def healthy(address: str) -> bool:
    """Tell whether /-/healthy answers 200 at *address*; no host means the loopback interface."""
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") or "127.0.0.1"
    connection = http.client.HTTPConnection(host, int(port), timeout=_DEADLINE_SECONDS)
    try:
        connection.request("GET", "/-/healthy")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


def _read(config: Path) -> Mapping[str, str]:
    settings = yaml.safe_load(config.read_text(encoding="utf-8"))
    return settings if isinstance(settings, dict) else {}


if __name__ == "__main__":
    # The daemon is the container's first process, or its init's child: then init's own command
    # line ends with the daemon's.
    started_by = Path("/proc/1/cmdline").read_text(encoding="utf-8").split("\0")
    sys.exit(not healthy(listening(started_by, os.environ)))
