"""Is a refusal told by what is not translated, and libpq's own words when no server spoke?"""

import pytest

from pgheadroom.model.reading import Condition
from pgheadroom.postgres.knock import parse_error
from pgheadroom.postgres.refusal import Refusal, condition, parse

PREFIX = 'connection to server at "127.0.0.1", port 5432 failed: '


def full_message(text: str, routine: str, label: str = "LOCATION", severity: str = "FATAL") -> str:
    return f"{PREFIX}{severity}:  53300: {text}\n{label}:  {routine}, some.c:455\n"


@pytest.mark.parametrize(
    ("routine", "expected"),
    [
        ("InitProcess", Condition.FULL),
        ("BackendInitialize", Condition.FULL),
        ("ProcessStartupPacket", Condition.FULL),
        ("ProcArrayAdd", Condition.FULL),
        ("InitPostgres", Condition.RESERVED_ONLY),
        ("InitializeSessionUserId", Condition.ROLE_LIMIT),
        ("CheckMyDatabase", Condition.DATABASE_LIMIT),
    ],
)
def test_the_routine_decides_in_any_language(routine: str, expected: Condition) -> None:
    said = parse(full_message("tut mir leid, schon zu viele Verbindungen", routine, "ORT"))
    assert said.sqlstate == "53300"
    assert said.routine == routine
    assert condition(said, was_alive=False) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sorry, too many clients already", Condition.FULL),
        ("remaining connection slots are reserved for roles with ...", Condition.RESERVED_ONLY),
        ('too many connections for role "x"', Condition.ROLE_LIMIT),
        ('too many connections for database "x"', Condition.DATABASE_LIMIT),
    ],
)
def test_without_a_routine_the_text_decides(text: str, expected: Condition) -> None:
    """A pooler passes SQLSTATE and text on, and nothing else."""
    assert condition(parse(f"{PREFIX}FATAL:  53300: {text}"), was_alive=False) is expected


def test_a_server_that_had_sessions_is_shutting_down_and_not_starting() -> None:
    said = Refusal("57P03", "ProcessStartupPacket", "das Datenbanksystem ...")
    assert condition(said, was_alive=True) is Condition.SHUTTING_DOWN
    assert condition(said, was_alive=False) is Condition.STARTING


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("FATAL:  28P01: password authentication failed", Condition.AUTH),
        ("FATAL:  28000: no pg_hba.conf entry", Condition.AUTH),
        ("FATAL:  42501: permission denied for database", Condition.AUTH),
        ("FATAL:  3D000: database does not exist", Condition.ERROR),
        ("ERROR:  57014: canceling statement due to statement timeout", Condition.TIMEOUT),
        ("ERROR:  55P03: canceling statement due to lock timeout", Condition.TIMEOUT),
        ("FATAL:  08P01: no more connections allowed (max_client_conn)", Condition.POOLER_FULL),
        ("FATAL:  08P01: sorry, too many clients already", Condition.FULL),
        ("FATAL:  08P01: query_wait_timeout", Condition.ERROR),
        ("fe_sendauth: no password supplied", Condition.AUTH),
        ("Connection refused\n\tIs the server running?", Condition.UNREACHABLE),
        ("No such file or directory", Condition.UNREACHABLE),
        ("server closed the connection unexpectedly", Condition.UNREACHABLE),
        ("Connection timed out", Condition.TIMEOUT),
        ('could not translate host name "x" to address', Condition.HOST_UNKNOWN),
        ("SSL error: certificate verify failed", Condition.ERROR),
    ],
)
def test_every_other_cause_has_its_name(message: str, expected: Condition) -> None:
    assert condition(parse(PREFIX + message), was_alive=False) is expected


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
