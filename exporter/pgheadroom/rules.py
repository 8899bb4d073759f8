"""What does a Prometheus need, to alert on what is exported: print the rules that come with us."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import yaml

from pgheadroom.alert import RUNBOOKS

_FILE = "pgheadroom.rules.yml"

_DESCRIPTION = """\
Prints alerting and recording rules for Prometheus. They need no editing: thresholds are settings
of the daemon, which exports them beside what it counts."""

_EPILOG = """\
examples:
  pgheadroom rules > /etc/prometheus/rules/pgheadroom.rules.yml
  pgheadroom rules --format prometheusrule | kubectl apply -n monitoring -f -
  pgheadroom rules --runbooks https://wiki.example.com/runbooks
"""

# What a URL is made of (RFC 3986) that means nothing to YAML or to Prometheus's templates, after
# which /<AlertName>.md still belongs to the path; and no @, before which a password may stand.
_URL = re.compile(r"https?://[A-Za-z0-9\[][A-Za-z0-9._~:/!$&()*+,;=%\[\]-]*")


def main(arguments: Sequence[str]) -> int:
    """Print the rules as *arguments* ask; return the exit status.

    0 when they are printed. A wrong argument ends the program with 2 and says why, as argparse
    does.
    """
    given = _parser().parse_args(arguments)
    text = plain(given.runbooks)
    sys.stdout.write(text if given.format == "prometheus" else prometheus_rule(text))
    return 0


def plain(runbooks: str = RUNBOOKS) -> str:
    """Return the rules as Prometheus reads them, with links to runbooks below *runbooks*."""
    return _file().replace(f"{RUNBOOKS}/", f"{runbooks.rstrip('/')}/")


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
    checkout = Path(__file__).parents[2] / "alerts" / _FILE
    return checkout.read_text(encoding="utf-8")


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines, or of one that is long, as a block."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else ">" if len(text) > 100 and " " in text else None  # noqa: PLR2004 - the width of a page
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def _url(given: str) -> str:
    if not _URL.fullmatch(given):
        raise argparse.ArgumentTypeError(
            "allowed is http:// or https://, a host and a path, without user, query and fragment"
        )
    return given


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pgheadroom rules",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--format",
        choices=("prometheus", "prometheusrule"),
        default="prometheus",
        help="a rule file of Prometheus, or a PrometheusRule of its Kubernetes operator"
        " (default: %(default)s)",
    )
    parser.add_argument(
        "--runbooks",
        type=_url,
        default=RUNBOOKS,
        metavar="URL",
        help="where the runbooks are: alerts link to URL/<AlertName>.md (default: %(default)s)",
    )
    return parser
