"""Candles fill users' orders where no trades are recorded: the path inside a candle is never the lucky one.

Within one candle, for the orders that were there when it began:

1. Stops first. One whose price lies within the candle triggers, and fills at the stop or, after a gap, at the
   open, whichever is worse, and worse by the slippage. So where stop and limit of a pair both lie within the
   candle, the loss is booked. A take-profit needs the price to trade through its level.
2. Then limits. One fills at its own price if the candle traded beyond it; a touch is not enough, and a gap
   does not improve the price. A share of the candle's volume (`participation`) bounds what can fill.
3. A stop-limit that its limit kept from filling rests from the next candle on.

What the close then shows for marketable orders is half a spread away on each side.
"""

from dataclasses import dataclass
from decimal import Decimal

from smarttrade.matching import liquidity, settlement, triggers
from smarttrade.matching.engine import Engine
from smarttrade.matching.orders import BUY, SELL, Order, OrderType, Resting
from smarttrade.matching.state import MarketState
from smarttrade.matching.units import SCALE, UNLIMITED, to_units

_TAKE_PROFITS = (OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT)


@dataclass(frozen=True, slots=True)
class CandlePrices:
    """One finished candle in units."""

    open: int
    high: int
    low: int
    close: int
    volume: int = 0


@dataclass(frozen=True, slots=True)
class CandleModel:
    """Fractions of the price: half the spread, slippage of stops; of volume: participation (None: all)."""

    half_spread: Decimal = Decimal("0.0001")
    slippage: Decimal = Decimal("0.0005")
    participation: Decimal | None = None


def apply_candle(
    engine: Engine, symbol: str, candle: CandlePrices, now_ms: int, model: CandleModel | None = None
) -> None:
    """Let one candle act on the orders that were there when it began, then show its close."""
    model = model or CandleModel()
    state = engine.markets[symbol]
    stops, limits = triggers.waiting(state), _resting(state)
    liquidity.clear(state)
    budget = _budget(candle, model)
    for order in stops:
        if order.is_open and _is_within(order, candle):
            budget -= _fill_stop(engine, state, order, candle, model, budget, now_ms)
    for order in limits:
        if order.open and _is_beyond(order, candle):
            budget -= _fill_limit(engine, state, order, budget, now_ms)
    _show_close(engine, state, candle, model, now_ms)


def _resting(state: MarketState) -> list[Order]:
    levels = [*state.book.sorted_levels(BUY), *state.book.sorted_levels(SELL)]
    return [order for level in levels for order in level.orders if order.open and isinstance(order, Order)]


def _budget(candle: CandlePrices, model: CandleModel) -> int:
    if model.participation is None:
        return UNLIMITED
    return candle.volume * to_units(model.participation) // SCALE


def _is_within(order: Order, candle: CandlePrices) -> bool:
    """Whether the candle reached a stop; take-profits only when it traded beyond."""
    beyond = 1 if order.type in _TAKE_PROFITS else 0
    if triggers.waits_for_rise(order.type, order.side):
        return candle.high >= order.stop_price + beyond
    return candle.low <= order.stop_price - beyond


def _is_beyond(order: Order, candle: CandlePrices) -> bool:
    return candle.low < order.price if order.side == BUY else candle.high > order.price


def stop_fill_price(order: Order, candle: CandlePrices, model: CandleModel) -> int:
    """The worse of stop and (after a gap) open, worse again by the slippage; on the tick, for the market."""
    worse = max if order.side == BUY else min
    reached = order.stop_price if order.type in _TAKE_PROFITS else worse(order.stop_price, candle.open)
    slipped = reached + order.side * (reached * to_units(model.slippage) // SCALE)
    tick = order.market.tick_units
    return max(tick, -(-slipped // tick) * tick if order.side == BUY else slipped // tick * tick)


def _fill_stop(
    engine: Engine,
    state: MarketState,
    order: Order,
    candle: CandlePrices,
    model: CandleModel,
    budget: int,
    now_ms: int,
) -> int:
    before = order.filled
    liquidity.show(state, -order.side, {stop_fill_price(order, candle, model): budget} if budget > 0 else {})
    engine.trigger(state, order, now_ms)
    liquidity.clear(state)
    return order.filled - before


def _fill_limit(engine: Engine, state: MarketState, order: Order, budget: int, now_ms: int) -> int:
    quantity = min(order.open + order.hidden, budget // order.market.step_units * order.market.step_units)
    if quantity <= 0:
        return 0
    state.book.reduce(order, quantity)
    taker = Resting(0, None, -order.side, order.price, quantity)
    settlement.settle(engine, state, taker, order, order.price, quantity, now_ms)
    return quantity


def _show_close(
    engine: Engine, state: MarketState, candle: CandlePrices, model: CandleModel, now_ms: int
) -> None:
    tick = state.market.tick_units
    half = candle.close * to_units(model.half_spread) // SCALE
    bid = max(tick, (candle.close - half) // tick * tick)
    ask = max(bid + tick, -(-(candle.close + half) // tick) * tick)
    shown = _budget(candle, model) // state.market.step_units * state.market.step_units
    state.last_price = candle.close
    sizes = ({bid: shown}, {ask: shown}) if shown else ({}, {})
    liquidity.set_depth(engine, state.market.symbol, *sizes, now_ms)
