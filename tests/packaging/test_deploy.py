"""Tests that the examples in deploy/ fit together and that each real program accepts its own."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from psycopg.conninfo import conninfo_to_dict
from tests.support.histories import START
from tests.support.needs import need
from tests.support.servers import http
from tests.support.servers.alertmanager import Alertmanager
from tests.support.servers.postgres import Postgres
from tests.support.servers.wait import until
from tests.support.settings import settings_from

from pgheadroom.commands.dashboards import NAMES as DASHBOARDS
from pgheadroom.config.settings import PREFIX, Settings
from pgheadroom.demo.binaries import newest_install
from pgheadroom.model.alert import ALERTS_OF, SEVERITIES, About, Alert, AlertName
from pgheadroom.state import State
from pgheadroom.status.titles import superseded_by

ROOT: Final = Path(__file__).parents[2]
DEPLOY: Final = ROOT / "deploy"
COMPOSE: Final[dict[str, Any]] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: Final[dict[str, dict[str, Any]]] = COMPOSE["services"]
SETTINGS: Final = DEPLOY / "pgheadroom.yaml"
INIT: Final = DEPLOY / "postgres" / "init.sql"
MAKE_PASSWORDS: Final = DEPLOY / "postgres" / "make-passwords.sh"
PROMETHEUS: Final = DEPLOY / "prometheus" / "prometheus.yml"
ALERTMANAGER: Final = DEPLOY / "alertmanager" / "alertmanager.yml"
PROVISIONING: Final = DEPLOY / "grafana" / "provisioning"

# A word that YAML, a connection string, a shell or SQL would take for a password, or a URL's.
SPELT_OUT: Final = re.compile(
    r"passw(or)?d['\"]?([ \t]*=[ \t]*['\"]?\w|:[ \t]+['\"]?\w|[ \t]+'\w)", re.IGNORECASE
)
IN_URL: Final = re.compile(r"://[^/\s:]+:[^/\s@]+@")


def mounts(service: str) -> Iterator[tuple[str, str]]:
    """Yield what *service* mounts: a path or a volume's name, and where."""
    for mount in SERVICES[service].get("volumes", ()):
        source, target, *_ = mount.split(":")
        yield source, target


def on_disk(service: str, path: str) -> Path:
    """Return which file or folder of the repository *service* sees at *path*."""
    (source,) = (source for source, target in mounts(service) if target == path)
    return (DEPLOY / source).resolve()


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Take every setting out of the environment of the test."""
    for name in list(os.environ):
        if name.upper().startswith(PREFIX):
            monkeypatch.delenv(name)
    return monkeypatch


def settings_of_compose(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Return what the service's environment and its mounted file make."""
    for name, value in SERVICES["pgheadroom"]["environment"].items():
        given = value
        if name == f"{PREFIX}CONFIG":
            given = str(on_disk("pgheadroom", value))
        monkeypatch.setenv(name, given)
    return settings_from()


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_mounted_exists(service: str) -> None:
    for source, target in mounts(service):
        assert Path(target).is_absolute()
        if source.startswith("."):
            assert (DEPLOY / source).exists(), source
        else:
            assert source in COMPOSE["volumes"]


def test_what_the_daemon_remembers_outlives_its_container() -> None:
    """The image says where it is."""
    setting = re.search(rf"{PREFIX}STATE_DIRECTORY=(\S+)", (ROOT / "Dockerfile").read_text())
    assert setting
    volumes = {target: source for source, target in mounts("pgheadroom")}
    assert volumes[setting[1]] in COMPOSE["volumes"]


def test_every_volume_is_used() -> None:
    assert set(COMPOSE["volumes"]) <= {source for name in SERVICES for source, _ in mounts(name)}


def test_the_settings_are_allowed(no_settings: pytest.MonkeyPatch) -> None:
    """What the variables and the file say is understood, all of it, and names the services."""
    settings = settings_of_compose(no_settings)
    assert settings.config == SETTINGS
    for target in settings.all_targets({}).values():
        words = conninfo_to_dict(target.dsn.get_secret_value())
        assert words["host"] in SERVICES
        assert "password" not in words


