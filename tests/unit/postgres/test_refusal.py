"""Tests that a refusal is recognized by what is not translated, and libpq's own errors."""

import pytest

from pgheadroom.model.reading import Outcome
from pgheadroom.postgres.knock import parse_error
from pgheadroom.postgres.refusal import Refusal, outcome, parse

PREFIX = 'connection to server at "127.0.0.1", port 5432 failed: '


def full_message(text: str, routine: str, label: str = "LOCATION", severity: str = "FATAL") -> str:
    return f"{PREFIX}{severity}:  53300: {text}\n{label}:  {routine}, some.c:455\n"


@pytest.mark.parametrize(
    ("routine", "expected"),
    [
        ("InitProcess", Outcome.FULL),
        ("BackendInitialize", Outcome.FULL),
        ("ProcessStartupPacket", Outcome.FULL),
        ("ProcArrayAdd", Outcome.FULL),
        ("InitPostgres", Outcome.RESERVED_ONLY),
        ("InitializeSessionUserId", Outcome.ROLE_LIMIT),
        ("CheckMyDatabase", Outcome.DATABASE_LIMIT),
    ],
)
def test_the_routine_decides_in_any_language(routine: str, expected: Outcome) -> None:
    said = parse(full_message("tut mir leid, schon zu viele Verbindungen", routine, "ORT"))
    assert said.sqlstate == "53300"
    assert said.routine == routine
    assert outcome(said, was_alive=False) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sorry, too many clients already", Outcome.FULL),
        ("remaining connection slots are reserved for roles with ...", Outcome.RESERVED_ONLY),
        ('too many connections for role "x"', Outcome.ROLE_LIMIT),
        ('too many connections for database "x"', Outcome.DATABASE_LIMIT),
    ],
)
def test_without_a_routine_the_text_decides(text: str, expected: Outcome) -> None:
    """A pooler passes SQLSTATE and text on, and nothing else."""
    assert outcome(parse(f"{PREFIX}FATAL:  53300: {text}"), was_alive=False) is expected


@pytest.mark.parametrize(
    ("sqlstate", "text"),
    [
        ("08P01", "no more connections allowed (max_client_conn)"),
        ("08P01", "client connections exceeded (max_db_client_connections)"),
        ("08P01", "query_wait_timeout"),
        ("53300", "odyssey: c7: too many client tcp connections (client_max for user shop.app 3)"),
        ("53300", "odyssey: c7: too many tcp connections (global client_max 100)"),
        ("53300", "too many active clients for user (pool_size for user shop.app reached 2)"),
        ("53300", "Sorry, too many clients already"),
        ("53300", "connection pool is full"),
        ("XX000", "(EMAXCONN) max client connections reached, limit: 200"),
        ("XX000", "(EMAXCONNSESSION) max clients reached in session mode"),
        ("XX000", "(ECHECKOUTTIMEOUT) unable to check out connection from the pool after 15000ms"),
        ("XX000", "Max client connections reached"),
        ("58000", "could not get connection from the pool - AllServersDown"),
        ("08P01", "Timed-out waiting to acquire database connection"),
    ],
)
def test_a_pooler_that_is_full_is_no_full_server(sqlstate: str, text: str) -> None:
    assert outcome(Refusal(sqlstate, None, text), was_alive=False) is Outcome.POOLER_FULL


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("try again later", Outcome.ERROR),
        ("cached error: sorry, too many clients already", Outcome.FULL),
        ('cached error: too many connections for role "app"', Outcome.ROLE_LIMIT),
    ],
)
def test_what_pgbouncer_passes_on_is_the_servers_word(text: str, expected: Outcome) -> None:
    words = f"server login has been failing, {text} (server_login_retry)"
    assert outcome(Refusal("08P01", None, words), was_alive=False) is expected


def test_a_server_that_quotes_a_pooler_is_no_pooler() -> None:
    """A routine says that PostgreSQL itself has spoken."""
    said = Refusal("XX000", "exec_simple_query", "(EMAXCONN) as a function raised it")
    assert outcome(said, was_alive=True) is Outcome.ERROR


def test_a_server_that_had_sessions_is_shutting_down_and_not_starting() -> None:
    said = Refusal("57P03", "ProcessStartupPacket", "das Datenbanksystem ...")
    assert outcome(said, was_alive=True) is Outcome.SHUTTING_DOWN
    assert outcome(said, was_alive=False) is Outcome.STARTING


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("FATAL:  28P01: password authentication failed", Outcome.AUTH),
        ("FATAL:  28000: no pg_hba.conf entry", Outcome.AUTH),
        ("FATAL:  42501: permission denied for database", Outcome.AUTH),
        ("FATAL:  3D000: database does not exist", Outcome.ERROR),
        ("ERROR:  57014: canceling statement due to statement timeout", Outcome.TIMEOUT),
        ("ERROR:  55P03: canceling statement due to lock timeout", Outcome.TIMEOUT),
        ("FATAL:  08P01: no more connections allowed (max_client_conn)", Outcome.POOLER_FULL),
        ("FATAL:  08P01: sorry, too many clients already", Outcome.FULL),
        ("FATAL:  08P01: query_wait_timeout", Outcome.POOLER_FULL),
        ("fe_sendauth: no password supplied", Outcome.AUTH),
        ("Connection refused\n\tIs the server running?", Outcome.UNREACHABLE),
        ("No such file or directory", Outcome.UNREACHABLE),
        ("server closed the connection unexpectedly", Outcome.UNREACHABLE),
        ("Connection timed out", Outcome.TIMEOUT),
        ('could not translate host name "x" to address', Outcome.HOST_UNKNOWN),
        ("SSL error: certificate verify failed", Outcome.ERROR),
    ],
)
def test_every_other_cause_has_its_name(message: str, expected: Outcome) -> None:
    assert outcome(parse(PREFIX + message), was_alive=False) is expected


def test_the_log_gets_one_line() -> None:
    said = parse(f"{PREFIX}Connection refused\n\tIs the server running on that host?")
    assert said.detail == "Connection refused"


@pytest.mark.parametrize("ending", ["", "\nLOCATION:  InitPostgres, postinit.c:1010\n"])
def test_what_a_server_says_is_not_cut_at_a_newline(ending: str) -> None:
    """A name may hold one: by an error in a secret, say."""
    said = parse(f'{PREFIX}FATAL:  3D000: database "shop\n" does not exist\nDETAIL:  x{ending}')
    assert said.detail == 'database "shop\\u000a" does not exist (SQLSTATE 3D000)'
    knocked = parse_error(b'C3D000\0Mdatabase "shop\n" does not exist\0Dx\0')
    assert knocked.detail == said.detail


def test_lines_that_a_server_adds_to_its_message_are_no_part_of_it() -> None:
    more = "\nLINE 1: select x\n               ^\nHINT:  Perhaps y.\nORT:  f, parse.c:7\n"
    said = parse(f"FEHLER:  42703: Spalte x existiert nicht{more}")
    assert said.detail == "Spalte x existiert nicht (SQLSTATE 42703)"
    assert said.routine == "f"


def test_fields_that_are_none_such_are_left_out() -> None:
    assert parse_error(b"C53300\0Mfull\0RInitProcess\0") == Refusal("53300", "InitProcess", "full")
    assert parse_error(b"C53300\n\0Mfull\0Ra b\0") == Refusal(None, None, "full")
    assert parse_error(b"") == Refusal(None, None, "")
