"""Plain builders for the risk tests: an account, fills, and a view in which everything is in order."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from smarttrade.api import TradingAccountSpec
from smarttrade.execution.equity import LossState, Valuation
from smarttrade.execution.exposure import WorkingOrder, build_exposure
from smarttrade.execution.state import Effective, Source
from smarttrade.execution.view import View
from smarttrade.messages import EffectiveState, Fill, Quote, Side

BTC, ETH = "BTC/USDT", "ETH/USDT"
NOW = 1_795_000_000_000


def spec(*, risk: Mapping[str, Any] = {}, capital: Mapping[str, Any] = {}, **more: Any) -> TradingAccountSpec:
    """An account of 10,000 USDT in two markets."""
    declared: dict[str, Any] = {
        "exchange": {"name": "binance"},
        "markets": [{"symbol": BTC, "maxPositionNotional": "4000"}, {"symbol": ETH}],
        "strategy": {"name": "ma-cross", "timeframe": "1m", "parameters": {}},
        "capital": {"currency": "USDT", "allocation": "10000", "perMarket": "6000", **capital},
        "risk": {"maxOrderNotional": "1000", "maxPositionNotional": "5000", "maxDailyLoss": "200", **risk},
        **more,
    }
    return TradingAccountSpec.model_validate(declared)


def fill(
    side: Side,
    quantity: str | Decimal,
    price: str | Decimal,
    *,
    fee: str | Decimal = "0",
    asset: str = "USDT",
    trade_id: str = "1",
    market: str = BTC,
    time_ms: int = NOW,
) -> Fill:
    return Fill(
        market=market,
        trade_id=trade_id,
        order_id="o",
        client_order_id="c",
        decision_id="d",
        side=side,
        price=Decimal(price),
        quantity=Decimal(quantity),
        fee=Decimal(fee),
        fee_asset=asset,
        maker=False,
        time_ms=time_ms,
    )


def quote(market: str, bid: str, ask: str) -> Quote:
    one = Decimal(1)
    return Quote(
        market=market, bid=Decimal(bid), bid_quantity=one, ask=Decimal(ask), ask_quantity=one, time_ms=NOW
    )


def order(
    side: Side, remaining: str, *, market: str = BTC, price: str = "100", group: str = ""
) -> WorkingOrder:
    return WorkingOrder(
        cid="c", market=market, side=side, remaining=Decimal(remaining), price=Decimal(price), group=group
    )


def valuation(
    realized: str = "0", unrealized: str = "0", *, allocation: str = "10000", stale: tuple[str, ...] = ()
) -> Valuation:
    return Valuation(Decimal(allocation), Decimal(realized), Decimal(unrealized), NOW, stale)


def view(
    *,
    positions: Mapping[str, str] = {},
    orders: tuple[WorkingOrder, ...] = (),
    account: TradingAccountSpec | None = None,
    state: EffectiveState = EffectiveState.ACTIVE,
    **more: Any,
) -> View:
    """BTC at 100, ETH at 10, both fresh; positions cost what they are worth; nothing lost, nothing sent."""
    held = {market: Decimal(quantity) for market, quantity in positions.items()}
    marks = {BTC: Decimal(100), ETH: Decimal(10)}
    return View(
        spec=account or spec(),
        now_ms=NOW,
        state=Effective(state, Source.SPEC),
        exposure=build_exposure(held, orders),
        **{
            "marks": marks,
            "fresh": {BTC, ETH},
            "valuation": valuation(),
            "losses": LossState(day="2026-11-18", baseline=Decimal(0), peak=Decimal(0)),
            "costs": {market: quantity * marks[market] for market, quantity in held.items()},
            **more,
        },
    )
