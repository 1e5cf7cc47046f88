"""The account's own book of fills: what it holds, at what cost, and what it has earned.

A position is what the account's own fills add up to, never the wallet, which may hold the user's other
coins. The cost of a position is kept whole and its average derived from it, because a rounded average
loses money over many partial exits. Every fee is realised when it is paid, whatever asset it is paid in;
one in the base asset also takes from the position. So for any mark price,
realised + unrealised = cash received - cash paid + position x mark, exactly (up to the fee's own rounding).

A trade counts once for each side that is the account's: where two of its own orders meet, the exchange gives
both fills the same trade id. The ids of the newest `KEPT_TRADES` are remembered, which bounds a snapshot; of
an older one only its time tells that it may have been counted (`may_have_counted`). An order keeps the ids of
its own trades for as long as it may still have more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from decimal import Context, Decimal

import msgspec

from smarttrade.messages import Fill, Side

ZERO = Decimal(0)
KEPT_TRADES = 5_000
_OTHER = {Side.BUY: Side.SELL, Side.SELL: Side.BUY}
_LETTERS = {Side.BUY: "B2", Side.SELL: "S2"}
_EXACT = Context(prec=60)
_FINEST = Decimal(1).scaleb(-18)


class Holding(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One market's book. `quantity` is signed base, `cost` the signed quote paid for it, `opened_ms` the time
    of the first purchase after the newest sale, `sold` whether a sale came after it."""

    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    realized_pnl: Decimal = ZERO
    fees: Decimal = ZERO
    volume: Decimal = ZERO
    fills: int = 0
    opened_ms: int = 0
    sold: bool = False

    @property
    def average_price(self) -> Decimal:
        """Average cost in the quote asset; 0 while flat."""
        return _EXACT.quantize(_EXACT.divide(self.cost, self.quantity), _FINEST) if self.quantity else ZERO

    def unrealized(self, mark: Decimal) -> Decimal:
        """Profit in the quote asset if the position were closed at `mark`."""
        return _EXACT.subtract(_EXACT.multiply(self.quantity, mark), self.cost)


_NONE = Holding()


class LedgerState(msgspec.Struct, frozen=True, kw_only=True):
    """The whole ledger, as it stands in a snapshot of the log. `trades` maps market to trade id to time; ids
    from before `forgotten_before_ms` may be missing. `sides` has a letter for each id of a market, in their
    order: which side of it was counted, `B`uy or `S`ell, `2` for both, `?` for one from before sides were
    kept, which counts as both."""

    holdings: dict[str, Holding] = {}
    trades: dict[str, dict[str, int]] = {}
    forgotten_before_ms: int = 0
    sides: dict[str, str] = {}


class Applied(msgspec.Struct, frozen=True, gc=False):
    """What one fill did: the position's change, and the profit that it realised, its fee included."""

    quantity: Decimal
    realized_pnl: Decimal
    closing: bool

    @property
    def losing_exit(self) -> bool:
        return self.closing and self.realized_pnl < 0


