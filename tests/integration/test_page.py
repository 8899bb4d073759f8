"""Tests that the status page shows what happens, when it happens."""

import http.client
import os
import re
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.integration.conftest import MakeHeadroom
from tests.support.contrast import POOR_CONTRAST
from tests.support.servers import http as simple
from tests.support.servers.clients import Clients
from tests.support.servers.headroom import Headroom
from tests.support.servers.ports import LOOPBACK, free_port
from tests.support.servers.postgres import Postgres

pytest_plugins = ("tests.support.fixtures.browser",)
pytestmark = [pytest.mark.majors(17), pytest.mark.chromium]

RED = "rgb(179, 20, 15)"
PHONE = {"width": 360, "height": 740}
DESK = {"width": 1200, "height": 800}

# Where the curve of the last seconds ends, in pixels from the top of the canvas.
TOP_OF_CURVE = """() => {
  const canvas = document.querySelector("#curve canvas");
  const context = canvas.getContext("2d");
  const { width, height } = canvas;
  const left = Math.round(width * 0.5);
  const { data } = context.getImageData(left, 0, width - left, height);
  const [r, g, b] = [0x2a, 0x62, 0xb0];
  for (let at = 0; at < data.length; at += 4) {
    if (data[at] === r && data[at + 1] === g && data[at + 2] === b) {
      return Math.floor(at / 4 / (width - left));
    }
  }
  return null;
}"""

# When the leak of the first test is named, counted and told of, in milliseconds since the epoch.
SHOWN_AT = """() => {
  const text = (id) => document.getElementById(id).textContent;
  const there = text("who") === "leaky" && text("free") === "3";
  return there && text("curve-words").includes("now 12,") ? Date.now() : 0;
}"""


def config(server: Postgres) -> str:
    """Watch *server*, without knocks: each would be a login under way for a moment."""
    return f'knock_interval_seconds: 0\ntargets: {{db: "{server.dsn()}"}}'


def opened(page: Page, daemon: Headroom, path: str = "/") -> None:
    """Open *path* and wait for its first figures."""
    page.goto(daemon.url + path)
    expect(page.locator("#free")).to_have_text(re.compile(r"\d"), timeout=10_000)


def test_a_leak_is_drawn_and_named_within_two_seconds_of_its_sample(
    pg: Postgres, make_headroom: MakeHeadroom, clients: Clients, page: Page
) -> None:
    clients.fill(pg.tcp, 6, application_name="checkout-api")
    daemon = make_headroom(config(pg))
    daemon.ready()
    opened(page, daemon)
    expect(page.locator("#who")).to_have_text("checkout-api")
    expect(page.locator("#curve-words")).to_contain_text("now 7,")
    expect(page.locator("#learning")).to_have_text(
        "History: less than a minute; the daily rhythm is known after a day, the weekly one after a"
        " week."
    )
    # Growth is told over ten seconds at least.
    known = page.locator("#applications .growth").filter(has_text=re.compile(r"^0$"))
    expect(known.first).to_be_visible(timeout=20_000)
    before = page.evaluate(TOP_OF_CURVE)
    clients.fill(pg.tcp, 5, application_name="leaky")
    shown_at = page.wait_for_function(SHOWN_AT).json_value() / 1000
    shown = simple.get_json(f"{daemon.url}/api/v1/targets/db")
    points = shown["history"]["points"]
    second = next(p["time"] for p in points if p["applications"].get("leaky") == 5)
    # A point tells the second; within it, samples are taken at the same moment each time.
    assert 0 < shown_at - (second + shown["sample"]["time"] % 1) < 2
    expect(page.locator("#took")).to_have_text(
        re.compile(r"^\+\d+.*/min \(\+\d+ in .*, holds 5\)$")
    )
    assert page.evaluate(TOP_OF_CURVE) < before - 10
    expect(page.locator("#free")).to_have_text("3")
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name="leaky"))
    expect(row.locator(".connections")).to_have_text("5")


