"""Ours and TA-Lib's indicators are the same; a strategy of one's own may use TA-Lib as the page shows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
import talib

from smarttrade.api.load import parse_account
from smarttrade.authoring.check import check_file
from smarttrade.backtest.options import Assumptions
from smarttrade.backtest.run import Backtest
from smarttrade.evaluation.indicators import ATR, EMA, RSI, SMA, Bollinger, Donchian
from smarttrade.messages import Target
from tests.unit.backtest.recordings import MINUTE_MS, account, history, random_walk

PAGE = (Path(__file__).parents[3] / "docs" / "strategies.md").read_text(encoding="utf-8")
CANDLES = random_walk(3_000)
HIGHS, LOWS, CLOSES = (
    np.array([getattr(c, name) for c in CANDLES], float) for name in ("high", "low", "close")
)
Values = Iterator[float | None]


def updated(made: SMA | EMA | RSI) -> Values:
    return (made.update(close) for close in CLOSES)


def band(name: str) -> Values:
    made = Bollinger(20, 2.0)
    for close in CLOSES:
        made.update(close)
        yield getattr(made, name)


def channel(name: str) -> Values:
    made = Donchian(20)
    for high, low in zip(HIGHS, LOWS, strict=True):
        made.update(high, low)
        yield getattr(made, name)


PAIRS: dict[str, tuple[Callable[[], Values], Callable[[], Sequence[float]]]] = {
    "SMA": (lambda: updated(SMA(30)), lambda: talib.SMA(CLOSES, 30)),
    "EMA": (lambda: updated(EMA(30)), lambda: talib.EMA(CLOSES, 30)),
    "RSI": (lambda: updated(RSI(14)), lambda: talib.RSI(CLOSES, 14)),
    "Bollinger, upper": (lambda: band("upper"), lambda: talib.BBANDS(CLOSES, 20, 2.0, 2.0)[0]),
    "Bollinger, middle": (lambda: band("value"), lambda: talib.BBANDS(CLOSES, 20, 2.0, 2.0)[1]),
    "Bollinger, lower": (lambda: band("lower"), lambda: talib.BBANDS(CLOSES, 20, 2.0, 2.0)[2]),
    "Donchian, upper": (lambda: channel("upper"), lambda: talib.MAX(HIGHS, 20)),
    "Donchian, lower": (lambda: channel("lower"), lambda: talib.MIN(LOWS, 20)),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_an_incremental_indicator_is_talib_s_at_every_candle_from_the_first_on(pair: str) -> None:
    ours, theirs = PAIRS[pair]
    values = [np.nan if value is None else value for value in ours()]
    np.testing.assert_allclose(values, theirs(), rtol=1e-9)


def test_the_average_true_range_is_talib_s_once_its_beginning_is_forgotten() -> None:
    """Ours counts the first candle's range, which has no close before it; TA-Lib begins with the second."""
    made, period = ATR(14), 14
    values = [made.update(*row) for row in zip(HIGHS, LOWS, CLOSES, strict=True)]
    theirs = talib.ATR(HIGHS, LOWS, CLOSES, period)
    np.testing.assert_allclose(values[10 * period :], theirs[10 * period :], rtol=1e-4)
    np.testing.assert_allclose(values[50 * period :], theirs[50 * period :], rtol=1e-9)


def test_the_page_s_strategy_with_talib_decides_as_talib_does_over_the_whole_history(tmp_path: Path) -> None:
    [example] = [
        each for each in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "import talib" in each
    ]
    file = tmp_path / "stochastic.py"
    file.write_text(example)
    assert check_file(file, ("BTC/USDT",)) == []
    told = account().model_dump(mode="json", by_alias=True, exclude_unset=True)
    source = {"configMapRef": {"name": "mine"}, "class": "stochastic.Stochastic"}
    told["spec"]["strategy"] = {"source": source, "timeframe": "1m", "parameters": {}}
    nothing = Decimal(0)  # else fees would leave nothing to hold
    costless = Assumptions(maker_fee=nothing, taker_fee=nothing, spread=nothing, slippage=nothing)
    result = Backtest(parse_account(told), history(CANDLES), costless, source=tmp_path).run()

    fast, slow = talib.STOCH(HIGHS, LOWS, CLOSES)
    clear = {
        candle.open_ms + MINUTE_MS: difference > 0
        for candle, difference in zip(CANDLES, fast - slow, strict=True)
        if abs(difference) > 1e-6  # TA-Lib's own sums say otherwise from window to window where it is none
    }
    wants = {decision.event_time_ms: decision.want for decision in result.decisions}
    assert len(wants.keys() & clear.keys()) > 2_500
    for time_ms in wants.keys() & clear.keys():
        want = wants[time_ms]
        assert isinstance(want, Target)
        assert (want.quantity > 0) == clear[time_ms]
    assert len(result.fills) > 100
