"""A class's protections: after which closed trades a pair may not be entered, and for how long."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from smarttrade.errors import ConfigurationError
from smarttrade.freqtrade.loading import make_strategy
from smarttrade.freqtrade.protections import Protections, read_protections
from smarttrade.freqtrade.provider import RunMode
from smarttrade.freqtrade.replay import Capital, replay
from smarttrade.freqtrade.rules import Reason
from smarttrade.freqtrade.trade import Trade
from smarttrade.messages import Fill, Side
from tests.unit.freqtrade.made_up import FIRST_MS, PAIRS, candles
from tests.unit.freqtrade.test_adapter import FLAT, events, hold, make
from tests.unit.freqtrade.test_replay import load

BTC, ETH = PAIRS
MINUTE = 60_000
CANDLE = 5 * MINUTE
START = 1_000 * CANDLE


def closed(minute: int, profit: float, pair: str = BTC, reason: str = Reason.STOP_LOSS) -> Trade:
    return Trade(
        pair=pair,
        open_ms=START,
        open_rate=100.0,
        amount=1.0,
        fee=0.0,
        tick=Decimal("0.01"),
        close_ms=START + minute * MINUTE,
        close_rate=100 * (1 + profit),
        exit_reason=reason,
    )


def protect(*trades: Trade, **rule: Any) -> Protections:
    protections = read_protections([rule], CANDLE)
    for trade in trades:
        protections.closed(trade)
    return protections


def locked(protections: Protections, minute: int) -> list[str]:
    return [pair for pair in PAIRS if protections.forbid(pair, START + minute * MINUTE)]


COOLDOWN = {"method": "CooldownPeriod", "stop_duration_candles": 2}
GUARD = {"method": "StoplossGuard", "lookback_period": 60, "trade_limit": 2, "stop_duration": 30}
DRAWDOWN = {"method": "MaxDrawdown", "lookback_period": 60, "max_allowed_drawdown": 0.2, "stop_duration": 30}
LOW = {"method": "LowProfitPairs", "lookback_period": 60, "required_profit": 0.02, "stop_duration": 30}


@pytest.mark.parametrize(
    ("rule", "trades", "minute", "expected"),
    [
        (COOLDOWN, [closed(12, 0.1)], 24, [BTC]),
        (COOLDOWN, [closed(12, 0.1)], 25, []),
        (COOLDOWN, [closed(10, 0.1)], 24, [BTC]),
        (GUARD, [closed(10, -0.1)], 11, []),
        (GUARD, [closed(10, -0.1), closed(20, -0.1, ETH)], 54, [BTC, ETH]),
        (GUARD, [closed(10, -0.1), closed(20, -0.1, ETH)], 55, []),
        (GUARD, [closed(10, -0.1), closed(71, -0.1)], 72, []),
        (GUARD, [closed(10, -0.1), closed(20, -0.1, reason=Reason.EXIT_SIGNAL)], 21, []),
        (GUARD, [closed(10, -0.1), closed(20, 0.1, reason=Reason.TRAILING_STOP_LOSS)], 21, []),
        (GUARD | {"only_per_pair": True}, [closed(10, -0.1), closed(20, -0.1, ETH)], 21, []),
        (GUARD | {"only_per_pair": True}, [closed(10, -0.1), closed(20, -0.1)], 21, [BTC]),
        (DRAWDOWN, [closed(10, 0.1), closed(20, -0.15, ETH)], 21, []),
        (DRAWDOWN, [closed(10, 0.1), closed(20, -0.15, ETH), closed(30, -0.1)], 31, [BTC, ETH]),
        (LOW, [closed(10, 0.01), closed(12, 0.05, ETH)], 13, [BTC]),
        (LOW | {"trade_limit": 2}, [closed(10, 0.01)], 13, []),
        ({"method": "CooldownPeriod", "unlock_at": "22:00"}, [closed(10, 0.1)], 1, [BTC]),
    ],
)
def test_entries_are_locked_after(
    rule: dict[str, Any], trades: list[Trade], minute: int, expected: list[str]
) -> None:
    assert locked(protect(*trades, **rule), minute) == expected


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"method": "Luck"}, "no method 'Luck'"),
        ({"method": "CooldownPeriod", "stop_duraton": 5}, "CooldownPeriod has no stop_duraton"),
        ({"method": "MaxDrawdown", "calculation_mode": "equity"}, "calculation_mode"),
        ({"method": "CooldownPeriod", "stop_duration": "long"}, "long"),
        ({"method": "CooldownPeriod", "unlock_at": "25:00"}, "25:00"),
        ("CooldownPeriod", "protections"),
    ],
)
def test_a_protection_that_cannot_be_is_refused(entry: Any, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        read_protections([entry], CANDLE)


def trades_of(protections: list[dict[str, Any]], protected: bool = True) -> list[Trade]:
    config = {"stake_currency": "USDT", "stake_amount": 1000}
    strategy = make_strategy(load("Crossing"), PAIRS, config, RunMode.BACKTEST)
    strategy.protections = protections
    capital = Capital(stake=1000, wallet=10_000, slots=2, fee=0.001, protected=protected)
    return replay(strategy, candles(), PAIRS, capital)


def test_a_backtest_enters_no_pair_while_it_cools_down() -> None:
    rule = {"method": "CooldownPeriod", "stop_duration_candles": 48}
    free, cooled = trades_of([]), trades_of([rule])
    assert 0 < len(cooled) < len(free)
    for pair in PAIRS:
        own = [trade for trade in cooled if trade.pair == pair]
        waits = [later.open_ms - (one.close_ms or 0) for one, later in pairwise(own)]
        assert min(waits) > 48 * CANDLE
    assert len(trades_of([rule], protected=False)) == len(free)


def test_a_position_that_was_stopped_out_locks_the_market_live() -> None:
    """From the fill at the stop, with a lock that outlasts the entries of the unprotected strategy."""
    entries = {}
    for rules in ([], [{"method": "StoplossGuard", "trade_limit": 1, "stop_duration": 10_000}]):
        core = make("Crossing")
        core.strategy._protections = read_protections(rules, CANDLE)
        core.fill(events(core, 0, 1_600))
        bar = candles()[BTC, "5m"].iloc[1_600]
        core.on_view(hold(BTC, "0.1", str(bar.open), 1_600))
        for event in events(core, 1_600, 1_601):
            core.on_event(event)
        core.on_event(sold(float(bar.open) * 0.98, 1_601))
        core.on_view(FLAT)
        decided = [d for event in events(core, 1_601, 1_640) for d in core.on_event(event)]
        entries[bool(rules)] = {d.market for d in decided if d.want.quantity}
    assert entries[False]
    assert not entries[True]


def sold(price: float, number: int) -> Fill:
    return Fill(
        market=BTC,
        trade_id="1",
        order_id="1",
        client_order_id="1",
        decision_id="1",
        side=Side.SELL,
        price=Decimal(str(price)),
        quantity=Decimal("0.1"),
        fee=Decimal(0),
        fee_asset="USDT",
        maker=False,
        time_ms=FIRST_MS + number * CANDLE + 1,
    )
