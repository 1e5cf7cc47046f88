"""`strategy check` of strategies for freqtrade: the same live as in a backtest?"""

from __future__ import annotations

from pathlib import Path

import pytest

from smarttrade.authoring.check import check_file
from smarttrade.authoring.windows import check_windows
from smarttrade.errors import ConfigurationError
from smarttrade.freqtrade.loading import find_uncalled, find_unheeded
from tests.unit.freqtrade.test_replay import HERE, load

MARKETS = ("BTC/USDT",)


@pytest.mark.parametrize("name", ["Crossing", "Hourly", "OldNames"])
def test_a_strategy_that_reads_the_past_only_passes(name: str) -> None:
    assert check_windows(load(name), MARKETS, checked=40) == []


def test_one_that_reads_the_future_where_no_lint_sees_it_is_told_so(tmp_path: Path) -> None:
    source = (HERE / "strategies" / "looks_ahead.py").read_text()
    file = tmp_path / "backwards.py"
    file.write_text(source.replace('["close"].mean()', '["close"].iloc[::-1].rolling(5).mean()'))
    assert {finding.code for finding in check_file(file, MARKETS)} == {"LookAhead"}


def test_one_that_needs_more_than_the_window_is_told_so(tmp_path: Path) -> None:
    source = (HERE / "strategies" / "looks_ahead.py").read_text()
    file = tmp_path / "long_memory.py"
    file.write_text(source.replace('["close"].mean()', '["close"].expanding().mean()'))
    assert "WarmUp" in {finding.code for finding in check_file(file, MARKETS)}


def found_with(tmp_path: Path, body: str) -> list[tuple[str, str]]:
    file = tmp_path / "priced.py"
    file.write_text((HERE / "strategies" / "crossing.py").read_text() + body)
    return [(finding.code, finding.message) for finding in check_file(file, MARKETS)]


@pytest.mark.parametrize(
    ("body", "code", "told"),
    [
        ("    def custom_entry_price(self, **more):\n        return 1.0\n", "Uncalled", "custom_entry_price"),
        ("    def custom_exit_price(self, **more):\n        return 1.0\n", "Uncalled", "custom_exit_price"),
        (
            "    position_adjustment_enable = True\n    adjust_trade_position = print\n",
            "Uncalled",
            "adjust_trade_position",
        ),
        (
            "    use_custom_roi = True\n    custom_roi = print\n",
            "Uncalled",
            "custom_roi",
        ),
        (
            "    def informative_pairs(self):\n        return [('ETH/USDT', '1h')]\n",
            "Informative",
            "ETH/USDT",
        ),
    ],
)
def test_what_would_make_other_trades_is_found(tmp_path: Path, body: str, code: str, told: str) -> None:
    [(found, message)] = found_with(tmp_path, "\n" + body)
    assert (found, told in message) == (code, True)


def test_a_callback_that_the_class_leaves_switched_off_is_no_matter() -> None:
    class Off(load("Crossing")):  # type: ignore[misc]
        position_adjustment_enable = False

        def adjust_trade_position(self, **more: object) -> float:
            return 1.0

    assert find_uncalled(Off) == []


def test_what_has_no_effect_is_told_with_what_happens_instead() -> None:
    class Configured(load("Crossing")):  # type: ignore[misc]
        max_open_trades = 3
        can_short = True

        def order_filled(self, **more: object) -> None: ...

    told = find_unheeded(Configured)
    assert [line.partition(" ")[0] for line in told] == ["order_filled", "can_short", "max_open_trades"]
    assert "capital.maxOpenPositions" in told[-1]
    assert find_unheeded(load("Crossing")) == []


def test_a_protection_that_cannot_be_is_found(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no method 'Luck'"):
        found_with(tmp_path, '\n    protections = [{"method": "Luck"}]\n')