class Ledger:
    """Folds fills into holdings. Mutable for replay's sake; `state` is the immutable copy."""

    def __init__(self, state: LedgerState | None = None) -> None:
        state = state or LedgerState()
        self._holdings = dict(state.holdings)
        self._trades = {market: dict(trades) for market, trades in state.trades.items()}
        self._order = deque(
            sorted(
                ((market, trade) for market, trades in self._trades.items() for trade in trades),
                key=lambda each: self._trades[each[0]][each[1]],
            )
        )
        self._sides = {side: _counted(state, letters) for side, letters in _LETTERS.items()}
        self._forgotten_before_ms = state.forgotten_before_ms
        self._held: tuple[str, ...] | None = None
        self._realized: Decimal | None = None
        self._forget()

    def state(self) -> LedgerState:
        return LedgerState(
            holdings=dict(self._holdings),
            trades={market: dict(trades) for market, trades in self._trades.items()},
            forgotten_before_ms=self._forgotten_before_ms,
            sides={market: "".join(self._letters(market)) for market in self._trades},
        )

    @property
    def markets(self) -> tuple[str, ...]:
        """Markets that were ever held, in the order of their names."""
        return tuple(sorted(self._holdings))

    @property
    def realized_pnl(self) -> Decimal:
        if self._realized is None:
            self._realized = sum((holding.realized_pnl for holding in self._holdings.values()), ZERO)
        return self._realized

    def holding(self, market: str) -> Holding:
        return self._holdings.get(market) or _NONE

    def quantity(self, market: str) -> Decimal:
        """Signed base quantity held."""
        return self.holding(market).quantity

    def held(self) -> tuple[str, ...]:
        """Markets whose position is not zero, in the order of their names."""
        if self._held is None:
            self._held = tuple(market for market in self.markets if self._holdings[market].quantity)
        return self._held

    def knows(self, market: str, trade_id: str, side: Side) -> bool:
        """Whether this side of the trade was counted already."""
        if trade_id not in self._trades.get(market, ()):
            return False
        return self._has(side, market, trade_id) or not self._has(_OTHER[side], market, trade_id)

    def may_have_counted(self, market: str, trade_id: str, side: Side, time_ms: int) -> bool:
        """Whether this side of the trade was counted, as far as is known: of one that is older than what is
        remembered it is not."""
        return time_ms < self._forgotten_before_ms or self.knows(market, trade_id, side)

    def crosses(self, fill: Fill) -> bool:
        """Whether the other side of the fill's trade was the account's own, and was counted."""
        return self._has(_OTHER[fill.side], fill.market, fill.trade_id)

    @property
    def has_forgotten(self) -> bool:
        return self._forgotten_before_ms > 0

    def apply(self, fill: Fill, fee_value: Decimal, *, crossed: bool = False) -> Applied | None:
        """Count one fill; None if it was counted before.

        `fee_value` is the fee in the quote asset at fill time (see `value_fee`), 0 while it is not known.
        `crossed`: whoever wrote it had counted the other side of its trade, and that only. So it counts here
        too, where a snapshot from before sides were kept does not tell which of them it has.
        """
        if crossed and not self._has(fill.side, fill.market, fill.trade_id):
            self._sides[_OTHER[fill.side]].setdefault(fill.market, set()).add(fill.trade_id)
        if self.knows(fill.market, fill.trade_id, fill.side):
            return None
        self._remember(fill)
        self._forget()
        before = self.holding(fill.market)
        after, applied = _count(before, fill, fee_value)
        self._keep(fill.market, after)
        return applied

    def charge(self, market: str, value: Decimal) -> None:
        """Realise a fee of a market's fills that had no value when they were counted."""
        holding = self.holding(market)
        after = msgspec.structs.replace(
            holding,
            realized_pnl=_EXACT.subtract(holding.realized_pnl, value),
            fees=_EXACT.add(holding.fees, value),
        )
        self._keep(market, after)

    def spend(self, market: str, quantity: Decimal, price: Decimal) -> None:
        """Take from a position what paid another market's fee, at most all of it, as if sold at `price`."""
        holding = self.holding(market)
        after, gained = _move(holding, min(quantity, holding.quantity).copy_negate(), price)
        total = _EXACT.add(holding.realized_pnl, gained)
        self._keep(market, msgspec.structs.replace(after, realized_pnl=total))

    def adopt(self, market: str, quantity: Decimal, price: Decimal) -> None:
        """Take a holding into the ledger at `price`, without cash and without a trade."""
        after, _ = _move(self.holding(market), quantity, price)
        self._keep(market, after)

    def _keep(self, market: str, holding: Holding) -> None:
        self._holdings[market] = holding
        self._held = self._realized = None

    def _has(self, side: Side, market: str, trade_id: str) -> bool:
        return trade_id in self._sides[side].get(market, ())

    def _letters(self, market: str) -> Iterator[str]:
        bought, sold = (self._sides[side].get(market, ()) for side in (Side.BUY, Side.SELL))
        for trade in self._trades[market]:
            yield "?BS2"[(trade in bought) + 2 * (trade in sold)]

    def _remember(self, fill: Fill) -> None:
        trades = self._trades.setdefault(fill.market, {})
        if fill.trade_id not in trades:
            trades[fill.trade_id] = fill.time_ms
            self._order.append((fill.market, fill.trade_id))
        self._sides[fill.side].setdefault(fill.market, set()).add(fill.trade_id)

    def _forget(self) -> None:
        while len(self._order) > KEPT_TRADES:
            market, trade = self._order.popleft()
            before_ms = self._trades[market].pop(trade) + 1
            self._forgotten_before_ms = max(self._forgotten_before_ms, before_ms)
            for sides in self._sides.values():
                sides.get(market, set()).discard(trade)


