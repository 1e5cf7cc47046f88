"""Both fill models on one account: what goes through risk and execution, and what freqtrade would say."""

from __future__ import annotations

from decimal import Decimal
from itertools import groupby
from typing import Any

import pytest

from smarttrade.api.load import parse_account
from smarttrade.backtest.candles import build_candles, build_row
from smarttrade.backtest.freqtrade import run_as_freqtrade
from smarttrade.backtest.history import History, join_histories
from smarttrade.backtest.options import Assumptions
from smarttrade.backtest.result import Recorded, build_document
from smarttrade.backtest.run import Backtest
from smarttrade.errors import ConfigurationError
from smarttrade.messages import Side
from tests.unit.freqtrade.made_up import PAIRS, rows
from tests.unit.freqtrade.test_replay import HERE

MARKET, CANDLE_MS = "BTC/USDT", 300_000
FREE = Assumptions(spread=Decimal(0), slippage=Decimal(0))


def account(
    markets: tuple[str, ...] = (MARKET,), capital: dict[str, Any] | None = None, **strategy: Any
) -> Any:
    chosen = strategy or {"source": {"configMapRef": {"name": "x"}, "class": "crossing.Crossing"}}
    return parse_account(
        {
            "apiVersion": "smarttrade.io/v1alpha1",
            "kind": "TradingAccount",
            "metadata": {"name": "a", "namespace": "a"},
            "spec": {
                "mode": "Paper",
                "exchange": {"name": "binance", "environment": "Simulator"},
                "markets": [{"symbol": market} for market in markets],
                "strategy": {"timeframe": "5m", **chosen},
                "capital": {"currency": "USDT", "allocation": "10000", **(capital or {})},
                "risk": {
                    "maxOrderNotional": "10000",
                    "maxPositionNotional": "10000",
                    "maxDailyLoss": "5000",
                    "maxDrawdown": "0.9",
                },
            },
        },
        "test",
    )


def history(count: int, markets: tuple[str, ...] = (MARKET,)) -> History:
    made = {
        market: [
            build_row(market, opened, tuple(Decimal(str(each)) for each in prices))
            for opened, *prices in rows(market, count)
        ]
        for market in markets
    }
    return join_histories(
        {market: build_candles(market, "5m", CANDLE_MS, iter(each)) for market, each in made.items()}
    )


def entries(recorded: Recorded, from_ms: int) -> list[int]:
    """The candles in which positions were entered."""
    bought = {fill.time_ms // CANDLE_MS for fill in recorded.fills if fill.side is Side.BUY}
    return sorted(candle for candle in bought if candle * CANDLE_MS >= from_ms)


def test_both_fill_models_enter_in_the_same_candles() -> None:
    data = history(1_250)
    own = Backtest(account(), data, FREE, source=HERE / "strategies").run()
    freqtrade = run_as_freqtrade(account(), data, FREE, source=HERE / "strategies")
    since = entries(own, 0)[0] * CANDLE_MS
    assert entries(own, since) == entries(freqtrade, since)
    assert len(entries(own, since)) > 5


def most_held(recorded: Recorded) -> int:
    """In how many markets at once more than the dust of a fee was held, after all orders of a candle."""
    held, most = dict.fromkeys(PAIRS, Decimal(0)), 0
    for _, fills in groupby(recorded.fills, key=lambda fill: fill.time_ms // CANDLE_MS):
        for fill in fills:
            held[fill.market] += fill.quantity if fill.side is Side.BUY else -fill.quantity
            price = fill.price
        most = max(most, sum(quantity * price > 100 for quantity in held.values()))
    return most


@pytest.mark.parametrize("slots", [1, 2])
def test_the_object_says_the_stake_and_the_number_of_trades(slots: int) -> None:
    who = account(PAIRS, {"perMarket": "2000", "maxOpenPositions": slots})
    recorded = run_as_freqtrade(who, history(1_250, PAIRS), FREE, source=HERE / "strategies")
    assert most_held(recorded) == slots
    stakes = [fill.price * fill.quantity for fill in recorded.fills if fill.side is Side.BUY]
    assert len(stakes) > 20
    assert all(1_899 < stake <= 1_900 for stake in stakes)


def test_the_report_of_the_fill_model_adds_up() -> None:
    recorded = run_as_freqtrade(account(), history(1_250), FREE, source=HERE / "strategies")
    document = build_document(recorded, FREE)
    cash = sum(
        (
            fill.price * fill.quantity * (1 if fill.side is Side.SELL else -1) - fill.fee
            for fill in recorded.fills
        ),
        Decimal(10_000),
    )
    assert Decimal(document["metrics"]["equity_end"]) == pytest.approx(cash)
    assert document["assumptions"]["fill_model"] == "freqtrade"
    assert document["metrics"]["trades"] == len(recorded.fills) // 2 > 20


def test_it_is_for_strategies_that_were_written_for_freqtrade() -> None:
    with pytest.raises(ConfigurationError, match="was not written for freqtrade"):
        run_as_freqtrade(account(name="ma-cross"), history(1_250), FREE)
