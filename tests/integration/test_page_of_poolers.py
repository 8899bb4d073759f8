"""Tests what the status page shows of poolers, and of servers behind them."""

import re

import pytest
from playwright.sync_api import Page, expect
from tests.integration.conftest import MakeHeadroom
from tests.support.contrast import POOR_CONTRAST
from tests.support.fixtures.programs import MakePgBouncer
from tests.support.servers.clients import Clients
from tests.support.servers.headroom import Headroom
from tests.support.servers.pgbouncer import PgBouncer
from tests.support.servers.postgres import Postgres
from tests.support.servers.rawclient import Session

pytest_plugins = ("tests.support.fixtures.browser",)
pytestmark = [pytest.mark.majors(17), pytest.mark.chromium]

PROGRAM = "pgbouncer-newest"
RED = "rgb(179, 20, 15)"
NOTHING = re.compile("undefined|null|NaN")
NAMES = (
    "<script>alert()</script>",
    '"><img src=x onerror=alert()>',
    "</td><svg onload=alert()>",
    "right\u202eleft\u2066",
    "חנות",
    "__proto__",
)


def config(server: Postgres, pooler: PgBouncer) -> str:
    """Watch both, without knocks: each would be a login under way for a moment."""
    return (
        "knock_interval_seconds: 0\novercommit_hold_seconds: 1\n"
        f'targets: {{orders: "{server.dsn()}", pool: "{pooler.console}"}}\n'
    )


def opened(page: Page, daemon: Headroom, target: str) -> None:
    """Open the page of *target* and wait for its first figures."""
    page.goto(f"{daemon.url}/targets/{target}")
    expect(page.locator("#free")).to_have_text(re.compile(r"\d"), timeout=10_000)


def busy(
    clients: Clients, pooler: PgBouncer, count: int, database: str = "shop", name: str = "web"
) -> list[Session]:
    """Return as many clients of the pooler, each of which wants a server connection for long."""
    sessions = []
    for number in range(count):
        session = clients.connect(
            pooler.tcp, user="postgres", database=database, application_name=f"{name}-{number}"
        )
        assert isinstance(session, Session), session
        session.send_query("select pg_sleep(60)")
        sessions.append(session)
    return sessions


def test_a_pooler_has_places_and_pools(
    pg: Postgres,
    make_pgbouncer: MakePgBouncer,
    make_headroom: MakeHeadroom,
    clients: Clients,
    page: Page,
) -> None:
    """No word of slots, roles or reserves; who queues, at what, and for how long."""
    pooler = make_pgbouncer(
        pg,
        {"shop": "dbname=postgres pool_size=2", "bill": "dbname=postgres pool_size=3"},
        ["postgres"],
        PROGRAM,
        max_client_conn=60,
    )
    daemon = make_headroom(config(pg, pooler))
    daemon.ready()
    opened(page, daemon, "pool")
    expect(page).to_have_title("59 free · pool")
    header = page.get_by_role("banner")
    expect(header).to_contain_text("59 of 60 places for clients free")
    expect(header).to_contain_text("no client waits in a pool")
    expect(page.locator("#news")).to_have_text("pool: steady. 59 of 60 places for clients free.")
    pools = page.get_by_role("region", name="Pools")
    expect(pools).to_contain_text("There is no pool yet")
    expect(pools.get_by_role("table")).to_be_hidden()
    busy(clients, pooler, 5)
    busy(clients, pooler, 1, "bill", "books")
    shop = pools.get_by_role("row").filter(has=page.get_by_role("rowheader", name="shop"))
    expect(shop.locator(".servers")).to_have_text("2 of 2", timeout=10_000)
    expect(shop.get_by_role("cell", name="transaction")).to_be_visible()
    expect(shop.locator(".clients .is")).to_have_text("2")
    expect(shop.locator(".waiting .is")).to_have_text("3")
    expect(shop.locator(".wait .is")).to_have_text(re.compile(r"^\d+(\.\d)? s$"))
    bill = pools.get_by_role("row").filter(has=page.get_by_role("rowheader", name="bill"))
    expect(bill.locator(".servers")).to_have_text("1 of 3")
    expect(bill.locator(".wait .is")).to_have_text("\u2013")
    expect(bill.locator(".mini .free")).to_be_visible()
    expect(header).to_contain_text(re.compile(r"3 clients wait in pools, the longest for \d"))
    expect(page.locator("#free")).to_have_text("53")
    expect(pools).to_contain_text("2 min (query_wait_timeout), then it is disconnected")
    meter = page.get_by_role("meter", name="Places for clients in use")
    expect(meter).to_have_attribute("aria-valuetext", "7 in use, 53 free; 60 places in all")
    expect(page.locator("#legend")).not_to_contain_text("Reserve")
    expect(page.locator("#curve-words")).to_contain_text(
        "places for clients were in use; now 7, and 60 is the limit for clients."
    )
    expect(page.get_by_role("columnheader", name="Clients").last).to_be_visible()
    expect(page.locator("#server")).to_contain_text(re.compile(r"PgBouncer 1\.\d+"))
    body = page.locator("body")
    for word in ("slots", "ordinary", "superuser", "undefined", "null", "NaN"):
        expect(body).not_to_contain_text(word, use_inner_text=True)
    pools.get_by_role("link", name="orders").click()
    expect(page).to_have_url(f"{daemon.url}/targets/orders")


