"""The fill engine: accounts, orders and matching over many markets, without clock or I/O.

Time comes in as `now_ms`; what happened goes out as events, collected until `take_events`. One call is one
atomic step of the exchange: it either raises OrderRejected and changes nothing, or completes, triggered
stops included. Recorded liquidity rests in the same books as users' orders (see `liquidity`), so price-time
priority and queue position are the book's own.
"""

from collections.abc import Iterable
from decimal import Decimal

from smarttrade.matching import funds, settlement, triggers
from smarttrade.matching.errors import (
    CANCEL_REJECTED,
    DUPLICATE_ORDER,
    INSUFFICIENT_BALANCE,
    NEW_ORDER_REJECTED,
    UNKNOWN_ORDER,
    WOULD_TAKE,
    WOULD_TRIGGER,
    OrderRejected,
)
from smarttrade.matching.events import Event, Execution, Kind
from smarttrade.matching.filters import check_counts, check_filters
from smarttrade.matching.ledger import Account
from smarttrade.matching.lists import OrderList, OrderListRequest, build_order_list, check_order_list
from smarttrade.matching.market import Market
from smarttrade.matching.orders import (
    BUY,
    PRICED_TYPES,
    STOP_TYPES,
    Order,
    OrderRequest,
    OrderType,
    SelfTradePrevention,
    Status,
    TimeInForce,
)
from smarttrade.matching.state import MarketState
from smarttrade.matching.units import SCALE, UNLIMITED, to_decimal, to_units


