"""What freqtrade has saved beside a strategy goes before what its class says."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from smarttrade.api import Strategy as StrategySpec
from smarttrade.errors import ConfigurationError
from smarttrade.evaluation.loading import load_class
from smarttrade.evaluation.strategy import AccountSetup

TEXT = """
from freqtrade.strategy import IStrategy, IntParameter


class Saved(IStrategy):
    timeframe = "5m"
    minimal_roi = {"0": 0.1}
    stoploss = -0.05
    trailing_stop_positive = 0.01
    buy_params = {"buy_fast": 5, "buy_slow": 50}
    buy_fast = IntParameter(1, 100, default=10)
    buy_slow = IntParameter(1, 100, default=20)
    sell_after = IntParameter(1, 100, default=30, space="sell")
"""
SETUP = AccountSetup(
    markets=("BTC/USDT",),
    timeframe="5m",
    timeframe_ms=300_000,
    currency="USDT",
    allocation=Decimal(10_000),
    per_market=Decimal(10_000),
    price_collar=Decimal("0.02"),
)
PARAMS = {
    "roi": {"0": 0.02, "30": 0.01},
    "stoploss": {"stoploss": -0.2},
    "max_open_trades": {"max_open_trades": 3},
    "trailing": {"trailing_stop": True, "trailing_stop_positive": None},
    "buy": {"buy_fast": 7},
    "sell": {"sell_after": 33},
}


def load(folder: Path, saved: str | None, **given: object) -> Any:
    (folder / "saved_beside.py").write_text(TEXT)
    if saved is not None:
        (folder / "saved_beside.json").write_text(saved)
    source = {"configMapRef": {"name": "x"}, "class": "saved_beside.Saved"}
    spec = StrategySpec.model_validate({"source": source, "timeframe": "5m"})
    return load_class(spec, folder)(SETUP, given).inner  # type: ignore[attr-defined]


def values(inner: Any) -> tuple[int, int, int]:
    return inner.buy_fast.value, inner.buy_slow.value, inner.sell_after.value


def test_without_a_file_the_class_says(tmp_path: Path) -> None:
    inner = load(tmp_path, None)
    assert values(inner) == (5, 50, 30)
    assert (inner.minimal_roi, inner.stoploss) == ({"0": 0.1}, -0.05)


def test_the_file_goes_before_the_class_and_the_account_before_both(tmp_path: Path) -> None:
    saved = json.dumps({"strategy_name": "Saved", "params": PARAMS, "ft_stratparam_v": 1})
    inner = load(tmp_path, saved, buy_slow=60)
    assert values(inner) == (7, 60, 33)
    assert (inner.minimal_roi, inner.stoploss) == ({"0": 0.02, "30": 0.01}, -0.2)
    assert (inner.trailing_stop, inner.trailing_stop_positive, inner.max_open_trades) == (True, None, 3)


@pytest.mark.parametrize(
    ("saved", "message"),
    [
        (
            json.dumps({"strategy_name": "Other", "params": {}}),
            "was saved for the strategy Other, not for Saved",
        ),
        ("{", "saved_beside.json is not what freqtrade saves"),
    ],
)
def test_a_file_that_cannot_be_its_own_is_refused(tmp_path: Path, saved: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load(tmp_path, saved)