def test_a_full_server_turns_the_page_red_and_says_why(
    pg: Postgres, make_headroom: MakeHeadroom, clients: Clients, page: Page
) -> None:
    daemon = make_headroom(config(pg))
    daemon.ready()
    opened(page, daemon)
    header = page.get_by_role("banner")
    expect(header).not_to_have_css("background-color", RED)
    clients.fill(pg.tcp, application_name="checkout-api")
    expect(page).to_have_title("FULL db")
    expect(header).to_have_css("background-color", RED)
    expect(header).to_contain_text("full: new connections are being refused")
    expect(header).to_contain_text("full")
    expect(page.locator("#icon")).to_have_attribute("href", "static/critical.svg")
    alerts = page.get_by_role("list", name="Firing alerts")
    expect(alerts).to_contain_text("No connection slot is left for applications.")
    expect(alerts).to_contain_text("checkout-api")
    expect(page.locator("#todo")).to_contain_text("checkout-api")
    runbook = alerts.get_by_role("link", name="Runbook of PostgresConnectionsExhausted")
    expect(runbook).to_have_attribute("href", re.compile(r"/PostgresConnectionsExhausted\.md$"))
    expect(page.get_by_role("meter")).to_have_attribute("aria-valuenow", "20")
    clients.close()
    expect(page.locator("#free")).to_have_text("14", timeout=10_000)
    expect(page).not_to_have_title(re.compile("FULL"))


def test_a_server_that_is_gone_is_told_with_the_last_figures(
    pg: Postgres, make_headroom: MakeHeadroom, page: Page
) -> None:
    daemon = make_headroom(config(pg))
    daemon.ready()
    opened(page, daemon)
    expect(page.locator("#free")).to_have_text("14")
    pg.kill()
    expect(page.get_by_role("banner")).to_contain_text("unreachable", timeout=10_000)
    expect(page).to_have_title("unreachable · db")
    expect(page.locator("#free")).to_have_text("14")
    expect(page.get_by_role("banner")).to_contain_text("of 15 slots were free")
    expect(page.locator("#until")).to_have_text("unknown")
    expect(page.locator("#todo")).to_contain_text("that PostgreSQL runs")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_lost_daemon_is_noticed(
    pg: Postgres, make_headroom: MakeHeadroom, page: Page, number: signal.Signals
) -> None:
    """One that died, and one that hangs, whose connection stays open; and that it is back."""
    daemon = make_headroom(config(pg))
    daemon.ready()
    opened(page, daemon)
    lost = page.get_by_role("alert")
    expect(lost).to_be_hidden()
    expect(page.locator("#free")).to_have_text("14")
    if number == signal.SIGSTOP:
        os.kill(daemon.pid, number)
    else:
        daemon.stop(number)
    expect(lost).to_be_visible(timeout=5000)
    expect(lost).to_have_text(
        re.compile(
            r"^No connection to the daemon since \d\d:\d\d:\d\d\. The figures are as of then\.$"
        )
    )
    expect(page).to_have_title(re.compile(r"^LOST · "))
    expect(page.locator("body")).to_contain_class("is-lost")
    expect(page.locator("#free")).to_have_text("14")
    if number == signal.SIGSTOP:
        os.kill(daemon.pid, signal.SIGCONT)
    else:
        daemon._start_on(daemon.port)  # noqa: SLF001 - the page asks again where it asked before
    expect(lost).to_be_hidden(timeout=15_000)
    expect(page.locator("body")).not_to_contain_class("is-lost")
    expect(page).to_have_title("14 free · db")


