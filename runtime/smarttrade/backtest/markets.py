"""The markets' trading rules where the data does not tell them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from smarttrade.exchange.reports import MarketFilters
from smarttrade.simulator.config import MarketConfig, build_market


def build_filters(prices: Mapping[str, Decimal]) -> list[MarketFilters]:
    """Those that the simulated exchange would use at these first prices."""
    return [_filters(symbol, price) for symbol, price in prices.items()]


def _filters(symbol: str, price: Decimal) -> MarketFilters:
    market = build_market(MarketConfig(symbol=symbol), price)
    return MarketFilters(
        market=symbol,
        base=market.base,
        quote=market.quote,
        tick=market.tick_size,
        lot=market.step_size,
        minimum_quantity=market.min_quantity,
        minimum_notional=market.min_notional,
        maximum_orders=market.max_open_orders,
        maximum_stops=market.max_stop_orders,
    )
