"""One market's limit order book: price-time priority, and nothing else.

A level is a queue of orders; a cancelled order stays in its queue with `open == 0` until the head reaches it,
so a cancel costs the same at any depth. Best prices come from heaps in which a price may be stale: it is
dropped when it surfaces. Prices and quantities are integers of any one scale.
"""

import heapq
from collections import deque
from typing import Final

from smarttrade.matching.orders import BUY, Order

_COMPACT_ABOVE: Final = 64


class Level:
    """The orders at one price, oldest first; `quantity` is the sum of their open quantities."""

    __slots__ = ("orders", "price", "quantity")

    def __init__(self, price: int) -> None:
        self.price = price
        self.quantity = 0
        self.orders: deque[Order] = deque()


class OrderBook:
    """Bids and asks. Callers decide what may rest and what a fill means."""

    __slots__ = ("_heaps", "_in_heap", "asks", "bids")

    def __init__(self) -> None:
        self.bids: dict[int, Level] = {}
        self.asks: dict[int, Level] = {}
        self._heaps: tuple[list[int], list[int]] = ([], [])
        self._in_heap: tuple[set[int], set[int]] = (set(), set())

    def add(self, order: Order) -> None:
        """Rest `order.open` at the back of the queue of its price."""
        side, price = order.side, order.price
        levels = self.bids if side == BUY else self.asks
        level = levels.get(price)
        if level is None:
            level = levels[price] = Level(price)
            self._surface(side, price)
        level.quantity += order.open
        level.orders.append(order)

    def _surface(self, side: int, price: int) -> None:
        index = 0 if side == BUY else 1
        if price not in self._in_heap[index]:
            self._in_heap[index].add(price)
            heapq.heappush(self._heaps[index], -side * price)

    def cancel(self, order: Order) -> None:
        """Take what is open of `order` out of the book."""
        self.reduce(order, order.open)

    def reduce(self, order: Order, quantity: int) -> None:
        """Lower the open quantity of a resting order, which keeps its place in the queue."""
        levels = self.bids if order.side == BUY else self.asks
        level = levels[order.price]
        order.open -= quantity
        level.quantity -= quantity
        if not level.quantity:
            del levels[order.price]
        elif not order.open and len(level.orders) > _COMPACT_ABOVE:
            _compact(level)

    def best(self, side: int) -> Level | None:
        """The best level of the bids (BUY) or the asks (SELL)."""
        levels = self.bids if side == BUY else self.asks
        index = 0 if side == BUY else 1
        heap = self._heaps[index]
        while heap:
            price = -side * heap[0]
            level = levels.get(price)
            if level is not None:
                return level
            heapq.heappop(heap)
            self._in_heap[index].discard(price)
        return None

    def take(self, side: int, limit: int, quantity: int) -> list[tuple[Order, int, int]]:
        """Fill up to `quantity` of an incoming order against the other side, no worse than `limit`.

        Returns (maker, price, quantity) in the order of execution; makers are already reduced.
        """
        fills: list[tuple[Order, int, int]] = []
        levels = self.asks if side == BUY else self.bids
        while quantity:
            level = self.best(-side)
            if level is None:
                break
            price = level.price
            if (price - limit) * side > 0:
                break
            taken = _take_level(level, quantity, fills)
            quantity -= taken
            level.quantity -= taken
            if not level.quantity:
                del levels[price]
        return fills

    def sorted_levels(self, side: int, count: int | None = None) -> list[Level]:
        """Levels of one side, best first."""
        levels = self.bids if side == BUY else self.asks
        if count is None:
            prices = sorted(levels, reverse=side == BUY)
        elif side == BUY:
            prices = heapq.nlargest(count, levels)
        else:
            prices = heapq.nsmallest(count, levels)
        return [levels[price] for price in prices]

    def available(self, side: int, limit: int, wanted: int) -> int:
        """How much an incoming order of `side` could take up to `limit`, counted no further than `wanted`."""
        total = 0
        for level in self.sorted_levels(-side):
            if total >= wanted or (level.price - limit) * side > 0:
                break
            total += level.quantity
        return min(total, wanted)

    def cost(self, side: int, quantity: int) -> tuple[int, int]:
        """(quantity, price x quantity) that a market order of `quantity` would take now."""
        left, product = quantity, 0
        for level in self.sorted_levels(-side):
            taken = min(left, level.quantity)
            product += taken * level.price
            left -= taken
            if not left:
                break
        return quantity - left, product

    def affordable(self, side: int, product: int, step: int) -> int:
        """The largest multiple of `step` whose price x quantity is at most `product`, over the levels."""
        total = 0
        for level in self.sorted_levels(-side):
            fits = product // level.price
            taken = min(fits, level.quantity)
            total += taken
            product -= taken * level.price
            if taken < level.quantity:
                break
        return total - total % step


def _take_level(level: Level, quantity: int, fills: list[tuple[Order, int, int]]) -> int:
    orders, price, left = level.orders, level.price, quantity
    while left and orders:
        maker = orders[0]
        rest = maker.open
        if rest > left:
            maker.open = rest - left
            fills.append((maker, price, left))
            return quantity
        orders.popleft()
        if rest:
            maker.open = 0
            left -= rest
            fills.append((maker, price, rest))
    return quantity - left


def _compact(level: Level) -> None:
    """Drop cancelled orders once they are most of the queue, so that churn cannot grow it without bound."""
    live = [order for order in level.orders if order.open]
    if len(live) * 2 < len(level.orders):
        level.orders = deque(live)