def test_a_hidden_page_gives_its_connection_back(
    pg: Postgres, make_headroom: MakeHeadroom, clients: Clients, page: Page
) -> None:
    """A browser has six for a host. Its title goes on telling, and the page goes on when seen."""
    daemon = make_headroom(config(pg))
    daemon.ready()
    page.add_init_script(
        "Object.defineProperty(document, 'hidden', { get: () => window.unseen === true })"
    )
    opened(page, daemon)
    turn = (
        "(unseen) => { window.unseen = unseen;"
        " document.dispatchEvent(new Event('visibilitychange')); }"
    )
    with page.expect_event("requestfailed", lambda request: "/api/v1/stream" in request.url):
        page.evaluate(turn, True)  # noqa: FBT003 - of JavaScript
    clients.fill(pg.tcp)
    expect(page).to_have_title("FULL db", timeout=40_000)
    with page.expect_request(lambda request: "/api/v1/stream" in request.url):
        page.evaluate(turn, False)  # noqa: FBT003 - of JavaScript
    clients.close()
    expect(page.locator("#free")).to_have_text("14", timeout=10_000)


def test_what_is_told_again_is_drawn_once(
    pg: Postgres, make_headroom: MakeHeadroom, page: Page
) -> None:
    """Of stretches that are told twice the newer counts; where nothing was known there is a gap."""
    daemon = make_headroom(config(pg))
    opened(page, daemon)
    drawn = page.evaluate("""async () => {
      const { History } = await import("/static/history.js");
      const history = new History();
      const point = (time, seconds, high) => ({ time, seconds, high });
      history.replace([point(0, 4, 1), point(4, 2, 2), point(6, 1, 3)]);
      history.add([point(5, 1, 4), point(6, 1, 5), point(7, 1, 6)]);
      history.add([point(30, 1, 7)]);
      const drawn = [];
      history.since(0, 31, (point, end, known) => drawn.push([point.time, end, point.high, known]));
      return drawn;
    }""")
    assert drawn == [
        [0, 4, 1, True],
        [4, 5, 2, True],
        [5, 6, 4, True],
        [6, 7, 5, True],
        [7, 8, 6, False],
        [30, 31, 7, True],
    ]


def test_what_a_client_calls_itself_stays_text(
    pg: Postgres, make_headroom: MakeHeadroom, clients: Clients, page: Page
) -> None:
    names = [
        "<script>alert()</script>",
        '"><img src=x onerror=alert()>',
        "</td><svg onload=alert()>",
        '=HYPERLINK("x")',
        "__proto__",
    ]
    for name in names:
        clients.fill(pg.tcp, 2, application_name=name)
    daemon = make_headroom(config(pg))
    daemon.ready()
    opened(page, daemon)
    scripts = page.locator("script").count()
    for name in names:
        cell = page.locator("#applications th").filter(has_text=name)
        expect(cell).to_have_text(name)
    assert page.locator("script").count() == scripts
    expect(page.locator("img")).to_have_count(0)
    expect(page.locator("[onload], [onerror]")).to_have_count(0)


def test_the_policy_lets_nothing_else_in(
    pg: Postgres, make_headroom: MakeHeadroom, context: BrowserContext, page: Page
) -> None:
    """No other host is asked, no inline script or style counts, no string becomes markup."""
    daemon = make_headroom(config(pg))
    daemon.ready()
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    answer = page.goto(daemon.url)
    assert answer is not None
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    expect(page.locator("#free")).to_have_text("14")
    assert any(url.endswith("/static/uplot.js") for url in asked)
    assert all(url.startswith(daemon.url + "/") for url in asked)
    refused = page.evaluate(
        "() => { try { document.body.innerHTML = 'x'; } catch (error) { return error.name; } }"
    )
    assert refused == "TypeError"