class Engine:
    """An exchange's core. `world` is the other side of recorded liquidity, `house` receives the fees."""

    def __init__(self, markets: Iterable[Market]) -> None:
        self.markets: dict[str, MarketState] = {}
        self.accounts: dict[str, Account] = {}
        self.world = Account("world")
        self.house = Account("fees")
        self.order_lists: dict[int, OrderList] = {}
        self.next_order_id = 1
        self.next_list_id = 0
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
        state = self.markets[request.symbol]
        self._check_filters(account, state, request)
        self._check_rules(account, state, request)
        if not funds.is_covered(account, state, request):
            raise OrderRejected(NEW_ORDER_REJECTED, INSUFFICIENT_BALANCE)

    def place(self, account: Account, request: OrderRequest, now_ms: int) -> Order:
        """Accept and match an order; the order returned is live and changes with later fills."""
        self.check(account, request)
        order = self._accept(account, request, now_ms)
        funds.lock(order)
        self._activate(order, now_ms)
        self.settle_triggers(self.markets[request.symbol], now_ms)
        return order

    def place_list(self, account: Account, request: OrderListRequest, now_ms: int) -> OrderList:
        """Accept a one-cancels-the-other pair: the limit leg rests, the stop leg waits."""
        state = self.markets[request.limit.symbol]
        check_order_list(state, request)
        for leg in (request.limit, request.stop):
            self._check_filters(account, state, leg)
            self._check_rules(account, state, leg)
        needed = max(funds.required(account, state, leg) for leg in (request.limit, request.stop))
        if not account.has_free(funds.spent_asset(state.market, request.limit.side), needed):
            raise OrderRejected(NEW_ORDER_REJECTED, INSUFFICIENT_BALANCE)
        limit = self._accept(account, request.limit, now_ms)
        stop = self._accept(account, request.stop, now_ms)
        order_list = build_order_list(self.next_list_id, account, request, limit, stop, now_ms)
        self.next_list_id += 1
        self.order_lists[order_list.id] = order_list
        funds.lock_units(limit, needed)
        self._activate(stop, now_ms)
        self._activate(limit, now_ms)
        self.settle_triggers(state, now_ms)
        return order_list

    def cancel(self, order: Order, now_ms: int) -> None:
        """Cancel an open order, and with it the rest of its list."""
        if not order.is_open:
            raise OrderRejected(CANCEL_REJECTED, UNKNOWN_ORDER)
        order_list = self.order_lists.get(order.list_id)
        legs = order_list.orders if order_list else [order]
        for leg in legs:
            if leg.is_open:
                self._finish(leg, Status.CANCELED, Kind.CANCELED, now_ms)

    def reduce(self, order: Order, quantity: Decimal, now_ms: int) -> None:
        """Lower the quantity of a resting order to `quantity`; it keeps its place in the queue."""
        units = to_units(quantity)
        if not order.is_open or not order.filled < units < order.quantity:
            raise OrderRejected(
                -2038,
                "The new quantity must be above the executed one and below the current one.",
            )
        state = self.markets[order.market.symbol]
        cut = order.quantity - units
        order.quantity = units
        if order.open:
            state.book.reduce(order, cut)
        funds.release_part(order, cut)
        order.updated_ms = now_ms

    # --- acceptance ---------------------------------------------------------------------------------

    def _check_filters(self, account: Account, state: MarketState, request: OrderRequest) -> None:
        check_filters(state.market, request, state.reference)
        if request.type is OrderType.MARKET or len(account.open_orders) < state.market.fewest_limited:
            return
        mine = [order for order in account.open_orders.values() if order.market is state.market]
        check_counts(state.market, request, len(mine), sum(1 for o in mine if o.type in STOP_TYPES))

    def _check_rules(self, account: Account, state: MarketState, request: OrderRequest) -> None:
        if (request.symbol, request.client_order_id) in account.open_client_ids:
            raise OrderRejected(NEW_ORDER_REJECTED, DUPLICATE_ORDER)
        if request.type is OrderType.LIMIT_MAKER and request.price is not None:
            best = state.book.best(-request.side)
            if best is not None and (to_units(request.price) - best.price) * request.side >= 0:
                raise OrderRejected(NEW_ORDER_REJECTED, WOULD_TAKE)
        if request.stop_price is not None and triggers.is_reached(
            request.type, request.side, to_units(request.stop_price), state.last_price
        ):
            raise OrderRejected(NEW_ORDER_REJECTED, WOULD_TRIGGER)

    def _accept(self, account: Account, request: OrderRequest, now_ms: int) -> Order:
        key = (request.symbol, request.client_order_id)
        market = self.markets[request.symbol].market
        price = to_units(request.price) if request.price is not None and request.type in PRICED_TYPES else 0
        order = Order(
            self.next_order_id,
            account,
            market,
            request.side,
            price,
            to_units(request.quantity) if request.quantity is not None else 0,
            request.type,
            request.time_in_force,
            request.client_order_id,
            now_ms,
        )
        self.next_order_id += 1
        order.quote_quantity = to_units(request.quote_quantity) if request.quote_quantity is not None else 0
        order.stop_price = to_units(request.stop_price) if request.stop_price is not None else 0
        order.self_trade_prevention = request.self_trade_prevention
        account.open_orders[order.id] = order
        account.open_client_ids[key] = order
        self._emit(Kind.NEW, order, now_ms)
        return order

    def _activate(self, order: Order, now_ms: int) -> None:
        state = self.markets[order.market.symbol]
        if order.type in STOP_TYPES:
            triggers.register(state, order)
        else:
            self._match(state, order, now_ms)

    # --- matching -----------------------------------------------------------------------------------

    def _match(self, state: MarketState, order: Order, now_ms: int) -> None:
        limit = order.price or (UNLIMITED if order.side == BUY else 0)
        if order.quote_quantity and not order.quantity:
            order.quantity = self._quantity_for_quote(state, order)
        wanted = self._wanted(state, order)
        if (
            order.time_in_force is TimeInForce.FOK
            and state.book.available(order.side, limit, wanted) < wanted
        ):
            self._finish(order, Status.EXPIRED, Kind.EXPIRED, now_ms)
            return
        if self._may_meet_itself(order):
            self._match_one_by_one(state, order, limit, wanted, now_ms)
        else:
            self._take(state, order, limit, wanted, now_ms)
        if order.is_open:
            self._rest_or_expire(state, order, now_ms)

    def _wanted(self, state: MarketState, order: Order) -> int:
        """A market buy takes no more than its owner can pay for."""
        if order.price or order.side != BUY:
            return order.remaining
        budget = order.account.free.get(order.market.quote, 0) + order.locked
        product = funds.before_fees(order.account, budget) * SCALE
        return min(order.remaining, state.book.affordable(BUY, product, order.market.step_units))

    def _quantity_for_quote(self, state: MarketState, order: Order) -> int:
        step = order.market.step_units
        return state.book.affordable(order.side, order.quote_quantity * SCALE, step)

    def _take(self, state: MarketState, order: Order, limit: int, quantity: int, now_ms: int) -> int:
        fills = state.book.take(order.side, limit, quantity)
        for maker, price, traded in fills:
            settlement.settle(self, state, order, maker, price, traded, now_ms)
        return sum(fill[2] for fill in fills)

    def _may_meet_itself(self, order: Order) -> bool:
        if order.self_trade_prevention is SelfTradePrevention.NONE:
            return False
        mine = order.account.open_orders.values()
        return any(other.market is order.market and other.side != order.side and other.open for other in mine)

    def _match_one_by_one(
        self, state: MarketState, order: Order, limit: int, wanted: int, now_ms: int
    ) -> None:
        while wanted and order.is_open:
            level = state.book.best(-order.side)
            if level is None or (level.price - limit) * order.side > 0:
                return
            maker = next(other for other in level.orders if other.open)
            if isinstance(maker, Order) and maker.account is order.account:
                self._prevent(order, maker, now_ms)
            else:
                wanted -= self._take(state, order, level.price, min(wanted, maker.open), now_ms)

    def _prevent(self, taker: Order, maker: Order, now_ms: int) -> None:
        mode = taker.self_trade_prevention
        if mode is not SelfTradePrevention.EXPIRE_TAKER:
            self._finish(maker, Status.EXPIRED_IN_MATCH, Kind.EXPIRED, now_ms)
        if mode is not SelfTradePrevention.EXPIRE_MAKER:
            self._finish(taker, Status.EXPIRED_IN_MATCH, Kind.EXPIRED, now_ms)

    def _rest_or_expire(self, state: MarketState, order: Order, now_ms: int) -> None:
        immediate = order.time_in_force is not TimeInForce.GTC or not order.price
        if order.remaining and order.quantity and not immediate:
            order.open = order.remaining
            order.working_ms = now_ms
            state.book.add(order)
        else:
            self._finish(order, Status.EXPIRED, Kind.EXPIRED, now_ms)

    # --- stops --------------------------------------------------------------------------------------

    def settle_triggers(self, state: MarketState, now_ms: int) -> None:
        """Run stops until none is reached: a triggered order may move the price into the next."""
        while (order := triggers.next_reached(state)) is not None:
            self.trigger(state, order, now_ms)

    def trigger(self, state: MarketState, order: Order, now_ms: int) -> None:
        """Turn a waiting stop into its market or limit order."""
        order.triggered = True
        order.working_ms = now_ms
        self.resolve_list(order, now_ms)
        self._emit(Kind.TRIGGERED, order, now_ms)
        self._match(state, order, now_ms)

    def resolve_list(self, order: Order, now_ms: int) -> None:
        """One leg executes or triggers: the other expires, and its funds pass over."""
        order_list = self.order_lists.get(order.list_id)
        if order_list is None or order_list.is_done:
            return
        order_list.is_done = True
        for leg in order_list.orders:
            if leg is not order and leg.is_open:
                self._finish(leg, Status.EXPIRED, Kind.EXPIRED, now_ms)
        if not order.locked:
            funds.lock(order)

    # --- ends ---------------------------------------------------------------------------------------

    def _finish(self, order: Order, status: Status, kind: Kind, now_ms: int) -> None:
        if order.open:
            self.markets[order.market.symbol].book.cancel(order)
        order.status = status
        order.updated_ms = now_ms
        self.close(order)
        self._emit(kind, order, now_ms)

    def close(self, order: Order) -> None:
        """Release what a finished order still holds and forget it among the open ones."""
        funds.release(order)
        account = order.account
        account.open_orders.pop(order.id, None)
        key = (order.market.symbol, order.client_order_id)
        if account.open_client_ids.get(key) is order:
            del account.open_client_ids[key]

    def emit(self, event: Event) -> None:
        self._events.append(event)

    def _emit(self, kind: Kind, order: Order, now_ms: int) -> None:
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
