"""Every trade once and in order.

Where trade ids of a market count by one, a missing trade is seen at once; what came after it is held until
the missing ones have been fetched, or given up. Elsewhere only what was seen before can be told; a market
whose ids turn out to have holes of their own is treated so from then on.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from smarttrade.messages import Trade

_REMEMBERED = 2_000


@dataclass(frozen=True, slots=True)
class Accepted:
    """`trades` may be delivered now; `held` wait behind the gap `first_missing`..`last_missing`."""

    trades: list[Trade]
    held: list[Trade] = field(default_factory=list)
    first_missing: int = 0
    last_missing: int = 0

    @property
    def gap(self) -> bool:
        return bool(self.held)


class TradeSequence:
    """What has been delivered of one market."""

    def __init__(self, consecutive: bool) -> None:
        self.consecutive = consecutive
        self.last_id = 0
        self.last_time_ms = 0
        self._seen: OrderedDict[str, None] = OrderedDict()

    def start_after(self, trades: list[Trade]) -> None:
        """Take these as delivered already; whatever ids they lack is past."""
        for trade in trades:
            self._remember(trade)
        if self.consecutive:
            self.last_id = max((int(trade.id) for trade in trades), default=0)

    def accept(self, trades: Sequence[Trade]) -> Accepted:
        """The next trades in order, without those seen before."""
        if not self.consecutive:
            return Accepted(self._unseen(trades))
        return Accepted(list(trades)) if self._follow_on(trades) else self._by_id(trades)

    def skip_to(self, trades: list[Trade]) -> Accepted:
        """Give the missing ones up and go on with `trades`."""
        self.last_id = int(trades[0].id) - 1
        return self._by_id(trades)

    def _follow_on(self, trades: Sequence[Trade]) -> bool:
        """Take them if they are exactly the next ones, as they nearly always are."""
        following = self.last_id + 1
        if not self.last_id or any(int(trade.id) != number for number, trade in enumerate(trades, following)):
            return False
        for trade in trades:
            self._remember(trade)
        self.last_id += len(trades)
        return True

    def _by_id(self, trades: Iterable[Trade]) -> Accepted:
        ordered = sorted({int(trade.id): trade for trade in trades}.items())
        delivered: list[Trade] = []
        for position, (number, trade) in enumerate(ordered):
            if number <= self.last_id:
                continue
            if self.last_id and number != self.last_id + 1:
                held = [later for _, later in ordered[position:]]
                return Accepted(delivered, held, self.last_id + 1, number - 1)
            self.last_id = number
            self._remember(trade)
            delivered.append(trade)
        return Accepted(delivered)

    def _unseen(self, trades: Iterable[Trade]) -> list[Trade]:
        fresh = [trade for trade in trades if trade.id not in self._seen]
        for trade in fresh:
            self._remember(trade)
        return fresh

    def _remember(self, trade: Trade) -> None:
        self.last_time_ms = max(self.last_time_ms, trade.time_ms)
        self._seen[trade.id] = None
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
