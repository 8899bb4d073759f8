"""Converts values to lists and numbers for JSON and back, checking each type.

What a frozen dataclass or a named tuple is made of stands in its annotations, so nothing here knows
of any of them: they become lists of their fields, mappings lists of pairs.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

Plain = Any
"""None, a bool, a number, a string, or a list of such."""

_LARGEST = 2**53
"""Larger numbers are nonsense here, and not exact in every reader of JSON."""


class UnfitError(ValueError):
    """Something does not have the type that it should have."""


def plain(value: object) -> Plain:
    """Return *value*, made of what ``typed`` knows, as lists, numbers and strings."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [plain(part) for part in value]
    if isinstance(value, Mapping):
        return [[plain(key), plain(part)] for key, part in value.items()]
    if is_dataclass(value):
        return [plain(getattr(value, field.name)) for field in fields(value)]
    return value


def typed(kind: Any, value: Plain) -> Any:  # noqa: ANN401 - whatever *kind* says
    """Return what ``plain`` made *value* of, which was of type *kind*; raises UnfitError."""
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        # Of several records the first is meant: the others are never saved.
        other = next(one for one in get_args(kind) if one is not types.NoneType)
        return None if value is None else typed(other, value)
    if kind in (bool, int, float, str) or (isinstance(kind, type) and issubclass(kind, Enum)):
        return _single(kind, value)
    _checked(value, type(value) is list)
    if origin is tuple:
        return _tuple(get_args(kind), value)
    if origin is Mapping:
        pairs = [_tuple(get_args(kind), pair) for pair in value]
        return _checked(dict(pairs), len(dict(pairs)) == len(pairs))
    return kind(*_tuple(_kinds(kind), value))


def _single(kind: Any, value: Plain) -> Any:  # noqa: ANN401 - as above
    if issubclass(kind, Enum):
        return kind(_checked(value, value in [one.value for one in kind]))
    fits = type(value) in ((int, float) if kind is float else (kind,))
    if kind in (int, float):
        fits = fits and abs(value) <= _LARGEST  # NaN is not
    return kind(_checked(value, fits))


def _checked(value: Plain, fits: bool) -> Plain:  # noqa: FBT001 - what is looked at
    if not fits:
        raise UnfitError
    return value


def _tuple(kinds: tuple[Any, ...], values: Plain) -> tuple[Any, ...]:
    if len(kinds) == 2 and kinds[1] is ...:  # noqa: PLR2004 - as in tuple[int, ...]
        return tuple(typed(kinds[0], value) for value in values)
    _checked(values, type(values) is list and len(values) == len(kinds))
    return tuple(typed(kind, value) for kind, value in zip(kinds, values, strict=True))


@cache
def _kinds(record: type) -> tuple[Any, ...]:
    """Return the types of the fields of *record*, a dataclass or a named tuple."""
    return tuple(get_type_hints(record).values())
