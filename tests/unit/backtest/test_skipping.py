"""A run that keeps back what changes nothing must be the run that tells the execution core everything."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from smarttrade import messages
from smarttrade.api import TradingAccount
from smarttrade.api.load import parse_account
from smarttrade.backtest.history import History, build_history
from smarttrade.backtest.options import Assumptions
from smarttrade.backtest.result import Recorded
from smarttrade.backtest.run import Backtest
from smarttrade.simulator.recorded import Recording
from tests.unit.backtest.recordings import account, random_walk

STRATEGIES: dict[str, dict[str, Any]] = {
    "ma-cross": {"fast": 3, "slow": 8},
    "rsi-reversion": {"period": 5},
    "bollinger": {"period": 10},
    "donchian": {"period": 10},
    "grid": {"levels": 2, "step": "0.004"},
    "dca": {"interval": 1800, "amount": "300"},
    "avellaneda-stoikov": {"refresh": 60},
    "pairs": {"period": 20, "entry": "1"},
}
COUNT = 450
SOURCE = Path(__file__).parent / "fickle"


def draw_account(draw: random.Random, markets: int) -> TradingAccount:
    """An account with limits of which some are tight enough to bite."""
    chosen = account(
        markets=[{"symbol": symbol} for symbol in ("BTC/USDT", "ETH/USDT")[:markets]],
        state=draw.choice(["Active"] * 5 + ["ReduceOnly"]),
        risk={
            "maxOrderNotional": draw.choice(["10000", "2000"]),
            "maxPositionNotional": "10000",
            "maxDailyLoss": draw.choice(["9999", "300", "60"]),
            "maxDrawdown": draw.choice(["0.99", "0.05", "0.01"]),
            "maxOrdersPerMinute": draw.choice([1, 600, 600]),
            "cooldownSeconds": draw.choice([0, 600]),
            "onBreach": draw.choice(["ReduceOnly", "Halted"]),
            "dailyReset": {"time": draw.choice(["00:00", "05:30"]), "timeZone": "UTC"},
        },
    )
    manifest = chosen.model_dump(mode="json", by_alias=True, exclude_unset=True)
    manifest["spec"]["strategy"] = draw_strategy(draw, markets)
    return parse_account(manifest)


def draw_strategy(draw: random.Random, markets: int) -> dict[str, Any]:
    timeframe = draw.choice(["1m", "1m", "5m"])
    fitting = [name for name in STRATEGIES if name != "pairs" or markets == 2]
    name = draw.choice([*fitting, "fickle", "fickle", "fickle"])
    if name != "fickle":
        return {"name": name, "timeframe": timeframe, "warmup": 40, "parameters": STRATEGIES[name]}
    source = {"configMapRef": {"name": "fickle"}, "class": "fickle.Fickle"}
    return {
        "source": source,
        "timeframe": timeframe,
        "warmup": 40,
        "parameters": {"seed": draw.randrange(1000)},
    }


def draw_history(draw: random.Random, markets: int) -> History:
    seed = draw.randrange(10**6)
    recordings = {"BTC/USDT": Recording(random_walk(COUNT, seed), [], [])}
    if markets > 1:
        later = draw.choice([0, 37])
        other = random_walk(COUNT - draw.choice([0, 50]), seed + 1, 3_000.0)[later:]
        recordings["ETH/USDT"] = Recording(other, [], [])
    return build_history(recordings)


def draw_assumptions(draw: random.Random) -> Assumptions:
    return Assumptions(
        taker_fee=draw.choice([Decimal(0), Decimal("0.001")]),
        spread=draw.choice([Decimal(0), Decimal("0.0002"), Decimal("0.00033")]),
        latency_ms=draw.choice([0, 50, 50, 400, 90_000]),
        seed=draw.randrange(100),
    )


def record(recorded: Recorded) -> dict[str, Any]:
    return {
        "decisions": messages.encode(list(recorded.decisions)),
        "outcomes": messages.encode(list(recorded.outcomes)),
        "fills": messages.encode(recorded.fills),
        "refused": messages.encode(recorded.refused),
        "denials": recorded.denials(),
        "orders": recorded.orders,
        "times": recorded.points.times,
        "equity": recorded.points.equity,
        "invested": recorded.points.invested,
    }


@pytest.mark.parametrize("seed", range(16))
def test_keeping_back_changes_nothing(seed: int) -> None:
    draw = random.Random(seed)
    markets = draw.choice([1, 1, 2])
    traded, told, assumed = draw_account(draw, markets), draw_history(draw, markets), draw_assumptions(draw)
    fast, plain = (Backtest(traded, told, assumed, source=SOURCE, skip=skip) for skip in (True, False))
    assert record(fast.run()) == record(plain.run())
    books = [each.desk.core.ctx.book for each in (fast, plain)]
    assert books[0].losses == books[1].losses
    assert books[0].ledger.state() == books[1].ledger.state()
    assert books[0].intents == books[1].intents


def test_these_runs_trade_and_are_denied() -> None:
    traded = denied = 0
    for seed in range(12):
        draw = random.Random(seed)
        markets = draw.choice([1, 1, 2])
        traded_by, told, assumed = (
            draw_account(draw, markets),
            draw_history(draw, markets),
            draw_assumptions(draw),
        )
        recorded = Backtest(traded_by, told, assumed, source=SOURCE).run()
        traded += len(recorded.fills)
        denied += len(recorded.denials())
    assert traded > 20
    assert denied > 0
