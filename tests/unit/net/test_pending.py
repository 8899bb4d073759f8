"""Tests that what outlasts its deadline is waited for again, given up, and never begun twice."""

import asyncio
import time

import pytest

from pgheadroom.net.pending import Arrived, Pending, PendingByAddress
from pgheadroom.postgres.addresses import Address


class Server:
    """Work that ends when it is told to, and counts how often it was begun."""

    def __init__(self, *, arrives: bool = True) -> None:
        self._arrives = arrives
        self._end = asyncio.Event()
        self.begun = 0
        self.closed = 0

    async def login(self, arrived: Arrived) -> str:
        """Let nobody in before it is told to."""
        self.begun += 1
        if self._arrives:
            arrived()
        try:
            await self._end.wait()
        except asyncio.CancelledError:
            self.closed += 1
            raise
        return "in"

    async def let_in(self) -> None:
        """Let those in who wait, and wait until they are."""
        self._end.set()
        await asyncio.sleep(0)  # a turn of the loop, in which the login ends


async def test_a_login_that_hangs_is_begun_once() -> None:
    server, pending = Server(), Pending[str]()
    first = asyncio.create_task(pending.within(0.01, server.login))
    await asyncio.sleep(0)
    assert not pending.under_way, "its time is not up"
    with pytest.raises(TimeoutError):
        await first
    for _ in range(3):
        with pytest.raises(TimeoutError):
            await pending.within(0.001, server.login)
        assert pending.under_way
    await server.let_in()
    assert pending.ended
    assert await pending.within(0.001, server.login) == "in"
    assert (server.begun, server.closed) == (1, 0)


async def test_one_that_did_not_arrive_is_begun_anew() -> None:
    server, pending = Server(arrives=False), Pending[str]()
    for _ in range(2):
        with pytest.raises(TimeoutError):
            await pending.within(0.001, server.login)
        assert not pending.under_way
    await asyncio.sleep(0)
    assert (server.begun, server.closed) == (2, 2)


async def test_patience_ends_and_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pgheadroom.net.pending._PATIENCE_SECONDS", 0.0)
    server, pending = Server(), Pending[str]()
    with pytest.raises(TimeoutError):
        await pending.within(0.001, server.login)
    assert not pending.under_way


async def test_who_is_given_up_again_and_again_is_given_up_ever_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After 20, 40, 80, 160 ms, where each time 20 would be fifteen logins."""
    monkeypatch.setattr("pgheadroom.net.pending._PATIENCE_SECONDS", 0.02)
    server, pending = Server(), Pending[str]()
    end = time.monotonic() + 0.3
    while time.monotonic() < end:
        with pytest.raises(TimeoutError):
            await pending.within(0.002, server.login)
    assert 2 <= server.begun <= 6


async def test_what_ended_well_is_handed_over_to_be_closed() -> None:
    closed: list[str] = []
    server, addresses = Server(), PendingByAddress[str](closed.append)
    one = Address({"host": "db1", "hostaddr": "192.0.2.1", "port": "5432"})
    same = Address({"host": "alias", "hostaddr": "192.0.2.1", "port": "5432"})
    assert addresses.at(one.resolved) is addresses.at(same.resolved)
    with pytest.raises(TimeoutError):
        await addresses.at(one.resolved).within(0.001, server.login)
    assert addresses.under_way
    addresses.give_up(but=[same.resolved])
    addresses.forget()
    assert addresses.under_way
    await server.let_in()
    assert addresses.answered
    assert not closed
    addresses.forget()
    assert closed == ["in"]
    assert not addresses.answered
