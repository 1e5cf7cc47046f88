"""SmartTrade: the whole account, with evaluation, risk limits, order life and matching."""

from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks._crossover.candles import FEE, MINUTE_MS
from benchmarks._crossover.report import Stopwatch, Trade, main, periods
from smarttrade.api.load import parse_account
from smarttrade.backtest.history import load_history
from smarttrade.backtest.options import Assumptions
from smarttrade.backtest.run import Backtest
from smarttrade.messages import Fill


def run(path: str) -> tuple[int, float, list[Trade], int]:
    history = load_history(Path(path), ["BTC/USDT"])
    fee, none = Decimal(FEE), Decimal(0)
    assumed = Assumptions(maker_fee=fee, taker_fee=fee, spread=none, slippage=none)
    account = parse_account(build_manifest())
    with Stopwatch() as watch:
        recorded = Backtest(account, history, assumed).run()
    return len(history.candles["BTC/USDT"]), watch.seconds, _trades(recorded.fills), recorded.orders


def build_manifest() -> dict[str, Any]:
    """An account of which a tenth of a bitcoin is about a hundredth; its limits are checked, none bites."""
    fast, slow = periods()
    return {
        "apiVersion": "smarttrade.io/v1alpha1",
        "kind": "TradingAccount",
        "metadata": {"name": "bench", "namespace": "bench"},
        "spec": {
            "mode": "Paper",
            "exchange": {"name": "binance", "environment": "Simulator"},
            "markets": [{"symbol": "BTC/USDT"}],
            "strategy": {
                "name": "ma-cross",
                "timeframe": "1m",
                "warmup": min(10 * slow, 1000),
                "parameters": {"fast": fast, "slow": slow, "fraction": "0.01"},
            },
            "capital": {"currency": "USDT", "allocation": "463190"},
            "risk": {
                "maxOrderNotional": "463190",
                "maxPositionNotional": "463190",
                "maxDailyLoss": "463189",
                "maxDrawdown": "0.99",
            },
        },
    }


def _trades(fills: list[Fill]) -> list[Trade]:
    """Pairs of buy and sell; times are those of the candle in which they filled."""
    times = [fill.time_ms - fill.time_ms % MINUTE_MS for fill in fills]
    return [
        (times[n], float(fills[n].price), times[n + 1], float(fills[n + 1].price))
        for n in range(0, len(fills) - 1, 2)
    ]


if __name__ == "__main__":
    main(run)
