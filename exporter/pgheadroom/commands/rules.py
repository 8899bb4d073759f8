"""Runs `pgheadroom rules`: prints the Prometheus rules that come with the package."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path

import yaml

from pgheadroom.commands.arguments import ExitStatus
from pgheadroom.commands.help.parser import Parser, one_word
from pgheadroom.config.given import shown
from pgheadroom.config.load import ConfigurationError
from pgheadroom.metrics.table import TABLE
from pgheadroom.model.alert import RUNBOOKS

_FILE = "pgheadroom.rules.yml"

DESCRIPTION = """\
Prints alerting and recording rules for Prometheus. They need no editing: the
thresholds are settings of the daemon, which exports them with its metrics."""

EPILOG = """\
examples:
  pgheadroom rules > /etc/prometheus/rules/pgheadroom.rules.yml
  pgheadroom rules --format prometheusrule | kubectl apply -n monitoring -f -
  pgheadroom rules --runbooks https://wiki.example.com/runbooks
  pgheadroom rules --labels team,region
"""

LABELS = ("cluster", "namespace", "env")
"""The labels of a scrape that go along into alerts anyhow."""

# In the forms in which they stand in the file: in PromQL, and in the templates of texts.
_FORMS: tuple[Callable[[Sequence[str]], str], ...] = (
    ", ".join,
    lambda names: ",".join(f"{name}=%q" for name in names),
    lambda names: " ".join(f"$labels.{name}" for name in names),
)

_NAME = re.compile(r"(?!__)[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_TAKEN = frozenset(
    {
        *("job", "instance", "target", "server", "alertname", "severity"),
        *(label for metric in TABLE for label in metric.labels),
    }
)

# What a URL is made of (RFC 3986) that means nothing to YAML or to Prometheus's templates, after
# which /<AlertName>.md still belongs to the path; and no @, before which a password may stand.
_URL = re.compile(r"https?://[A-Za-z0-9\[][A-Za-z0-9._~:/!$&()*+,;=%\[\]-]*")


HELP = "print the alerting rules for Prometheus"
USAGE = "%(prog)s [--format FORMAT] [--runbooks URL] [--labels NAME,NAME]"


def add_arguments(parser: Parser) -> None:
    """Take the format, and what is put in place of the defaults."""
    parser.add_argument(
        "--format",
        type=one_word(("prometheus", "prometheusrule")),
        metavar="{prometheus,prometheusrule}",
        default="prometheus",
        help="a rule file for Prometheus, or a PrometheusRule for its Kubernetes operator"
        " (default: %(default)s)",
    )
    parser.add_argument(
        "--runbooks",
        type=_url,
        default=RUNBOOKS,
        metavar="URL",
        help="where the runbooks are: alerts link to URL/<AlertName>.md (default: %(default)s)",
    )
    parser.add_argument(
        "--labels",
        type=_labels,
        default=(),
        metavar="NAME,NAME",
        help=f"labels of the scrape to keep in alerts, in addition to {', '.join(LABELS)}; they"
        " tell servers apart, so leave out those by which a pair of daemons differs",
    )


def run(options: argparse.Namespace) -> ExitStatus:
    """Print the rules."""
    if options.problems:
        raise ConfigurationError(options.problems)
    text = plain(options.runbooks, options.labels)
    sys.stdout.write(text if options.format == "prometheus" else prometheus_rule(text))
    return ExitStatus.OK


def plain(runbooks: str = RUNBOOKS, labels: Sequence[str] = ()) -> str:
    """Return the rules as Prometheus reads them, with links to runbooks below *runbooks*.

    *labels* of the scrape go along into alerts, and tell servers apart, beside LABELS.
    """
    text = _file().replace(f"{RUNBOOKS}/", f"{runbooks.rstrip('/')}/")
    for form in _FORMS:
        text = text.replace(form(LABELS), form((*LABELS, *labels)))
    return text


def prometheus_rule(text: str) -> str:
    """Return the plain rules *text* as the Prometheus Operator's PrometheusRule."""
    resource = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "pgheadroom"},
        "spec": yaml.safe_load(text),
    }
    return yaml.dump(resource, Dumper=_Dumper, sort_keys=False, width=100)


def _file() -> str:
    installed = files("pgheadroom") / "alerts" / _FILE
    if installed.is_file():
        return installed.read_text(encoding="utf-8")
    checkout = Path(__file__).parents[3] / "alerts" / _FILE
    return checkout.read_text(encoding="utf-8")


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines, or of one that is long, as a block."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else ">" if len(text) > 100 and " " in text else None  # noqa: PLR2004 - the width of a page
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def _url(text: str) -> str:
    if not _URL.fullmatch(text):
        raise argparse.ArgumentTypeError(
            "give http:// or https://, a host and a path, without a user, a query or a fragment"
        )
    return text


def _labels(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(text.split(",")))
    for name in names:
        if not _NAME.fullmatch(name) or name in _TAKEN:
            raise argparse.ArgumentTypeError(
                f"{shown(name, secret=False)} is not allowed; give names of letters, digits and _,"
                " with commas between them, that pgheadroom's own series do not use"
            )
    return tuple(name for name in names if name not in LABELS)
