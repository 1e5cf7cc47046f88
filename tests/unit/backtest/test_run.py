from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from smarttrade.backtest.options import Assumptions
from smarttrade.backtest.run import Backtest
from smarttrade.errors import ConfigurationError
from smarttrade.messages import Side
from smarttrade.simulator.recorded import RecordedCandle
from tests.unit.backtest.recordings import MINUTE_MS, START_MS, account, flat, history, random_walk

CROSS = {"fast": 3, "slow": 8, "fraction": "0.5"}


def rising(count: int) -> list[RecordedCandle]:
    """Flat at 100, then every close a unit higher, every open a half above the close before it."""
    candles = flat(count)
    price = Decimal(100)
    for number in range(count // 2, count):
        opened = price + Decimal("0.5")
        price += 1
        candles[number] = replace(candles[number], open=opened, low=opened, high=price, close=price)
    return candles


def test_a_marketable_order_fills_at_the_next_open_worse_by_spread_and_slippage() -> None:
    assumed = Assumptions(spread=Decimal("0.01"), slippage=Decimal("0.005"))
    recorded = Backtest(account(parameters=CROSS), history(rising(200)), assumed).run()
    fill = recorded.fills[0]
    following = rising(200)[(fill.time_ms - START_MS) // MINUTE_MS]
    assert fill.side is Side.BUY
    assert following.open < fill.price
    assert abs(fill.price - following.open * Decimal("1.01")) <= recorded.filters["BTC/USDT"].tick
    assert fill.time_ms > recorded.decisions[0].event_time_ms


def test_latency_beyond_the_deadline_is_refused_as_on_the_exchange() -> None:
    late = Assumptions(latency_ms=5_000)
    recorded = Backtest(account(parameters=CROSS), history(rising(200)), late).run()
    assert recorded.orders > 0
    assert recorded.fills == []


def test_equity_is_cash_and_coins_at_the_bid() -> None:
    backtest = Backtest(account(parameters=CROSS), history(random_walk(400)), Assumptions())
    recorded = backtest.run()
    _, balances = backtest._exchange.book.read_account()
    held = {balance.asset: balance.total for balance in balances}
    bid = backtest.desk.core.ctx.quotes["BTC/USDT"][0].bid
    worth = held["USDT"] + held.get("BTC", Decimal(0)) * bid
    assert len(recorded.fills) > 10
    assert abs(recorded.points[-1].equity - worth) < Decimal("0.001")


def test_a_paused_account_sends_nothing() -> None:
    recorded = Backtest(
        account(parameters=CROSS, state="Paused"), history(random_walk(400)), Assumptions()
    ).run()
    assert recorded.decisions
    assert recorded.orders == 0


def test_limits_deny_and_the_denials_are_counted() -> None:
    risk = {
        "maxOrderNotional": "10000",
        "maxPositionNotional": "10000",
        "maxDailyLoss": "9999",
        "allowedSides": ["Sell"],
    }
    recorded = Backtest(account(parameters=CROSS, risk=risk), history(random_walk(400)), Assumptions()).run()
    assert recorded.fills == []
    assert recorded.denials()


def test_a_daily_loss_ends_new_entries() -> None:
    risk = {"maxOrderNotional": "10000", "maxPositionNotional": "10000", "maxDailyLoss": "20"}
    recorded = Backtest(account(parameters=CROSS, risk=risk), history(random_walk(1000)), Assumptions()).run()
    breached = next(p.time_ms for p in recorded.points if p.equity <= 9980)
    later = [f for f in recorded.fills if f.time_ms > breached + MINUTE_MS and f.side is Side.BUY]
    assert later == []


def test_two_markets_share_one_account() -> None:
    from smarttrade.backtest.history import build_history
    from smarttrade.simulator.recorded import Recording

    both = build_history(
        {
            "BTC/USDT": Recording(random_walk(400), [], []),
            "ETH/USDT": Recording(random_walk(400, seed=2, price=3000.0), [], []),
        }
    )
    pair = account(parameters=CROSS, markets=[{"symbol": "BTC/USDT"}, {"symbol": "ETH/USDT"}])
    recorded = Backtest(pair, both, Assumptions()).run()
    assert {fill.market for fill in recorded.fills} == {"BTC/USDT", "ETH/USDT"}
    assert len(recorded.points) == 320


def test_too_little_data_is_said() -> None:
    with pytest.raises(ConfigurationError, match="give more data"):
        Backtest(account(parameters=CROSS), history(random_walk(50)), Assumptions())


def test_an_account_that_has_lost_more_than_its_fraction_spares_goes_on_with_what_is_left() -> None:
    parameters = {"fast": 2, "slow": 3, "fraction": "0.95"}
    costly = Assumptions(taker_fee=Decimal("0.02"))
    recorded = Backtest(account(parameters=parameters), history(random_walk(400)), costly).run()
    assert recorded.points[-1].equity < 8_500
    assert recorded.denials() == []
