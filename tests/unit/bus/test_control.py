from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from nats.aio.msg import Msg

from smarttrade.bus import control, subjects
from smarttrade.bus.connection import Callback, Connection
from smarttrade.bus.control import ControlReader
from smarttrade.messages import AccountControl, encode


def _control(state: str, written_ms: int) -> AccountControl:
    return AccountControl(generation=1, spec={"state": state}, written_ms=written_ms)


class _Wire:
    """A connection on which a value is heard as soon as one listens."""

    is_closed = False

    def __init__(self, heard: AccountControl) -> None:
        self.on_reconnect: list[Callback] = []
        self._heard = heard
        self._listener: Callable[[Msg], Awaitable[None]] | None = None

    async def subscribe(self, subject: str, cb: Callable[[Msg], Awaitable[None]]) -> None:
        assert subject == subjects.CONTROL
        self._listener = cb

    async def flush(self) -> None:
        assert self._listener is not None
        await self._listener(Msg(_client=cast(Any, None), data=encode(self._heard)))


class _Reader(ControlReader):
    def __init__(self, wire: _Wire, stored: list[AccountControl]) -> None:
        super().__init__(cast(Connection, wire))
        self.stored = stored

    async def current(self) -> AccountControl | None:
        return self.stored.pop(0) if len(self.stored) > 1 else self.stored[0]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "_RETRY_S", 0)


async def _received(heard: AccountControl, *stored: AccountControl) -> list[AccountControl]:
    received: list[AccountControl] = []

    async def callback(value: AccountControl) -> None:
        received.append(value)

    await _Reader(_Wire(heard), list(stored)).subscribe(callback)
    return received


async def test_a_value_that_is_not_stored_yet_is_not_taken_back() -> None:
    active, halted = _control("Active", 1), _control("Halted", 2)
    assert await _received(halted, active, active, halted) == [halted]


async def test_what_stays_stored_is_the_newest_though_a_clock_was_behind() -> None:
    heard, halted = _control("Active", 2), _control("Halted", 1)
    assert await _received(heard, halted) == [heard, halted]
