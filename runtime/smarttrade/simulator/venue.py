"""The exchange behind the protocol: users, engine, market data, journal. One object, no I/O of its own.

Every change goes through `apply` (or the methods that call it), which hands the engine's events to the
journal, to the markets' public data and to whoever listens: the streams.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from smarttrade.errors import ConfigurationError
from smarttrade.matching import (
    Account,
    Engine,
    Execution,
    Kind,
    ListChange,
    Market,
    Order,
    OrderListRequest,
    OrderRequest,
    PreventedMatch,
    PublicTrade,
    liquidity,
)
from smarttrade.matching.lists import OrderList
from smarttrade.matching.orders import BUY, SELL
from smarttrade.matching.units import to_units
from smarttrade.simulator import amendment
from smarttrade.simulator.amendment import Amendment
from smarttrade.simulator.clock import ExchangeClock
from smarttrade.simulator.config import UserConfig
from smarttrade.simulator.depth import deepen
from smarttrade.simulator.faults import VISIBILITY_FAULTS, FaultPlan
from smarttrade.simulator.history import History
from smarttrade.simulator.journal import Journal, build_entry
from smarttrade.simulator.limits import OrderCounts
from smarttrade.simulator.marketdata import MarketData
from smarttrade.simulator.tape import TapeEvent, TapeQuote, TapeTrade, quote_around
from smarttrade.simulator.users import User, build_key, build_user


def _ignore(*_: Any) -> None: ...


@dataclass(slots=True)
class Listeners:
    """Called synchronously, in the order of events. `on_deposit` gets asset, units and time."""

    on_trade: Callable[[MarketData, PublicTrade], None] = _ignore
    on_book: Callable[[MarketData], None] = _ignore
    on_execution: Callable[[Account, Execution], None] = _ignore
    on_balance: Callable[[Account, list[str], int], None] = _ignore
    on_list: Callable[[ListChange], None] = _ignore
    on_deposit: Callable[[Account, str, int, int], None] = _ignore


class Recorder(Protocol):
    """Who keeps what changes: see `state`."""

    def on_account(self, name: str) -> None: ...

    def on_execution(self, execution: Execution) -> None: ...

    def on_list(self, order_list: OrderList) -> None: ...

    def on_amendment(self, order: Order, amended: Amendment) -> None: ...

    def on_prevented(self, prevented: PreventedMatch) -> None: ...


class Venue:
    """`history` is what queries answer from, `recorder` keeps it over restarts."""

    def __init__(
        self,
        markets: Iterable[Market],
        clock: ExchangeClock,
        journal: Journal,
        faults: FaultPlan,
        depth_levels: int = 20,
    ) -> None:
        self.engine = Engine(markets)
        self.clock = clock
        self.journal = journal
        self.faults = faults
        self.depth_levels = depth_levels
        self.listeners = Listeners()
        self.recorder: Recorder | None = None
        self.order_counts = OrderCounts()
        self.data = {state.market.id: MarketData(state) for state in self.engine.markets.values()}
        self.by_symbol = {data.market.symbol: data for data in self.data.values()}
        self.users: dict[str, User] = {}
        self.history = History(clock.now_ms)

    # --- users --------------------------------------------------------------------------------------

    def add_user(self, config: UserConfig) -> User:
        """Create a user with key and balances; ConfigurationError where name or key is taken."""
        if config.name in self.engine.accounts or config.key in self.users:
            raise ConfigurationError(f"user {config.name!r} or its key exists already; choose another")
        user = build_user(config)
        self.register(user)
        return user

    def register(self, user: User) -> None:
        self.engine.add_account(user.account)
        self.users[user.key] = user
        self.history.begin(user.name)
        if self.recorder is not None:
            self.recorder.on_account(user.name)

    def find_user(self, name: str) -> User | None:
        return next((user for user in self.users.values() if user.name == name), None)

    def remove_user(self, user: User) -> None:
        """Cancel what is open and forget the account, balances included."""
        for order in list(user.account.open_orders.values()):
            if order.is_open:
                self.cancel(order)
        del self.users[user.key], self.engine.accounts[user.name]
        self.history.end(user.name)
        if self.recorder is not None:
            self.recorder.on_account(user.name)

    def replace_key(self, user: User, config: UserConfig) -> User:
        """Give an account another key; the old one is refused from now on."""
        if config.key in self.users and config.key != user.key:
            raise ConfigurationError(f"the key of user {user.name!r} is another user's; choose another")
        newer = build_key(config, user.account)
        del self.users[user.key]
        self.users[newer.key] = newer
        if self.recorder is not None:
            self.recorder.on_account(user.name)
        return newer

    def deposit(self, account: Account, asset: str, amount: Decimal) -> None:
        account.deposit(asset, amount)
        now_ms = self.clock.now_ms()
        self.listeners.on_deposit(account, asset, to_units(amount), now_ms)
        self._publish_balances(now_ms)

    # --- trading ------------------------------------------------------------------------------------

    def place(
        self, account: Account, request: OrderRequest, endpoint: str = "order"
    ) -> tuple[Order, list[Execution]]:
        """Place an order; returns it with its own fills of this instant."""
        order = self.engine.place(account, request, self.clock.now_ms())
        self._hide(account, order, endpoint)
        return order, [e for e in self.flush() if e.order is order and e.kind is Kind.TRADE]

    def place_list(
        self, account: Account, request: OrderListRequest, endpoint: str = "orderList"
    ) -> OrderList:
        order_list = self.engine.place_list(account, request, self.clock.now_ms())
        for order in order_list.orders:
            self._hide(account, order, endpoint)
        self.flush()
        return order_list

    def cancel(self, order: Order, cancel_id: str = "") -> None:
        """Cancel an order; `cancel_id` is how the client calls this cancel."""
        order.cancel_id = cancel_id
        self.engine.cancel(order, self.clock.now_ms())
        self.flush()

    def reduce(self, order: Order, quantity: Decimal, client_order_id: str) -> Amendment:
        """Lower the quantity of an order (of both, in a pair), which keeps its place under its new name."""
        amended = self.history.amendments.get(order.id, [])
        amendment.check(self.engine, order, quantity, client_order_id, len(amended))
        row = self._reduce(order, quantity, client_order_id)
        for leg in amendment.partners(self.engine, order):
            self._reduce(leg, quantity, leg.client_order_id)
        self.flush()
        return row

    def _reduce(self, order: Order, quantity: Decimal, client_order_id: str) -> Amendment:
        before, former = order.quantity, order.client_order_id
        self.engine.reduce(order, quantity, self.clock.now_ms())
        self.history.rename(order, client_order_id)
        row = Amendment(
            order.id, self.engine.sequence, order.updated_ms, before, order.quantity, former, client_order_id
        )
        self.history.amend(row)
        if self.recorder is not None:
            self.recorder.on_amendment(order, row)
        return row

    def _hide(self, account: Account, order: Order, endpoint: str) -> None:
        for fault in self.faults.take(VISIBILITY_FAULTS, account.name, endpoint):
            self.history.hide(order, fault.delay_ms)

    # --- market -------------------------------------------------------------------------------------

    def apply(self, event: TapeEvent, at_ms: int) -> None:
        """Let one recorded or synthetic event move the market."""
        data = self.by_symbol[event.symbol]
        if isinstance(event, TapeTrade):
            liquidity.trade(
                self.engine, event.symbol, event.price, event.quantity, event.buyer_is_maker, at_ms
            )
            if data.is_one_sided:
                self._show(data, quote_around(data.market, event), at_ms)
        else:
            self._show(data, event, at_ms)
        self.flush(data)

    def quote_quietly(self, prices: dict[str, Decimal]) -> None:
        """Show one wide level on each side of markets that have no tape, where somebody has taken it away."""
        now_ms = self.clock.now_ms()
        for symbol, price in prices.items():
            data = self.by_symbol[symbol]
            if not data.is_one_sided:
                continue
            market, middle = data.market, data.market.round_price(price)
            spread = max(market.tick_units, middle // 1000 // market.tick_units * market.tick_units)
            size = market.round_quantity(market.min_notional * 1000 / price)
            liquidity.set_depth(self.engine, symbol, {middle: size}, {middle + spread: size}, now_ms)
            data.state.last_price = data.state.last_price or middle
            self.flush(data)

    def _show(self, data: MarketData, quote: TapeQuote, at_ms: int) -> None:
        bids = deepen(data.market, quote.bid, quote.bid_size, BUY, self.depth_levels)
        asks = deepen(data.market, quote.ask, quote.ask_size, SELL, self.depth_levels)
        liquidity.set_depth(self.engine, quote.symbol, bids, asks, at_ms)

    def flush(self, changed: MarketData | None = None) -> list[Execution]:
        """Hand what the engine did to journal, data and listeners; returns users' executions."""
        executions: list[Execution] = []
        touched = {changed.market.id: changed} if changed else {}
        for event in self.engine.take_events():
            match event:
                case Execution():
                    executions.append(event)
                    self._record(event)
                    touched[event.order.market.id] = self.data[event.order.market.id]
                case PublicTrade():
                    data = self.data[event.market.id]
                    data.add_trade(event)
                    self.listeners.on_trade(data, event)
                case ListChange():
                    self._record_list(event)
                case PreventedMatch():
                    self.history.prevented[event.taker.account.name].append(event)
                    if self.recorder is not None:
                        self.recorder.on_prevented(event)
        self._publish_balances(executions[-1].time_ms if executions else None)
        for data in touched.values():
            data.updated()
            self.listeners.on_book(data)
        return executions

    def _record(self, execution: Execution) -> None:
        order = execution.order
        self.journal.append(build_entry(execution))
        if execution.kind is Kind.NEW:
            self.history.remember(order)
        elif execution.kind is Kind.TRADE:
            self.history.fills[order.account.name].append(execution)
        if self.recorder is not None:
            self.recorder.on_execution(execution)
        if execution.kind is not Kind.TRIGGERED:
            self.listeners.on_execution(order.account, execution)

    def _record_list(self, change: ListChange) -> None:
        for forgotten in self.history.remember_list(change.order_list):
            self.engine.order_lists.pop(forgotten.id, None)
        if self.recorder is not None:
            self.recorder.on_list(change.order_list)
        self.listeners.on_list(change)

    def _publish_balances(self, now_ms: int | None) -> None:
        for account in self.engine.accounts.values():
            if account.touched:
                assets = account.take_touched()
                if self.recorder is not None:
                    self.recorder.on_account(account.name)
                self.listeners.on_balance(account, assets, now_ms or self.clock.now_ms())
