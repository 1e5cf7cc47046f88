"""What an account's questions are answered from: its orders, fills, lists and what came of them, bounded.

The oldest finished orders and lists make room for new ones; what is open always stays. An order may be hidden
from queries for a while: late visibility is a fault.
"""

from collections import deque
from collections.abc import Callable
from itertools import islice

from smarttrade.matching import Account, Execution, Order, PreventedMatch
from smarttrade.matching.lists import OrderList
from smarttrade.simulator.amendment import Amendment

FILLS_KEPT = 100_000
ORDERS_KEPT = 50_000
LISTS_KEPT = 10_000


class History:
    """`amendments` and `hidden_until_ms` are by order id, all else by account name."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self.orders: dict[str, dict[int, Order]] = {}
        self.fills: dict[str, deque[Execution]] = {}
        self.lists: dict[str, dict[int, OrderList]] = {}
        self.prevented: dict[str, deque[PreventedMatch]] = {}
        self.amendments: dict[int, list[Amendment]] = {}
        self.hidden_until_ms: dict[int, int] = {}
        self._newest: dict[tuple[str, str, str], Order] = {}

    def begin(self, name: str) -> None:
        """An account without a past."""
        self.orders[name] = {}
        self.fills[name] = deque(maxlen=FILLS_KEPT)
        self.lists[name] = {}
        self.prevented[name] = deque(maxlen=FILLS_KEPT)

    def end(self, name: str) -> None:
        """The account is gone."""
        for order_id in self.orders[name]:
            self._forget_details(order_id)
        for kept in (self.orders, self.fills, self.lists, self.prevented):
            del kept[name]
        for key in [key for key in self._newest if key[0] == name]:
            del self._newest[key]

    # --- orders -------------------------------------------------------------------------------------

    def remember(self, order: Order) -> None:
        name = order.account.name
        kept = self.orders[name]
        kept[order.id] = order
        self._newest[name, order.market.symbol, order.client_order_id] = order
        if len(kept) > ORDERS_KEPT:
            self._forget_finished(name, len(kept) - ORDERS_KEPT * 9 // 10)

    def _forget_finished(self, name: str, count: int) -> None:
        finished = (order for order in self.orders[name].values() if not order.is_open)
        for order in list(islice(finished, count)):
            del self.orders[name][order.id]
            self._forget_details(order.id)
            key = (name, order.market.symbol, order.client_order_id)
            if self._newest.get(key) is order:
                del self._newest[key]

    def _forget_details(self, order_id: int) -> None:
        self.hidden_until_ms.pop(order_id, None)
        self.amendments.pop(order_id, None)

    def rename(self, order: Order, client_order_id: str) -> None:
        """Give an open order another client id; the former one names it no longer."""
        account, symbol = order.account, order.market.symbol
        former = order.client_order_id
        account.open_client_ids.pop((symbol, former), None)
        if self._newest.get((account.name, symbol, former)) is order:
            del self._newest[account.name, symbol, former]
        order.former_id, order.client_order_id = former, client_order_id
        account.open_client_ids[symbol, client_order_id] = order
        self._newest[account.name, symbol, client_order_id] = order

    def amend(self, row: Amendment) -> None:
        self.amendments.setdefault(row.order_id, []).append(row)

    def hide(self, order: Order, delay_ms: int) -> None:
        """Keep an order from queries for `delay_ms`."""
        self.hidden_until_ms[order.id] = self._now_ms() + delay_ms

    def is_visible(self, order: Order) -> bool:
        """Whether queries may show an order."""
        until = self.hidden_until_ms.get(order.id)
        return until is None or self._now_ms() >= until

    def find_by_client_id(self, account: Account, symbol: str, client_order_id: str) -> Order | None:
        """The newest order of that id, which is the open one where one is open."""
        return self._newest.get((account.name, symbol, client_order_id))

    def find_orders(self, account: Account, symbol: str) -> list[Order]:
        """Visible orders of one market, oldest first."""
        mine = self.orders[account.name].values()
        return [order for order in mine if order.market.symbol == symbol and self.is_visible(order)]

    # --- lists --------------------------------------------------------------------------------------

    def lists_of(self, account: Account) -> list[OrderList]:
        """Oldest first."""
        return list(self.lists[account.name].values())

    def remember_list(self, order_list: OrderList) -> list[OrderList]:
        """Keep a list; returns the finished ones that made room for it."""
        kept = self.lists[order_list.account.name]
        kept[order_list.id] = order_list
        if len(kept) <= LISTS_KEPT:
            return []
        done = (row for row in kept.values() if not row.is_open)
        dropped = list(islice(done, len(kept) - LISTS_KEPT * 9 // 10))
        for row in dropped:
            del kept[row.id]
        return dropped
