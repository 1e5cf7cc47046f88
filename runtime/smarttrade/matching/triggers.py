"""Stops: which way a price must move to trigger them, and who is next.

As on the exchange the last trade's price triggers. A sell stop and a buy take-profit wait for the price to
fall, the other two for it to rise. Heaps hold stale entries of cancelled orders until they surface.
"""

import heapq

from smarttrade.matching.orders import BUY, Order, OrderType
from smarttrade.matching.state import MarketState

_TAKE_PROFITS = (OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT)


def waits_for_rise(kind: OrderType, side: int) -> bool:
    return (side == BUY) != (kind in _TAKE_PROFITS)


def is_reached(kind: OrderType, side: int, stop_price: int, last_price: int) -> bool:
    """Whether a stop at `stop_price` triggers at `last_price` (0: nothing has traded yet)."""
    if not last_price:
        return False
    return last_price >= stop_price if waits_for_rise(kind, side) else last_price <= stop_price


def register(state: MarketState, order: Order) -> None:
    """Let a stop wait for its price."""
    if waits_for_rise(order.type, order.side):
        heapq.heappush(state.rising, (order.stop_price, order.id, order))
    else:
        heapq.heappush(state.falling, (-order.stop_price, order.id, order))


def next_reached(state: MarketState) -> Order | None:
    """Take the next stop that the last price has reached out of waiting, or None."""
    for heap in (state.rising, state.falling):
        while heap and (not heap[0][2].is_open or heap[0][2].triggered):
            heapq.heappop(heap)
        if heap:
            order = heap[0][2]
            if is_reached(order.type, order.side, order.stop_price, state.last_price):
                heapq.heappop(heap)
                return order
    return None


def waiting(state: MarketState) -> list[Order]:
    """All stops that wait, oldest first."""
    orders = [entry[2] for heap in (state.rising, state.falling) for entry in heap]
    return sorted((o for o in orders if o.is_open and not o.triggered), key=lambda o: o.id)
