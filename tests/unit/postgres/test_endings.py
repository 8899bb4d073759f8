"""Tests that a session that is ended again and again is logged once, and its end too."""

from pgheadroom.postgres.source import Endings


def after(*times: float) -> tuple[Endings, list[str]]:
    endings, told = Endings(), []
    for time in times:
        endings, event = endings.add(time)
        told.append(event)
    return endings, told


def test_the_first_end_is_told_and_then_only_that_they_go_on() -> None:
    endings, told = after(0, 1, 2, 3, 4)
    assert told == ["session ended", "", "session ended again and again", "", ""]
    assert endings.quiet(303)[1] == ""
    endings, event = endings.quiet(305)
    assert event == "session is kept again"
    assert endings.quiet(306)[1] == ""


def test_rare_ends_are_no_nuisance() -> None:
    assert after(0, 200, 400, 600)[1] == ["session ended", "", "", ""]
    assert after(0, 400, 800)[1] == ["session ended"] * 3


def test_a_clock_that_was_set_back_begins_anew() -> None:
    endings, told = after(1000, 1001, 0)
    assert told[-1] == "session ended"
    assert endings == Endings((0,))
