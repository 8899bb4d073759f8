"""Tests that foreign text stays readable, and that nothing in it makes a chat act."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgheadroom.text import harmless

# What Slack, Discord, Mattermost, Teams, mail and Markdown act upon.
ACTIVE = re.compile(
    r"<[!@#:/a-z]|@\w|&\w|&#|\]\(|https?://",
    re.IGNORECASE,
)

HOSTILE = (
    "<!channel>",
    "<!here|x>",
    "<!everyone>",
    "<@U024BE7LH>",
    "<@&123456789012345678>",
    "<#C024BE7LR>",
    "<https://evil.example|log in>",
    "@here",
    "@channel",
    "@everyone",
    "x@all",
    "[log in](https://evil.example)",
    "[[log in]](javascript:alert(1))",
    "https://evil.example/?a=1&b=2",
    "<img src=x>",
    "&lt;!channel&gt;",
    "&#64;everyone",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_is_left_to_act_upon(text: str) -> None:
    """And the pattern that says so knows each of them."""
    assert ACTIVE.search(text)
    assert not ACTIVE.search(harmless(text))


@pytest.mark.parametrize(
    "text",
    [
        "checkout-api",
        "api-*",
        "puma[*] (web)",
        "PostgreSQL JDBC Driver 42.7",
        "Größe 12 €",
        "sidekiq: 7.2",
        "psql - *",
        "3 of 97 slots are left; at 0.5 connections a second the last one goes in 6 s.",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert harmless(text) == text


def test_a_person_still_reads_it() -> None:
    assert harmless("celery@web-1") == "celery\N{FULLWIDTH COMMERCIAL AT}web-1"


@given(st.text() | st.lists(st.sampled_from([*HOSTILE, " ", "\n", "x"])).map("".join))
def test_whatever_a_client_says(text: str) -> None:
    for longest in (1, 20, 128):
        told = harmless(text, longest)
        assert told.isprintable()
        assert len(told) <= longest
        assert not ACTIVE.search(told)
        assert harmless(told, longest) == told


@pytest.mark.parametrize("character", ["\n", "\r", "\x1b", "\u202e", "\u2066", "\u200b", "\ud800"])
def test_what_cannot_be_seen_is_escaped(character: str) -> None:
    assert harmless(f"a{character}b") == f"a\\u{ord(character):04x}b"
