"""The paper exchange without its I/O: orders, fills and balances on the fill engine, told time by its caller.

`paper.PaperVenue` puts a process around it, a backtest drives it on virtual time: so both fill alike. What
bites: what the market fills is told by `on_market`; what a request itself fills comes with its answer, once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING

from smarttrade.exchange.capabilities import DEADLINE_MISSED
from smarttrade.exchange.errors import (
    NothingToCancelError,
    OrderWithheldError,
    VenueRejectedError,
    certain_refusal,
)
from smarttrade.exchange.paper_terms import (
    Standing,
    as_told,
    build_market,
    build_request,
    build_standing,
    side_name,
)
from smarttrade.exchange.reports import Balance, MarketFilters, OrderReport, TradeReport, VenueStatus
from smarttrade.matching import (
    Account,
    Engine,
    Execution,
    FeeSchedule,
    Kind,
    Order,
    OrderListRequest,
    OrderRejected,
    Status,
    liquidity,
)
from smarttrade.matching.standing import put_back
from smarttrade.matching.units import to_decimal, to_units
from smarttrade.messages import MarketEvent, Quote, Side, Trade

if TYPE_CHECKING:
    from smarttrade.exchange.venue import NewOrder

ZERO = Decimal(0)
_IDS_A_MS = 1_000
KEPT_ENDED = 10_000
"""An ended order is asked for within minutes at most; an account that trades for months makes many more."""
_SMALLEST = Decimal("0.00000001")
_STATUS = {
    Status.NEW: VenueStatus.OPEN,
    Status.PARTIALLY_FILLED: VenueStatus.OPEN,
    Status.FILLED: VenueStatus.FILLED,
    Status.CANCELED: VenueStatus.CANCELED,
    Status.EXPIRED: VenueStatus.EXPIRED,
    Status.EXPIRED_IN_MATCH: VenueStatus.EXPIRED,
}


@dataclass(slots=True)
class _Placed:
    """`trades`: what this exchange has filled of it."""

    order: Order
    order_id: str
    quantity: Decimal
    filled_before: Decimal
    trades: list[TradeReport] = field(default_factory=list)


class PaperBook:
    """One paper account. `codes`: the exchange's certain refusals; `clock`: exchange time in ms."""

    def __init__(
        self, codes: Mapping[str, str], clock: Callable[[], int], fees: FeeSchedule | None = None
    ) -> None:
        self.engine = Engine([])
        self._codes = codes
        self._now_ms = clock
        self._fees = fees or FeeSchedule()
        self._filters: dict[str, MarketFilters] = {}
        self._placed: dict[str, _Placed] = {}
        self._ended: deque[str] = deque()
        self._quotes: dict[str, Quote] = {}
        self._account = Account("paper", self._fees)

    def restore(
        self, currency: str, cash: Decimal, held: Mapping[str, Decimal], orders: Iterable[Standing]
    ) -> None:
        """Begin anew from the log: cash, base quantity per market, and the orders that rest.

        They stand at the end of their queues and meet neither trades nor quotes until `replay` and `resume`.
        """
        self._account = Account("paper", self._fees)
        self._account.deposit(currency, max(cash, ZERO).quantize(_SMALLEST, ROUND_FLOOR))
        for market, quantity in held.items():
            self._account.deposit(market.partition("/")[0], quantity.quantize(_SMALLEST, ROUND_FLOOR))
        self.engine = Engine(build_market(filters) for filters in self._filters.values())
        self.engine.add_account(self._account)
        self.engine.next_order_id = first = self._now_ms() * _IDS_A_MS
        for state in self.engine.markets.values():
            state.next_trade_id = first
        self._placed.clear()
        self._ended.clear()
        groups: dict[str, list[Standing]] = {}
        for order in orders:
            groups.setdefault(order.group or order.client_order_id, []).append(order)
        for standing in groups.values():
            self._put_back(standing)
        self.engine.take_events()

    def replay(self, trades: Iterable[Trade]) -> list[OrderReport]:
        """Match what was traded while nobody listened, at the times at which it was; what that changed."""
        for trade in trades:
            self._trade_happened(trade, trade.time_ms)
        return list(self.take_reports().values())

    def resume(self, market: str) -> list[OrderReport]:
        """Show a market's newest quote again; what that changed."""
        quote = self._quotes.get(market)
        return [] if quote is None else self.on_market(quote)

    @property
    def has_orders(self) -> bool:
        """Whether any order rests or waits."""
        return bool(self._account.open_orders)

    # --- requests ---

    def use(self, filters: Mapping[str, MarketFilters]) -> None:
        """The markets' rules; a market that is known already keeps its own until `restore`."""
        self._filters = dict(filters)
        for symbol, rules in filters.items():
            if symbol not in self.engine.markets:
                self.engine.add_market(build_market(rules))

    def place(self, order: NewOrder, may_leave: Callable[[], bool]) -> OrderReport:
        """Accept and match; OrderWithheldError, VenueRejectedError."""
        self._admit(order, may_leave)
        try:
            placed = self.engine.place(self._account, build_request(order), self._now_ms())
        except OrderRejected as error:
            raise self._refusal(error) from None
        self._placed[order.client_order_id] = _Placed(placed, str(placed.id), order.quantity, ZERO)
        return self.take_reports().get(order.client_order_id) or self._report(order.client_order_id)

    def place_pair(
        self, group: str, limit: NewOrder, stop: NewOrder, may_leave: Callable[[], bool]
    ) -> tuple[OrderReport, ...]:
        """Accept two orders of which one cancels the other; errors as `place`."""
        self._admit(limit, may_leave)
        request = OrderListRequest(f"{group}L", (build_request(limit, maker=True), build_request(stop)))
        try:
            placed = self.engine.place_list(self._account, request, self._now_ms())
        except OrderRejected as error:
            raise self._refusal(error) from None
        for order, leg in zip(placed.orders, (limit, stop), strict=True):
            self._placed[leg.client_order_id] = _Placed(order, str(order.id), leg.quantity, ZERO)
        changed = self.take_reports()
        cids = (limit.client_order_id, stop.client_order_id)
        return tuple(changed.get(cid) or self._report(cid) for cid in cids)

    def _admit(self, order: NewOrder, may_leave: Callable[[], bool]) -> None:
        if order.market not in self.engine.markets:
            raise OrderWithheldError(f"the filters of {order.market} were not read yet")
        if not may_leave():
            raise OrderWithheldError(f"order {order.client_order_id} did not leave")
        if self._now_ms() > order.deadline_ms + order.window_ms:
            raise VenueRejectedError(DEADLINE_MISSED, "the order came after its deadline")

    def _refusal(self, error: OrderRejected) -> VenueRejectedError:
        refusal = certain_refusal(as_told(error), self._codes)
        return VenueRejectedError(refusal.code if refusal else "VenueRejected", error.message)

    def trades_of(self, order_id: str) -> tuple[TradeReport, ...]:
        """What this exchange has filled of an order."""
        placed = next((row for row in self._placed.values() if row.order_id == order_id), None)
        return () if placed is None else tuple(placed.trades)

    def query(self, client_order_id: str) -> OrderReport | None:
        return self._report(client_order_id) if client_order_id in self._placed else None

    def cancel(self, client_order_id: str) -> OrderReport:
        """NothingToCancelError if no such order is open."""
        placed = self._placed.get(client_order_id)
        if placed is None or not placed.order.is_open:
            raise NothingToCancelError(f"no open order {client_order_id}")
        self.engine.cancel(placed.order, self._now_ms())
        return self.take_reports().get(client_order_id) or self._report(client_order_id)

    def amend(self, client_order_id: str, quantity: Decimal) -> OrderReport:
        """Lower an open order to `quantity`; NothingToCancelError, VenueRejectedError."""
        placed = self._placed.get(client_order_id)
        if placed is None or not placed.order.is_open:
            raise NothingToCancelError(f"no open order {client_order_id}")
        try:
            self.engine.reduce(placed.order, quantity - placed.filled_before, self._now_ms())
        except OrderRejected as error:
            raise self._refusal(error) from None
        placed.quantity = quantity
        return self.take_reports().get(client_order_id) or self._report(client_order_id)

    def read_account(self) -> tuple[tuple[OrderReport, ...], tuple[Balance, ...]]:
        """Open orders and wallet."""
        orders = tuple(self._report(order.client_order_id) for order in self._account.open_orders.values())
        balances = []
        for asset in self._account.free:
            free, locked = self._account.balance(asset)
            balances.append(Balance(asset=asset, free=free, total=free + locked))
        return orders, tuple(balances)

    # --- the market ---

    def on_market(self, event: MarketEvent) -> list[OrderReport]:
        """Let the market move the book; the orders that it changed."""
        if isinstance(event, Quote):
            self._quotes[event.market] = event
        if not isinstance(event, Quote | Trade) or event.market not in self.engine.markets:
            return []
        if isinstance(event, Quote):
            bid = to_units(event.bid), to_units(event.bid_quantity)
            ask = to_units(event.ask), to_units(event.ask_quantity)
            return self.show(event.market, bid, ask)
        self._trade_happened(event, self._now_ms())
        return list(self.take_reports().values())

    def show(self, market: str, bid: tuple[int, int], ask: tuple[int, int]) -> list[OrderReport]:
        """Let the market show these best prices, each with its size, in units; the orders that it changed."""
        liquidity.set_depth(self.engine, market, dict([bid]), dict([ask]), self._now_ms())
        return list(self.take_reports().values())

    def _trade_happened(self, trade: Trade, at_ms: int) -> None:
        price, quantity = to_units(trade.price), to_units(trade.quantity)
        buyer_is_maker = trade.side is Side.SELL
        liquidity.trade(self.engine, trade.market, price, quantity, buyer_is_maker, at_ms)

    def take_reports(self) -> dict[str, OrderReport]:
        """The newest report of each order that changed, with all the trades that changed it."""
        trades: dict[str, list[TradeReport]] = {}
        for event in self.engine.take_events():
            if isinstance(event, Execution):
                found = trades.setdefault(event.order.client_order_id, [])
                if event.kind is Kind.TRADE:
                    found.append(self._trade(event))
        reports = {}
        for client_order_id, found in trades.items():
            if client_order_id in self._placed:
                self._placed[client_order_id].trades += found
                reports[client_order_id] = self._report(client_order_id, tuple(found))
                if not self._placed[client_order_id].order.is_open:
                    self._forget_after(client_order_id)
        return reports

    def _forget_after(self, client_order_id: str) -> None:
        """An order has ended; the oldest of many that have are no longer known."""
        self._ended.append(client_order_id)
        if len(self._ended) > KEPT_ENDED:
            self._placed.pop(self._ended.popleft(), None)

    def _report(self, client_order_id: str, trades: tuple[TradeReport, ...] = ()) -> OrderReport:
        placed = self._placed[client_order_id]
        order = placed.order
        return OrderReport(
            client_order_id=client_order_id,
            order_id=placed.order_id,
            market=order.market.symbol,
            side=side_name(order.side),
            status=_STATUS[order.status],
            price=to_decimal(order.price),
            quantity=placed.quantity,
            filled=placed.filled_before + to_decimal(order.filled),
            time_ms=order.updated_ms,
            trades=trades,
        )

    def _trade(self, event: Execution) -> TradeReport:
        order = event.order
        placed = self._placed.get(order.client_order_id)
        return TradeReport(
            trade_id=str(event.trade_id),
            order_id=placed.order_id if placed else str(order.id),
            market=order.market.symbol,
            side=side_name(order.side),
            price=to_decimal(event.price),
            quantity=to_decimal(event.quantity),
            fee=to_decimal(event.commission),
            fee_asset=event.commission_asset or "",
            maker=event.is_maker,
            time_ms=event.time_ms,
        )

    def _put_back(self, standing: list[Standing]) -> None:
        requests = tuple(build_standing(order, pair=len(standing) > 1) for order in standing)
        try:
            orders = put_back(self.engine, self._account, requests, self._now_ms())
        except (OrderRejected, KeyError):
            return  # it cannot rest any more: reconciliation finds it missing and asks
        for order, known in zip(orders, standing, strict=True):
            self._placed[known.client_order_id] = _Placed(order, known.order_id, known.quantity, known.filled)
