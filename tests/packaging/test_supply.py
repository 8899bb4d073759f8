"""Tests the lists of pgheadroom's dependencies, their licences and known vulnerabilities."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final

import pytest
from requirements import licenses, sbom
from requirements.audit import judge
from requirements.locked import locked
from tests.support.servers.ports import LOOPBACK, free_port

ROOT: Final = Path(__file__).parents[2]
PACKAGES: Final = locked()
KNOWN: Final = "GHSA-0000-0000-0000"


def test_every_package_is_locked_with_its_hashes() -> None:
    lines = (ROOT / "requirements" / "run.txt").read_text()
    assert len(PACKAGES) == lines.count("==") - lines.count("sys_platform ==")
    assert sum(len(package.sha256) for package in PACKAGES) == lines.count("--hash=sha256:")
    assert all(package.sha256 for package in PACKAGES)
    assert [package.name for package in PACKAGES if not package.on_linux] == ["tzdata"]


def test_a_line_that_locks_nothing_is_not_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "run.txt"
    file.write_text("aiohttp>=3\n")
    with pytest.raises(ValueError, match="locks nothing"):
        locked(file)


def test_the_list_of_licences_is_that_of_the_packages() -> None:
    """The expected lines are what to put between the two marks."""
    text = (ROOT / "docs" / "licenses.md").read_text()
    found = re.search(r"<!-- licences: begin -->\n(.*?)<!-- licences: end -->", text, re.DOTALL)
    assert found
    assert found[1].splitlines() == licenses.table()
    for package in PACKAGES:
        assert f"| {package.name} |" in found[1]


def test_the_library_of_the_page_is_the_one_that_is_named() -> None:
    page = ROOT / "exporter" / "pgheadroom" / "web" / "static"
    named, version = licenses.PAGE.split()
    assert f"{named} (v{version})" in (page / "uplot.js").read_text()[:200]
    assert "The MIT License" in (page / "uplot.LICENSE").read_text()


def test_the_list_of_parts_names_everything_that_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "dist" / "pgheadroom.cdx.json"
    monkeypatch.setattr(sbom, "FILE", file)
    sbom.main()
    written: dict[str, Any] = json.loads(file.read_text())
    assert written["bomFormat"] == "CycloneDX"
    found = {
        (part["name"], part["version"]): {
            entry["content"] for place in part["externalReferences"] for entry in place["hashes"]
        }
        for part in written["components"]
        if part["purl"].startswith("pkg:pypi/")
    }
    assert found == {(p.name, p.version): set(p.sha256) for p in PACKAGES if p.on_linux}
    named, version = licenses.PAGE.split()
    assert (named, version) in {(part["name"], part["version"]) for part in written["components"]}
    assert written["metadata"]["component"]["name"] == "pgheadroom"


@contextmanager
def vulnerable(name: str) -> Iterator[str]:
    """Answer as a database of vulnerabilities that knows one, of *name*; give the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            package = {"name": name, "ecosystem": "PyPI"}
            events = [{"introduced": "0"}, {"fixed": "99.0"}]
            affected = {"package": package, "ranges": [{"type": "ECOSYSTEM", "events": events}]}
            entry = {"id": KNOWN, "summary": "bad", "details": "bad", "affected": [affected]}
            body = json.dumps({"vulns": [entry]} if asked["package"]["name"] == name else {})
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with HTTPServer((LOOPBACK, 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://{LOOPBACK}:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def audit(url: str) -> subprocess.CompletedProcess[str]:
    """Run the audit of the project with the data at *url*."""
    command = [sys.executable, "-m", "requirements.audit", "--vulnerability-service", "osv"]
    return subprocess.run(
        [*command, "--osv-url", url],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_known_vulnerability_fails_the_audit() -> None:
    aiohttp = next(package for package in PACKAGES if package.name == "aiohttp")
    with vulnerable(aiohttp.name) as url:
        ended = audit(url)
    assert ended.stdout.splitlines() == [
        f"aiohttp {aiohttp.version}: {KNOWN} (fixed in 99.0)",
        f"audited {len(PACKAGES) - 1} packages of {len(PACKAGES) - 1}",
    ]
    assert ended.returncode == 1
    with vulnerable("nothing of ours") as url:
        ended = audit(url)
    assert ended.stdout.startswith("audited ")
    assert ended.returncode == 0


def test_without_data_the_audit_is_skipped_by_name() -> None:
    ended = audit(f"http://{LOOPBACK}:{free_port()}/")
    assert ended.stdout.startswith("audit SKIPPED, no data: ")
    assert ended.returncode == 0


@pytest.mark.parametrize(
    ("out", "trouble", "status", "words"),
    [
        ("", "pip-audit: error: unrecognized arguments", 1, "audit FAILED"),
        ("", "", 1, "audit FAILED"),
        ("", "503 Server Error: Service Unavailable for url: ...", 0, "SKIPPED, no data"),
        ("", "[Errno -2] Temporary failure in name resolution", 0, "SKIPPED, no data"),
        (
            '{"dependencies": [{"name": "a", "skip_reason": "?"}]}',
            "",
            0,
            "SKIPPED, no data about a",
        ),
    ],
)
def test_only_what_cannot_be_known_is_skipped(
    out: str, trouble: str, status: int, words: str
) -> None:
    ended, (said,) = judge(out, trouble)
    assert ended == status
    assert words in said
