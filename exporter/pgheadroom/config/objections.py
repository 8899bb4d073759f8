"""Words why a setting is not allowed: where it was given, what was given, what to give instead.

Pydantic finds what is wrong; none of its words is passed on.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Sequence

from pydantic_core import ErrorDetails

from pgheadroom.config.allowed import PARTS, TEXT, allowed
from pgheadroom.config.given import Given, Location, shown
from pgheadroom.config.settings import Settings
from pgheadroom.config.strict import SEVERAL
from pgheadroom.config.target import TARGET_NAMES

# What is given for these is never repeated: it may hold a password.
_SECRET = frozenset({"dsn", "canary_dsn"})
_URLS = frozenset({"alertmanager_urls", "external_url", "metrics_url", "import_prometheus_url"})
_NEAR = 0.65  # dns is as near to dsn as 0.67, elsewhere to here as 0.62
_OF_A_TARGET = re.compile(r"targets\.(.+)\.(\w+): ")


def objections(detail: ErrorDetails, layers: Sequence[Given]) -> Iterator[str]:
    """Yield *detail* in lines; *layers* are the places that were read, the strongest last."""
    location = tuple(detail["loc"])
    place = _place(location, layers)
    if not location:
        yield from (_misfit(words, layers) for words in _own_words(detail))
    elif detail["type"] == "extra_forbidden":
        yield _unknown(location, place)
    elif location[-1] == "[key]":
        name = shown(detail["input"], secret=False)
        what = TARGET_NAMES if location[0] == "targets" else TEXT
        where = f"{place.place(location[:-1])}{place.called(location[:1])}"
        yield f"{where}: {name} is not allowed as a name; {what}"
    else:
        where = f"{place.place(location)}{place.called(location)}"
        yield from (f"{where}: {words}" for words in _refused(detail, location, place))


def not_a_mapping_of_targets(value: object, place: Given) -> str:
    """Return the line for what is said for `targets`, all of it, and is no mapping."""
    where = f"{place.place(('targets',))}{place.called(('targets',))}"
    return f"{where}: {_not_allowed(value, allowed(('targets',), in_text=place.in_text))}"


def no_such(where: str) -> str:
    """Return the line for what is no setting."""
    return f"{where}: no such setting"


def meant(word: object, names: Collection[str]) -> str:
    """Return what to add when one of *names* is nearly *word*; else nothing."""
    close = nearest(word, names)
    return "" if close is None else f"; did you mean {close}?"


def nearest(word: object, names: Collection[str]) -> str | None:
    """Return the one of *names* that is nearly *word*."""
    return next(iter(difflib.get_close_matches(str(word), sorted(names), 1, _NEAR)), None)


def _place(location: Location, layers: Sequence[Given]) -> Given:
    return next((one for one in reversed(layers) if one.says(location)), layers[0])


def _unknown(location: Location, place: Given) -> str:
    model = Settings if len(location) == 1 else PARTS[str(location[0])]
    close = nearest(location[-1], model.model_fields)
    where = f"{place.place(location)}{no_such(place.called(location))}"
    if close is None:
        return where
    # A variable is suggested by its whole name, a key of a mapping by itself.
    whole = place.called((*location[:-1], close))
    return f"{where}; did you mean {whole if place.called(location).isupper() else close}?"


def _refused(detail: ErrorDetails, location: Location, place: Given) -> Iterator[str]:
    value = detail["input"]
    if detail["type"] == SEVERAL:
        yield from _own_words(detail)
        return
    secret = bool(_SECRET.intersection(location)) or (
        location[0] == "targets" and len(location) <= 2  # noqa: PLR2004 - the target itself
    )
    if _URLS.intersection(location):
        secret = "?" in str(value)  # a token may stand there
    if detail["type"] != "value_error":
        yield _not_allowed(value, allowed(location, in_text=place.in_text), secret=secret)
    elif secret or isinstance(value, dict | list):
        yield from _own_words(detail)
    else:
        yield from (_not_allowed(value, words, secret=secret) for words in _own_words(detail))


def _not_allowed(value: object, words: str, *, secret: bool = True) -> str:
    # What to give is another clause; why it is wrong belongs to this one.
    joint = "; " if words.startswith("give ") else ": "
    return f"{shown(value, secret=secret)} is not allowed{joint}{words}"


def _own_words(detail: ErrorDetails) -> list[str]:
    """Return what our own validators said, a line for each problem."""
    if detail["type"] == SEVERAL:
        return [*detail["ctx"]["problems"]]
    return [str(detail["ctx"]["error"])]


def _misfit(words: str, layers: Sequence[Given]) -> str:
    """Return *words* about settings that do not go together, as the places call them."""
    names = "|".join(sorted(Settings.model_fields, key=len, reverse=True))
    pattern = re.compile(rf"(?<![\w.])({names})(?![\w.])")

    def called(match: re.Match[str]) -> str:
        return next(
            (one.called((match[0],)) for one in reversed(layers) if one.says((match[0],))), match[0]
        )

    of_a_target = _OF_A_TARGET.match(words)
    first = pattern.search(words)
    location: Location = ("targets", *of_a_target.groups()) if of_a_target else ()
    if first is not None and not location:
        location = (first[0],)
    place = next((one for one in reversed(layers) if one.says(location)), None)
    return f"{place.place(location) if place else ''}{pattern.sub(called, words)}"
