"""The figures of docs/strategies.md are what a backtest gives, and every built-in strategy is held to some.

On seeded markets always, so that whoever changes what a strategy does learns it here; on the recordings that
the page names where SMARTTRADE_DATA has them. What changed is written anew in both places, on purpose.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from smarttrade.api import TradingAccount
from smarttrade.backtest.command import build_document, with_timeframe
from smarttrade.backtest.history import History, load_history
from smarttrade.backtest.options import Assumptions
from smarttrade.backtest.run import Backtest
from smarttrade.messages import Side
from smarttrade.strategies import BUILT_IN
from tests.unit.backtest.recordings import account, history, random_walk
from tests.unit.backtest.test_trades import draw_trades, quotes_of, trader
from tests.unit.backtest.test_trades import history as trade_history
from tests.unit.strategies.test_recorded import BTC, DATA, ETH, MONTH, drawn_pair

PAGE = (Path(__file__).parents[3] / "docs" / "strategies.md").read_text(encoding="utf-8")
XRP_ETH, SECONDS = DATA / "xrp-eth-trades.parquet", DATA / "binance-btcusdt-trades.parquet"
CANDLE_STRATEGIES = ("ma-cross", "rsi-reversion", "bollinger", "donchian", "grid", "dca")
SEEDED = {
    "ma-cross": "| ma-cross | 0.5 % | 16.3 % | 45 | 455 |",
    "rsi-reversion": "| rsi-reversion | -1.3 % | 5.1 % | 15 | 150 |",
    "bollinger": "| bollinger | -0.2 % | 8.8 % | 50 | 500 |",
    "donchian": "| donchian | -10.6 % | 19.7 % | 58 | 580 |",
    "grid": "| grid | -10.1 % | 18.0 % | 45 | 638 |",
    "dca": "| dca | 0.3 % | 0.3 % | none closed | 0 |",
    "avellaneda-stoikov": "| avellaneda-stoikov | -6.0 % | 6.0 % | 15 | 447 |",
    "pairs": "| pairs | 1.6 % | 1.0 % | 22 | 209 |",
}


def measure(who: TradingAccount, past: Any, assumptions: Assumptions | None = None) -> Mapping[str, Any]:
    assumptions = assumptions or Assumptions()
    metrics: Mapping[str, Any] = build_document(Backtest(who, past, assumptions).run(), assumptions)[
        "metrics"
    ]
    return metrics


def write_row(name: str, told: Mapping[str, Any]) -> str:
    """As the page's table has it."""
    trips = told["trades"] or "none closed"
    fees = round(float(told["fees"]))
    return f"| {name} | {_percent(told['return'])} | {_percent(told['max_drawdown'])} | {trips} | {fees} |"


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f} %"


def half(name: str, timeframe: str) -> TradingAccount:
    return with_timeframe(account(name, {"fraction": "0.5"}), timeframe)


def measure_seeded(name: str) -> Mapping[str, Any]:
    if name == "pairs":
        who = account(name, {"period": 30}, markets=[{"symbol": BTC}, {"symbol": ETH}])
        return measure(who, drawn_pair())
    if name == "avellaneda-stoikov":
        trades = draw_trades(2_000)
        past = trade_history(trades, quotes_of(trades))
        who = trader(name, refresh=1, least_spread="0.0001", arrival=1_000_000)
        return measure(who, past, Assumptions(latency_ms=20))
    return measure(half(name, "1m"), history(random_walk(3_000)))


@pytest.mark.parametrize("name", BUILT_IN)
def test_on_a_seeded_market_every_built_in_strategy_gives_what_it_gave(name: str) -> None:
    assert write_row(name, measure_seeded(name)) == SEEDED[name]


def recorded(path: Path, market: str, **how: str) -> list[History]:
    """One, or none where the recording is not at hand."""
    return [load_history(path, [market], **how)] if path.is_file() else []  # type: ignore[list-item]


@pytest.mark.parametrize("name", CANDLE_STRATEGIES)
def test_the_page_s_table_is_of_the_recorded_month(name: str) -> None:
    [row] = [line for line in PAGE.splitlines() if line.startswith(f"| {name} |")]
    assert re.fullmatch(r"\| [-\w]+ \| -?\d+\.\d % \| \d+\.\d % \| (\d+|none closed) \| \d+ \|", row)
    for past in recorded(MONTH, BTC, volume="quote"):
        assert row == write_row(name, measure(half(name, "15m"), past))


def test_the_page_says_how_the_month_ended() -> None:
    words = re.search(r"which fell by (\d+) %", PAGE)
    assert words is not None
    for past in recorded(MONTH, BTC, volume="quote"):
        candles = past.candles[BTC]
        assert int(words[1]) == round(100 * float(1 - candles[-1].close / candles[0].open))


def test_the_page_s_figures_of_the_market_maker_are_of_recorded_trades() -> None:
    sentence = (
        r"`refresh` (\d+), fees as above\) it lost (\d\.\d) %\s+in (\d+) round trips and paid (\d\.\d) %"
    )
    words = re.search(sentence, PAGE)
    assert words is not None
    refresh, lost, trips, paid = words.groups()
    risk = {
        "maxOrderNotional": "100",
        "maxPositionNotional": "100",
        "maxDailyLoss": "100",
        "maxDrawdown": "0.99",
    }
    who = account(
        "avellaneda-stoikov",
        {"refresh": int(refresh)},
        markets=[{"symbol": "XRP/ETH"}],
        capital={"currency": "ETH", "allocation": "100"},
        risk={**risk, "maxOrdersPerMinute": 600},
    )
    for past in recorded(XRP_ETH, "XRP/ETH"):
        told = measure(who, past)
        shown = (f"{-100 * told['return']:.1f}", str(told["trades"]), f"{float(told['fees']):.1f}")
        assert shown == (lost, trips, paid)


def test_on_the_recorded_seconds_the_market_maker_bought_once_as_the_page_says() -> None:
    assert re.search(r"46 seconds of BTC/USDT with quotes it\s+bought once", PAGE)
    for past in recorded(SECONDS, BTC):
        fills = Backtest(trader("avellaneda-stoikov"), past, Assumptions()).run().fills  # type: ignore[arg-type]
        assert [fill.side for fill in fills] == [Side.BUY]
