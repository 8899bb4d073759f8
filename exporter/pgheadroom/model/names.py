"""Folds application names: one name for all processes of one application.

``application_name`` is whatever a client says. What varies from one process to the next (a uuid, a
pod's hash, a pid, a port) is folded away, so that one application is one series; what can't be
printed is escaped, so that no name can forge a line.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass

from pgheadroom.text import printable

UNNAMED = "unnamed"
OTHER = "other"


@dataclass(frozen=True, slots=True)
class Rule:
    """Replace what *pattern* finds by *replacement*, wherever it stands in a name."""

    pattern: re.Pattern[str]
    replacement: str


# The letters and digits that Kubernetes makes names of: no vowels, so no words
# (apimachinery, util/rand).
_POD = "[bcdfghjklmnpqrstvwxz2456789]"

DEFAULT_RULES: tuple[Rule, ...] = tuple(
    Rule(re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        # a uuid, with or without its dashes
        (r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", "*"),
        # the address that PgBouncer appends (application_name_add_host), and its like
        (r"\[[0-9a-f:.]*:[0-9a-f:.]*\](:\d+)?", "*"),
        (r"\b\d{1,3}(\.\d{1,3}){3}(:\d+)?\b", "*"),
        (r"(?<=[@ ])[a-z0-9][a-z0-9.-]*:\d{2,5}\b", "*"),
        # the pods of a Deployment: name-replicaset-pod
        (rf"-(?=[a-z]*\d){_POD}{{6,10}}-{_POD}{{5}}(?![a-z0-9])", "-*"),
        # the pods of a DaemonSet or a Job: at least one digit, or it might be a word
        (rf"-(?=[a-z]*\d){_POD}{{5}}$", "-*"),
        # long hex with a digit in it: a commit, a container
        (r"(?<![0-9a-z])(?=[a-f]*\d)[0-9a-f]{7,}(?![0-9a-z])", "*"),
        # a pid: name[123], name(123), pid=123, pid 123
        (r"(?<=[\[(])\d+(?=[\])])", "*"),
        (r"\bpid([=: ]?)\d+", r"pid\1*"),
        # a replica, a worker, a port: name-0, name_12, name:5432, name#3, name/7
        (r"(?<=[-_:#/])\d+$", "*"),
        # any long number: a timestamp, a job
        (r"\d{5,}", "*"),
    )
)


class NameFolder:
    """Folds names by rules; remembers what it folded, up to a bound."""

    def __init__(self, rules: Iterable[Rule] = DEFAULT_RULES) -> None:
        self._rules = tuple(rules)
        self.fold = functools.lru_cache(maxsize=4096)(self._fold)

    def _fold(self, name: str) -> str:
        folded = name.strip()
        for rule in self._rules:
            folded = rule.pattern.sub(rule.replacement, folded)
        return printable(folded.strip()) or UNNAMED
