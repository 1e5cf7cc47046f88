"""Backtests that recorded trades and quotes drive."""

from __future__ import annotations

import random
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest

from smarttrade import messages
from smarttrade.api import TradingAccount
from smarttrade.api.load import parse_account
from smarttrade.backtest.history import load_history
from smarttrade.backtest.options import Assumptions
from smarttrade.backtest.result import Recorded, build_document
from smarttrade.backtest.run import Backtest
from smarttrade.backtest.trades import TradeHistory, build_trade_history
from smarttrade.errors import ConfigurationError
from smarttrade.messages import Quote, Side, Trade
from smarttrade.simulator.recorded import RecordedQuote, RecordedTrade, Recording
from tests.unit.backtest.recordings import START_MS, account


def draw_trades(count: int, seed: int = 1, price: float = 40_000.0) -> list[RecordedTrade]:
    """About four trades a second."""
    draw, time_ms, trades = random.Random(seed), START_MS, []
    for _ in range(count):
        time_ms += draw.randint(0, 500)
        price *= 1 + draw.gauss(0, 0.0006)
        quantity = Decimal(draw.randint(1, 500)) / 1000
        trades.append(RecordedTrade(time_ms, Decimal(f"{price:.2f}"), quantity, draw.random() < 0.5))
    return trades


def quotes_of(trades: list[RecordedTrade]) -> list[RecordedQuote]:
    cent, size = Decimal("0.01"), Decimal("0.3")
    return [RecordedQuote(t.time_ms, t.price - cent, size, t.price + cent, size) for t in trades[::3]]


def trader(strategy: str = "ma-cross", **parameters: object) -> TradingAccount:
    told = account(strategy, dict(parameters)).model_dump(mode="json", by_alias=True, exclude_unset=True)
    told["spec"]["strategy"]["timeframe"] = "1s"
    return parse_account(told)


def run(trades: list[RecordedTrade], quotes: list[RecordedQuote], who: TradingAccount) -> Recorded:
    return Backtest(who, history(trades, quotes), Assumptions(latency_ms=20)).run()


def history(trades: list[RecordedTrade], quotes: list[RecordedQuote]) -> TradeHistory:
    return build_trade_history({"BTC/USDT": Recording([], trades, quotes)})


def test_candles_are_made_of_whole_intervals_of_trades() -> None:
    trades = draw_trades(400)
    candles = list(history(trades, []).candles["BTC/USDT"])
    assert candles[0].open_ms > trades[0].time_ms
    assert candles[-1].close_ms <= trades[-1].time_ms
    for candle in candles[::7]:
        inside = [t for t in trades if candle.open_ms <= t.time_ms < candle.close_ms]
        if inside:
            assert (candle.open, candle.close) == (inside[0].price, inside[-1].price)
            assert candle.volume == sum(t.quantity for t in inside)


def test_a_candle_comes_before_the_first_trade_after_it() -> None:
    steps = list(history(draw_trades(200), []).steps(["1s", "1m"]))
    closed = [step.time_ms for step in steps if step.closes]
    assert closed == sorted(closed)
    for step, following in pairwise(steps):
        assert step.time_ms <= following.time_ms
        if step.closes and not following.closes:
            assert following.time_ms >= step.time_ms


def test_a_marketable_order_takes_no_more_than_is_quoted() -> None:
    trades = draw_trades(3000)
    recorded = run(trades, quotes_of(trades), trader(fast=3, slow=8, fraction="0.9"))
    assert len(recorded.fills) > 20
    shown = {q.ask for q in quotes_of(trades)} | {q.bid for q in quotes_of(trades)}
    assert {fill.price for fill in recorded.fills if not fill.maker} <= shown
    assert all(fill.quantity <= Decimal("0.3") for fill in recorded.fills)


def test_without_quotes_spread_and_slippage_are_added_to_the_last_trade() -> None:
    trades = draw_trades(2000)
    assumed = Assumptions(spread=Decimal("0.002"), slippage=Decimal("0.001"), latency_ms=20)
    recorded = Backtest(trader(fast=3, slow=8), history(trades, []), assumed).run()
    assert recorded.fills
    for fill in recorded.fills:
        last = [t for t in trades if t.time_ms <= fill.time_ms][-1]
        worse = fill.price / last.price - 1 if fill.side is Side.BUY else 1 - fill.price / last.price
        assert Decimal("0.0019") < worse < Decimal("0.0022")


def test_resting_orders_fill_when_trades_go_through_them() -> None:
    recorded = run(draw_trades(4000), [], trader("grid", levels=3, step="0.001"))
    assert recorded.fills
    assert all(fill.maker for fill in recorded.fills)


def test_decisions_do_not_depend_on_later_trades() -> None:
    trades = draw_trades(2000)
    other = trades[:1500] + [
        RecordedTrade(t.time_ms, t.price * 2, t.quantity, t.buyer_is_maker) for t in trades[1500:]
    ]
    cut_ms = trades[1500].time_ms // 1000 * 1000
    one, two = (run(each, [], trader(fast=3, slow=8)) for each in (trades, other))
    before = [messages.encode([d for d in r.decisions if d.event_time_ms <= cut_ms]) for r in (one, two)]
    assert before[0] == before[1] != b"[]"


def test_the_strategy_is_told_of_trades_and_quotes(tmp_path: Path) -> None:
    (tmp_path / "counting.py").write_text(
        "from smarttrade import Strategy\n"
        "class Counting(Strategy):\n"
        "    def start(self):\n        self.seen = []\n"
        "    def on_trade(self, trade):\n        self.seen.append(trade)\n"
        "    def on_quote(self, quote):\n        self.seen.append(quote)\n"
    )
    told = trader().model_dump(mode="json", by_alias=True, exclude_unset=True)
    told["spec"]["strategy"] = {
        "source": {"configMapRef": {"name": "x"}, "class": "counting.Counting"},
        "timeframe": "1s",
    }
    trades = draw_trades(100)
    backtest = Backtest(
        parse_account(told), history(trades, quotes_of(trades)), Assumptions(), source=tmp_path
    )
    backtest.run()
    seen = backtest._strategy.seen  # type: ignore[attr-defined]
    kinds = {type(event) for event in seen}
    assert kinds == {Trade, Quote}
    assert [event.time_ms for event in seen] == sorted(event.time_ms for event in seen)


def test_the_document_says_that_trades_drove_it() -> None:
    recorded = run(draw_trades(1000), [], trader(fast=3, slow=8))
    assert build_document(recorded, Assumptions())["assumptions"]["fill_model"].startswith("trades;")


def test_a_file_of_trades_with_its_quotes_is_a_history(tmp_path: Path) -> None:
    trades = draw_trades(100)
    rows = [f"{t.time_ms},{t.price},{t.quantity},{str(t.buyer_is_maker).lower()}" for t in trades]
    (tmp_path / "btc-trades.csv").write_text("timestamp,price,quantity,buyer_maker\n" + "\n".join(rows))
    told = load_history(tmp_path / "btc-trades.csv", ["BTC/USDT"])
    assert isinstance(told, TradeHistory)
    assert sum(isinstance(event, Trade) for event in told.events["BTC/USDT"]) == 100


def test_trades_of_less_than_a_candle_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="no whole candle"):
        history(draw_trades(2), [])
