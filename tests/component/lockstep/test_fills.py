"""A strategy that acts on its own fills does the same live as in a backtest: real processes, real orders."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

from smarttrade.backtest.options import Assumptions
from smarttrade.backtest.run import Backtest
from smarttrade.backtest.trades import build_trade_history
from smarttrade.messages import Decision, Fill, Side
from smarttrade.source import pack
from tests.component.lockstep.running import MARKET, PATIENCE_S, Running, build_account, run_account
from tests.component.monitoring.pod import IDENTITY, Bus

LOW, HIGH = Decimal(60_000), Decimal(60_100)
TIMES, QUIET_S = 2, 4
OWN = {"source": {"configMapRef": {"name": "out-again-1"}, "class": "mine.OutAgain"}, "timeframe": "1s"}
TEXT = """
from decimal import Decimal

from smarttrade import Strategy


class OutAgain(Strategy):
    '''Buys where the price has risen over a second, and sells as soon as it hears of the fill.'''

    def start(self):
        self.high = True

    def on_candle(self, candle):
        before, self.high = self.high, candle.close > 60_050
        if self.high and not before:
            return self.target(candle.market, Decimal("0.01"), reason="in")

    def on_fill(self, fill):
        if fill.side == "Buy":
            return self.target(fill.market, Decimal(0), reason=f"out of {fill.quantity} at {fill.price}")
"""


async def settle(running: Running) -> int:
    """Until the account trades, and then some seconds in which nothing rises; the first of their moves."""
    async with asyncio.timeout(PATIENCE_S):
        while len(running.fills) < 2:
            for price in (LOW, HIGH):
                running.move(price)
                await running.second(after_ms=50)
    first = len(running.moved)
    for _ in range(QUIET_S):
        running.move(LOW)
        await running.second(after_ms=20)
    await running.until(lambda: len(running.fills) % 2 == 0, "what was bought is sold")
    return first


def made(fills: Iterable[Fill]) -> list[tuple[Side, Decimal, Decimal]]:
    return [(fill.side, fill.quantity, fill.price) for fill in fills]


def ins_and_outs(decisions: Iterable[Decision]) -> tuple[list[str], list[str]]:
    """Ids of what was decided on candles, reasons of what was on fills, whose ids are the exchange's."""
    told = list(decisions)
    return [each.id for each in told if each.reason == "in"], [
        each.reason for each in told if each.event_key.startswith("fill:")
    ]


async def test_what_a_strategy_does_on_a_fill_is_done_live_as_in_a_backtest(bus: Bus, tmp_path: Path) -> None:
    account, modules = build_account(OWN), pack("out-again-1", {"mine.py": TEXT})
    async with run_account(bus, tmp_path, LOW, account, modules) as running:
        first = await settle(running)
        fills, decisions = len(running.fills), len(running.decisions)
        for enough in range(fills + 2, fills + 2 * TIMES + 1, 2):
            running.move(HIGH)
            await running.second(after_ms=20)
            await running.until(lambda wanted=enough: len(running.fills) >= wanted, "bought and sold")
            for _ in range(2):
                running.move(LOW)
                await running.second(after_ms=20)
        live, decided = running.fills[fills:], running.decisions[decisions:]
        del running.moved[:first]
        moves = running.moves()
    (tmp_path / "mine.py").write_text(TEXT)
    assumed = Assumptions(spread=Decimal(0), slippage=Decimal(0), latency_ms=1)
    history = build_trade_history({MARKET: moves})
    recorded = Backtest(account, history, assumed, source=tmp_path, identity=IDENTITY).run()
    assert made(live) == made(recorded.fills)
    assert len(live) == 2 * TIMES
    assert ins_and_outs(decided) == ins_and_outs(recorded.decisions)
