"""Serves the files of the status page.

All of them are read once, at the start; nothing else of the disk can be asked for.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from html import escape
from importlib.resources import files

from aiohttp import web

from pgheadroom import __version__

_TYPES = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
"""What is served below ``/static``, and as what."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent."""

    body: bytes
    content_type: str
    etag: str

    def answer(self, request: web.Request) -> web.Response:
        """Return the file, or that the browser has it already."""
        # "no-cache" is to ask each time: after an upgrade no page runs with yesterday's script.
        headers = {"ETag": f'"{self.etag}"', "Cache-Control": "no-cache"}
        if any(tag.value == self.etag for tag in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        return web.Response(
            body=self.body, content_type=self.content_type, charset="utf-8", headers=headers
        )


class Assets:
    """The files of the status page."""

    def __init__(self) -> None:
        folder = files("pgheadroom.web") / "static"
        self._static: dict[str, Asset] = {}
        for file in folder.iterdir():
            kind = _TYPES.get(file.name.rpartition(".")[2])
            if kind is not None:
                self._static[file.name] = _asset(file.read_bytes(), kind)
        self._list = (folder / "list.html").read_text(encoding="utf-8")
        self._target = (folder / "target.html").read_text(encoding="utf-8")

    def static(self, request: web.Request) -> web.Response:
        """Return the file whose name is in the address of *request*."""
        asset = self._static.get(request.match_info["file"])
        if asset is None:
            return web.Response(status=404, text="no such file\n")
        return asset.answer(request)

    def list(self, request: web.Request) -> web.Response:
        """Return the page that lists all targets."""
        return _filled(self._list, target="", root="").answer(request)

    def target(self, request: web.Request, target: str, root: str) -> web.Response:
        """Return the page of *target*; *root* leads from its address to ``/``."""
        return _filled(self._target, target=target, root=root).answer(request)


def _filled(template: str, *, target: str, root: str) -> Asset:
    page = template.replace("{{version}}", escape(__version__))
    page = page.replace("{{root}}", root).replace("{{target}}", escape(target))
    return _asset(page.encode(), "text/html")


def _asset(body: bytes, content_type: str) -> Asset:
    return Asset(body, content_type, hashlib.sha256(body).hexdigest()[:32])