def test_a_reader_finds_what_there_is(
    pg: Postgres, make_headroom: MakeHeadroom, clients: Clients, page: Page
) -> None:
    """The accessibility tree, as a screen reader walks it."""
    clients.fill(pg.tcp, 4, application_name="checkout-api")
    daemon = make_headroom(config(pg))
    daemon.ready()
    opened(page, daemon)
    expect(page.locator("#free")).to_have_text("10")
    expect(page.locator("body")).to_match_aria_snapshot("""
      - banner:
        - heading "db" [level=1]
        - heading "Left" [level=2]
        - heading "Until when" [level=2]
        - heading "Top consumer" [level=2]
      - main:
        - status: /db. steady/
        - region "What to do first":
          - paragraph: No action needed.
        - region "Slots now":
          - meter "Slots in use"
        - region "History":
          - group "Time range to show":
            - radio "5 min"
            - radio "15 min"
            - radio "1 h" [checked]
          - figure:
            - img /slots were in use; now \\d+, and 15 is the limit for applications/
        - region "Applications":
          - table "Applications":
            - rowgroup:
              - row:
                - columnheader "Application"
                - columnheader "Connections"
                - columnheader "States"
                - columnheader "Growth"
                - columnheader "Verdict"
            - rowgroup:
              - row:
                - rowheader "checkout-api"
                - cell "4"
        - region "The server, and how it is watched"
      - contentinfo:
        - navigation "More"
    """)
    meter = page.get_by_role("meter")
    expect(meter).to_have_attribute(
        "aria-valuetext", "5 in use, 10 free, 5 reserve; 20 slots in all"
    )
    page.set_viewport_size({"width": 360, "height": 740})
    cells = page.get_by_role("table", name="Applications").get_by_role("cell")
    assert cells.count() >= 10  # cards are a table still


def test_whether_the_canary_gets_in_is_told(
    pg: Postgres, make_headroom: MakeHeadroom, page: Page
) -> None:
    pg.sql("create role canary login")
    way_in = pg.dsn(user="canary")
    daemon = make_headroom(
        "canary_interval_seconds: 1\n"
        f'targets: {{db: {{dsn: "{pg.dsn()}", canary_dsn: "{way_in}"}}}}'
    )
    daemon.ready()
    opened(page, daemon)
    told = page.locator("#server div", has_text="Newest canary login")
    expect(told).to_contain_text("let in after")
    pg.sql("alter role canary connection limit 0")
    expect(told).to_contain_text("not let in: role_limit: ")
    expect(told).to_contain_text("too many connections for role")


def test_the_keyboard_is_enough(pg: Postgres, make_headroom: MakeHeadroom, page: Page) -> None:
    daemon = make_headroom(config(pg))
    daemon.ready()
    opened(page, daemon)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the figures")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    page.keyboard.press("Tab")
    hour = page.get_by_role("radio", name="1 h")
    expect(hour).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("radio", name="15 min")).to_be_checked()


def test_a_reader_is_not_told_each_second(
    pg: Postgres, make_headroom: MakeHeadroom, clients: Clients, page: Page
) -> None:
    """Figures change in silence; a change of state or of the alerts is said."""
    daemon = make_headroom(config(pg))
    daemon.ready()
    opened(page, daemon)
    news = page.locator("#news")
    expect(news).to_have_text("db: steady. 14 of 15 slots free.")
    clients.fill(pg.tcp, 1)
    expect(page.locator("#free")).to_have_text("13")
    expect(news).to_have_text("db: steady. 14 of 15 slots free.")
    clients.fill(pg.tcp)
    expect(news).to_contain_text("critical: No connection slot is left for applications.")


