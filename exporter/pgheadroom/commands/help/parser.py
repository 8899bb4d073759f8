"""Parses the flags of one command; --help lists those that matter, --help-all every one."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn

from pgheadroom.config.allowed import one_of
from pgheadroom.config.flags import add_flags
from pgheadroom.config.given import shown
from pgheadroom.config.load import ConfigurationError
from pgheadroom.config.objections import nearest

_WIDEST = 100
_FLAG_COLUMNS = 28


class Answered(Exception):  # noqa: N818 - it is no error
    """The command line asked for a text alone, --help or --version, which has been printed."""


class Parser(argparse.ArgumentParser):
    """A parser that raises ConfigurationError, in our words, or Answered, and never exits."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - argparse's own
        super().__init__(
            allow_abbrev=False, add_help=False, formatter_class=self._formatter, **options
        )
        self._hidden: frozenset[str] = frozenset()
        self._positionals.title = "arguments"
        self.add_argument("-h", "--help", action="help", help="print this help")

    def add_settings(self, groups: Mapping[str, Iterable[str]], first: Iterable[str]) -> None:
        """Take the settings of *groups*, by heading; --help lists the *first* of them alone."""
        self.add_argument("--help-all", action=_HelpAll, help="print this help with every setting")
        names = [name for group in groups.values() for name in group]
        for heading, group in groups.items():
            add_flags(self.add_argument_group(heading), group)
        self._hidden = frozenset(names).difference(first)

    def print_whole_help(self) -> None:
        """Print what --help-all lists."""
        self._hidden = frozenset()
        self.print_help()

    def format_help(self) -> str:
        """Return the help, and how much of it is left out."""
        more = f"\n--help-all lists {len(self._hidden)} more settings.\n" if self._hidden else ""
        return super().format_help() + more

    def _formatter(self, *, prog: str) -> argparse.HelpFormatter:
        return _Formatter(prog, self._hidden)

    def takes(self, flag: str) -> bool:
        """Tell whether *flag* is one of the flags."""
        return flag in self._option_string_actions

    def nearest_flag(self, flag: str) -> str | None:
        """Return the flag that is nearly *flag*."""
        flags = {known.lstrip("-"): known for known in self._option_string_actions}
        close = nearest(flag.lstrip("-"), flags)
        return None if close is None else flags[close]

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:  # noqa: ARG002 - argparse's
        """Raise Answered: `error`, below, does not come here."""
        raise Answered

    def error(self, message: str) -> NoReturn:
        """Raise ConfigurationError."""
        flag, _, complaint = message.removeprefix("argument ").partition(": ")
        flag = flag.partition("/")[0]
        if complaint == "expected one argument":
            message = f"{flag}: no value is given"
        elif complaint.startswith("ignored explicit argument"):  # and repeats it
            message = f"{flag}: no value is allowed; it stands alone"
        elif message.startswith("the following arguments are required: "):
            message = f"missing: {message.partition(': ')[2]}; see --help"
        raise ConfigurationError([message.removeprefix("argument ")])


class _HelpAll(argparse.Action):
    """Prints the help with every setting."""

    def __init__(self, option_strings: list[str], dest: str, **options: Any) -> None:  # noqa: ANN401, ARG002 - argparse's own
        super().__init__(option_strings, argparse.SUPPRESS, nargs=0, help=options["help"])

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        """Print it, and raise Answered."""
        if isinstance(parser, Parser):
            parser.print_whole_help()
        raise Answered


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Wraps at the width of the terminal, 100 columns at most, and leaves out what is hidden."""

    def __init__(self, prog: str, hidden: frozenset[str]) -> None:
        width = min(_WIDEST, shutil.get_terminal_size().columns)
        super().__init__(prog, max_help_position=_FLAG_COLUMNS, width=width)
        self._hidden = hidden

    def add_argument(self, action: argparse.Action) -> None:
        """Add *action* to the help."""
        if action.dest not in self._hidden:
            super().add_argument(action)


def one_word(words: Iterable[str]) -> Callable[[str], str]:
    """Return what reads one of *words* from a command line."""
    allowed = tuple(words)

    def read(text: str) -> str:
        if text not in allowed:
            given = shown(text, secret=False)
            raise argparse.ArgumentTypeError(f"{given} is not allowed; give {one_of(allowed)}")
        return text

    return read