def test_a_full_pooler_says_that_clients_are_refused(
    pg: Postgres,
    make_pgbouncer: MakePgBouncer,
    make_headroom: MakeHeadroom,
    clients: Clients,
    page: Page,
) -> None:
    pooler = make_pgbouncer(pg, program=PROGRAM, max_client_conn=10)
    daemon = make_headroom(config(pg, pooler))
    daemon.ready()
    opened(page, daemon, "pool")
    clients.fill(pooler.tcp, application_name="checkout-api")
    header = page.get_by_role("banner")
    expect(page).to_have_title("FULL pool", timeout=10_000)
    expect(header).to_have_css("background-color", RED)
    expect(header).to_contain_text("full: new connections are being refused")
    expect(header).to_contain_text("0 of 10 places for clients free")
    expect(page.locator("#who")).to_have_text("checkout-api")


def test_a_pause_is_said_loudly(
    pg: Postgres, make_pgbouncer: MakePgBouncer, make_headroom: MakeHeadroom, page: Page
) -> None:
    """Of one database, and of all; and when it is over, nothing is said of it."""
    entries = {"shop": "dbname=postgres min_pool_size=1 user=postgres"}
    pooler = make_pgbouncer(pg, entries, ["postgres"], PROGRAM)
    daemon = make_headroom(config(pg, pooler))
    daemon.ready()
    opened(page, daemon, "pool")
    some, everything = page.locator("#paused-some"), page.locator("#paused-all")
    expect(some).to_be_hidden()
    pooler.order("disable shop")
    expect(some).to_contain_text("Paused or disabled: shop.", timeout=15_000)
    expect(everything).to_be_hidden()
    pooler.order("enable shop")
    expect(some).to_be_hidden(timeout=15_000)
    pooler.order("pause")
    expect(everything).to_contain_text("All is paused.", timeout=15_000)
    pooler.order("resume")
    expect(everything).to_be_hidden(timeout=15_000)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_names_of_databases_stay_text_and_fit_a_phone(
    pg: Postgres,
    make_pgbouncer: MakePgBouncer,
    make_headroom: MakeHeadroom,
    clients: Clients,
    page: Page,
    scheme: str,
) -> None:
    """Any client may name a database where a wildcard leads all of them to one."""
    pooler = make_pgbouncer(
        pg, {"*": "dbname=postgres user=postgres pool_size=1"}, (), PROGRAM, auth_type="any"
    )
    for name in (*NAMES, "a-database-with-a-name-as-long-as-any-name-may-ever-be"):
        busy(clients, pooler, 2, name, name)
    daemon = make_headroom(config(pg, pooler))
    daemon.ready()
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    opened(page, daemon, "pool")
    rows = page.locator("#pools tr")
    expect(rows).to_have_count(len(NAMES) + 1)
    for name in NAMES:
        shown = name.replace("\u202e", "\\u202e").replace("\u2066", "\\u2066")
        bdi = rows.locator("th bdi").filter(has_text=re.compile(f"^{re.escape(shown)}$"))
        expect(bdi).to_have_count(1)
    for address, ready in (("pool", "#pools tr"), ("orders", "#poolers tr")):
        opened(page, daemon, address)
        expect(page.locator(ready).first).to_be_visible(timeout=15_000)
        expect(page.locator("img")).to_have_count(0)
        expect(page.locator("[onload], [onerror]")).to_have_count(0)
        for width in (320, 360, 1200):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate(POOR_CONTRAST) == []
            assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_server_says_through_whom(
    pg: Postgres,
    make_pgbouncer: MakePgBouncer,
    make_headroom: MakeHeadroom,
    clients: Clients,
    page: Page,
) -> None:
    """Slots, what the pools may open, who queues there, and that it does not fit."""
    pooler = make_pgbouncer(
        pg,
        {"shop": "dbname=postgres pool_size=2", "bill": "dbname=postgres pool_size=20"},
        ["postgres"],
        PROGRAM,
    )
    daemon = make_headroom(config(pg, pooler))
    daemon.ready()
    opened(page, daemon, "orders")
    through = page.get_by_role("region", name="Through whom")
    busy(clients, pooler, 4)
    row = through.get_by_role("row").filter(has=page.get_by_role("rowheader", name="pool"))
    expect(row.locator(".now .is")).to_have_text("2", timeout=15_000)
    expect(row.locator(".may")).to_contain_text("2 by 1 pool")
    expect(row.locator(".queue .is")).to_have_text("web-* 2", timeout=15_000)
    expect(row.locator(".ceiling .is")).to_have_text(re.compile(r"^(\d+|any number)$"))
    verdict = page.locator("#verdict")
    expect(page.locator("#verdict-badge")).to_have_text("fits")
    expect(verdict).not_to_contain_class("warning")
    expect(verdict).to_contain_text("pool may open 2 connections by its pool")
    expect(through).to_contain_text(re.compile(r"Without a pooler: \d+ slots now, at most \d+ in"))
    busy(clients, pooler, 1, "bill")
    expect(verdict).to_contain_class("warning", timeout=15_000)
    expect(page.locator("#verdict-badge")).to_have_text(re.compile(r"^over by \d+$"))
    expect(row.locator(".may")).to_contain_text("22 by 2 pools")
    expect(page.locator("body")).not_to_contain_text(NOTHING)
    row.get_by_role("link", name="pool").click()
    expect(page).to_have_url(f"{daemon.url}/targets/pool")