def test_the_password_is_where_it_is_looked_for(no_settings: pytest.MonkeyPatch) -> None:
    """The volume that the password is made in is mounted where the other two read it."""
    makers = {target: source for source, target in mounts("passwords") if source[0] != "."}
    assert set(SERVICES["passwords"]["entrypoint"][2:]) == set(makers)
    (file,) = (t.password_file for t in settings_of_compose(no_settings).all_targets({}).values())
    assert file is not None
    readers = {target: source for source, target in mounts("pgheadroom")}
    assert readers[str(file.parent)] == makers["/secrets/pgheadroom"]
    assert (readers[str(file.parent)], str(file.parent)) in mounts("postgres")
    assert f"\\set password_file {file}\n" in INIT.read_text()


def test_the_superusers_password_is_for_the_server_alone() -> None:
    file = Path(SERVICES["postgres"]["environment"]["POSTGRES_PASSWORD_FILE"])
    (volume,) = (source for source, target in mounts("postgres") if target == str(file.parent))
    users = {name for name in SERVICES if volume in dict(mounts(name))}
    assert users == {"passwords", "postgres"}


@pytest.mark.parametrize("service", SERVICES)
def test_only_loopback_ports_are_published(service: str) -> None:
    for port in SERVICES[service].get("ports", ()):
        assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", port), port
    assert SERVICES[service].get("network_mode") != "host"


@pytest.mark.parametrize(
    "file",
    [path for path in DEPLOY.rglob("*") if path.is_file() and path.suffix != ".pyc"],
    ids=lambda path: path.name,
)
def test_no_password_is_spelt_out(file: Path) -> None:
    text = file.read_text()
    assert not SPELT_OUT.search(text)
    assert not IN_URL.search(text)


@pytest.mark.parametrize(
    "text",
    [
        "POSTGRES_PASSWORD: sesame",
        'password: "sesame"',
        "host=db1 password=sesame",
        "PGPASSWORD='sesame' psql",
        "create role app login password 'sesame'",
        "postgresql://app:sesame@db1/shop",
    ],
)
def test_a_password_would_be_noticed(text: str) -> None:
    assert SPELT_OUT.search(text) or IN_URL.search(text)


@pytest.mark.parametrize("service", SERVICES)
def test_images_are_pinned(service: str) -> None:
    """Every image has a version, but for the one that is built here."""
    image = SERVICES[service]["image"]
    assert "build" in SERVICES[service] or re.search(r":v?\d+\.\d+(\.\d+)?$", image), image


