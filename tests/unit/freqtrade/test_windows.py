"""`strategy check` of strategies for freqtrade: the same live as in a backtest?"""

from __future__ import annotations

from pathlib import Path

import pytest

from smarttrade.authoring.check import check_file
from smarttrade.authoring.windows import check_windows
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


def test_what_has_no_effect_is_named(tmp_path: Path) -> None:
    source = (HERE / "strategies" / "looks_ahead.py").read_text()
    file = tmp_path / "priced.py"
    callback = "    def custom_entry_price(self, **more):\n        return 1.0\n"
    file.write_text(f'{source}\n    protections = [{{"method": "CooldownPeriod"}}]\n\n{callback}')
    found = [finding.message for finding in check_file(file, MARKETS) if finding.code == "Unheeded"]
    assert found == [
        "custom_entry_price is not called: entries are made at the market",
        "protections have no effect: write limits into the account's risk",
    ]
