"""Both fill models on one account: what goes through risk and execution, and what freqtrade would say."""

from __future__ import annotations

from decimal import Decimal
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
from tests.unit.freqtrade.made_up import rows
from tests.unit.freqtrade.test_replay import HERE

MARKET, CANDLE_MS = "BTC/USDT", 300_000
FREE = Assumptions(spread=Decimal(0), slippage=Decimal(0))


def account(**strategy: Any) -> Any:
    chosen = strategy or {"source": {"configMapRef": {"name": "x"}, "class": "crossing.Crossing"}}
    return parse_account(
        {
            "apiVersion": "smarttrade.io/v1alpha1",
            "kind": "TradingAccount",
            "metadata": {"name": "a", "namespace": "a"},
            "spec": {
                "mode": "Paper",
                "exchange": {"name": "binance", "environment": "Simulator"},
                "markets": [{"symbol": MARKET}],
                "strategy": {"timeframe": "5m", **chosen},
                "capital": {"currency": "USDT", "allocation": "10000"},
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


def history(count: int) -> History:
    made = (
        build_row(MARKET, opened, tuple(Decimal(str(each)) for each in prices))
        for opened, *prices in rows(MARKET, count)
    )
    return join_histories({MARKET: build_candles(MARKET, "5m", CANDLE_MS, made)})


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
