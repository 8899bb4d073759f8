"""Which harnesses are there?"""

from __future__ import annotations

from fuzz import of_files, of_http, of_names, of_server, of_settings
from fuzz.harness import Harness

HARNESSES: tuple[Harness, ...] = (
    *of_names.HARNESSES,
    *of_server.HARNESSES,
    *of_http.HARNESSES,
    *of_files.HARNESSES,
    *of_settings.HARNESSES,
)
