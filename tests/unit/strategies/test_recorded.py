"""Market making and pairs through a whole backtest: on recorded trades and quotes where they are at hand.

No two markets were recorded at one time. So the pair is two parts of one month, laid side by side as if they
were: real prices, whose ratio need not come back. A drawn one, whose ratio does, shows what the rule is for.
"""

from __future__ import annotations

import math
import os
import random
import statistics
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from smarttrade.backtest.history import History, build_history, load_history
from smarttrade.backtest.options import Assumptions
from smarttrade.backtest.result import Recorded
from smarttrade.backtest.run import Backtest
from smarttrade.backtest.trades import build_trade_history
from smarttrade.messages import Side, Target
from smarttrade.simulator.files import load_recording
from smarttrade.simulator.recorded import RecordedCandle, Recording
from tests.unit.backtest.recordings import MINUTE_MS, START_MS, account
from tests.unit.backtest.test_trades import draw_trades, quotes_of, trader

DATA = Path(os.environ.get("SMARTTRADE_DATA", Path(__file__).parents[3].parent / "shared" / "data"))
RECORDED = DATA / "binance-btcusdt-trades.parquet"
MONTH = DATA / "btc-perp-2022-01-1m.csv"
BTC, ETH = "BTC/USDT", "ETH/USDT"


def recorded_trades() -> History:
    if RECORDED.is_file():
        return load_history(RECORDED, [BTC])
    trades = draw_trades(2_000)
    return build_trade_history({BTC: Recording([], trades, quotes_of(trades))})


def held_over_time(result: Recorded, market: str) -> list[Decimal]:
    """The position after every fill, net of what the fees took of it."""
    held, told = Decimal(0), []
    for fill in result.fills:
        if fill.market == market:
            held += fill.quantity if fill.side is Side.BUY else -fill.quantity
            held -= fill.fee if fill.fee_asset == market.partition("/")[0] else 0
            told.append(held)
    return told


def test_the_market_maker_rests_on_both_sides_and_keeps_its_inventory() -> None:
    who = trader("avellaneda-stoikov", refresh=1, least_spread="0.0001", arrival=1_000_000)
    result = Backtest(who, recorded_trades(), Assumptions(latency_ms=20)).run()
    assert {fill.side for fill in result.fills} == {Side.BUY, Side.SELL}
    assert all(fill.maker for fill in result.fills)
    held = held_over_time(result, BTC)
    most = Decimal("0.9") * 10_000 / min(fill.price for fill in result.fills)
    assert min(held) >= 0
    assert max(held) <= most


def pair_of(rows: dict[str, list[RecordedCandle]]) -> History:
    return build_history({market: Recording(candles, [], []) for market, candles in rows.items()})


def recorded_pair(count: int = 2_000) -> History:
    """The first minutes of January, and the same minutes a fortnight later."""
    if not MONTH.is_file():
        return drawn_pair()
    month = load_recording(MONTH, volume="quote").candles

    def part(begin: int) -> list[RecordedCandle]:
        return [
            replace(candle, open_ms=START_MS + number * MINUTE_MS)
            for number, candle in enumerate(month[begin : begin + count])
        ]

    return pair_of({BTC: part(0), ETH: part(14 * 1_440)})


def cheap_ones(history: History, period: int, entry: float, leave: float) -> Iterator[tuple[int, str]]:
    """When each minute ends, and the market to be held then, by the rule as it is written in the books."""
    ratios: list[float] = []
    cheap = ""
    for one, other in zip(history.candles[BTC], history.candles[ETH], strict=True):
        ratios.append(math.log(float(one.close)) - math.log(float(other.close)))
        window = ratios[-period:]
        if len(window) == period:
            deviation = statistics.pstdev(window)
            score = (ratios[-1] - statistics.fmean(window)) / deviation if deviation else 0.0
            if abs(score) >= entry:
                cheap = BTC if score < 0 else ETH
            elif abs(score) <= leave:
                cheap = ""
            yield one.close_ms, cheap


def test_on_recorded_prices_the_pair_holds_what_the_rule_says_at_every_minute_and_never_both() -> None:
    history, period = recorded_pair(), 60
    who = account("pairs", {"period": period}, markets=[{"symbol": BTC}, {"symbol": ETH}])
    result = Backtest(who, history, Assumptions()).run()
    wants: dict[int, dict[str, bool]] = {}
    for decision in result.decisions:
        assert isinstance(decision.want, Target)
        wants.setdefault(decision.event_time_ms, {})[decision.market] = decision.want.quantity > 0
    wanted: dict[str, bool] = {}
    seen = set()
    for ends_ms, cheap in cheap_ones(history, period, 2.0, 0.5):
        wanted |= wants.get(ends_ms, {})
        if ends_ms >= min(wants):
            assert {market for market, is_wanted in wanted.items() if is_wanted} == {cheap} - {""}, ends_ms
            seen.add(cheap)
    assert seen == {"", BTC, ETH}
    assert {fill.market for fill in result.fills} == {BTC, ETH}
    assert min(min(held_over_time(result, market)) for market in (BTC, ETH)) >= 0


def drawn_pair(count: int = 900) -> History:
    draw, price, ratio = random.Random(3), 40_000.0, 0.0
    rows: dict[str, list[RecordedCandle]] = {BTC: [], ETH: []}
    for number in range(count):
        price *= 1 + draw.gauss(0, 0.001)
        ratio += draw.gauss(0, 0.004) - 0.1 * ratio
        for market, close in ((BTC, price), (ETH, price / 13 * (1 + ratio))):
            value = Decimal(f"{close:.2f}")
            opened = rows[market][-1].close if rows[market] else value
            high, low = max(opened, value), min(opened, value)
            rows[market].append(
                RecordedCandle(START_MS + number * MINUTE_MS, opened, high, low, value, Decimal(5))
            )
    return pair_of(rows)


def test_the_pair_holds_the_cheap_one_and_never_both_for_long() -> None:
    who = account("pairs", {"period": 30}, markets=[{"symbol": BTC}, {"symbol": ETH}])
    costs_nothing = Assumptions(
        maker_fee=Decimal(0), taker_fee=Decimal(0), spread=Decimal(0), slippage=Decimal(0)
    )
    history = drawn_pair()
    result = Backtest(who, history, costs_nothing).run()
    assert {fill.market for fill in result.fills} == {BTC, ETH}
    assert min(min(held_over_time(result, market)) for market in (BTC, ETH)) >= 0
    assert result.points[-1].equity > who.spec.capital.allocation  # the ratio comes back, and nothing is paid
    paid = Backtest(who, history, Assumptions()).run()
    assert paid.points[-1].equity < result.points[-1].equity
