from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from smarttrade import messages
from smarttrade.api.load import parse_account
from smarttrade.backtest.history import build_history
from smarttrade.backtest.options import Assumptions
from smarttrade.backtest.result import Recorded, build_document
from smarttrade.backtest.run import Backtest
from smarttrade.simulator.recorded import RecordedCandle, Recording
from smarttrade.strategies import BUILT_IN
from tests.unit.backtest.recordings import MINUTE_MS, START_MS, account, history, random_walk

PARAMETERS = {
    "ma-cross": {"fast": 3, "slow": 8},
    "rsi-reversion": {"period": 5},
    "bollinger": {"period": 10},
    "donchian": {"period": 10},
    "grid": {"levels": 3, "step": "0.004"},
    "dca": {"interval": 1800},
    "avellaneda-stoikov": {"refresh": 60},
    "pairs": {"period": 20, "entry": "1"},
}
PAIR = ["BTC/USDT", "ETH/USDT"]
COUNT, CUT = 400, 300


def run(name: str, candles: list[RecordedCandle]) -> Recorded:
    if name != "pairs":
        return Backtest(account(name, PARAMETERS[name]), history(candles), Assumptions()).run()
    declared = account(name, PARAMETERS[name], markets=[{"symbol": market} for market in PAIR])
    other = random_walk(len(candles), seed=5, price=3_000)
    recordings = {
        market: Recording(each, [], []) for market, each in zip(PAIR, (candles, other), strict=True)
    }
    return Backtest(declared, build_history(recordings), Assumptions()).run()


def until(recorded: Recorded, time_ms: int) -> bytes:
    return messages.encode([d for d in recorded.decisions if d.event_time_ms <= time_ms])


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_decisions_do_not_depend_on_what_comes_later(name: str) -> None:
    told = random_walk(COUNT)
    price = float(told[CUT - 1].close) * 1.5
    later = [
        replace(candle, open_ms=START_MS + (CUT + n) * MINUTE_MS)
        for n, candle in enumerate(random_walk(COUNT - CUT, seed=9, price=price))
    ]
    now_ms = START_MS + CUT * MINUTE_MS
    one, other = run(name, told), run(name, told[:CUT] + later)
    assert until(one, now_ms) == until(other, now_ms)
    assert until(one, now_ms) != b"[]"
    assert [p for p in one.points if p.time_ms <= now_ms] == [p for p in other.points if p.time_ms <= now_ms]
    assert one.points[-1].equity != other.points[-1].equity or not one.fills


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_the_same_run_gives_the_same_document(name: str) -> None:
    candles = random_walk(COUNT)
    documents = [messages.encode(build_document(run(name, candles), Assumptions())) for _ in range(2)]
    assert documents[0] == documents[1]


def test_strategies_trade_on_this_data() -> None:
    candles = random_walk(COUNT)
    assert {name: bool(run(name, candles).fills) for name in BUILT_IN} == dict.fromkeys(BUILT_IN, True)


def test_warm_up_is_not_traded() -> None:
    recorded = run("ma-cross", random_walk(COUNT))
    warm_ms = START_MS + 80 * MINUTE_MS
    assert recorded.start_ms == warm_ms
    assert min(decision.event_time_ms for decision in recorded.decisions) == warm_ms + MINUTE_MS
    assert min(fill.time_ms for fill in recorded.fills) > warm_ms


def test_a_candle_that_the_data_ends_in_is_not_decided_on() -> None:
    told = random_walk(402)
    five = {"name": "ma-cross", "timeframe": "5m", "parameters": {"fast": 2, "slow": 4}}
    manifest = account().model_dump(mode="json", by_alias=True, exclude_unset=True)
    manifest["spec"]["strategy"] = five
    recorded = Backtest(parse_account(manifest), history(told), Assumptions()).run()
    assert max(decision.event_time_ms for decision in recorded.decisions) == START_MS + 400 * MINUTE_MS
    assert recorded.points[-1].time_ms == START_MS + 402 * MINUTE_MS


def test_fees_are_what_lies_between_two_runs() -> None:
    candles = random_walk(COUNT)
    free = Assumptions(maker_fee=Decimal(0), taker_fee=Decimal(0))
    without = Backtest(account("dca", PARAMETERS["dca"]), history(candles), free).run()
    assert all(fill.fee == 0 for fill in without.fills)
    with_fees = run("dca", candles)
    assert all(fill.fee > 0 for fill in with_fees.fills)