def test_several_targets_worst_first(
    pg: Postgres, make_headroom: MakeHeadroom, clients: Clients, page: Page
) -> None:
    daemon = make_headroom(
        f'targets: {{quiet: "host=127.0.0.1 port={free_port()} user=x", db: "{pg.dsn()}"}}'
    )
    daemon.ready()
    page.goto(daemon.url)
    rows = page.locator("#targets tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("unreachable")
    clients.fill(pg.tcp, application_name="checkout-api")
    expect(rows.nth(0)).to_contain_text("full: new connections are being refused")
    expect(rows.nth(0)).to_contain_text("checkout-api")
    expect(page).to_have_title("FULL db · pgheadroom")
    expect(page.get_by_role("banner")).to_contain_text("2 targets: 1 critical, 1 unknown")
    page.get_by_role("link", name="db").click()
    expect(page).to_have_url(f"{daemon.url}/targets/db")
    expect(page).to_have_title("FULL db")
    page.get_by_role("link", name="All targets").click()
    expect(page).to_have_url(f"{daemon.url}/")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("full", [False, True])
def test_it_can_be_read(
    pg: Postgres,
    make_headroom: MakeHeadroom,
    clients: Clients,
    page: Page,
    scheme: str,
    full: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """Contrast in both schemes; and nothing is wider than a phone."""
    clients.fill(pg.tcp, 4, application_name="an-application-with-a-name-as-long-as-names-may-be")
    daemon = make_headroom(config(pg))
    daemon.ready()
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    opened(page, daemon)
    if full:
        clients.fill(pg.tcp)
        expect(page).to_have_title("FULL db")
    for width in (320, 1200):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate(POOR_CONTRAST) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_it_prints_in_ink_on_paper(pg: Postgres, make_headroom: MakeHeadroom, page: Page) -> None:
    """Also when the screen is dark."""
    daemon = make_headroom(config(pg))
    daemon.ready()
    page.emulate_media(color_scheme="dark", media="print")
    opened(page, daemon)
    expect(page.locator("body")).to_have_css("background-color", "rgb(255, 255, 255)")
    expect(page.locator("body")).to_have_css("color", "rgb(20, 24, 31)")
    expect(page.get_by_role("radio").first).to_be_hidden()


def ask(daemon: Headroom, path: str, **headers: str) -> tuple[int, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=10)
    try:
        connection.request(
            "GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )
        answer = connection.getresponse()
        answer.read()
        return answer.status, dict(answer.getheaders())
    finally:
        connection.close()


def test_only_its_own_files_are_served(pg: Postgres, make_headroom: MakeHeadroom) -> None:
    daemon = make_headroom(config(pg))
    for path, kind in (
        ("/", "text/html; charset=utf-8"),
        ("/targets/db", "text/html; charset=utf-8"),
        ("/static/target.js", "text/javascript; charset=utf-8"),
        ("/static/page.css", "text/css; charset=utf-8"),
        ("/static/critical.svg", "image/svg+xml; charset=utf-8"),
    ):
        status, headers = ask(daemon, path)
        assert (status, headers["Content-Type"]) == (200, kind)
        assert ask(daemon, path, If_None_Match=headers["ETag"])[0] == 304
        assert ask(daemon, path, If_None_Match='"other"')[0] == 200
    for path in (
        *("/static/", "/static/uplot.LICENSE", "/static/target.html", "/static/../web.py"),
        *("/static/..%2fweb.py", "/static/%2e%2e/web.py", "/targets/nobody", "/targets/"),
    ):
        assert ask(daemon, path)[0] == 404


@pytest.fixture
def evil() -> Iterator[str]:
    """Serve an empty page of another origin, and return its address."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 1  # for a connection that the browser opens ahead, and never uses

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>evil</title>")

        def log_message(self, *_said: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer((LOOPBACK, 0), Handler) as server:
        server.daemon_threads = False  # each is waited for in the end
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://{LOOPBACK}:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_a_page_of_others_cannot_reload_the_configuration(
    browser: Browser, evil: str, pg: Postgres, make_headroom: MakeHeadroom
) -> None:
    """A script's and a form's requests from another origin arrive, and are told no."""
    daemon = make_headroom(f"enable_reload: true\n{config(pg)}")
    context = browser.new_context()
    page = context.new_page()
    page.goto(evil)
    address = f"{daemon.url}/-/reload"
    script = "address => fetch(address, {method: 'POST', mode: 'no-cors'}).then(a => a.type)"
    assert page.evaluate(script, address) == "opaque", "it was sent, and answered"
    form = "address => { document.body.innerHTML = `<form method=post action='${address}'>`; "
    page.evaluate(form + "document.forms[0].submit(); }", address)
    expect(page.locator("body")).to_contain_text("a page in a browser asked for this")
    context.close()
    assert "reloaded" not in daemon.log.read()
