"""What has changed in a market's book since a stream last told of it."""

from collections.abc import Iterable

from smarttrade.matching.orders import BUY, SELL

Levels = dict[int, int]
Sides = dict[int, Levels]


class BookChanges:
    """One depth stream's place in the history of a book; numbers are the book's update ids."""

    def __init__(self) -> None:
        self._told_id = 1
        self._told: Sides = {BUY: {}, SELL: {}}
        self._shown: dict[int, set[int]] = {BUY: set(), SELL: set()}

    def note_snapshot(self, side: int, prices: Iterable[int]) -> None:
        """Somebody was shown the book between two differences: the next one says what became of every level.

        A level that came and went in between would otherwise stay in that reader's book for good.
        """
        self._shown[side].update(prices)

    def take(self, update_id: int, now: Sides) -> tuple[int, int, Levels, Levels] | None:
        """(first id, last id, bids, asks) changed since the last call; quantity 0 removes a level."""
        if update_id == self._told_id:
            return None
        first, self._told_id = self._told_id + 1, update_id
        bids, asks = (self._take_side(side, now[side]) for side in (BUY, SELL))
        return first, update_id, bids, asks

    def _take_side(self, side: int, now: Levels) -> Levels:
        before, shown = self._told[side], self._shown[side]
        changed = {price: size for price, size in now.items() if before.get(price) != size or price in shown}
        changed.update({price: 0 for price in before.keys() | shown if price not in now})
        self._told[side], self._shown[side] = now, set()
        return changed
