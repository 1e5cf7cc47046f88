"""Recorded quotes and trades move the book and fill users' orders.

Recorded liquidity rests in the book as orders of the outside world, in the same queues as users' orders.
An order of a user that joins a price therefore waits behind what was shown there; what is shown later queues
behind it. Three rules follow from what a recording says:

* A quote that shows less at a price takes the difference from the back of the queue (those behind the user
  left, never those in front): conservative, but never more ahead than is shown.
* A trade at a price consumes the queue there; a user's order gets what is left after the quantity ahead.
* A price that trades through an order, or a quote that crosses it, fills it at its own limit: by a trade in
  full (optimistic in size), by a quote up to the size shown.
"""

from collections.abc import Mapping

from smarttrade.matching import settlement
from smarttrade.matching.engine import Engine
from smarttrade.matching.orders import BUY, SELL, Resting
from smarttrade.matching.state import MarketState
from smarttrade.matching.units import UNLIMITED


def set_depth(
    engine: Engine, symbol: str, bids: Mapping[int, int], asks: Mapping[int, int], now_ms: int
) -> None:
    """Show recorded liquidity: units of price -> units of quantity, whole sides; absent levels vanish."""
    state = engine.markets[symbol]
    _remove_absent(state, BUY, bids)
    _remove_absent(state, SELL, asks)
    left_bids = _cross(engine, state, BUY, bids, now_ms)
    left_asks = _cross(engine, state, SELL, asks, now_ms)
    show(state, BUY, left_bids)
    show(state, SELL, left_asks)
    engine.settle_consequences(state, now_ms)


def trade(engine: Engine, symbol: str, price: int, quantity: int, buyer_is_maker: bool, now_ms: int) -> None:
    """Apply one recorded trade."""
    state = engine.markets[symbol]
    _drop_contradicted(state, price)
    _fill_through(engine, state, SELL, price + 1, now_ms)
    _fill_through(engine, state, BUY, price - 1, now_ms)
    side = SELL if buyer_is_maker else BUY
    taker = _world_order(side, price, quantity)
    left = quantity - _take_from_users(engine, state, taker, price, quantity, now_ms)
    state.last_price = price
    if left:
        maker = _world_order(-side, price, left)
        settlement.announce(engine, state, state.next_trade_id, taker, maker, price, left, now_ms)
        state.next_trade_id += 1
    engine.settle_consequences(state, now_ms)


def clear(state: MarketState) -> None:
    """Take all recorded liquidity out of the book."""
    _remove_absent(state, BUY, {})
    _remove_absent(state, SELL, {})


def _world_order(side: int, price: int, quantity: int) -> Resting:
    return Resting(0, None, side, price, quantity)


def _remove_absent(state: MarketState, side: int, shown: Mapping[int, int]) -> None:
    external = state.external[side]
    if not external:
        return
    for price in [price for price in external if price not in shown]:
        for chunk in external.pop(price):
            if chunk.open:
                state.book.cancel(chunk)


def _cross(
    engine: Engine, state: MarketState, side: int, shown: Mapping[int, int], now_ms: int
) -> dict[int, int]:
    """Let newly shown liquidity take users' orders that it crosses; returns what is left to show."""
    left = dict(shown)
    for price in sorted(left, reverse=side == BUY):
        best = state.book.best(-side)
        if best is None or (best.price - price) * side > 0:
            break
        taker = _world_order(side, price, left[price])
        left[price] -= _take_from_users(engine, state, taker, price, left[price], now_ms)
    return left


def show(state: MarketState, side: int, shown: Mapping[int, int]) -> None:
    """Bring the world's liquidity of one side to what is shown, without crossing anybody."""
    external, book = state.external[side], state.book
    levels = book.bids if side == BUY else book.asks
    for price, quantity in shown.items():
        chunks = external.get(price)
        if chunks is None:
            chunks = external[price] = []
        elif len(chunks) != 1 or not chunks[0].open:
            chunks[:] = [chunk for chunk in chunks if chunk.open]
        difference = quantity - sum(chunk.open for chunk in chunks)
        if difference < 0:
            _shrink(state, chunks, -difference)
        elif difference > 0 and chunks and levels[price].orders[-1] is chunks[-1]:
            chunks[-1].open += difference
            levels[price].quantity += difference
        elif difference > 0:
            chunk = _world_order(side, price, difference)
            chunks.append(chunk)
            book.add(chunk)


def _shrink(state: MarketState, chunks: list[Resting], excess: int) -> None:
    for chunk in reversed(chunks):
        cut = min(excess, chunk.open)
        if cut:
            state.book.reduce(chunk, cut)
        excess -= cut


def _drop_contradicted(state: MarketState, price: int) -> None:
    """World bids above and asks below a trade cannot have been there."""
    for side in (BUY, SELL):
        external = state.external[side]
        for stale in [level for level in external if (level - price) * side > 0]:
            for chunk in external.pop(stale):
                if chunk.open:
                    state.book.cancel(chunk)


def _fill_through(engine: Engine, state: MarketState, side: int, limit: int, now_ms: int) -> None:
    best = state.book.best(-side)
    if best is None or (best.price - limit) * side > 0:
        return
    taker = _world_order(side, limit, UNLIMITED)
    _take_from_users(engine, state, taker, limit, UNLIMITED, now_ms)


def _take_from_users(
    engine: Engine, state: MarketState, taker: Resting, limit: int, quantity: int, now_ms: int
) -> int:
    """Take from the book; returns how much of it users' orders gave. The world's own part just vanishes."""
    given = 0
    for maker, price, traded in state.book.take(taker.side, limit, quantity):
        if maker.account is not None:
            given += traded
            settlement.settle(engine, state, taker, maker, price, traded, now_ms)
    return given