def test_pools_without_a_limit_are_said_to_have_none(
    pg: Postgres,
    make_pgbouncer: MakePgBouncer,
    make_headroom: MakeHeadroom,
    clients: Clients,
    page: Page,
) -> None:
    """A key that is null has a word; only the places for clients bound such a pool."""
    pooler = make_pgbouncer(
        pg,
        {"shop": "dbname=postgres"},
        ["postgres"],
        PROGRAM,
        max_client_conn=90,
        default_pool_size=0,
        query_wait_timeout=0,
    )
    daemon = make_headroom(config(pg, pooler))
    daemon.ready()
    busy(clients, pooler, 1)
    opened(page, daemon, "pool")
    pools = page.get_by_role("region", name="Pools")
    expect(pools.locator(".servers")).to_have_text("1, no limit", timeout=15_000)
    expect(pools).to_contain_text("without end: query_wait_timeout is off")
    expect(page.locator("body")).not_to_contain_text(NOTHING)
    opened(page, daemon, "orders")
    through = page.get_by_role("region", name="Through whom")
    expect(through.locator(".now .is")).to_have_text("1", timeout=15_000)
    expect(through).to_contain_text("90 by 1 pool")
    expect(page.locator("#verdict-badge")).to_contain_text("over by ")
    expect(page.locator("body")).not_to_contain_text(NOTHING)


