"""Checks the packages that pgheadroom runs with for known vulnerabilities; exits with 1 if any.

Where pip-audit cannot reach its data, that is said, and the status is 0: what is not known of today
must not keep a change from landing. Words given to this program go to pip-audit.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence

from requirements.locked import RUN

_SHOWN = 300
_UNREACHABLE = re.compile(
    r"connect|timed? ?out|resolv|resolution|ssl|proxy|(client|server) error", re.IGNORECASE
)


def audit(options: Sequence[str]) -> tuple[int, list[str]]:
    """Run pip-audit with *options* too; return the exit status and what to say."""
    command = [
        *(sys.executable, "-m", "pip_audit", "--requirement", str(RUN), "--require-hashes"),
        *("--disable-pip", "--progress-spinner", "off", "--desc", "off", "--format", "json"),
    ]
    ended = subprocess.run([*command, *options], capture_output=True, text=True, check=False)  # noqa: S603 - a command of our own
    return judge(ended.stdout, ended.stderr)


def judge(out: str, trouble: str) -> tuple[int, list[str]]:
    """Return the exit status and what to say, by what pip-audit wrote to its two outputs."""
    if not out.strip():
        last = (trouble.strip().splitlines() or ["pip-audit said nothing"])[-1][:_SHOWN]
        if _UNREACHABLE.search(last):
            return 0, [f"audit SKIPPED, no data: {last}"]
        return 1, [f"audit FAILED: {last}"]
    packages = json.loads(out)["dependencies"]
    found = [
        f"{package['name']} {package['version']}: {vulnerability['id']}"
        f" (fixed in {', '.join(vulnerability['fix_versions']) or 'no version yet'})"
        for package in packages
        for vulnerability in package.get("vulns", ())
    ]
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    audited = len(packages) - len(skipped)
    if skipped:
        found.append(f"audit SKIPPED, no data about {', '.join(skipped)}")
    if audited:
        found.append(f"audited {audited} packages of {len(packages)}")
    return int(any(package.get("vulns") for package in packages)), found


def main() -> int:
    """Audit, and say what was found."""
    status, words = audit(sys.argv[1:])
    sys.stdout.write("\n".join([*words, ""]))
    return status


if __name__ == "__main__":
    sys.exit(main())
