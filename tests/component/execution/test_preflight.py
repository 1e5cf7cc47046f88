"""No live order before key, wallet and a trial order are in order: a real container, ccxt, the simulator."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest_asyncio

from smarttrade.messages import Check
from smarttrade.simulator.testing import Simulator, build_test_user, manual_config
from tests.component.execution.theatre import BTC, ETH, Theatre, eventually

FINGERPRINT_KEY = "fingerprint.key"


class Strict(Theatre):
    """An exchange account with less in it, or a key that may more."""

    usdt, can_withdraw = "1000000", False

    def build_exchange(self) -> Simulator:  # type: ignore[override]
        alice = build_test_user("alice", USDT=self.usdt, BTC="10")
        alice = msgspec.structs.replace(alice, can_withdraw=self.can_withdraw)
        return Simulator(manual_config(alice, symbols=(BTC, ETH), seed=1))

    def preflight(self) -> Check | None:
        found = [c for r in self.reports[-3:] if r.leading for c in r.checks if c.type == "Preflight"]
        return found[-1] if found else None

    async def refused(self, reason: str) -> None:
        await eventually(lambda: (c := self.preflight()) and c.reason == reason, f"the condition {reason}")

    async def passed(self) -> None:
        await eventually(lambda: (c := self.preflight()) and c.ok, "the preflight has passed")


@pytest_asyncio.fixture
async def strict(nats_server_binary: Path, tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    async with AsyncExitStack() as stack:

        async def opened(**changed: Any) -> Strict:
            kind = type("Strict", (Strict,), changed)
            return await stack.enter_async_context(kind(nats_server_binary, tmp_path, replicas=1))

        yield opened


async def test_a_key_that_can_withdraw_trades_only_when_the_object_says_so(strict: Any) -> None:
    theatre = await strict(can_withdraw=True)
    await theatre.control()
    await theatre.start("a")
    await theatre.refused("KeyCanWithdraw")
    assert await theatre.outcome(await theatre.target("1")) == ("Denied", "KeyCanWithdraw")
    assert theatre.orders() == []
    accepted = theatre.build_spec().exchange.model_dump(mode="json", by_alias=True) | {
        "withdrawals": "Accept"
    }
    await theatre.control(exchange=accepted)
    await theatre.passed()
    assert await theatre.outcome(await theatre.target("1")) == ("Reached", "")


async def test_a_wallet_below_the_allocation_is_refused_until_money_arrives(strict: Any) -> None:
    theatre = await strict(usdt="499000")
    await theatre.control()
    await theatre.start("a")
    await theatre.refused("BalanceBelowAllocation")
    assert await theatre.outcome(await theatre.target("1")) == ("Denied", "BalanceBelowAllocation")
    theatre.exchange.venue.deposit(theatre.exchange.account("alice"), "USDT", Decimal(1_000))
    theatre.exchange.drop_websockets()  # the account is compared anew after a break of its stream
    await theatre.passed()
    assert await theatre.outcome(await theatre.target("1")) == ("Reached", "")


async def test_an_order_waits_for_an_exchange_that_does_not_answer_the_questions(strict: Any) -> None:
    theatre = await strict()
    theatre.exchange.faults.inject("server-error", endpoint="POST /api/v3/order/test")
    await theatre.control()
    await theatre.start("a")
    await theatre.refused("PreflightUnanswered")
    decision = await theatre.target("1")
    assert not theatre.orders()
    theatre.exchange.faults.clear()
    assert await theatre.outcome(decision) == ("Reached", "")


async def test_fingerprints_leave_instead_of_the_key_and_orders_wait_for_the_operators_word(
    strict: Any, tmp_path: Path
) -> None:
    theatre = await strict()
    (tmp_path / FINGERPRINT_KEY).write_text("5e" * 32)
    await theatre.control()
    await theatre.start("a")
    await theatre.refused("ExchangeAccountUnchecked")
    marks = theatre.reports[-1].fingerprints
    assert len(marks) == 2
    assert "alice-key" not in repr(theatre.reports)
    decision = await theatre.target("1")
    assert not theatre.orders()
    await theatre.control(cleared=marks)
    assert await theatre.outcome(decision) == ("Reached", "")
    await theatre.control(shared="TradingAccount other/bob")
    await theatre.refused("ExchangeAccountShared")
