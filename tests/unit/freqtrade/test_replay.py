"""Own strategies of the usual shapes, against the trades that freqtrade 2026.9 made of the same candles.

`tests.freqtrade_equality.store` wrote `trades_of_freqtrade.json`; comparing needs nothing of freqtrade.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from smarttrade.api import Strategy as StrategySpec
from smarttrade.evaluation.loading import load_class
from smarttrade.freqtrade.loading import make_strategy
from smarttrade.freqtrade.provider import RunMode
from smarttrade.freqtrade.replay import Capital, replay
from tests.unit.freqtrade.made_up import PAIRS, candles

HERE = Path(__file__).parent
STORED = HERE / "trades_of_freqtrade.json"
EXPECTED: dict[str, list[list[Any]]] = json.loads(STORED.read_text())
STAKE, WALLET = 1_000, 10_000
FILES = {
    "Crossing": "crossing",
    "OldNames": "old_names",
    "Trailing": "trailing",
    "Tuned": "tuned",
    "Hourly": "hourly",
    "OwnStop": "own_stop",
    "CandlesOnly": "candles_only",
    "LooksAhead": "looks_ahead",
    "Unprotected": "protected",
    "CooledDown": "protected",
    "Guarded": "protected",
    "GuardedByPair": "protected",
    "NotTooDeep": "protected",
    "NoLosers": "protected",
}
PROTECTED = [name for name, module in FILES.items() if module == "protected" and name != "Unprotected"]


def slots_of(name: str) -> int:
    return 1 if name in ("Tuned", "CandlesOnly") else 2


def load(name: str) -> Any:
    source = {"configMapRef": {"name": "x"}, "class": f"{FILES[name]}.{name}"}
    spec = StrategySpec.model_validate({"source": source, "timeframe": "5m"})
    return load_class(spec, HERE / "strategies").inner_class  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", FILES)
def test_trades_are_those_of_freqtrade(name: str) -> None:
    config = {"stake_currency": "USDT", "stake_amount": STAKE}
    strategy = make_strategy(load(name), PAIRS, config, RunMode.BACKTEST)
    capital = Capital(stake=STAKE, wallet=WALLET, slots=slots_of(name), fee=0.001)
    trades = replay(strategy, candles(), PAIRS, capital)
    told = [
        [t.pair, t.open_ms, t.open_rate, t.close_ms, t.close_rate, t.exit_reason, t.enter_tag or "", t.amount]
        for t in trades
    ]
    assert sorted(told, key=lambda trade: (trade[1], trade[0])) == EXPECTED[name]


def test_every_way_out_is_among_them() -> None:
    reasons = {trade[5] for trades in EXPECTED.values() for trade in trades}
    assert reasons >= {"exit_signal", "roi", "stop_loss", "trailing_stop_loss", "force_exit", "down", "faded"}


def test_every_protection_keeps_trades_from_being_made() -> None:
    counts = {name: len(EXPECTED[name]) for name in PROTECTED}
    assert all(10 < count < len(EXPECTED["Unprotected"]) for count in counts.values()), counts
    assert len(set(counts.values())) == len(counts)
