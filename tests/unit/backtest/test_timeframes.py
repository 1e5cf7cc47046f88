"""Several timeframes in one strategy, made of the base candles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from smarttrade.api.load import parse_account
from smarttrade.backtest.history import build_history
from smarttrade.backtest.options import Assumptions
from smarttrade.backtest.run import Backtest
from smarttrade.simulator.recorded import Recording
from tests.unit.backtest.recordings import MINUTE_MS, START_MS, account, random_walk

SOURCE = (
    "from smarttrade import Strategy\n"
    "class Both(Strategy):\n"
    "    timeframes = ('5m', '15m')\n"
    "    def start(self):\n        self.seen = []\n"
    "    def on_candle(self, candle):\n        self.seen.append((self.now_ms, candle))\n"
)


def watch(folder: Path, skip: bool) -> list[Any]:
    (folder / "both.py").write_text(SOURCE)
    manifest = account().model_dump(mode="json", by_alias=True, exclude_unset=True)
    manifest["spec"]["strategy"] = {
        "source": {"configMapRef": {"name": "both"}, "class": "both.Both"},
        "timeframe": "1m",
    }
    told = build_history({"BTC/USDT": Recording(random_walk(123), [], [])})
    backtest = Backtest(parse_account(manifest), told, Assumptions(), source=folder, skip=skip)
    backtest.run()
    seen: list[Any] = backtest._strategy.seen  # type: ignore[attr-defined]
    return seen


def test_a_longer_candle_is_seen_when_it_ends_and_never_before(tmp_path: Path) -> None:
    seen = watch(tmp_path, skip=True)
    assert all(now_ms == candle.close_ms and candle.final for now_ms, candle in seen)
    opened = {frame: [c.open_ms for _, c in seen if c.timeframe == frame] for frame in ("1m", "5m", "15m")}
    assert opened["5m"] == [START_MS + n * 5 * MINUTE_MS for n in range(24)]
    assert opened["15m"] == [START_MS + n * 15 * MINUTE_MS for n in range(8)]
    assert len(opened["1m"]) == 123


def test_within_one_instant_the_shorter_timeframe_comes_first(tmp_path: Path) -> None:
    seen = watch(tmp_path, skip=False)
    last = [candle.timeframe for now_ms, candle in seen if now_ms == START_MS + 30 * MINUTE_MS]
    assert last == ["1m", "5m", "15m"]
