"""Tests that the names of one application's processes become one name, and others do not."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgheadroom.model.names import DEFAULT_RULES, OTHER, UNNAMED, NameFolder, Rule
from pgheadroom.text import printable

fold = NameFolder().fold


@pytest.mark.parametrize(
    ("name", "folded"),
    [
        ("", UNNAMED),
        ("   ", UNNAMED),
        ("api-550e8400-e29b-41d4-a716-446655440000", "api-*"),
        ("550e8400e29b41d4a716446655440000", "*"),
        ("checkout-6d4b75cb6d-hwx8z", "checkout-*"),
        ("node-exporter-x7k2p", "node-exporter-*"),
        ("orders-db-0", "orders-db-*"),
        ("worker_12", "worker_*"),
        ("celery@host-3", "celery@host-*"),
        ("psql - 127.0.0.1:33160", "psql - *"),
        ("psql - [::1]:33160", "psql - *"),
        ("app - db-client.internal:40112", "app - *"),
        ("puma[4711]", "puma[*]"),
        ("cron (4711)", "cron (*)"),
        ("job pid=4711", "job pid=*"),
        ("build 3f2a9c1", "build *"),
        ("batch1732212345", "batch*"),
        ("pgAdmin 4 - CONN:7654321", "pgAdmin 4 - CONN:*"),
    ],
)
def test_what_varies_is_folded(name: str, folded: str) -> None:
    assert fold(name) == folded


@pytest.mark.parametrize(
    "name",
    [
        "psql",
        "PostgreSQL JDBC Driver",
        "pgAdmin 4 - DB:postgres",
        "DBeaver 24.1.0 - Main",
        "api-gateway-prod",
        "user-service",
        "sidekiq 7.2",
        "app-v2",
        "deadbeef",
        "cafe-worker",
        "Npgsql",
        "pg_dump",
        "data-pipeline-stats",
    ],
)
def test_ordinary_names_stay(name: str) -> None:
    assert fold(name) == name


def test_a_users_rule_comes_first() -> None:
    folder = NameFolder((Rule(re.compile(r"^tenant-\w+"), "tenant"), *DEFAULT_RULES))
    assert folder.fold("tenant-acme-3") == "tenant-*"


def test_what_cannot_be_seen_is_escaped() -> None:
    assert printable('a\nb"\u202ec') == 'a\\u000ab"\\u202ec'


@given(st.text(max_size=200))
def test_any_name_becomes_one_short_printable_one(name: str) -> None:
    folded = fold(name)
    assert folded
    assert folded.isprintable()
    assert len(folded) <= 128


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=64))
def test_folding_twice_is_folding_once_unless_it_was_cut(name: str) -> None:
    folded = fold(name)
    if "\\u" not in folded and not folded.endswith("…"):
        assert fold(folded) == folded


def test_the_names_with_a_meaning_are_not_the_same() -> None:
    assert OTHER != UNNAMED
