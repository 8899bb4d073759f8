"""Tests that remedies speak of the application that takes the slots, and of no other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.support.histories import LIMITS, START, after
from tests.support.readings import role_limit, sample, with_server

from pgheadroom.model.capacity import Capacity
from pgheadroom.model.reading import Failure, Group, Outcome, Sample
from pgheadroom.state import State
from pgheadroom.status.condition import Condition, condition
from pgheadroom.status.remedies import remedies

NAME = "pg_catalog.btrim(application_name)"
OURS = Group("pgheadroom", "active", 1, 60.0, "postgres", "pgheadroom")


def of(
    name: str,
    count: int = 1,
    state: str = "idle",
    database: str = "shop",
    role: str = "shop",
) -> Group:
    return Group(name, state, count, 60.0, database, role)


def full(*groups: Group, others: tuple[Capacity, ...] = (), **server: object) -> State:
    """Return a server that refuses new sessions; pgheadroom's own is one of them."""
    found = sample(START, (*groups, OURS), limits=LIMITS)._replace(others=others)
    refusal = Failure(START + 1, Outcome.FULL, "sorry, too many clients already")
    return after([with_server(found, **server), refusal])


def statements(state: State) -> dict[str, str]:
    return {one.label: one.statement for one in remedies(state)}


def words(state: State) -> str:
    return "\n".join(one.does for one in remedies(state))


