"""The fill engine: accounts, orders and matching over many markets, without clock or I/O.

Time comes in as `now_ms`; what happened goes out as events, collected until `take_events`. One call is one
atomic step of the exchange: it either raises OrderRejected and changes nothing, or completes, triggered
stops and released orders included. Recorded liquidity rests in the same books as users' orders (see
`liquidity`), so price-time priority and queue position are the book's own.

The parts, in the order in which an order meets them: `acceptance`, `funds`, `crossing` (with `self_trade` and
`settlement`), `triggers`, `contingency`.
"""

from collections import deque
from collections.abc import Iterable
from decimal import Decimal

from smarttrade.matching import acceptance, contingency, crossing, funds, triggers
from smarttrade.matching.errors import CANCEL_REJECTED, UNKNOWN_ORDER, OrderRejected
from smarttrade.matching.events import Event, Execution, Kind
from smarttrade.matching.ledger import Account
from smarttrade.matching.lists import OrderList, OrderListRequest
from smarttrade.matching.market import Market
from smarttrade.matching.orders import STOP_TYPES, Order, OrderRequest, Status
from smarttrade.matching.state import MarketState
from smarttrade.matching.units import to_decimal, to_units


class Engine:
    """An exchange's core. `world` is the other side of recorded liquidity, `house` receives the fees.

    `released`: lists whose working order has filled and whose pending orders are placed next.
    """

    def __init__(self, markets: Iterable[Market]) -> None:
        self.markets: dict[str, MarketState] = {}
        self.accounts: dict[str, Account] = {}
        self.world = Account("world")
        self.house = Account("fees")
        self.order_lists: dict[int, OrderList] = {}
        self.released: deque[OrderList] = deque()
        self.next_order_id = 1
        self.next_list_id = 0
        self.next_prevented_id = 1
        self.sequence = 0
        self._events: list[Event] = []
        for market in markets:
            self.add_market(market)

    def add_market(self, market: Market) -> None:
        self.markets[market.symbol] = MarketState(market)

    def add_account(self, account: Account) -> Account:
        self.accounts[account.name] = account
        return account

    def take_events(self) -> list[Event]:
        """Everything that happened since the last call, oldest first."""
        events, self._events = self._events, []
        return events

    # --- requests -----------------------------------------------------------------------------------

    def check(self, account: Account, request: OrderRequest) -> None:
        """Raise OrderRejected if `place` would; changes nothing."""
        acceptance.check(account, self.markets[request.symbol], request)

    def place(self, account: Account, request: OrderRequest, now_ms: int) -> Order:
        """Accept and match an order; the order returned is live and changes with later fills."""
        state = self.markets[request.symbol]
        acceptance.check(account, state, request)
        order = acceptance.accept(self, account, request, now_ms)
        funds.lock(order)
        self.activate(order, now_ms)
        self.settle_consequences(state, now_ms)
        return order

    def place_list(self, account: Account, request: OrderListRequest, now_ms: int) -> OrderList:
        """Accept orders that depend on one another: see `lists`."""
        order_list = contingency.place(self, account, request, now_ms)
        self.settle_consequences(self.markets[request.symbol], now_ms)
        return order_list

    def cancel(self, order: Order, now_ms: int) -> None:
        """Cancel an open order, and with it the rest of its list."""
        if not order.is_open:
            raise OrderRejected(CANCEL_REJECTED, UNKNOWN_ORDER)
        order_list = self.order_lists.get(order.list_id)
        for one in order_list.orders if order_list else [order]:
            if one.is_open:
                self.finish(one, Status.CANCELED, Kind.CANCELED, now_ms)

    def reduce(self, order: Order, quantity: Decimal, now_ms: int) -> None:
        """Lower the quantity of a resting order to `quantity`; it keeps its place in the queue."""
        units = to_units(quantity)
        if order.status is Status.PENDING_NEW and not order.quantity:
            raise OrderRejected(-2038, "Order amend (pending OPO order) is not supported.")
        if not order.is_open or not order.filled + order.prevented < units < order.quantity:
            raise OrderRejected(
                -2038,
                "The new quantity must be above the executed one and below the current one.",
            )
        cut = order.quantity - units
        if order.open:
            self.markets[order.market.symbol].book.reduce(order, cut)
        order.quantity = units
        funds.release_part(order, cut)
        order.updated_ms = now_ms
        self.report(Kind.REPLACED, order, now_ms)

    # --- what orders go through ---------------------------------------------------------------------

    def activate(self, order: Order, now_ms: int) -> None:
        """Let an order begin: a stop waits for its price, all others meet the book."""
        state = self.markets[order.market.symbol]
        if order.type in STOP_TYPES:
            triggers.register(state, order)
        else:
            crossing.cross(self, state, order, now_ms)

    def settle_consequences(self, state: MarketState, now_ms: int) -> None:
        """Run stops and released orders until none is left: each may move the price into the next."""
        while True:
            if self.released:
                contingency.release(self, self.released.popleft(), now_ms)
            elif (order := triggers.next_reached(state)) is not None:
                self.trigger(state, order, now_ms)
            else:
                return

    def trigger(self, state: MarketState, order: Order, now_ms: int) -> None:
        """Turn a waiting stop into its market or limit order."""
        order.triggered = True
        order.working_ms = now_ms
        contingency.decide(self, order, now_ms)
        self.report(Kind.TRIGGERED, order, now_ms)
        crossing.cross(self, state, order, now_ms)

    def finish(self, order: Order, status: Status, kind: Kind, now_ms: int) -> None:
        """End an order that is not filled."""
        if order.open:
            self.markets[order.market.symbol].book.cancel(order)
        order.status = status
        order.updated_ms = now_ms
        self.close(order)
        self.report(kind, order, now_ms)
        if order.list_id >= 0:
            contingency.on_end(self, order, now_ms)
            contingency.tell_if_done(self, order, now_ms)

    def close(self, order: Order) -> None:
        """Release what a finished order still holds and forget it among the open ones."""
        funds.release(order)
        account = order.account
        account.open_orders.pop(order.id, None)
        key = (order.market.symbol, order.client_order_id)
        if account.open_client_ids.get(key) is order:
            del account.open_client_ids[key]

    # --- telling ------------------------------------------------------------------------------------

    def emit(self, event: Event) -> None:
        self._events.append(event)

    def report(self, kind: Kind, order: Order, now_ms: int) -> None:
        """Tell of a change of an order that is not a fill."""
        self.sequence += 1
        self._events.append(
            Execution(
                kind, order, now_ms, order.status, order.filled, order.quote_filled, sequence=self.sequence
            )
        )

    def last_price(self, symbol: str) -> Decimal | None:
        """Last traded price, None before the first trade."""
        state = self.markets.get(symbol)
        return to_decimal(state.last_price) if state is not None and state.last_price else None
