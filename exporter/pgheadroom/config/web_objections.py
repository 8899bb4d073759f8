"""Words why a key of the web configuration file is not allowed, and what to give instead."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from pgheadroom.config.allowed import TEXT, one_of
from pgheadroom.config.given import Location, shown
from pgheadroom.config.objections import meant

_FROM_FILES = "certificates and keys are read from files; use cert_file and key_file"
_UNSUPPORTED = {
    "rate_limit": "failed logins are limited anyway, see docs/web-config.md",
    "tls_server_config.cert": _FROM_FILES,
    "tls_server_config.key": _FROM_FILES,
    "tls_server_config.client_ca": "the CA certificates are read from a file; use client_ca_file",
    "tls_server_config.curve_preferences": "Python's ssl cannot set their order",
}
_WORDS = {
    "string_type": TEXT,
    "bool_type": "give true or false",
    "list_type": "give a list of texts",
    "model_type": "give a mapping",
    "dict_type": "give a mapping",
}
_MISSING = ("missing", "too_short")
_KEYS = f"a key that is not text is not allowed; {TEXT}"


def web_objection(
    detail: ErrorDetails, sections: Mapping[str, type[BaseModel]]
) -> tuple[Location, str]:
    """Return where in the file *detail* is, and what is wrong, in our words.

    *sections* has what is allowed in each mapping of the file, by its dotted path. What stands in
    the place of a password's hash is not repeated: it may be the password.
    """
    kind, location = detail["type"], tuple(detail["loc"])
    path = [part for part in location if isinstance(part, str) and part != "[key]"]
    where = ".".join(path)
    if kind in _MISSING:
        words = "is missing"
    elif location[-1] == "[key]" or kind == "invalid_key":
        words = str(detail["ctx"]["error"]) if kind == "value_error" else _KEYS
    elif kind != "extra_forbidden":
        words = _not_allowed(detail, secret=path[0] == "basic_auth_users")
    elif where in _UNSUPPORTED:
        words = f"not supported; {_UNSUPPORTED[where]}"
    else:
        keys = [f.alias or name for name, f in sections[".".join(path[:-1])].model_fields.items()]
        words = f"no such key{meant(path[-1], keys) or f'; use {one_of(keys)}'}"
    return tuple(path), f"{where}: {words}"


def _not_allowed(detail: ErrorDetails, *, secret: bool) -> str:
    given = shown(detail["input"], secret=secret)
    if detail["type"] == "value_error":
        return f"{given} is not allowed; {detail['ctx']['error']}"
    if isinstance(detail["loc"][-1], int):
        return f"{given} is not allowed in this list; {TEXT}"
    if str(detail["loc"][-1]).endswith("_file"):
        return f"{given} is not allowed; give the path of a file"
    return f"{given} is not allowed; {_WORDS[detail['type']]}"