def test_the_daemon_is_confined() -> None:
    daemon = SERVICES["pgheadroom"]
    assert daemon["read_only"] is True
    assert daemon["cap_drop"] == ["ALL"]
    assert daemon["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("service", SERVICES)
def test_whoever_is_waited_for_says_when_it_is_healthy(service: str) -> None:
    """Of the service built here, the image says it."""
    for other, how in SERVICES[service].get("depends_on", {}).items():
        if how["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[other] or "build" in SERVICES[other]


def test_prometheus_asks_the_services_and_tells_them() -> None:
    config = yaml.safe_load(PROMETHEUS.read_text())
    scraped = [job["static_configs"][0]["targets"] for job in config["scrape_configs"]]
    told = [manager["static_configs"][0]["targets"] for manager in config["alerting"].popitem()[1]]
    assert ["pgheadroom:10187"] in scraped
    assert told == [["alertmanager:9093"]]
    assert {"pgheadroom", "alertmanager"} <= set(SERVICES)


def test_grafana_finds_its_data_and_its_dashboards() -> None:
    (source,) = yaml.safe_load((PROVISIONING / "datasources/prometheus.yaml").read_text())[
        "datasources"
    ]
    assert (source["uid"], source["url"]) == ("prometheus", "http://prometheus:9090")
    (provider,) = yaml.safe_load((PROVISIONING / "dashboards/pgheadroom.yaml").read_text())[
        "providers"
    ]
    assert on_disk("grafana", provider["options"]["path"]) == ROOT / "dashboards"
    assert source["isDefault"] is True
    assert {f"pgheadroom-{name}.json" for name in DASHBOARDS} == {
        file.name for file in (ROOT / "dashboards").glob("*.json")
    }
    home = Path(SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert str(home.parent) == provider["options"]["path"]
    assert (ROOT / "dashboards" / home.name).is_file()


def test_grafana_knows_how_often_prometheus_scrapes() -> None:
    """From that it works out over how long a rate is taken."""
    (source,) = yaml.safe_load((PROVISIONING / "datasources/prometheus.yaml").read_text())[
        "datasources"
    ]
    jobs = yaml.safe_load(PROMETHEUS.read_text())["scrape_configs"]
    (scrape,) = (job for job in jobs if job["job_name"] == "pgheadroom")
    assert source["jsonData"]["timeInterval"] == scrape["scrape_interval"]


@pytest.mark.prometheus
def test_promtool_accepts_the_configuration(promtool: Path, tmp_path: Path) -> None:
    """With the rules that there are, laid out as they are mounted."""
    assert on_disk("prometheus", "/etc/prometheus/rules") == ROOT / "alerts"
    shutil.copy(PROMETHEUS, tmp_path)
    (tmp_path / "rules").mkdir()
    for rules in (ROOT / "alerts").glob("*.rules.yml"):
        shutil.copy(rules, tmp_path / "rules")
    _run(promtool, "check", "config", tmp_path / PROMETHEUS.name)


@pytest.mark.alertmanager
def test_amtool_accepts_the_configuration() -> None:
    _run(need("amtool"), "check-config", ALERTMANAGER)


EXAMPLE: Final = re.compile(r"^    # ", re.MULTILINE)
"""A line of a receiver's example, which is commented out."""


@pytest.mark.alertmanager
def test_the_examples_of_receivers_are_accepted(tmp_path: Path) -> None:
    """As they are once they are uncommented."""
    text = EXAMPLE.sub("    ", ALERTMANAGER.read_text().partition("inhibit_rules:")[0])
    (tmp_path / "alertmanager.yml").write_text(text)
    said = _run(need("amtool"), "check-config", tmp_path / "alertmanager.yml")
    assert "2 receivers" in said
    receivers = {one.pop("name"): set(one) for one in yaml.safe_load(text)["receivers"]}
    assert receivers == {
        "page": {"pagerduty_configs"},
        "ticket": {"slack_configs", "email_configs"},
    }


@pytest.mark.alertmanager
def test_the_title_of_a_notification_is_the_summary(tmp_path: Path) -> None:
    text = EXAMPLE.sub("    ", ALERTMANAGER.read_text())
    titles = re.findall(r"(?:description|title|Subject): '(.*summary \}\})'$", text, re.MULTILINE)
    assert len(titles) == 3
    annotations = {"summary": "orders: FULL, 0 of 95 slots free: nest-api holds 87"}
    group = {"status": "firing", "alerts": [{"status": "firing", "annotations": annotations}]}
    (tmp_path / "group.json").write_text(json.dumps(group))
    (tmp_path / "none.tmpl").touch()
    for title in titles:
        said = _run(
            *(need("amtool"), "template", "render", f"--template.glob={tmp_path / 'none.tmpl'}"),
            *(f"--template.data={tmp_path / 'group.json'}", f"--template.text={title}"),
        )
        assert said.strip() == annotations["summary"]


@pytest.mark.alertmanager
@pytest.mark.parametrize(
    ("severity", "receiver"), [("critical", "page"), ("warning", "ticket"), ("none", "page")]
)
def test_amtool_routes_by_severity(severity: str, receiver: str) -> None:
    """What nobody thought of pages, rather than vanish."""
    labels = ("alertname=Any", f"severity={severity}")
    routed = _run(
        need("amtool"), "config", "routes", "test", f"--config.file={ALERTMANAGER}", *labels
    )
    assert routed.strip() == receiver


EXHAUSTED: Final = {"alertname": "PostgresConnectionsExhausted", "severity": "critical"}
IMMINENT: Final = {"alertname": "PostgresConnectionsExhaustionImminent", "severity": "critical"}
EXPECTED: Final = {"alertname": "PostgresConnectionsExhaustionExpected", "severity": "warning"}
LOW: Final = {"alertname": "PostgresConnectionsLow", "severity": "warning"}
LEAKING: Final = {"alertname": "PostgresApplicationLeaking", "severity": "warning"}
RESERVE: Final = {"alertname": "PostgresReservedSlotsInUse", "severity": "critical"}
UNKNOWN: Final = {"alertname": "PostgresHeadroomUnknown", "severity": "critical"}
ROLE: Final = {"alertname": "PostgresRoleConnectionsLow"}
NO_PLACES: Final = {"alertname": "PoolerClientsExhausted", "severity": "critical"}
FEWER_PLACES: Final = {"alertname": "PoolerClientsExhaustionImminent", "severity": "critical"}
FEW_PLACES: Final = {"alertname": "PoolerClientsLow", "severity": "warning"}
DOWN: Final = {"alertname": "PgheadroomDown", "severity": "critical", "job": "pgheadroom"}


ABOUT: Final[dict[AlertName, tuple[About, ...]]] = {
    AlertName.ROLE: ((("role", "web"),), (("role", "jobs"),)),
    AlertName.DATABASE: ((("database", "shop"),), (("database", "crm"),)),
    AlertName.CLIENTS_EXHAUSTED: ((), (("database", "shop"),), (("user", "web"),)),
    AlertName.CLIENTS_LOW: ((), (("database", "shop"),), (("user", "web"),)),
}
"""What else the alerts of a name are about than the whole target."""

EVERY_ALERT: Final = [
    Alert(name, severity, START, "words", about=about)
    for name, severities in SEVERITIES.items()
    for severity in severities
    for about in ABOUT.get(name, ((),))
]


def _inhibits(rule: dict[str, Any], source: dict[str, str], lesser: dict[str, str]) -> bool:
    """Tell whether an inhibit rule keeps back *lesser* while *source* fires."""

    def matches(matchers: list[str], labels: dict[str, str]) -> bool:
        words = [re.fullmatch(r'(\w+)=(~?)"(.*)"', one) for one in matchers]
        assert all(words), matchers
        return all(re.fullmatch(one[3], labels.get(one[1], "")) for one in words if one)

    return (
        matches(rule["source_matchers"], source)
        and matches(rule["target_matchers"], lesser)
        and all(source.get(name) == lesser.get(name) for name in rule["equal"])
    )


@pytest.mark.parametrize("lesser", EVERY_ALERT, ids=lambda one: f"{one.name}-{one.severity}")
def test_what_is_kept_back_is_what_the_page_leaves_out(lesser: Alert) -> None:
    """The inhibit rules say the same as status/titles.py, of each pair of the daemon's alerts."""
    rules = yaml.safe_load(ALERTMANAGER.read_text())["inhibit_rules"]

    def labels(alert: Alert) -> dict[str, str]:
        own = {"alertname": str(alert.name), "severity": str(alert.severity)}
        return own | {"target": "orders", "server": "db1#71"} | dict(alert.about)

    for other in EVERY_ALERT:
        if other is lesser or not any({lesser.name, other.name} <= of for of in ALERTS_OF.values()):
            continue
        inhibited = any(_inhibits(rule, labels(other), labels(lesser)) for rule in rules)
        state = State("orders")._replace(alerts=(other, lesser))
        left_out = superseded_by(state, lesser)
        assert left_out == (other.name if inhibited else None), other


@pytest.mark.alertmanager
def test_lesser_news_is_kept_back(make_alertmanager: Callable[[str], Alertmanager]) -> None:
    """Of the same target only; and by whichever way either came."""
    server = make_alertmanager(ALERTMANAGER.read_text())
    rules = {"job": "pgheadroom"}
    kept_back = [
        {**IMMINENT, **rules, "target": "full"},
        {**EXPECTED, **rules, "target": "full"},
        {**LOW, "target": "full"},
        {**UNKNOWN, "target": "full"},
        {**EXPECTED, **rules, "target": "near"},
        {**LOW, **rules, "target": "near"},
        {**LEAKING, **rules, "target": "near"},
        {**ROLE, "severity": "warning", "target": "near", "role": "web"},
        {**UNKNOWN, **rules, "target": "lost"},
        {**FEWER_PLACES, **rules, "target": "pool"},
        {**FEW_PLACES, "target": "pool"},
        {**FEW_PLACES, "target": "pool", "database": "shop"},
        {**UNKNOWN, "target": "pool"},
        {**FEW_PLACES, "target": "pool2"},
    ]
    told = [
        {**EXHAUSTED, "target": "full"},
        {**RESERVE, "target": "full"},
        {**IMMINENT, "target": "near"},
        {**ROLE, "severity": "critical", "target": "near", "role": "web"},
        {**ROLE, "severity": "warning", "target": "near", "role": "jobs"},
        {**EXPECTED, "target": "later"},
        {**LOW, "target": "later"},
        {**LEAKING, "target": "later"},
        {**DOWN, "instance": "h1:10187"},
        {**UNKNOWN, "job": "other", "target": "elsewhere"},
        {**NO_PLACES, "target": "pool"},
        {**NO_PLACES, "target": "pool", "database": "shop"},
        {**FEW_PLACES, "target": "pool", "database": "bill"},
        {**FEW_PLACES, "target": "pool", "user": "shop"},
        {**FEWER_PLACES, "target": "pool2"},
        {**NO_PLACES, "target": "pool3", "user": "web"},
        {**UNKNOWN, "target": "pool3"},
    ]
    _post(server, [*told, *kept_back])
    expected = {
        *((_named(labels), "active") for labels in told),
        *((_named(labels), "suppressed") for labels in kept_back),
    }

    def states() -> set[tuple[str, str]]:
        return {(_named(alert["labels"]), alert["status"]["state"]) for alert in server.alerts()}

    until(lambda: states() == expected, 20, f"states {sorted(expected)}")


@pytest.mark.alertmanager
def test_one_page_for_what_comes_both_ways(
    make_alertmanager: Callable[[str], Alertmanager],
) -> None:
    server = make_alertmanager(ALERTMANAGER.read_text())
    pushed, ruled = {**EXHAUSTED, "target": "a"}, {**EXHAUSTED, "target": "a", "job": "pgheadroom"}
    _post(server, [pushed, ruled, {**EXHAUSTED, "target": "b"}])

    def groups() -> list[list[str]]:
        answer = http.get_json(f"{server.url}/api/v2/alerts/groups")
        return sorted(sorted(_named(a["labels"]) for a in group["alerts"]) for group in answer)

    expected = sorted(
        [sorted([_named(pushed), _named(ruled)]), [_named({**pushed, "target": "b"})]]
    )
    until(lambda: groups() == expected, 20, f"groups {expected}")


def _post(server: Alertmanager, alerts: list[dict[str, str]]) -> None:
    body = json.dumps([{"labels": labels} for labels in alerts]).encode()
    http.post(f"{server.url}/api/v2/alerts", body)


def _named(labels: dict[str, str]) -> str:
    return json.dumps(labels, sort_keys=True)


def test_passwords_are_made_once(tmp_path: Path) -> None:
    """Each folder gets its own, whoever runs in the container can read it, and it stays."""
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    _run("sh", MAKE_PASSWORDS, *folders)
    made = [(folder / "password").read_text() for folder in folders]
    assert len(set(made)) == 2
    assert all(re.fullmatch(r"[A-Za-z0-9+/]{32}", password) for password in made)
    assert {(folder / "password").stat().st_mode & 0o777 for folder in folders} == {0o444}
    _run("sh", MAKE_PASSWORDS, *folders)
    assert [(folder / "password").read_text() for folder in folders] == made
    assert [[file.name for file in folder.iterdir()] for folder in folders] == [["password"]] * 2


def psql(server: Postgres, password_file: Path) -> subprocess.CompletedProcess[str]:
    """Run the init script as the superuser, with the password in *password_file*."""
    return subprocess.run(
        [
            newest_install() / "bin" / "psql",
            *("--no-psqlrc", "--quiet", f"--dbname={server.dsn(tcp=False)}"),
            *(f"--set=password_file={password_file}", f"--file={INIT}"),
        ],
        check=False,
        capture_output=True,
        text=True,
    )


@pytest.mark.majors(16, 17, 18)
def test_the_daemon_gets_in_with_what_the_examples_make(
    pg: Postgres, tmp_path: Path, no_settings: pytest.MonkeyPatch
) -> None:
    """The init script's role and the example's settings: `pgheadroom check` finds no fault."""
    pg.reload(log_statement="all", log_min_duration_statement=0)
    _run("sh", MAKE_PASSWORDS, tmp_path)
    password = tmp_path / "password"
    done = psql(pg, password)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    pg.require_scram("pgheadroom")
    settings = settings_of_compose(no_settings)
    no_settings.delenv(f"{PREFIX}CONFIG")
    for name in settings.targets:
        variable = f"{PREFIX}TARGETS__{name.upper()}__"
        no_settings.setenv(f"{variable}DSN", pg.dsn(user="pgheadroom"))
        no_settings.setenv(f"{variable}PASSWORD_FILE", str(password))
    answer = _run(sys.executable, "-m", "pgheadroom", "check")
    assert "the role can see all sessions" in answer
    assert "the role may use the reserved slots" in answer
    assert password.read_text() not in pg.log.read()


@pytest.mark.majors(17)
@pytest.mark.parametrize("content", [None, "", "\n"], ids=["missing", "empty", "blank"])
def test_no_role_is_made_without_a_password(
    pg: Postgres, tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_text(content)
    done = psql(pg, file)
    assert done.returncode == 3
    assert "the password file is empty or cannot be read" in done.stderr
    assert pg.sql("select count(*) from pg_roles where rolname = 'pgheadroom'") == [("0",)]


def _run(*command: str | Path) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
