"""What the engine keeps of one market: its book, its last price, waiting stops and recorded liquidity."""

from decimal import Decimal

from smarttrade.matching.book import OrderBook
from smarttrade.matching.market import Market
from smarttrade.matching.orders import BUY, SELL, Order, Resting
from smarttrade.matching.units import to_decimal


class MarketState:
    """`rising` and `falling` are heaps of (signed stop price, order id, order): see `triggers`. A market that
    is `suspended` takes no orders; what rests stays."""

    __slots__ = (
        "book",
        "external",
        "falling",
        "last_price",
        "market",
        "next_trade_id",
        "rising",
        "suspended",
    )

    def __init__(self, market: Market) -> None:
        self.market = market
        self.book = OrderBook()
        self.last_price = 0
        self.next_trade_id = 1
        self.suspended = False
        self.rising: list[tuple[int, int, Order]] = []
        self.falling: list[tuple[int, int, Order]] = []
        self.external: dict[int, dict[int, list[Resting]]] = {BUY: {}, SELL: {}}

    @property
    def reference(self) -> Decimal | None:
        """The price against which percentage filters measure: the last one."""
        return to_decimal(self.last_price) if self.last_price else None
