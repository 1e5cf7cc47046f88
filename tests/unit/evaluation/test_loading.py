"""From the object to a strategy, with errors that say what to change."""

import sys
from pathlib import Path
from typing import Any

import pytest

from smarttrade.api import TradingAccountSpec
from smarttrade.errors import ConfigurationError
from smarttrade.evaluation.loading import (
    build_strategy,
    choose_version,
    load_module,
    mark_strategy,
    strategy_name,
)
from smarttrade.source import pack
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


def test_a_users_own_class_is_loaded_from_its_folder(tmp_path: Path) -> None:
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
    with pytest.raises(ConfigurationError, match=r"no absent\.py"):
        build_strategy(spec(source), tmp_path)


def test_a_specification_is_run_with_the_modules_that_it_names_only() -> None:
    named = spec({"source": {"configMapRef": {"name": "mine-2"}, "class": "mine.Mine"}}).strategy
    other, own = pack("mine-1", {}), pack("mine-2", {})
    assert choose_version(named, own) is own
    assert choose_version(spec({"name": "ma-cross"}).strategy, own) is None
    for given in (None, other):
        with pytest.raises(ConfigurationError, match="ConfigMap mine-2 has not been read yet"):
            choose_version(named, given)


def test_another_version_of_a_class_is_the_same_strategy_and_another_class_or_parameter_is_not() -> None:
    def mark(config_map: str, name: str = "mine.Mine", **parameters: int) -> str:
        source = {"configMapRef": {"name": config_map}, "class": name}
        return mark_strategy(spec({"source": source, "parameters": parameters}))

    in_image = {"image": f"registry.example/mine@sha256:{'0' * 64}", "class": "mine.Mine"}
    assert mark("mine-1") == mark("mine-2") == mark_strategy(spec({"source": in_image, "parameters": {}}))
    assert len({mark("mine-1"), mark("mine-1", "mine.Other"), mark("mine-1", period=3)}) == 3


def test_what_went_wrong_is_told_with_its_place_and_without_the_folder(tmp_path: Path) -> None:
    source = write(tmp_path, "broken_four", "size = 3\nnumbers = {}\nnumbers[size]\n")
    message = r'(?s)KeyError: 3\n.*File "broken_four.py", line 3'
    with pytest.raises(ConfigurationError, match=message) as told:
        build_strategy(spec(source), tmp_path)
    assert str(tmp_path) not in str(told.value)


@pytest.mark.parametrize("name", ["json", "types", "asyncio", "smarttrade", "msgspec", "numpy"])
def test_a_module_that_would_replace_another_is_refused_and_never_run(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    before = sys.modules.get(name)
    with pytest.raises(ConfigurationError, match=f"{name}.py would replace"):
        load_module(tmp_path, name)
    assert not (tmp_path / "ran").exists()
    assert sys.modules.get(name) is before
