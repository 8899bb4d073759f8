"""Where do the settings come from, and what is wrong with them: all of it, in words.

Reads flags, environment and YAML file into Settings, or raises one error that lists every problem.
"""

from __future__ import annotations

import argparse
import difflib
import os
import ssl
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    CliSettingsSource,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsError,
)

from pgheadroom.names import visible
from pgheadroom.settings import PREFIX, TARGET_NAMES, Settings, allowed_range
from pgheadroom.web_config import WebConfig, web_config
from pgheadroom.web_tls import server_context

# What is given for these is never repeated: it may hold a password. URLs say themselves what of
# them can be told.
_SECRET = frozenset({"dsn", "canary_dsn", "alertmanager_urls", "external_url"})

_METAVARS = {
    "--config": "FILE",
    "--dsn": "CONNINFO",
    "--canary-dsn": "CONNINFO",
    "--targets": "NAME=CONNINFO",
    "--listen": "HOST:PORT",
    "--max-applications": "N",
    "--fold-rules": "JSON",
    "--alert-labels": "NAME=VALUE",
    "--state-directory": "DIRECTORY",
    "--alertmanager-username": "NAME",
}
_BY_UNIT = {
    "-seconds": "SECONDS",
    "-ratio": "RATIO",
    "-file": "FILE",
    "-url": "URL",
    "-urls": "URL,URL",
}


_STRAY = "an argument without a flag; a connection string is given as --dsn CONNINFO"


class ConfigurationError(Exception):
    """The settings are not allowed; ``problems`` has one line for each thing that is wrong."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(map(visible, problems))
        super().__init__("; ".join(self.problems))


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one of several, not the end."""

    def error(self, message: str) -> NoReturn:
        _, colon, given = message.partition("unrecognized arguments: ")
        if not colon:
            raise ConfigurationError([message])
        # Of what was given, only flags are repeated: the rest may be a connection string.
        flags = [word.partition("=")[0] for word in given.split() if word.startswith("-")]
        raise ConfigurationError([f"no such flag: {flag}" for flag in flags] or [_STRAY])


def load(
    arguments: Sequence[str],
    *,
    program: str,
    description: str,
    operands: Sequence[str] = (),
    epilog: str = "",
    environment: Mapping[str, str] = os.environ,
) -> Settings:
    """Return the settings that *arguments*, environment and file make; they are valid.

    Raises ConfigurationError with every problem there is; ends the process with the help text
    for ``--help``, as a command does; *operands* are what that names besides settings.
    *environment* is looked through for misspelt names.
    """
    problems: list[str] = []
    try:
        command_line = _command_line(arguments, program, description, epilog, operands)
    except ConfigurationError as error:
        # Go on with what is understood, so that what is wrong elsewhere is told as well.
        problems += error.problems
        command_line = _understood(arguments, program)
    flags = _values(command_line, problems)
    from_environment = _values(EnvSettingsSource(Settings), problems)
    path = flags.get("config") or from_environment.get("config")
    from_file: dict[str, Any] = {}
    if path:
        from_file, wrong = _read(Path(path), "settings, such as 'listen: :10187'")
        problems += [f"config: {problem}" for problem in wrong]
        problems += _take_out_unknown(from_file)
    problems += _unknown_variables(environment)
    merged = _merged(from_file, from_environment, flags)
    try:
        settings = _Merged(**merged)
    except ValidationError as error:
        problems += [_words(detail) for detail in error.errors(include_url=False)]
        raise ConfigurationError(problems) from None
    if problems:
        raise ConfigurationError(problems)
    return settings


def load_web(path: Path | None) -> tuple[WebConfig, ssl.SSLContext | None]:
    """Return what the web configuration file at *path* says, and how to serve HTTPS if it says so.

    Raises ConfigurationError with every problem there is.
    """
    if path is None:
        return WebConfig(), None
    given, problems = _read(path, "sections, such as tls_server_config")
    config = web_config(given, path.parent, problems)
    context = None if config.tls is None else server_context(config.tls, problems)
    if problems:
        raise ConfigurationError([f"web_config_file: {problem}" for problem in problems])
    return config, context


