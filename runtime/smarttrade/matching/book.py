"""One market's limit order book: price-time priority, and nothing else.

A level is a queue of orders; a cancelled order stays in its queue with `open == 0` until the head reaches it,
so a cancel costs the same at any depth. Best prices come from heaps in which a price may be stale: it is
dropped when it surfaces. Prices and quantities are integers of any one scale.
"""

import heapq
from collections import deque
from typing import Final

from smarttrade.matching.orders import BUY, Resting

_COMPACT_ABOVE: Final = 64

Fill = tuple[Resting, int, int]


class Level:
    """The orders at one price, oldest first; `quantity` and `hidden` are sums over them.

    A level with something hidden always shows something too, so `quantity` alone says whether it is empty.
    """

    __slots__ = ("canceled", "hidden", "orders", "price", "quantity")

    def __init__(self, price: int) -> None:
        self.price = price
        self.quantity = 0
        self.hidden = 0
        self.canceled = 0
        self.orders: deque[Resting] = deque()


class OrderBook:
    """Bids and asks. Callers decide what may rest and what a fill means."""

    __slots__ = ("_ask_heap", "_bid_heap", "_in_ask_heap", "_in_bid_heap", "asks", "bids")

    def __init__(self) -> None:
        self.bids: dict[int, Level] = {}
        self.asks: dict[int, Level] = {}
        self._bid_heap: list[int] = []
        self._ask_heap: list[int] = []
        self._in_bid_heap: set[int] = set()
        self._in_ask_heap: set[int] = set()

    def add(self, order: Resting) -> None:
        """Rest `order.open`, and unseen `order.hidden`, at the back of the queue of its price."""
        price = order.price
        levels = self.bids if order.side == BUY else self.asks
        level = levels.get(price)
        if level is None:
            level = levels[price] = Level(price)
            self._surface(order.side, price)
        level.quantity += order.open
        if order.hidden:
            level.hidden += order.hidden
        level.orders.append(order)

    def _surface(self, side: int, price: int) -> None:
        """Put a price into its heap unless a stale entry of it is there still."""
        if side == BUY:
            if price not in self._in_bid_heap:
                self._in_bid_heap.add(price)
                heapq.heappush(self._bid_heap, -price)
        elif price not in self._in_ask_heap:
            self._in_ask_heap.add(price)
            heapq.heappush(self._ask_heap, price)

    def cancel(self, order: Resting) -> None:
        """Take what rests of `order` out of the book."""
        levels = self.bids if order.side == BUY else self.asks
        level = levels[order.price]
        rest = level.quantity - order.open
        order.open = 0
        if order.hidden:
            level.hidden -= order.hidden
            order.hidden = 0
        if not rest:
            del levels[order.price]
            return
        level.quantity = rest
        level.canceled += 1
        if level.canceled > _COMPACT_ABOVE and level.canceled * 2 > len(level.orders):
            _compact(level)

    def reduce(self, order: Resting, quantity: int) -> None:
        """Lower the quantity of a resting order, hidden first; it keeps its place in the queue."""
        if quantity == order.open + order.hidden:
            self.cancel(order)
            return
        level = (self.bids if order.side == BUY else self.asks)[order.price]
        unseen = min(quantity, order.hidden)
        order.hidden -= unseen
        level.hidden -= unseen
        order.open -= quantity - unseen
        level.quantity -= quantity - unseen

    def best(self, side: int) -> Level | None:
        """The best level of the bids (BUY) or the asks (SELL)."""
        if side == BUY:
            levels, heap, heaped = self.bids, self._bid_heap, self._in_bid_heap
        else:
            levels, heap, heaped = self.asks, self._ask_heap, self._in_ask_heap
        while heap:
            price = -side * heap[0]
            level = levels.get(price)
            if level is not None:
                return level
            heapq.heappop(heap)
            heaped.discard(price)
        return None

    def take(self, side: int, limit: int, quantity: int) -> list[Fill]:
        """Fill up to `quantity` of an incoming order against the other side, no worse than `limit`.

        Returns (maker, price, quantity) in the order of execution; makers are already reduced.
        """
        fills: list[Fill] = []
        while quantity:
            level = self.best(-side)
            if level is None or (level.price - limit) * side > 0:
                break
            taken = _take_level(level, quantity, fills)
            quantity -= taken
            level.quantity -= taken
            if not level.quantity:
                del (self.asks if side == BUY else self.bids)[level.price]
        return fills

    def place(self, order: Resting) -> list[Fill]:
        """Match a limit order and rest what is left of it; returns its fills as `take` does."""
        fills = self.take(order.side, order.price, order.open)
        for fill in fills:
            order.open -= fill[2]
        if order.open:
            self.add(order)
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
            total += level.quantity + level.hidden
        return min(total, wanted)

    def cost(self, side: int, quantity: int) -> tuple[int, int]:
        """(quantity, price x quantity) that a market order of `quantity` would take now."""
        left, product = quantity, 0
        for level in self.sorted_levels(-side):
            taken = min(left, level.quantity + level.hidden)
            product += taken * level.price
            left -= taken
            if not left:
                break
        return quantity - left, product

    def affordable(self, side: int, product: int, step: int) -> int:
        """The largest multiple of `step` whose price x quantity is at most `product`, over the levels."""
        total = 0
        for level in self.sorted_levels(-side):
            fits, offered = product // level.price, level.quantity + level.hidden
            taken = min(fits, offered)
            total += taken
            product -= taken * level.price
            if taken < offered:
                break
        return total - total % step


def _take_level(level: Level, quantity: int, fills: list[Fill]) -> int:
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
            left -= rest
            fills.append((maker, price, rest))
            if maker.hidden:
                _show_next(level, maker)
            else:
                maker.open = 0
    return quantity - left


def _show_next(level: Level, maker: Resting) -> None:
    """The next slice of an iceberg joins the back of the queue."""
    shown = min(maker.display, maker.hidden)
    maker.open = shown
    maker.hidden -= shown
    level.hidden -= shown
    level.quantity += shown
    level.orders.append(maker)


def _compact(level: Level) -> None:
    """Drop cancelled orders once they are most of the queue, so that churn cannot grow it without bound."""
    level.orders = deque(order for order in level.orders if order.open)
    level.canceled = 0
