"""What the public can see of one market: trades, candles, best prices, depth changes, 24 h statistics."""

from collections import deque

from smarttrade.matching import PublicTrade
from smarttrade.matching.market import Market
from smarttrade.matching.orders import BUY, SELL
from smarttrade.matching.state import MarketState
from smarttrade.simulator.candles import Candle, CandleSeries

TRADES_KEPT = 20_000
Levels = dict[int, int]


class MarketData:
    """`update_id` counts changes of the book, as in depth and bookTicker messages."""

    def __init__(self, state: MarketState) -> None:
        self.state = state
        self.market: Market = state.market
        self.candles = CandleSeries()
        self.trades: deque[PublicTrade] = deque(maxlen=TRADES_KEPT)
        self.update_id = 1
        self.published_id = 1
        self._published: dict[int, Levels] = {BUY: {}, SELL: {}}
        self._shown: dict[int, set[int]] = {BUY: set(), SELL: set()}

    def add_trade(self, trade: PublicTrade) -> None:
        self.trades.append(trade)
        self.candles.add_trade(trade.time_ms, trade.price, trade.quantity, trade.buyer_is_maker, trade.id)

    def updated(self) -> None:
        self.update_id += 1

    @property
    def is_one_sided(self) -> bool:
        """Whether a price has run past all that was shown on one side."""
        return self.state.book.best(BUY) is None or self.state.book.best(SELL) is None

    def best(self) -> tuple[int, int, int, int]:
        """(bid, its size, ask, its size); zeros where a side is empty."""
        bid, ask = self.state.book.best(BUY), self.state.book.best(SELL)
        return (
            bid.price if bid else 0,
            bid.quantity if bid else 0,
            ask.price if ask else 0,
            ask.quantity if ask else 0,
        )

    def depth(self, side: int, count: int | None) -> list[tuple[int, int]]:
        return [(level.price, level.quantity) for level in self.state.book.sorted_levels(side, count)]

    def note_snapshot(self) -> None:
        """Somebody was shown the book between two differences: the next one says what became of every level.

        A level that came and went in between would otherwise stay in that reader's book for good.
        """
        for side in (BUY, SELL):
            self._shown[side].update(price for price, _ in self.depth(side, None))

    def take_changes(self) -> tuple[int, int, Levels, Levels] | None:
        """(first id, last id, bids, asks) changed since the last call; quantity 0 removes a level."""
        if self.update_id == self.published_id:
            return None
        first, self.published_id = self.published_id + 1, self.update_id
        changes = []
        for side in (BUY, SELL):
            now = dict(self.depth(side, None))
            before, shown = self._published[side], self._shown[side]
            changed = {
                price: size for price, size in now.items() if before.get(price) != size or price in shown
            }
            changed.update({price: 0 for price in before.keys() | shown if price not in now})
            self._published[side], self._shown[side] = now, set()
            changes.append(changed)
        return first, self.update_id, changes[0], changes[1]

    def day(self, now_ms: int) -> Candle | None:
        """The last 24 hours as one candle, to the minute."""
        rows = self.candles.query("1m", now_ms - 86_400_000, None, 1441)
        if not rows:
            return None
        total = rows[0].copy()
        for row in rows[1:]:
            total.fold(row)
        return total