def leak() -> Iterator[Sample]:
    for number in range(120):
        groups = (of("nest-api", 20 + number // 4), of("cron", 3, role="batch"), OURS)
        yield sample(START + number, groups, limits=LIMITS)


def test_a_leak_has_a_name_a_role_and_a_database() -> None:
    state = after(leak())
    assert condition(state) is Condition.RISING
    assert statements(state) == {
        "see its sessions": """\
SELECT pid, usename AS role, datname AS database, client_addr AS address, state,
       date_trunc('second', now() - backend_start) AS age,
       CASE WHEN state LIKE 'idle%' THEN date_trunc('second', now() - state_change) END AS idle
FROM pg_catalog.pg_stat_activity
WHERE backend_type = 'client backend'
  AND application_name = 'nest-api'
  AND usename = 'shop'
  AND datname = 'shop'
ORDER BY state <> 'idle', state_change
LIMIT 50;""",
        "end its idle sessions": """\
SELECT pid, usename AS role, datname AS database, client_addr AS address,
       pg_catalog.pg_terminate_backend(pid) AS ended
FROM pg_catalog.pg_stat_activity
WHERE backend_type = 'client backend'
  AND application_name = 'nest-api'
  AND usename = 'shop'
  AND datname = 'shop'
  AND state = 'idle'
  AND state_change < now() - interval '10 seconds'
  AND pid <> pg_backend_pid();""",
        "cap its role at 83": 'ALTER ROLE "shop" CONNECTION LIMIT 83;',
        "take the cap back": 'ALTER ROLE "shop" CONNECTION LIMIT -1;',
    }
    assert "its pools refill at once" in words(state)
    assert "No other application has sessions of this role" in words(state)


def test_where_nothing_is_wrong_there_is_nothing_to_copy() -> None:
    assert remedies(State("db")) == ()
    calm = after([sample(START, (of("nest-api", 20), OURS), limits=LIMITS)])
    assert condition(calm) is Condition.STEADY
    assert remedies(calm) == ()


def test_forgotten_transactions_are_ended_only_where_there_are_some() -> None:
    groups = of("api", 80), of("api", 1, "active")
    assert "end its forgotten transactions" not in statements(full(*groups))
    state = full(*groups, of("api", 2, "idle in transaction (aborted)"))
    ending = statements(state)["end its forgotten transactions"]
    assert "AND state LIKE 'idle in transaction%'\n" in ending
    assert "interval '1 minute'" in ending
    assert "rolled back" in words(state)


def test_a_folded_name_is_a_pattern() -> None:
    state = full(
        of("billing-7f9c8d6b5-x2x4z", 40), of("billing-7f9c8d6b5-b2b4d", 40), of("cron", 2)
    )
    assert all(
        "AND application_name LIKE 'billing-%' ESCAPE '!'\n" in one
        for label, one in statements(state).items()
        if "its" in label and "cap" not in label
    )
    assert "address, application_name, state" in statements(state)["see its sessions"]


def test_what_fits_a_pattern_and_is_another_application_is_excepted() -> None:
    """`shop-frontend` is not `shop-*`, whatever LIKE says."""
    state = full(of("shop-17", 40), of("shop-18", 40), of("shop-frontend", 3), of("shop-x_y*", 2))
    for label in ("see its sessions", "end its idle sessions"):
        statement = statements(state)[label]
        assert f"AND {NAME} LIKE 'shop-%' ESCAPE '!'\n" in statement
        assert f"AND {NAME} <> 'shop-frontend'\n" in statement
        assert f"AND {NAME} NOT LIKE 'shop-x!_y%' ESCAPE '!'\n" in statement


def test_a_pattern_that_fits_too_many_others_ends_nothing() -> None:
    others = [of(f"shop-{chr(97 + n)}") for n in range(21)]
    state = full(of("shop-17", 30), of("shop-18", 30), *others)
    assert "see its sessions" in statements(state)
    assert "end its idle sessions" not in statements(state)
    assert "too vague" in words(state)


@pytest.mark.parametrize("name", ["*", "-*", "12345678"])
def test_a_name_of_nothing_but_what_varies_ends_nothing(name: str) -> None:
    state = full(of(name, 90))
    assert "LIKE" in statements(state)["see its sessions"]
    assert "end its idle sessions" not in statements(state)


def test_unnamed_sessions_have_an_empty_name() -> None:
    state = full(of("", 60), of("   ", 20))
    assert "AND pg_catalog.btrim(application_name) = ''\n" in statements(state)["see its sessions"]
    assert "sessions without a name" in words(state)
    assert "AND application_name = ''\n" in statements(full(of("", 90)))["end its idle sessions"]


def test_what_is_summed_in_other_has_no_statement() -> None:
    assert remedies(full(of("other", 90))) == ()


def test_spaces_at_the_ends_of_a_name_are_none_of_it() -> None:
    state = full(of(" api ", 60), of("api", 20))
    assert "btrim(application_name) = 'api'" in statements(state)["end its idle sessions"]


def test_where_the_role_is_not_known_it_is_said() -> None:
    state = full(of("api", 90, database="", role=""))
    see = statements(state)["see its sessions"]
    assert ("usename =" in see, "datname =" in see) == (False, False)
    assert "any role and database: not known" in words(state)
    assert not [one for one in statements(state) if "cap" in one]


def test_a_role_that_cannot_be_told_is_left_out() -> None:
    r"""A reading writes a line end as `\u000a`: that is another role's name, perhaps."""
    state = full(of("api", 90, role=r"a\u000ab", database="caf\u00e9"))
    see = statements(state)["see its sessions"]
    assert "usename =" not in see
    assert "AND datname = 'caf\u00e9'\n" in see
    assert "any role: not known" in words(state)
    assert not [one for one in statements(state) if "cap" in one]


def test_several_roles_and_databases_are_listed() -> None:
    state = full(of("api", 50), of("api", 30, role="o'x", database="b\\c"))
    see = statements(state)["see its sessions"]
    assert "AND usename IN ('o''x', 'shop')\n" in see
    assert r"AND datname IN (E'b\\c', 'shop')" in see
    many = full(*(of("api", 10, database=f"d{n}") for n in range(8)))
    assert "datname IN" not in statements(many)["see its sessions"]
    assert "any database: not known, or too many" in words(many)


def test_who_calls_itself_as_we_do_does_not_take_us_along() -> None:
    state = full(of("pgheadroom", 90))
    assert "AND usename <> 'pgheadroom'\n" in statements(state)["end its idle sessions"]
    assert remedies(full(of("pgheadroom", 90, role="pgheadroom"))) == ()
    quoted = full(of("pgheadroom", 90), role='"it""s"')
    assert "AND usename <> 'it\"s'\n" in statements(quoted)["end its idle sessions"]


def test_our_session_is_excepted_from_a_pattern() -> None:
    state = full(of("pgh*", 85))
    assert f"AND {NAME} <> 'pgheadroom'\n" in statements(state)["end its idle sessions"]


def test_after_a_restart_only_a_plain_name_is_enough() -> None:
    def restarted(name: str) -> State:
        state = full(of(name, 90))
        assert state.sample
        holders = state.sample.holders._replace(groups=())
        return state._replace(sample=state.sample._replace(holders=holders), restored=True)

    assert [*statements(restarted("api"))] == ["see its sessions", "end its idle sessions"]
    assert [*statements(restarted("api-17"))] == ["see its sessions"]


def test_a_name_that_a_rule_has_made_up_has_no_statement() -> None:
    state = full(of("api", 90))
    renamed = state.applications._replace(
        totals={"made up": 90, "pgheadroom": 1}, tracked={"made up": 90, "pgheadroom": 1}
    )
    assert remedies(state._replace(applications=renamed)) == ()


def test_the_cap_leaves_the_others_what_they_hold_and_a_few_free() -> None:
    """97 slots, 10 of other roles, 10 to be free; who shares the role is told."""
    state = full(of("api", 60), of("web", 17), of("cron", 9, role="batch"))
    assert statements(state)["cap its role at 77"] == 'ALTER ROLE "shop" CONNECTION LIMIT 77;'
    assert "it has 77 now" in words(state)
    assert "It also binds who else has sessions of this role: web (17)." in words(state)


def test_many_who_share_the_role_are_summed() -> None:
    sharing = (of(name, count) for name, count in zip("abcde", (15, 8, 7, 6, 1), strict=True))
    state = full(of("api", 40), *sharing, of("cron", 19, role="batch"))
    assert "cap its role at 67" in statements(state)
    assert "a (15), b (8), c (7) and 7 more." in words(state)


def test_the_cap_is_never_less_than_what_who_shares_the_role_holds() -> None:
    """The budget is 72, the others have that, and one is left for whoever holds most."""
    sharing = (of(name, 12) for name in "abcdef")
    state = full(of("api", 13), *sharing, of("cron", 7, role="batch"), of("x", 7, role="batch"))
    assert "cap its role at 73" in statements(state)


def test_the_cap_leaves_what_it_had_before_it_grew() -> None:
    def crowded() -> Iterator[Sample]:
        for number in range(60):
            groups = (of("api", 20 + number // 4), of("cron", 60, role="batch"), OURS)
            yield sample(START + number, groups, limits=LIMITS)

    state = after(crowded())
    (label,) = (one for one in statements(state) if one.startswith("cap"))
    assert 20 <= int(label.split()[-1]) <= 26


def test_the_former_limit_is_put_back() -> None:
    groups = of("api", 80), of("cron", 9, role="batch")
    state = full(*groups, others=(role_limit("shop", 90, 80), role_limit("batch", 20, 9)))
    assert statements(state)["take the cap back"] == 'ALTER ROLE "shop" CONNECTION LIMIT 90;'
    assert "have 90 sessions, as before" in words(state)


@pytest.mark.parametrize(
    "state",
    [
        full(of("api", 80), others=(role_limit("shop", 80, 80),)),
        full(of("api", 80), in_recovery=True),
        full(of("api", 80, role="pgheadroom")),
        full(of("api", 50), of("api", 30, role="b")),
        full(of("api", 80), others=tuple(role_limit(f"r{n}", 9, 1) for n in range(100))),
    ],
    ids=["capped already", "standby", "our own role", "several roles", "unknown limit"],
)
def test_there_are_caps_that_would_not_do(state: State) -> None:
    assert not [one for one in statements(state) if "cap" in one]
    assert "end its idle sessions" in statements(state)


def test_a_role_is_quoted() -> None:
    state = full(of("api", 90, role='x"; DROP ROLE y; --'))
    capped = statements(state)["take the cap back"]
    assert capped == 'ALTER ROLE "x""; DROP ROLE y; --" CONNECTION LIMIT -1;'
