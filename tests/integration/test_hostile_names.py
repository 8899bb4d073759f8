"""Tests that no name of a client, role or database forges anything, from server to pager."""

import http.client
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prometheus_client.openmetrics.parser import text_string_to_metric_families
from tests.integration.conftest import MakeHeadroom
from tests.support.fixtures.postgres import MakePostgres
from tests.support.servers import http as simple
from tests.support.servers.alertmanager import Alertmanager
from tests.support.servers.clients import Clients
from tests.support.servers.headroom import Headroom
from tests.support.servers.wait import until

MakeAlertmanager = Callable[[str], Alertmanager]

NOBODY = "{route: {receiver: nobody}, receivers: [{name: nobody}]}"
FORGED = 'up"} 1\n# EOF\nts=1 level=error event="all is lost" <!channel> @here [x](https://evil)'
APPLICATIONS = (
    FORGED[:63],
    "<!channel> @here [log in](https://evil.example)",
    '\\"} 1',
    "line\nbreak\r\ttab\x07bell\x1b[31m",
    "right\u202eleft\u2066",
    "\U0001f4a9" * 15 + "abc",
    "caf\u00e9",
    "</script><script>alert(1)</script>",
    "x" * 63,
)
ROLE = 'r <!here>\n"} 1\\ @all \u202e'
ENCODINGS = ("SQL_ASCII", "LATIN1")
MOST_SERIES = 800
"""On the page of two targets with few clients: most of them are there for any target."""
ACTIVE = re.compile(r"<!|@|\]\(|://(?!github\.com/pgheadroom/)")


def openmetrics(daemon: Headroom) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=10)
    accept = "application/openmetrics-text;version=1.0.0"
    connection.request("GET", "/metrics", headers={"Accept": accept})
    try:
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def strings(value: Any) -> list[str]:  # noqa: ANN401 - it is JSON
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in strings(part)]
    if isinstance(value, list):
        return [text for part in value for text in strings(part)]
    return [value] if isinstance(value, str) else []


def test_nothing_is_forged_by_a_name(
    make_postgres: MakePostgres,
    clients: Clients,
    make_alertmanager: MakeAlertmanager,
    make_headroom: MakeHeadroom,
    promtool: Path,
) -> None:
    server = make_postgres(max_connections=40)
    for encoding in ENCODINGS:
        server.sql(f"create database {encoding} encoding '{encoding}' template template0")
        for name in APPLICATIONS:
            clients.admitted(
                server.tcp,
                database=encoding.lower(),
                application_name=name,
                client_encoding="SQL_ASCII",
            )
    creator = clients.admitted(server.tcp, database="sql_ascii", client_encoding="SQL_ASCII")
    quoted = ROLE.replace('"', '""')
    creator.query(f'create role "{quoted}" login connection limit 2')
    creator.query(f'create database "{quoted}" connection limit 2')
    # No character in UTF-8, nor in the names of anything.
    creator.query(
        "do $$ begin execute 'create role \"' || convert_from('\\xe9ff0a80', 'SQL_ASCII')"
        " || '\" login connection limit 5'; end $$"
    )
    clients.fill(server.tcp, 2, user=ROLE, database=ROLE, application_name=APPLICATIONS[1])
    pager = make_alertmanager(NOBODY)
    targets = "".join(f'  {one}: "{server.dsn(dbname=one.lower())}"\n' for one in ENCODINGS)
    daemon = make_headroom(
        f"limit_hold_seconds: 0\nalertmanager_urls: [{pager.url}]\ntargets:\n{targets}"
    )
    daemon.ready()
    clients.fill(server.tcp, application_name=APPLICATIONS[1])

    def told() -> set[str]:
        return {alert["labels"]["alertname"] for alert in pager.alerts()}

    wanted = {"PostgresConnectionsExhausted", "PostgresRoleConnectionsLow"}
    until(lambda: wanted <= told(), 40, "pages about the server and the role")

    page = openmetrics(daemon)
    families = list(text_string_to_metric_families(page))  # type: ignore[no-untyped-call] # the library's
    series = [one for family in families for one in family.samples]
    assert len(series) < MOST_SERIES
    assert all(text.isprintable() for one in series for text in one.labels.values())
    roles = {one.labels["role"] for one in series if one.name == "pgheadroom_role_connections"}
    assert len(roles) == 2
    checked = subprocess.run(
        [promtool, "check", "metrics"],
        input=daemon.page().encode(),
        capture_output=True,
        check=False,
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")

    for encoding in ENCODINGS:
        shown = simple.get_json(f"{daemon.url}/api/v1/targets/{encoding}")
        # A statement to copy has lines; each of them is printable.
        statements = [one.pop("statement") for one in shown["remedies"]]
        assert all(line.isprintable() for text in statements for line in text.split("\n"))
        assert all(text.isprintable() for text in strings(shown))
        names = {one["application_name"] for one in shown["applications"]}
        assert any("!channel" in name for name in names)

    alerts = pager.alerts()
    for alert in alerts:
        for text in (*alert["annotations"].values(), *alert["labels"].values()):
            assert text.isprintable()
            assert not ACTIVE.search(text), text
    assert any("!channel" in text for one in alerts for text in one["annotations"].values())

    assert daemon.stop() == 0
    lines = daemon.log.read().splitlines()
    assert all(line.isprintable() and re.match(r"ts=\S+Z level=\w+ event=", line) for line in lines)
    assert not any("level=error" in line for line in lines)
