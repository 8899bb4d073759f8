"""Finds for each target the server in a Prometheus that it is: by name, by address, or as told.

A wrong match would teach a target another server's days, so in doubt there is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from pgheadroom.backtest.prometheus import KnownServer
from pgheadroom.postgres.whereabouts import address

_PLACE = re.compile(r"(?P<host>[A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+\]):(?P<port>\d{1,5})", re.ASCII)
_HERE = re.compile(r"|localhost|127\.\d+\.\d+\.\d+|\[::1\]|0\.0\.0\.0")
_LABELS = ("target", "server", "instance")


class NoMatchError(Exception):
    """A target is none, or more than one, of the servers; the message says why in one line."""


class Wanted(NamedTuple):
    """A target whose history is wanted."""

    target: str
    address: str
    """As the target's settings say, see ``whereabouts``."""
    identifier: str = ""
    """What initdb called the cluster, as last known; empty while it is not."""
    called: str | None = None
    """What it is called in Prometheus, where a person has said so."""


@dataclass(frozen=True, slots=True)
class Match:
    """What a Prometheus knows of one target."""

    target: str
    servers: tuple[KnownServer, ...]
    """One server, under the labels that it had one after the other."""
    notes: tuple[str, ...] = ()
    """What a reader should know of the match and of the figures."""


def matched(wanted: Wanted, known: Sequence[KnownServer]) -> Match:
    """Return which of *known* the target is; raises NoMatchError."""
    if wanted.called is not None:
        found = [one for one in known if wanted.called in (one.name, *_labels(one))]
        if not found:
            raise NoMatchError(f"there is no {wanted.called}")
        return _one(wanted, found)
    named = [one for one in known if one.own and one.identity.get("target") == wanted.target]
    here = [one for one in named if not one.servers or wanted.address in _addresses(one)]
    if named and not here:
        places = ", ".join(sorted({place for one in named for place in _addresses(one)}))
        raise NoMatchError(f"its name is there, but of another server: {places}")
    for fits in (
        here,
        [one for one in known if one.own and wanted.address in _addresses(one)],
        [one for one in known if not one.own and wanted.address in _addresses(one)],
        [one for one in known if not one.own and wanted.target in (one.name, *_labels(one))],
    ):
        if fits:
            return _one(wanted, [_there(one, wanted.address) for one in fits])
    raise NoMatchError("nothing there has its name or its address")


def matched_all(
    wanted: Sequence[Wanted], known: Sequence[KnownServer]
) -> tuple[list[Match], list[str]]:
    """Return the matches of all *wanted*, and a line for each target that has none."""
    matches: list[Match] = []
    problems: list[str] = []
    for one in wanted:
        try:
            matches.append(matched(one, known))
        except NoMatchError as error:
            problems.append(f"{one.target} (at {one.address}): {error}")
    return matches, problems


def listed(known: Sequence[KnownServer]) -> str:
    """Return what there is, for a person who is to choose."""
    return ", ".join(
        f"{one.name} ({'pgheadroom' if one.own else 'postgres_exporter'})" for one in known
    )


def _one(wanted: Wanted, found: Sequence[KnownServer]) -> Match:
    """Return the match, if all *found* are one server."""
    # Of our own, some are of a version that did not say where its target is.
    places = [_addresses(one) for one in found if not one.own or one.servers]
    if len(found) > 1 and places and not set.intersection(*places):
        names = ", ".join(one.name for one in found)
        raise NoMatchError(f"{len(found)} of them may be it: {names}")
    return Match(wanted.target, tuple(found), tuple(dict.fromkeys(_notes(wanted, found))))


def _notes(wanted: Wanted, found: Sequence[KnownServer]) -> Iterator[str]:
    for one in found:
        yield from one.notes
        if wanted.called is not None and one.own and wanted.address not in _addresses(one):
            places = ", ".join(sorted(_addresses(one)))
            if places:
                yield f"It was measured at {places}, and the target is at {wanted.address}."
        others = {place.partition("#")[2] for place in one.only or one.servers} - {""}
        if wanted.identifier and others and wanted.identifier not in others:
            yield "It is of an earlier cluster: the server has another system identifier now."


def _labels(one: KnownServer) -> list[str]:
    return [one.identity[key] for key in _LABELS if one.identity.get(key)]


def _there(one: KnownServer, where: str) -> KnownServer:
    """Return *one* without the times when the target of that name was elsewhere."""
    wanted = tuple(place for place in one.servers if place.partition("#")[0] == where)
    return replace(one, only=tuple(dict.fromkeys(wanted)))


def _addresses(one: KnownServer) -> set[str]:
    """Return where the server may be, as ``whereabouts`` would call it."""
    if one.own:
        return {place.partition("#")[0] for place in one.servers}
    return set(_of_exporter(one.identity))


def _of_exporter(labels: Mapping[str, str]) -> Iterator[str]:
    """Yield what an exporter's labels say; to one that runs beside the server, that is local."""
    instance, server = (_PLACE.fullmatch(labels.get(key, "")) for key in ("instance", "server"))
    if server is not None and not _HERE.fullmatch(server["host"]):
        yield _address(server["host"], server["port"])
    elif server is not None and instance is not None and not _HERE.fullmatch(instance["host"]):
        yield _address(instance["host"], server["port"])
    elif server is None and instance is not None and not _HERE.fullmatch(instance["host"]):
        yield _address(instance["host"], instance["port"])


def _address(host: str, port: str) -> str:
    return address(f"host={host.strip('[]')} port={port}")
