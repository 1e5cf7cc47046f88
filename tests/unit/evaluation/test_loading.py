"""From the object to a strategy, with errors that say what to change."""

import sys
from pathlib import Path
from typing import Any

import pytest

from smarttrade.api import TradingAccountSpec
from smarttrade.errors import ConfigurationError
from smarttrade.evaluation.loading import build_strategy, check_mounted, load_module, strategy_name
from smarttrade.strategies.ma_cross import MovingAverageCross


def spec(strategy: dict[str, Any], **capital: str) -> TradingAccountSpec:
    written = {
        "exchange": {"name": "binance", "environment": "Simulator"},
        "markets": [{"symbol": "BTC/USDT"}, {"symbol": "ETH/USDT"}],
        "strategy": strategy,
        "capital": {"currency": "USDT", "allocation": "10000", **capital},
        "risk": {
            "maxOrderNotional": "1000",
            "maxPositionNotional": "5000",
            "maxDailyLoss": "200",
            "maxDrawdown": "0.10",
        },
    }
    return TradingAccountSpec.model_validate(written)


def test_a_built_in_strategy_gets_its_parameters_and_capital() -> None:
    made = build_strategy(spec({"name": "ma-cross", "parameters": {"fast": 5, "slow": "20"}}))
    assert isinstance(made, MovingAverageCross)
    assert (made.fast, made.slow, made.warmup) == (5, 20, 200)
    assert (made.setup.per_market, made.markets) == (5_000, ("BTC/USDT", "ETH/USDT"))


def test_an_unknown_strategy_is_told_what_there_is() -> None:
    with pytest.raises(ConfigurationError, match="no built-in strategy 'moon'; there is: ma-cross"):
        build_strategy(spec({"name": "moon"}))


def write(directory: Path, name: str, text: str) -> dict[str, Any]:
    (directory / f"{name}.py").write_text(text)
    return {"source": {"configMapRef": {"name": "mine"}, "class": f"{name}.Mine"}}


def test_a_depth_that_no_exchange_has_is_refused(tmp_path: Path) -> None:
    text = "from smarttrade import Strategy\nclass Mine(Strategy):\n    book_levels = 7\n"
    source = write(tmp_path, "deep", text)
    with pytest.raises(ConfigurationError, match="book_levels is 7: make it 0 or one of 5, 10, 20"):
        build_strategy(spec(source), tmp_path)


def test_a_users_own_class_is_loaded_from_the_mounted_directory(tmp_path: Path) -> None:
    source = write(tmp_path, "loaded_one", "from smarttrade import Strategy\nclass Mine(Strategy): pass\n")
    written = spec(source)
    assert type(build_strategy(written, tmp_path)).__name__ == "Mine"
    assert strategy_name(written.strategy) == "loaded_one.Mine"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("broken_one", "import nothing_like_this\n", "broken_one.py cannot be imported: ModuleNotFoundError"),
        (
            "broken_two",
            "class Mine: pass\n",
            "no class 'Mine' derived from smarttrade.Strategy or IStrategy in broken_two",
        ),
        (
            "broken_three",
            "from smarttrade import Strategy\nclass Mine(Strategy):\n    def start(self): 1 / 0\n",
            "strategy Mine cannot start: ZeroDivisionError",
        ),
    ],
)
def test_a_class_that_cannot_be_used_is_refused(tmp_path: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        build_strategy(spec(write(tmp_path, name, text)), tmp_path)


def test_a_missing_module_is_named(tmp_path: Path) -> None:
    source = {"source": {"configMapRef": {"name": "mine"}, "class": "absent.Mine"}}
    with pytest.raises(ConfigurationError, match=r"no key absent\.py"):
        build_strategy(spec(source), tmp_path)


def test_a_pod_does_not_run_its_old_modules_under_a_new_config_map(tmp_path: Path) -> None:
    written = spec(
        write(tmp_path, "mounted", "from smarttrade import Strategy\nclass Mine(Strategy): pass\n")
    )
    check_mounted(written.strategy, "mine")
    check_mounted(written.strategy, "")
    check_mounted(spec({"name": "ma-cross"}).strategy, "mine")
    with pytest.raises(ConfigurationError, match="ConfigMap mine-1: one with mine replaces it"):
        check_mounted(written.strategy, "mine-1")


@pytest.mark.parametrize("name", ["json", "types", "asyncio", "smarttrade", "msgspec", "numpy"])
def test_a_module_that_would_replace_another_is_refused_and_never_run(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    before = sys.modules.get(name)
    with pytest.raises(ConfigurationError, match=f"{name}.py would replace"):
        load_module(tmp_path, name)
    assert not (tmp_path / "ran").exists()
    assert sys.modules.get(name) is before