def test_the_list_says_what_each_target_is(
    pg: Postgres,
    make_pgbouncer: MakePgBouncer,
    make_headroom: MakeHeadroom,
    page: Page,
) -> None:
    pooler = make_pgbouncer(pg, program=PROGRAM, max_client_conn=60)
    daemon = make_headroom(config(pg, pooler))
    daemon.ready()
    page.goto(daemon.url)
    row = page.locator("#targets tr").filter(has=page.get_by_role("link", name="pool"))
    expect(row.locator(".name")).to_have_text(re.compile(r"^pool ?PgBouncer 1\.\d+\.\d+$"))
    expect(row.locator("td.free")).to_have_text("59 of 60")
    expect(row.get_by_role("img", name="1 in use, 59 free; 60 places in all")).to_be_visible()
    server = page.locator("#targets tr").filter(has=page.get_by_role("link", name="orders"))
    expect(server.locator(".name")).to_contain_text("PostgreSQL 17")
    pooler.kill()
    expect(row).to_contain_text("unreachable", timeout=10_000)
    expect(row.locator("td.free")).to_have_text("59 of 60, last seen")
    page.get_by_role("link", name="pool").click()
    header = page.get_by_role("banner")
    expect(header).to_contain_text("59 of 60 places for clients were free")
    expect(header).to_contain_text("when last seen, at")


# What the page says when all that may be null is; between two of its own events.
WHAT_NULL_SAYS = """async () => {
  const { pools } = await import("/static/pools.js");
  const { pooling } = await import("/static/pooling.js");
  const { capacityOf } = await import("/static/capacity.js");
  const { gauge, legend } = await import("/static/gauge.js");
  const words = await import("/static/words.js");
  const text = (id) => document.getElementById(id).innerText.replace(/\\s+/g, " ");
  const pool = {
    database: "shop", role: "api", mode: "", clients: 1, waiting: 0, wait_seconds: 0,
    server_connections: 1, size: null, reserve: 0,
  };
  const pooler = {
    software: "PgBouncer", version: "", serves: null, paused: false, limits_from_settings: true,
    paused_databases: [],
    wait_timeout_seconds: null, pools: [pool], more_pools: 1,
  };
  const use = {
    pooler: "pool", pooled: null, committed: null, reserve: 0, ceiling: null, unbounded_by: "",
    replicas: 3, pools: 1, waiting: [],
  };
  const view = {
    target: "pool", kind: "pgbouncer", state: "ok", standing: "well", severity: "ok", pooler,
    status: { condition: "steady", label: "steady", when: "not filling up", because: "" },
    server: null, slots: null, forecast: { exhaustion_seconds: {} },
    capacity: { used: 5, limit: null, free: null, logins: 0, reserve: 0, peak: { "5m": null } },
  };
  pools(pooler, "");
  const direct = { direct: null, direct_highest: 0, overcommitted: null, verdict: "Who knows." };
  pooling({ poolers: [use], ...direct }, "");
  gauge(document.getElementById("gauge"), capacityOf(view));
  legend(document.getElementById("legend"), capacityOf(view));
  return [
    text("pools-section"), text("through"), text("legend"), words.title(view), words.until(view)[0],
    words.software(view), words.freeOf(view, capacityOf(view)),
    words.software({ kind: "postgres" }),
    document.getElementById("gauge").getAttribute("aria-valuetext"),
  ];
}"""


def test_each_key_that_may_be_null_has_a_word(
    pg: Postgres, make_headroom: MakeHeadroom, page: Page
) -> None:
    daemon = make_headroom(f'targets: {{orders: "{pg.dsn()}"}}')
    daemon.ready()
    opened(page, daemon, "orders")
    pools, through, legend, *others = page.evaluate(WHAT_NULL_SAYS)
    assert "shop api \u2013 1, no limit 1 0 \u2013 1 pool more, less busy." in pools
    assert "no target that is watched, as far as is known" in pools
    assert "unknown: its exporter does not tell query_wait_timeout" in pools
    assert "pool unknown any number by 1 pool, in 3 processes any number nobody" in through
    assert "nothing bounds it Who knows." in through
    assert "Without a pooler: unknown slots now, at most unknown in the last day." in through
    assert legend == "In use 5"
    assert others == [
        *("pool", "not filling up", "PgBouncer", "any number", "PostgreSQL"),
        "5 in use; any number of places for clients",
    ]
