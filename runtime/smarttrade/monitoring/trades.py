"""Every trade once and in order.

Where trade ids of a market count by one, a missing trade is seen at once; what came after it is held until
the missing ones have been fetched, or given up. Elsewhere only what was seen before can be told; a market
whose ids turn out to have holes of their own is treated so from then on.

Some exchanges give their trades no ids, or only one of stream and REST does. What bites: two trades of one
millisecond can be equal in all that is told of them. So what a connection brings is new, and only a page that
may overlap with it (REST's, or what a stream begins with) is compared, trade by trade, each with one of those
delivered: by id where both have one, else by price, quantity, side and time, which the two ways may tell with
another precision. What is not among them and clearly older than the newest comes too late to be put in order.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

from smarttrade.messages import Side, Trade

_REMEMBERED = 2_000
_SAME_MS = 1_000
"""What the times of one trade may differ by, told in two ways."""

_Content = tuple[Decimal, Decimal, Side]


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
        self._delivered: deque[Trade] = deque(maxlen=_REMEMBERED)

    def start_after(self, trades: list[Trade]) -> list[Trade]:
        """Take these as delivered already; whatever ids they lack is past. Every one gets an id."""
        if not self.consecutive:
            return self._named(trades)
        for trade in trades:
            self._remember(trade)
        self.last_id = max((int(trade.id) for trade in trades), default=0)
        return trades

    def accept(self, trades: Sequence[Trade], *, overlapping: bool = False) -> Accepted:
        """The next trades in order, without those seen before; every one gets an id. `overlapping`: a page
        that may begin before the newest of them."""
        if not self.consecutive:
            return Accepted(self._named(self._news(trades) if overlapping else self._unseen(trades)))
        return Accepted(list(trades)) if self._follow_on(trades) else self._by_id(trades)

    def is_after(self, trade: Trade) -> bool:
        """Whether a trade is newer than all that was delivered."""
        if self.consecutive:
            return int(trade.id) > self.last_id
        return trade.time_ms > self.last_time_ms and bool(self._unmatched([trade]))

    @property
    def newest(self) -> Trade:
        """The last one delivered, where ids do not count."""
        return self._delivered[-1]

    def overlaps(self, trades: Sequence[Trade]) -> bool:
        """Whether a page reaches back to what has been delivered, so that nothing is missing between."""
        return self.consecutive or not self._delivered or len(self._unmatched(trades)) < len(trades)

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
        return [trade for trade in trades if not trade.id or trade.id not in self._seen]

    def _news(self, page: Sequence[Trade]) -> list[Trade]:
        too_late_ms = self.last_time_ms - _SAME_MS
        return [trade for trade in self._unmatched(page) if trade.time_ms > too_late_ms]

    def _unmatched(self, page: Sequence[Trade]) -> list[Trade]:
        """What of a page is none of the trades delivered, each of which can be only one of its trades."""
        known: dict[_Content, list[Trade]] = {}
        for trade in self._delivered:
            known.setdefault(_content(trade), []).append(trade)
        return [trade for trade in page if not _take_same(trade, known.get(_content(trade), []), self._seen)]

    def _named(self, trades: list[Trade]) -> list[Trade]:
        """Remember them; those without an id get one of their content, the same on every connection."""
        named = []
        for trade in trades:
            self._delivered.append(trade)
            if not trade.id:
                trade = msgspec.structs.replace(trade, id=self._name(trade))
            self._remember(trade)
            named.append(trade)
        return named

    def _name(self, trade: Trade) -> str:
        content = f"{trade.time_ms}:{trade.price}:{trade.quantity}:{trade.side.value}"
        number = 1
        while (name := f"{content}:{number}") in self._seen:
            number += 1
        return name

    def _remember(self, trade: Trade) -> None:
        self.last_time_ms = max(self.last_time_ms, trade.time_ms)
        self._seen[trade.id] = None
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)


def _content(trade: Trade) -> _Content:
    return trade.price, trade.quantity, trade.side


def _take_same(trade: Trade, candidates: list[Trade], seen: Container[str]) -> bool:
    """Whether the trade is one of the candidates, which is then used up."""
    if trade.id and trade.id in seen:
        return True
    for position, known in enumerate(candidates):
        if not (trade.id and known.id) and abs(known.time_ms - trade.time_ms) < _SAME_MS:
            del candidates[position]
            return True
    return False
