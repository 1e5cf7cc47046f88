"""The exchange: enforces deadlines on its own clock, delays, fills in parts, shows orders late.

It lets the same client order id in twice once the first order has ended, as the real ones do, and it lets
a sell of more than the account's position through, because the wallet holds other coins too: what must not
happen has to be prevented by execution, and is caught here. Where a stop that fires meets a buy of the
account's own, both have the same trade, under one id.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

from smarttrade.exchange.reports import (
    Balance,
    MarketFilters,
    OrderKind,
    OrderReport,
    TradeReport,
    VenueStatus,
)
from smarttrade.execution.effects import Send
from smarttrade.messages import Quote, Side
from tests.simulation.clockwork import Clockwork
from tests.simulation.plan import MARKETS, PRICE

EPOCH_MS = 1_795_000_000_000
FUTURE_MS = 1_000
FEE = Decimal("0.001")
ZERO = Decimal(0)
FILTERS = tuple(
    MarketFilters(
        market=market,
        base=market.partition("/")[0],
        quote="USDT",
        tick=Decimal("0.01"),
        lot=Decimal("0.001"),
        minimum_quantity=Decimal("0.001"),
        minimum_notional=Decimal(5),
    )
    for market in MARKETS
)


def build_quote(market: str, time_ms: int) -> Quote:
    """Prices stand still, so that every bound can be checked exactly."""
    mid = Decimal(PRICE[market])
    size = Decimal(1_000)
    return Quote(
        market=market,
        bid=mid * Decimal("0.9995"),
        bid_quantity=size,
        ask=mid * Decimal("1.0005"),
        ask_quantity=size,
        time_ms=time_ms,
    )


@dataclass
class Resident:
    """One order that the exchange accepted."""

    sent: Send
    order_id: str
    visible_ms: float
    status: VenueStatus = VenueStatus.OPEN
    filled: Decimal = ZERO
    trades: list[TradeReport] = field(default_factory=list)
    pair: Resident | None = None
    waiting: bool = False
    """A stop whose price was not reached yet."""
    ended_ms: float = 0.0
    amended: bool = False

    def lower(self, quantity: Decimal) -> None:
        self.sent, self.amended = msgspec.structs.replace(self.sent, quantity=quantity), True

    @property
    def remaining(self) -> Decimal:
        return self.sent.quantity - self.filled if self.status is VenueStatus.OPEN else ZERO


def locked_by(residents: Iterable[Resident], market: str) -> Decimal:
    """Base quantity that working sells hold, a pair once."""
    total = ZERO
    for each in residents:
        if each.remaining and each.sent.market == market and each.sent.side is Side.SELL:
            total += each.remaining / 2 if each.pair is not None and each.pair.remaining else each.remaining
    return total


Watcher = Callable[[Resident, TradeReport | None], None]


class Venue:
    """Accepts, fills, cancels and answers; `watchers` are told of every change of an order."""

    def __init__(
        self, clockwork: Clockwork, draw: random.Random, partial: float, *, meets_itself: bool = False
    ) -> None:
        self._clockwork = clockwork
        self._draw = draw
        self._meets_itself = meets_itself
        self.partial = partial
        self.moves = True
        self.forgets_after_ms = float("inf")
        """For how long an order that ended without a fill is still known."""
        self.by_id: dict[str, Resident] = {}
        self.by_cid: dict[str, list[Resident]] = {}
        self.position: dict[str, Decimal] = dict.fromkeys(MARKETS, ZERO)
        self.watchers: list[Watcher] = []
        self.step_ms = 0
        self._trades = 0

    @property
    def time_ms(self) -> int:
        return EPOCH_MS + int(self._clockwork.now_ms) + self.step_ms

    def too_late(self, sent: Send) -> bool:
        age = self.time_ms - sent.deadline_ms
        return age > sent.window_ms or age < -FUTURE_MS

    def place(self, sent: Send, lag_ms: float) -> Resident:
        """Take an order in; `lag_ms` is how long queries miss it."""
        resident = Resident(sent, f"o{len(self.by_id) + 1}", self._clockwork.now_ms + lag_ms)
        self.by_id[resident.order_id] = resident
        self.by_cid.setdefault(sent.cid, []).append(resident)
        self._begin(resident)
        return resident

    def place_pair(self, limit: Send, stop: Send, lag_ms: float) -> tuple[Resident, Resident]:
        """Take two orders in of which one cancels the other; their funds are locked once."""
        pair = [
            Resident(sent, f"o{len(self.by_id) + 1 + number}", self._clockwork.now_ms + lag_ms)
            for number, sent in enumerate((limit, stop))
        ]
        pair[0].pair, pair[1].pair = pair[1], pair[0]
        for resident in pair:
            self.by_id[resident.order_id] = resident
            self.by_cid.setdefault(resident.sent.cid, []).append(resident)
        for resident in pair:
            self._begin(resident)
        return pair[0], pair[1]

    def locked(self, market: str) -> Decimal:
        return locked_by(self.by_id.values(), market)

    def _begin(self, resident: Resident) -> None:
        sent = resident.sent
        resident.waiting = sent.trigger is not None
        self._tell(resident, None)
        if sent.kind is OrderKind.LIMIT_IOC:
            self._fill_at_once(resident)
        elif resident.waiting:
            self._clockwork.after(self._draw.uniform(200, 9_000), lambda: self._trigger(resident))
        else:
            self._clockwork.after(self._draw.uniform(100, 4_000), lambda: self._fill_later(resident))

    def cancel(self, resident: Resident) -> bool:
        """False if there is nothing to cancel."""
        if resident.status is not VenueStatus.OPEN:
            return False
        for each in (resident, resident.pair):
            if each is not None and each.status is VenueStatus.OPEN:
                each.status = VenueStatus.CANCELED
                self._tell(each, None)
        return True

    def amend(self, resident: Resident, quantity: Decimal) -> bool:
        """Lower an order where it stands; False where it is not open, or not larger, or filled as far."""
        if resident.status is not VenueStatus.OPEN:
            return False
        if not resident.filled < quantity < resident.sent.quantity:
            return False
        resident.lower(quantity)
        self._tell(resident, None)
        return True

    def find(self, cid: str) -> Resident | None:
        """What a query by client id sees: the newest of the id, once it is visible."""
        seen = [r for r in self.by_cid.get(cid, []) if self._is_visible(r)]
        return seen[-1] if seen else None

    def visible(self) -> list[Resident]:
        return [r for r in self.by_id.values() if self._is_visible(r)]

    def lasting(self) -> list[Resident]:
        """What is visible and stays so, however soon the exchange forgets orders that ended empty."""
        return [r for r in self.visible() if r.filled or r.status is VenueStatus.OPEN]

    def _is_visible(self, resident: Resident) -> bool:
        now_ms = self._clockwork.now_ms
        ended_empty = resident.status is not VenueStatus.OPEN and not resident.filled
        forgotten = ended_empty and now_ms - resident.ended_ms > self.forgets_after_ms
        return resident.visible_ms <= now_ms and not forgotten

    def report(self, resident: Resident, trades: tuple[TradeReport, ...] = ()) -> OrderReport:
        sent = resident.sent
        return OrderReport(
            client_order_id=sent.cid,
            order_id=resident.order_id,
            market=sent.market,
            side=sent.side,
            status=resident.status,
            price=sent.price,
            quantity=sent.quantity,
            filled=resident.filled,
            time_ms=self.time_ms,
            trades=trades,
            trigger=sent.trigger,
        )

    def trades_since(self, since_ms: int) -> tuple[TradeReport, ...]:
        return tuple(t for r in self.visible() for t in r.trades if t.time_ms >= since_ms)

    def history(self) -> tuple[tuple[OrderReport, ...], tuple[TradeReport, ...]]:
        """All that is kept, a stranger's order and trade among it."""
        strangers = tuple(self.foreign_order(market) for market in MARKETS)
        orders = (*(self.report(r) for r in self.visible()), *strangers)
        return orders, (*self.trades_since(0), self.foreign_trade(MARKETS[0]))

    def foreign_order(self, market: str) -> OrderReport:
        """An order that the user placed by hand in the same wallet; nobody may touch it."""
        return OrderReport(
            client_order_id=f"web_{market[:3]}",
            order_id=f"foreign-{market}",
            market=market,
            side=Side.BUY,
            status=VenueStatus.OPEN,
            price=Decimal(1),
            quantity=Decimal(5),
            filled=ZERO,
            time_ms=EPOCH_MS,
        )

    def foreign_trade(self, market: str) -> TradeReport:
        """A trade of the user's own, under a trade id that no trade of the account has."""
        return TradeReport(
            trade_id="foreign",
            order_id="foreign-done",
            market=market,
            side=Side.BUY,
            price=Decimal(PRICE[market]),
            quantity=Decimal(7),
            fee=ZERO,
            fee_asset="USDT",
            maker=False,
            time_ms=self.time_ms,
        )

    def balances(self) -> tuple[Balance, ...]:
        """The user's own coins beside the account's."""
        spare = Decimal(1_000)
        coins = [(market.partition("/")[0], self.position[market] + spare) for market in MARKETS]
        return tuple(Balance(asset=a, free=q, total=q) for a, q in [*coins, ("USDT", Decimal(100_000))])

    def _fill_at_once(self, resident: Resident) -> None:
        share = self._share()
        self._fill(resident, (resident.sent.quantity * share).quantize(Decimal("0.001")))
        if resident.status is VenueStatus.OPEN:
            resident.status = VenueStatus.EXPIRED
            self._tell(resident, None)

    def _share(self) -> Decimal:
        if self._draw.random() >= self.partial:
            return Decimal(1)
        return self._draw.choice((ZERO, Decimal("0.3"), Decimal("0.75")))

    def _trigger(self, resident: Resident) -> None:
        """A stop's price is touched for a moment: it becomes a limit, and its pair is over."""
        if resident.status is VenueStatus.OPEN and self.moves and self._draw.random() < 0.4:
            resident.waiting = False
            self._end_pair(resident)
            self._fill_later(resident)
            self._clockwork.after(self._draw.uniform(50, 1_500), lambda: self._fill_later(resident))

    def _end_pair(self, resident: Resident) -> None:
        pair, resident.pair = resident.pair, None
        if pair is not None and pair.status is VenueStatus.OPEN:
            pair.status, pair.pair = VenueStatus.EXPIRED, None
            self._tell(pair, None)

    def _fill_later(self, resident: Resident) -> None:
        if resident.sent.kind is OrderKind.LIMIT and not (self.moves and self._draw.random() < 0.3):
            return
        if resident.status is VenueStatus.OPEN:
            whole = self._draw.random() < 0.6
            part = resident.remaining if whole else (resident.remaining / 2).quantize(Decimal("0.001"))
            own = self._own_buy(resident)
            if own is None:
                self._fill(resident, part)
            elif part > 0:
                self._meet(resident, own, min(part, own.remaining))

    def _own_buy(self, resident: Resident) -> Resident | None:
        """The resting buy that a stop meets once it has fired."""
        sent = resident.sent
        if not self._meets_itself or sent.trigger is None:
            return None
        buys = (r for r in self.by_id.values() if r.remaining and r.sent.market == sent.market)
        return next((r for r in buys if r.sent.side is Side.BUY and r.sent.price >= sent.price), None)

    def _fill(self, resident: Resident, quantity: Decimal) -> None:
        if quantity <= 0:
            return
        sent = resident.sent
        quote = build_quote(sent.market, self.time_ms)
        touch = quote.ask if sent.side is Side.BUY else quote.bid
        self._trades += 1
        self._trade(resident, quantity, touch if sent.kind is OrderKind.LIMIT_IOC else sent.price)

    def _meet(self, seller: Resident, buyer: Resident, quantity: Decimal) -> None:
        """One trade between two orders of the account's, at the price of the one that rested."""
        self._trades += 1
        for resident in (seller, buyer):
            self._trade(resident, quantity, buyer.sent.price)

    def _trade(self, resident: Resident, quantity: Decimal, price: Decimal) -> None:
        self._end_pair(resident)
        sent, buy = resident.sent, resident.sent.side is Side.BUY
        base = sent.market.partition("/")[0]
        trade = TradeReport(
            trade_id=str(self._trades),
            order_id=resident.order_id,
            market=sent.market,
            side=sent.side,
            price=price,
            quantity=quantity,
            fee=quantity * FEE if buy else quantity * price * FEE,
            fee_asset=base if buy else "USDT",
            maker=sent.kind is not OrderKind.LIMIT_IOC and sent.trigger is None,
            time_ms=self.time_ms,
        )
        resident.trades.append(trade)
        resident.filled += quantity
        self.position[sent.market] += quantity * (1 - FEE) if buy else -quantity
        if resident.filled >= sent.quantity:
            resident.status = VenueStatus.FILLED
        self._tell(resident, trade)

    def _tell(self, resident: Resident, trade: TradeReport | None) -> None:
        if resident.status is not VenueStatus.OPEN:
            resident.ended_ms = self._clockwork.now_ms
        for watcher in self.watchers:
            watcher(resident, trade)
