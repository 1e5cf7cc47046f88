"""The account of every run: the limits of the simulated histories, so that their checks can be used."""

from __future__ import annotations

from typing import Any

from smarttrade.api import TradingAccountSpec
from tests.simulation.plan import MARKETS

LIMITS: dict[str, Any] = {
    "markets": [{"symbol": market, "maxPositionNotional": "455"} for market in MARKETS],
    "capital": {"currency": "USDT", "allocation": "5000"},
    "risk": {
        "maxOrderNotional": "455",
        "maxPositionNotional": "800",
        "maxDailyLoss": "4000",
        "maxDrawdown": "0.9",
        "maxOrdersPerMinute": 600,
    },
    "onBusLoss": {"after": "1500ms", "do": "CancelResting"},
}


def build_limits() -> TradingAccountSpec:
    """A specification that says no more than the limits."""
    return TradingAccountSpec.model_validate(
        {**LIMITS, "exchange": {"name": "binance"}, "strategy": {"name": "ma-cross", "timeframe": "1m"}}
    )
