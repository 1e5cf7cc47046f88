"""Recorded markets and accounts that the backtest's tests share."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

from smarttrade.api import TradingAccount
from smarttrade.api.load import parse_account
from smarttrade.backtest.history import History, build_history
from smarttrade.simulator.recorded import RecordedCandle, Recording

START_MS = 1_640_995_200_000
MINUTE_MS = 60_000
CENT = Decimal("0.01")


def random_walk(count: int, seed: int = 1, price: float = 40_000.0) -> list[RecordedCandle]:
    """One-minute candles that swing enough for every built-in strategy to trade."""
    draw, candles = random.Random(seed), []
    for number in range(count):
        prices = [price]
        for _ in range(4):
            prices.append(prices[-1] * (1 + draw.gauss(0, 0.003)))
        path = [Decimal(each).quantize(CENT) for each in prices]
        candles.append(
            RecordedCandle(
                START_MS + number * MINUTE_MS,
                path[0],
                max(path),
                min(path),
                path[-1],
                Decimal(draw.randint(1, 9)),
            )
        )
        price = prices[-1]
    return candles


def flat(count: int, price: str = "100") -> list[RecordedCandle]:
    value = Decimal(price)
    return [
        RecordedCandle(START_MS + n * MINUTE_MS, value, value, value, value, Decimal(1)) for n in range(count)
    ]


def history(candles: list[RecordedCandle], market: str = "BTC/USDT") -> History:
    return build_history({market: Recording(candles, [], [])})


def account(
    strategy: str = "ma-cross", parameters: dict[str, Any] | None = None, **spec: Any
) -> TradingAccount:
    """10,000 USDT on BTC/USDT with wide limits; `spec` replaces whole fields."""
    declared: dict[str, Any] = {
        "mode": "Paper",
        "exchange": {"name": "binance", "environment": "Simulator"},
        "markets": [{"symbol": "BTC/USDT"}],
        "strategy": {"name": strategy, "timeframe": "1m", "parameters": parameters or {}},
        "capital": {"currency": "USDT", "allocation": "10000"},
        "risk": {
            "maxOrderNotional": "10000",
            "maxPositionNotional": "10000",
            "maxDailyLoss": "9999",
            "maxDrawdown": "0.99",
            "maxOrdersPerMinute": 600,
        },
        **spec,
    }
    return parse_account(
        {
            "apiVersion": "smarttrade.io/v1alpha1",
            "kind": "TradingAccount",
            "metadata": {"name": "carol", "namespace": "carol"},
            "spec": declared,
        }
    )