def _counted(state: LedgerState, letters: str) -> dict[str, set[str]]:
    """The ids by market whose letter is one of these."""
    return {
        market: {
            trade
            for trade, letter in zip(state.trades.get(market, ()), told, strict=False)
            if letter in letters
        }
        for market, told in state.sides.items()
    }


def value_fee(fill: Fill) -> Decimal | None:
    """The fee in the quote asset: as it is, or at the fill's own price; None if it is in a third asset."""
    base, quote = split_symbol(fill.market)
    if not fill.fee or fill.fee_asset == quote:
        return fill.fee
    if fill.fee_asset == base:
        return _EXACT.multiply(fill.fee, fill.price)
    return None


def value_at(quantity: Decimal, price: Decimal) -> Decimal:
    """What so much of an asset is worth."""
    return _EXACT.multiply(quantity, price)


def split_symbol(market: str) -> tuple[str, str]:
    """Base and quote of BASE/QUOTE."""
    base, _, quote = market.partition("/")
    return base, quote


def _count(before: Holding, fill: Fill, fee_value: Decimal) -> tuple[Holding, Applied]:
    signed = fill.quantity if fill.side is Side.BUY else fill.quantity.copy_negate()
    closing = before.quantity * signed < 0
    moved, realized = _move(before, signed, fill.price)
    base_fee = fill.fee if fill.fee_asset == split_symbol(fill.market)[0] else ZERO
    if base_fee:
        moved, gained = _move(moved, base_fee.copy_negate(), fill.price)
        realized = _EXACT.add(realized, gained)
    earned = _EXACT.subtract(realized, fee_value)
    after = msgspec.structs.replace(
        moved,
        realized_pnl=_EXACT.add(before.realized_pnl, earned),
        fees=_EXACT.add(before.fees, fee_value),
        volume=_EXACT.add(before.volume, _EXACT.multiply(fill.quantity, fill.price)),
        fills=before.fills + 1,
        opened_ms=fill.time_ms if _begins(before, fill) else before.opened_ms,
        sold=fill.side is Side.SELL,
    )
    return after, Applied(_EXACT.subtract(signed, base_fee), earned, closing)


def _begins(before: Holding, fill: Fill) -> bool:
    return fill.side is Side.BUY and (before.sold or not before.opened_ms)


def _move(holding: Holding, quantity: Decimal, price: Decimal) -> tuple[Holding, Decimal]:
    """Change a position at a price; also the profit that its closed part realised."""
    closed = _closed_part(holding.quantity, quantity)
    released = _share(holding.cost, closed, holding.quantity)
    opened = _EXACT.multiply(_EXACT.subtract(quantity, closed), price)
    realized = _EXACT.subtract(_EXACT.multiply(closed.copy_negate(), price), released)
    after = msgspec.structs.replace(
        holding,
        quantity=_EXACT.add(holding.quantity, quantity),
        cost=_EXACT.add(_EXACT.subtract(holding.cost, released), opened),
    )
    return after, realized


def _closed_part(held: Decimal, change: Decimal) -> Decimal:
    """The part of a change that goes against the position, at most all of it; signed as the change."""
    if held * change >= 0:
        return ZERO
    return change if change.copy_abs() <= held.copy_abs() else held.copy_negate()


def _share(cost: Decimal, closed: Decimal, held: Decimal) -> Decimal:
    """The cost that leaves with the closed part; all of it with the last."""
    if not closed:
        return ZERO
    if closed.copy_negate() == held:
        return cost
    return _EXACT.quantize(_EXACT.divide(_EXACT.multiply(cost, closed.copy_negate()), held), _FINEST)
