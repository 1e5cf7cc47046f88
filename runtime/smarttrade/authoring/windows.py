"""Does a freqtrade strategy say the same of a candle live as in a backtest?

A backtest computes signals once over the whole history, live trading on a window that ends with the newest
candle. Where the two differ, the strategy looks into the future, or its indicators need more of the past than
the window holds: with all of the past and none of the future the first still differs, the second does not.
Made-up candles, the same for everybody.
"""

from __future__ import annotations

import random
from typing import Any

from smarttrade.authoring.findings import Finding
from smarttrade.errors import SmartTradeError
from smarttrade.evaluation.core import StrategyFailedError
from smarttrade.freqtrade.informative import find_asked
from smarttrade.freqtrade.interface import IStrategy
from smarttrade.freqtrade.loading import find_uncalled, find_unheeded, make_strategy
from smarttrade.freqtrade.protections import read_protections
from smarttrade.freqtrade.provider import LONGEST, RunMode, build_frame
from smarttrade.freqtrade.signals import Signal, analyse, read_signals
from smarttrade.freqtrade.terms import read_terms
from smarttrade.freqtrade.timeframes import timeframe_to_msecs

CHECKED = 500
_SEED = 7
_ENOUGH = 20
_MINUTE_MS = 60_000
_FIRST_MS = 1_609_459_200_000

Row = tuple[int, float, float, float, float, float]


def check_windows(
    inner_class: type[IStrategy], markets: tuple[str, ...], checked: int = CHECKED
) -> list[Finding]:
    """Findings on the last `checked` candles; StrategyFailedError and ConfigurationError say what failed."""
    uncalled = [Finding(0, "Uncalled", told) for told in find_uncalled(inner_class)]
    if uncalled:
        return uncalled
    currency = markets[0].partition("/")[2]
    config = {"stake_currency": currency, "stake_amount": 1000.0, "timeframe": "5m"}
    strategy = make_strategy(inner_class, markets, config, RunMode.BACKTEST)
    read_protections(strategy.protections, read_terms(strategy).minutes * _MINUTE_MS)
    asked = find_asked(strategy, markets, currency)
    unknown = sorted({pair for pair, _ in asked} - set(markets))
    if unknown:
        needs = f"it needs candles of {', '.join(unknown)}: check with --market, and name it in spec.markets"
        return [Finding(0, "Informative", needs)]
    found = [Finding(0, "Unheeded", told) for told in find_unheeded(inner_class)]
    window = max(LONGEST, int(strategy.startup_candle_count or 0))
    candles = {market: _candles(market, strategy.timeframe, window + checked) for market in markets}
    try:
        return found + _compare(strategy, candles, window, checked)
    except SmartTradeError:
        raise
    except Exception as error:
        raise StrategyFailedError(f"{type(error).__name__}: {error}") from error


def _compare(strategy: Any, candles: dict[str, list[Row]], window: int, checked: int) -> list[Finding]:
    market, rows = next(iter(candles.items()))
    whole = _signals(strategy, candles, market, 0, len(rows))
    if not any(signal.can_enter for signal in whole):
        return [Finding(0, "NoDecision", f"it enters nowhere on {len(rows)} candles")]
    ahead = short = 0
    for end in range(len(rows) - checked + 1, len(rows) + 1):
        expected = whole[end - 1] if end <= len(whole) else None
        if _signals(strategy, candles, market, end - window, end)[-1:] == [expected]:
            continue
        if _signals(strategy, candles, market, 0, end)[-1:] == [expected]:
            short += 1
        else:
            ahead += 1
        if ahead + short >= _ENOUGH:
            break
    if ahead:
        return [Finding(0, "LookAhead", f"the signals of {ahead} candles change when later ones are known")]
    if short:
        told = (
            f"the signals of {short} candles need more than the newest {window}: raise startup_candle_count"
        )
        return [Finding(0, "WarmUp", told)]
    return []


def _signals(strategy: Any, candles: dict[str, list[Row]], market: str, begin: int, end: int) -> list[Signal]:
    """Of the rows from `begin` to `end`, with the longer candles that have closed by then."""
    own_ms = timeframe_to_msecs(strategy.timeframe)
    strategy.dp.candles = _Candles(candles, own_ms, begin, end)
    frame = strategy.dp.candles[market, strategy.timeframe]
    return read_signals(analyse(strategy, market, frame))


class _Candles(dict[tuple[str, str], Any]):
    """Frames made when they are asked for: of any timeframe that is longer than the strategy's."""

    def __init__(self, rows: dict[str, list[Row]], own_ms: int, begin: int, end: int) -> None:
        super().__init__()
        self._rows, self._own_ms, self._part = rows, own_ms, slice(begin, end)

    def get(self, key: tuple[str, str], default: Any = None) -> Any:
        return self[key] if key[0] in self._rows else default

    def __missing__(self, key: tuple[str, str]) -> Any:
        market, timeframe = key
        parts = timeframe_to_msecs(timeframe) // self._own_ms
        self[key] = build_frame(_longer(self._rows[market][self._part], parts, self._own_ms))
        return self[key]


def _longer(rows: list[Row], parts: int, own_ms: int) -> list[Row]:
    if parts <= 1:
        return rows
    skip = next((n for n, row in enumerate(rows) if row[0] % (parts * own_ms) == 0), len(rows))
    whole = [rows[n : n + parts] for n in range(skip, len(rows) - parts + 1, parts)]
    return [
        (
            each[0][0],
            each[0][1],
            max(row[2] for row in each),
            min(row[3] for row in each),
            each[-1][4],
            sum(row[5] for row in each),
        )
        for each in whole
    ]


def _candles(market: str, timeframe: str, count: int) -> list[Row]:
    draw = random.Random(f"{_SEED}{market}")
    price, drift, rows = 40_000.0, 0.0, []
    for number in range(count):
        if number % 80 == 0:
            drift = draw.gauss(0, 0.001)
        path = [price]
        for _ in range(4):
            path.append(round(path[-1] * (1 + draw.gauss(drift / 4, 0.003)), 2))
        price = path[-1]
        opened = _FIRST_MS + number * timeframe_to_msecs(timeframe)
        rows.append((opened, path[0], max(path), min(path), price, round(draw.uniform(1, 9), 5)))
    return rows
