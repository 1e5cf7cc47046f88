"""What the public can see of one market: trades, candles, best prices, depth changes, 24 h statistics."""

from collections import deque
from functools import cached_property

import msgspec

from smarttrade.matching import PublicTrade
from smarttrade.matching.market import Market
from smarttrade.matching.orders import BUY, SELL
from smarttrade.matching.state import MarketState
from smarttrade.simulator.book_changes import BookChanges, Levels, Sides
from smarttrade.simulator.candles import KEPT as CANDLES_KEPT
from smarttrade.simulator.candles import Candle, CandleSeries
from smarttrade.simulator.render_rules import build_symbol

TRADES_KEPT = 20_000


class MarketData:
    """`update_id` counts changes of the book, as in depth and bookTicker messages."""

    def __init__(self, state: MarketState) -> None:
        self.state = state
        self.market: Market = state.market
        self.candles = CandleSeries()
        self.trades: deque[PublicTrade] = deque(maxlen=TRADES_KEPT)
        self.stream_name = self.market.id.lower()
        self.update_id = 1
        self._changes = {"fast": BookChanges(), "slow": BookChanges()}
        self._ticked = True

    def add_trade(self, trade: PublicTrade) -> None:
        self.trades.append(trade)
        self._ticked = True
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

    def levels(self) -> Sides:
        return {side: dict(self.depth(side, None)) for side in (BUY, SELL)}

    def note_snapshot(self) -> None:
        """Somebody is shown the book."""
        for side, levels in self.levels().items():
            for changes in self._changes.values():
                changes.note_snapshot(side, levels)

    def take_changes(self, speed: str) -> tuple[int, int, Levels, Levels] | None:
        """What the depth stream of a speed ("fast", "slow") has to tell; None: nothing."""
        return self._changes[speed].take(self.update_id, self.levels())

    def take_ticked(self) -> bool:
        """Whether anything has traded since the last call."""
        ticked, self._ticked = self._ticked, False
        return ticked

    @cached_property
    def rules(self) -> msgspec.Raw:
        """The market's entry in exchangeInfo as JSON; kept until `change`."""
        return msgspec.Raw(msgspec.json.encode(build_symbol(self.market, suspended=self.state.suspended)))

    def change(self, market: Market, *, suspended: bool) -> None:
        """Other rules from now on, or none but waiting: what rests stays as it is."""
        self.market = self.state.market = market
        self.state.suspended = suspended
        self.__dict__.pop("rules", None)

    def since(self, start_ms: int) -> Candle | None:
        """Everything from `start_ms` on as one candle, to the minute; None without a candle there."""
        rows = self.candles.query("1m", start_ms, None, CANDLES_KEPT)
        if not rows:
            return None
        total = rows[0].copy()
        for row in rows[1:]:
            total.fold(row)
        return total
