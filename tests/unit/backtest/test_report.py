"""Tests that names stay text in the report, whatever they contain, and that its style counts."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from tests.support.histories import MINUTE, Shape, climb, pool, samples, together
from tests.support.readings import POLICY

from pgheadroom.backtest.curve import UsageSeries
from pgheadroom.backtest.replay import Replay
from pgheadroom.backtest.report import Chapter, page

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7 * 7 }}{% raw %}",
    "O'Neil & <b>sons</b>",
)


class Page(HTMLParser):
    """What a browser would see: tags with their attributes, and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        """Note text."""
        self.text += data


def chapter(name: str, shape: Shape) -> Chapter:
    curve = UsageSeries()
    replay = Replay(name, POLICY, curve)
    for sample in samples(shape, 20 * MINUTE, 5.0):
        replay.add(sample)
    return Chapter(replay.account, curve)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_with_markup_stays_text(name: str) -> None:
    leak = together(pool("web", 20), climb(name, 1, 1 / 8, begins=4 * MINUTE))
    chapters = [chapter(name, leak), chapter("calm", pool(name, 3))]
    assert any(one.account.paged for one in chapters)
    calm = Page(page([chapter("db", leak_of("api")), chapter("calm", pool("api", 3))], "test"))
    seen = Page(page(chapters, f"made by {name}"))
    assert seen.tags == calm.tags
    assert seen.attributes == calm.attributes
    # In the overview, the heading, the legend, the table of alerts, its words and the foot.
    assert seen.text.count(name) >= 6


def leak_of(name: str) -> Shape:
    return together(pool("web", 20), climb(name, 1, 1 / 8, begins=4 * MINUTE))


def test_the_policy_allows_the_style_and_nothing_else() -> None:
    html = page([chapter("db", pool("web", 3))], "test")
    (style,) = re.findall(r"<style>(.*?)</style>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
    assert 'class="good"' in html