class _Merged(Settings):
    """Settings from nothing but what they are made with: the sources were merged before."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)


def _understood(arguments: Sequence[str], program: str) -> CliSettingsSource[Any]:
    try:
        return _command_line(arguments, program, "", "", ignore_unknown=True)
    except ConfigurationError:
        return _command_line([], program, "", "")


def _command_line(
    arguments: Sequence[str],
    program: str,
    description: str,
    epilog: str,
    operands: Sequence[str] = (),
    *,
    ignore_unknown: bool = False,
) -> CliSettingsSource[Any]:
    parser = _Parser(
        prog=program,
        # Each setting is listed below.
        usage=" ".join(["%(prog)s", *operands, "[SETTING ...]"]),
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    return CliSettingsSource(
        Settings,
        root_parser=parser,
        cli_parse_args=list(arguments),
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        cli_ignore_unknown_args=ignore_unknown,
        # As the exporters of Prometheus call it.
        cli_shortcuts={"web-config-file": "web.config.file"},
        add_argument_method=_add_argument,
    )


def _add_argument(group: argparse.ArgumentParser, *names: str, **options: Any) -> argparse.Action:  # noqa: ANN401 - argparse's own signature
    """Name values by what they are, and leave out defaults that say nothing."""
    metavar = next((_METAVARS[name] for name in names if name in _METAVARS), None)
    metavar = metavar or next(
        (word for end, word in _BY_UNIT.items() if any(name.endswith(end) for name in names)), None
    )
    if metavar:
        options["metavar"] = metavar
    text = str(options.get("help", ""))
    for noise in (" (default: null)", " (default factory: dict)", " (default factory: list)"):
        text = text.replace(noise, "")
    range_ = allowed_range(names[-1].removeprefix("--").replace("-", "_"))
    if range_:
        text = text.replace("(default: ", f"({range_}, default: ")
    options["help"] = text.replace("%", "%%")
    return argparse.ArgumentParser.add_argument(group, *names, **options)


def _values(
    source: CliSettingsSource[Any] | EnvSettingsSource, problems: list[str]
) -> dict[str, Any]:
    try:
        return source()
    except SettingsError as error:
        problems.append(f"{error} (a mapping or a list is given as JSON)")
        return {}


def _merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Put *layers* on top of one another, the last one counting most; targets by name."""
    merged: dict[str, Any] = {}
    targets: dict[str, Any] = {}
    for layer in layers:
        merged |= layer
        if isinstance(layer.get("targets"), dict):
            targets |= layer["targets"]
    if isinstance(merged.get("targets"), dict):
        merged["targets"] = targets
    return merged


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, but all that it cannot take is a YAMLError, which says where.

    A key that stands twice is an error too, not the last one's luck.
    """

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # noqa: ANN401, FBT001, FBT002 - the signature of what it overrides
        try:
            value = super().construct_object(node, deep)
            if isinstance(value, str):
                value.encode()
        except (ValueError, LookupError, AttributeError, TypeError, ArithmeticError):
            # PyYAML lets through whatever int(), datetime() and its own tables raise.
            problem = "a value that is not what it looks like, or what its tag says"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from None
        if isinstance(value, str) and "\0" in value:
            problem = "a NUL character, which no name, path or address can hold"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        return value

    def construct_mapping(self, node: yaml.Node, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - the signature of what it overrides
        if not isinstance(node, yaml.MappingNode):  # with a tag that says so, such as !!set
            problem = "expected a mapping node, for that is what its tag says"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                problem = f"the key {key!r} stands twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            if not isinstance(key, dict | list):  # which are refused; aliases can make them huge
                seen.add(key if isinstance(key, str) else repr(key))
        return super().construct_mapping(node, deep)


def _read(path: Path, what: str) -> tuple[dict[str, Any], list[str]]:
    """Return what the file at *path*, a mapping of *what*, holds; and what is wrong with it."""
    try:
        read = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - a safe loader, made stricter
        if read is None:
            return {}, []
        if isinstance(read, dict) and all(isinstance(key, str) for key in read):
            return read, []
        problem = f"{path} must be a mapping of {what}"
    except OSError as error:
        problem = f"cannot read {path}: {error.strerror}"
    except UnicodeDecodeError:
        problem = f"{path} is not UTF-8"
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        problem = f"{where}: {error.problem or 'not YAML'}"
    except yaml.YAMLError as error:
        problem = f"{path}: not YAML: {error}"
    except RecursionError:
        problem = f"{path} is nested too deeply"
    return {}, [problem]


def _take_out_unknown(from_file: dict[str, Any]) -> list[str]:
    """Leave only settings in *from_file*, and return a line for each other key.

    pydantic-settings takes some keys that begin with _ for orders to itself.
    """
    known = set(Settings.model_fields)
    unknown = [key for key in from_file if key not in known]
    for key in unknown:
        del from_file[key]
    return [f"{key}: no such setting{_meant(key, known)}" for key in unknown]


def _unknown_variables(environment: Mapping[str, str]) -> Iterator[str]:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    for name in sorted(environment):
        upper = name.upper()
        if upper.startswith(PREFIX) and upper.split("__")[0] not in known:
            yield f"{name}: no such setting{_meant(upper, known)}"


def _words(detail: ErrorDetails) -> str:
    """Say what is wrong with one setting: which, what was given, what is allowed."""
    location = [str(part) for part in detail["loc"]]
    key = ".".join(location) or "settings"
    if detail["type"] == "extra_forbidden":
        siblings = set(Settings.model_fields) if len(location) == 1 else set()
        return f"{key}: no such setting{_meant(key, siblings)}"
    if location[-1:] == ["[key]"]:
        return f"targets: {detail['input']!r} is not allowed as a name: {TARGET_NAMES}"
    allowed = detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
    allowed = allowed[:1].lower() + allowed[1:]
    if _SECRET.intersection(location) or not location or isinstance(detail["input"], dict | list):
        return f"{key}: {allowed}"
    if location[0] == "targets" and len(location) <= 2:  # noqa: PLR2004 - the target itself: perhaps its connection string
        return f"{key}: {allowed}"
    return f"{key}: {detail['input']!r} is not allowed: {allowed}"


def _meant(given: str, known: set[str]) -> str:
    close = difflib.get_close_matches(given, sorted(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""
