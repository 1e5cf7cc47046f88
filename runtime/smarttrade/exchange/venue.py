"""The exchange as execution needs it: place, find, cancel, watch, compare. Adapter over ccxt.

Three instances of ccxt, because their work must not disturb one another: orders (no limiter, short time-out,
no retries), polling, and the user stream. `place` has three ends: a report, a certain refusal, or
VenueUncertainError; whoever treats the last as a failure doubles orders.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec

from smarttrade.api.catalogue import Endpoint
from smarttrade.errors import VenueError
from smarttrade.exchange import errors
from smarttrade.exchange.capabilities import Capability, Lookup
from smarttrade.exchange.endpoints import create_exchange, find_market, load_own_markets
from smarttrade.exchange.examination import Examination
from smarttrade.exchange.pacing import Allowance, Pacer, TokenBucket, Urgency, build_share, read_allowance
from smarttrade.exchange.parsing import (
    own_id,
    parse_balances,
    parse_filters,
    parse_order,
    parse_quote,
    parse_trade,
)
from smarttrade.exchange.pinning import deadline_parameters, pinned
from smarttrade.exchange.reports import (
    Balance,
    MarketFilters,
    OrderKind,
    OrderReport,
    TradeReport,
)
from smarttrade.exchange.route import Route
from smarttrade.exchange.weights import Question
from smarttrade.messages import Quote, Side

_ORDER_TIMEOUT_MS = 1_500
_RESERVE = 20.0
_TYPES: dict[OrderKind, dict[str, Any]] = {
    OrderKind.LIMIT_IOC: {"timeInForce": "IOC"},
    OrderKind.LIMIT: {"timeInForce": "GTC"},
    OrderKind.POST_ONLY: {"postOnly": True},
    OrderKind.STOP_LIMIT: {"timeInForce": "GTC"},
}
_PAGE, _PAGES = 1_000, 200
_AMEND_COST = 0.8
"""For ccxt's limiter, which counts a fifth of Binance's weight."""
_ENDED_PAGE, _ENDED_PAGES = 100, 20
_CLOCKS_APART_MS = 60_000


@dataclass(frozen=True, slots=True)
class Credentials:
    """An exchange key; never shown."""

    api_key: str
    secret: str
    password: str = ""

    def __repr__(self) -> str:
        return "Credentials(***)"


class NewOrder(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One order with the deadline that it must carry; `trigger` is the price of a stop."""

    client_order_id: str
    market: str
    side: Side
    kind: OrderKind
    price: Decimal
    quantity: Decimal
    deadline_ms: int
    window_ms: int
    trigger: Decimal | None = None


def build_pair(market_id: str, group: str, limit: NewOrder, stop: NewOrder) -> dict[str, str]:
    """The parameters of Binance's OCO for a sale: the profit above the price, the stop below it."""
    return {
        "symbol": market_id,
        "listClientOrderId": f"{group}L",
        "side": str(limit.side).upper(),
        "quantity": format(limit.quantity, "f"),
        "aboveType": "LIMIT_MAKER",
        "aboveClientOrderId": limit.client_order_id,
        "abovePrice": format(limit.price, "f"),
        "belowType": "STOP_LOSS_LIMIT",
        "belowClientOrderId": stop.client_order_id,
        "belowStopPrice": format(stop.trigger or stop.price, "f"),
        "belowPrice": format(stop.price, "f"),
        "belowTimeInForce": "GTC",
        "newOrderRespType": "RESULT",
    }


def _newest(page: list[dict[str, Any]]) -> int:
    return max(int(each["id"]) for each in page)


class Venue:
    """One account on one exchange."""

    def __init__(
        self,
        row: Capability,
        endpoint: Endpoint,
        credentials: Credentials,
        symbols: Collection[str],
        route: Route | None = None,
        share: float | None = None,
    ) -> None:
        route = route or Route(endpoint)
        key: dict[str, Any] = {"apiKey": credentials.api_key, "secret": credentials.secret, "number": str}
        key["options"] = row.options
        if credentials.password:
            key["password"] = credentials.password
        quiet = {"enableRateLimit": False, "maxRetriesOnFailure": 0}
        self._row = row
        self._sandbox = endpoint.sandbox
        self._symbols, self._left = sorted(symbols), list[str]()
        quick = {**key, **quiet, "timeout": _ORDER_TIMEOUT_MS}
        self._orders = create_exchange(row.exchange, endpoint, quick, route=route)
        self._polling = create_exchange(row.exchange, endpoint, {**key, **quiet}, route=route)
        self._stream = create_exchange(row.exchange, endpoint, {**key, "newUpdates": True}, route=route)
        self._pacer = Pacer(
            TokenBucket(row.requests_per_s, row.burst, _RESERVE),
            build_share(share) if share else None,
            row.weights,
            row.order_limits,
        )
        self._lock = asyncio.Lock()
        self._markets_known = asyncio.Event()
        self._heard: dict[Any, Any] = {}
        self._between: dict[tuple[str, str], dict[str, Any]] = {}

    async def read_filters(self) -> tuple[MarketFilters, ...]:
        """The markets as they are now, given to every instance."""
        await self._pacer.take(Question.RULES, Urgency.URGENT)
        markets = await load_own_markets(self._polling, self._symbols, self._left)
        for exchange in (self._orders, self._stream):
            exchange.set_markets(list(markets.values()))
        self._keep_between()
        self._markets_known.set()
        async with self._translated():
            return tuple(parse_filters(market, self._row.market_orders) for market in markets.values())

    def examine(self) -> Examination:
        """The questions before the first order."""
        return Examination(self._polling, self._row, self._pacer, self._translated, sandbox=self._sandbox)

    def trade(self, symbols: Collection[str], left: Collection[str] = ()) -> None:
        """Trade these markets from the next `read_filters` on; of those that were `left` the orders, trades
        and filters are read too, as far as the exchange still lists them."""
        self._symbols, self._left = sorted(symbols), sorted(left)

    @property
    def _followed(self) -> list[str]:
        known = self._polling.markets or {}
        return self._symbols + [market for market in self._left if market in known]

    async def quote(self, market: str) -> Quote:
        """The best prices now."""
        await self._pacer.take(Question.BOOK)
        async with self._translated():
            told = await self._polling.fetch_order_book(market)
            return parse_quote(market, told, round(time.time() * 1000))

    async def price(self, asset: str, currency: str) -> Decimal | None:
        """What one of the asset is worth now by their market, whichever way round; None if there is none."""
        pair = (asset, currency)
        if pair not in self._between:
            await self._pacer.take(Question.RULES)
            market = await find_market(self._polling, (f"{asset}/{currency}", f"{currency}/{asset}"))
            if market is None:
                return None
            self._between[pair] = market
            self._keep_between()
        quote = await self.quote(self._between[pair]["symbol"])
        middle = (quote.bid + quote.ask) / 2
        return middle if self._between[pair]["base"] == asset else 1 / middle

    def _keep_between(self) -> None:
        self._polling.set_markets([*(self._polling.markets or {}).values(), *self._between.values()])

    async def close(self) -> None:
        """All at once: ccxt waits a quarter of a second in each."""
        await asyncio.gather(*(each.close() for each in (self._orders, self._polling, self._stream)))

    async def place(self, order: NewOrder, may_leave: Callable[[], bool]) -> OrderReport:
        """Send one order, once.

        `may_leave` is asked last before the request is made: OrderWithheldError if it says no.
        VenueRejectedError is certain, VenueUncertainError is everything else.
        """
        exits = order.side is Side.SELL and order.kind is OrderKind.LIMIT_IOC
        urgent = exits or order.trigger is not None
        await self._take_turn(order, Question.ORDER, Urgency.URGENT if urgent else Urgency.ORDINARY)
        parameters = {
            self._row.lookup_parameter: order.client_order_id,
            **_TYPES[order.kind],
            **deadline_parameters(self._row, order.deadline_ms, order.window_ms),
        }
        if self._row.exchange == "binance":
            parameters["newOrderRespType"] = "FULL"
        if order.trigger is not None:
            parameters["stopLossPrice"] = format(order.trigger, "f")
        async with pinned(self._orders, self._lock, self._row, order.deadline_ms, order.window_ms):
            if not may_leave():
                raise errors.OrderWithheldError(f"order {order.client_order_id} did not leave")
            async with self._translated():
                answer = await self._orders.create_order(
                    order.market,
                    "limit",
                    str(order.side).lower(),
                    format(order.quantity, "f"),
                    format(order.price, "f"),
                    parameters,
                )
                report = parse_order(answer, order.client_order_id)
        if report.filled:
            self._pacer.filled()
        return report

    async def _take_turn(self, order: NewOrder, question: Question, urgency: Urgency) -> None:
        """OrderWithheldError when its turn does not come within the order's window."""
        try:
            async with asyncio.timeout(order.window_ms / 1000):
                await self._pacer.take(question, urgency)
        except TimeoutError:
            told = "did not leave: the exchange's allowance of requests is used up"
            raise errors.OrderWithheldError(f"order {order.client_order_id} {told}") from None

    async def place_pair(
        self, group: str, limit: NewOrder, stop: NewOrder, may_leave: Callable[[], bool]
    ) -> tuple[OrderReport, ...]:
        """Send two orders of which one cancels the other, in one request, once; errors as `place`."""
        await self._take_turn(limit, Question.ORDER_PAIR, Urgency.URGENT)
        async with pinned(self._orders, self._lock, self._row, limit.deadline_ms, limit.window_ms):
            if not may_leave():
                raise errors.OrderWithheldError(f"orders {group} did not leave")
            async with self._translated():
                market = self._orders.market(limit.market)
                answer = await self._orders.private_post_orderlist_oco(
                    {
                        **build_pair(market["id"], group, limit, stop),
                        **deadline_parameters(self._row, limit.deadline_ms, limit.window_ms),
                    }
                )
                reports = [self._orders.parse_order(each, market) for each in answer["orderReports"]]
                return tuple(parse_order(report) for report in reports)

    async def query(self, client_order_id: str, market: str, since_ms: int = 0) -> OrderReport | None:
        """The order by its client id, placed after `since_ms` of the exchange's time; None if the exchange
        says that it knows none. VenueError: no answer."""
        await self._pacer.take(Question.FIND_ORDER, Urgency.URGENT)
        parameters = {self._row.lookup_parameter: client_order_id}
        try:
            async with self._translated():
                if self._row.lookup is Lookup.ORDER_LISTS:
                    return await self._listed(client_order_id, market, parameters)
                found = await self._polling.fetch_order(None, market, parameters)
                return parse_order(found, client_order_id)
        except errors.NothingToCancelError:
            if self._row.lookup is Lookup.WHILE_OPEN:
                return await self._ended(client_order_id, market, since_ms)
            return None

    async def cancel(self, client_order_id: str, market: str, order_id: str) -> OrderReport:
        """Cancel one order; NothingToCancelError if the exchange has nothing to cancel."""
        await self._pacer.take(Question.CANCEL, Urgency.CANCEL)
        async with self._translated():
            answer = await self._polling.cancel_order(
                order_id or self._named(client_order_id),
                market,
                {self._row.lookup_parameter: client_order_id},
            )
            if answer.get("id") is not None and answer.get("status") is not None:
                return parse_order(answer, client_order_id)
        return await self._after_cancel(client_order_id, market)

    async def amend(self, client_order_id: str, market: str, order_id: str, quantity: Decimal) -> OrderReport:
        """Lower an open order's quantity where it stands; any error leaves open whether it was done.

        Binance's `order/amend/keepPriority`, which ccxt has no name for."""
        await self._pacer.take(Question.AMEND)
        async with self._translated():
            known = self._polling.market(market)
            parameters = {
                "symbol": known["id"],
                "orderId": order_id,
                "newQty": format(quantity, "f"),
                "newClientOrderId": client_order_id,
            }
            answer = await self._polling.request(
                "order/amend/keepPriority", ["private"], "PUT", parameters, config={"cost": _AMEND_COST}
            )
            amended = answer["amendedOrder"]
            told = self._polling.parse_order({**amended, "origQty": amended["qty"]}, known)
            return parse_order(told, client_order_id)

    def _named(self, client_order_id: str) -> str | None:
        """Where a prefixed client id may stand for the exchange's own, nothing else does."""
        prefix = self._row.identifier_prefix
        return prefix + client_order_id if prefix else None

    async def _after_cancel(self, client_order_id: str, market: str) -> OrderReport:
        """The answer was about a pair as a whole, or said only that the request had come."""
        report = await self.query(client_order_id, market)
        if report is None:
            raise errors.VenueUncertainError(f"order {client_order_id} was cancelled and is not found")
        return report

    async def trades_of(self, market: str, order_id: str) -> tuple[TradeReport, ...]:
        """Every trade of one order."""
        await self._pacer.take(Question.TRADES_OF_ORDER, Urgency.URGENT)
        async with self._translated():
            trades = await self._polling.fetch_my_trades(
                market, None, None, {self._row.trades_parameter: order_id}
            )
            return tuple(parse_trade(trade) for trade in trades if str(trade.get("order")) == order_id)

    async def read_account(
        self, since_ms: int
    ) -> tuple[tuple[OrderReport, ...], tuple[TradeReport, ...], tuple[Balance, ...]]:
        """Open orders, trades since an exchange time, and the wallet; where the exchange has a dead man's
        switch, which knows no markets, also open orders of markets that are not followed."""
        async with self._translated():
            orders = await self._elsewhere() if self._row.dead_mans_switch else []
            trades: list[TradeReport] = []
            for market in self._followed:
                await self._pacer.take(Question.OPEN_ORDERS, Urgency.URGENT)
                orders += [parse_order(order) for order in await self._polling.fetch_open_orders(market)]
                await self._pacer.take(Question.OWN_TRADES, Urgency.URGENT)
                trades += [parse_trade(trade) for trade in await self._trades_since(market, since_ms)]
            await self._pacer.take(Question.ACCOUNT, Urgency.URGENT)
            balance = await self._polling.fetch_balance()
        return tuple(orders), tuple(trades), parse_balances(balance)

    async def _elsewhere(self) -> list[OrderReport]:
        """Open orders of other markets than the account's."""
        await self._pacer.take(Question.OPEN_ORDERS, Urgency.URGENT)
        found = [parse_order(order) for order in await self._polling.fetch_open_orders()]
        followed = self._followed
        return [report for report in found if report.market not in followed]

    async def _trades_since(self, market: str, since_ms: int) -> list[dict[str, Any]]:
        """All of them, where a page can be told from the whole; the newest page for 0."""
        fetch = self._polling.fetch_my_trades
        if not self._row.pages_by:
            found: list[dict[str, Any]] = await fetch(market, since_ms or None, _ENDED_PAGE)
            return found
        found = list(await fetch(market, since_ms or None, _PAGE))
        if since_ms and len(found) >= _PAGE:
            found += await self._pages(fetch, market, "fromId", first=_newest(found))
        return found

    async def read_history(self) -> tuple[tuple[OrderReport, ...], tuple[TradeReport, ...]]:
        """Every order and trade of the account's markets that the exchange keeps, ended ones too."""
        orders: dict[str, OrderReport] = {}
        trades: dict[tuple[str, str, str], TradeReport] = {}
        async with self._translated():
            for market in self._followed:
                for order in await self._all_orders(market):
                    report = parse_order(order)
                    orders[report.order_id] = report
                for own in await self._all_trades(market):
                    trade = parse_trade(own)
                    trades[market, trade.trade_id, trade.order_id] = trade
        return tuple(orders.values()), tuple(trades.values())

    async def _all_orders(self, market: str) -> list[dict[str, Any]]:
        if self._row.pages_by == "orderId":
            return await self._pages(self._polling.fetch_orders, market, "orderId")
        ended = [order for name in self._row.ended_orders for order in await self._all(name, market)]
        await self._pacer.take(Question.OPEN_ORDERS)
        return [*ended, *await self._polling.fetch_open_orders(market)]

    async def _all(self, name: str, market: str) -> list[dict[str, Any]]:
        await self._pacer.take(Question.ALL_ORDERS)
        found: list[dict[str, Any]] = await getattr(self._polling, name)(market)
        return found

    async def _all_trades(self, market: str) -> list[dict[str, Any]]:
        if self._row.pages_by:
            return await self._pages(self._polling.fetch_my_trades, market, "fromId")
        await self._pacer.take(Question.OWN_TRADES)
        found: list[dict[str, Any]] = await self._polling.fetch_my_trades(market)
        return found

    async def _pages(
        self, fetch: Callable[..., Any], market: str, cursor: str, first: int = 0
    ) -> list[dict[str, Any]]:
        """Page by rising ids, from the first that is kept.

        The newest of a page comes again with the next: where two own orders have met, two trades have one id,
        of which a page may hold the first only."""
        found: list[dict[str, Any]] = []
        following = first
        for _ in range(_PAGES):
            await self._pacer.take(Question.ALL_ORDERS)
            page = await fetch(market, None, _PAGE, {cursor: following})
            found += page
            if len(page) < _PAGE:
                break
            following = _newest(page)
        return found

    async def arm_switch(self, timeout_ms: int) -> None:
        """Let the exchange cancel every order after this time unless told again; 0 disarms."""
        await self._pacer.take(Question.CANCEL, Urgency.CANCEL)
        async with self._translated():
            await self._polling.cancel_all_orders_after(timeout_ms)

    async def clock(self) -> tuple[float, float, float]:
        """One sample of the exchange's clock: sent and received (monotonic ms), and what it said."""
        sent_ms = time.monotonic() * 1000
        async with self._translated():
            told = await self._polling.fetch_time()
        return sent_ms, time.monotonic() * 1000, float(told)

    async def watch_orders(self) -> AsyncIterator[OrderReport]:
        """Own order updates as they come; VenueError when the stream breaks: reconcile, then call again.

        Begins after `read_filters`: ccxt would otherwise load every market of the exchange first."""
        await self._may_stream()
        while True:
            async with self._translated():
                updates = await self._stream.watch_orders()
                reports = [parse_order(order) for order in updates]
            for report in reports:
                yield report

    async def watch_trades(self) -> AsyncIterator[TradeReport]:
        """Own trades as they come; as `watch_orders`."""
        await self._may_stream()
        while True:
            async with self._translated():
                updates = await self._stream.watch_my_trades()
                reports = [parse_trade(trade) for trade in updates]
            for report in reports:
                yield report

    async def _may_stream(self) -> None:
        """Some of ccxt's streams start tasks before anything has told them of the loop."""
        await self._markets_known.wait()
        self._stream.open()

    async def _listed(
        self, client_order_id: str, market: str, parameters: dict[str, Any]
    ) -> OrderReport | None:
        """Open orders, then ended ones: for exchanges that have no look-up by client id."""
        for number, name in enumerate(("fetch_open_orders", *self._row.ended_orders)):
            if number:
                await self._pacer.take(Question.FIND_ORDER, Urgency.URGENT)
            for order in await getattr(self._polling, name)(market, None, None, parameters):
                if order.get("clientOrderId") == client_order_id:
                    return parse_order(order, client_order_id)
        return None

    async def _ended(self, client_order_id: str, market: str, since_ms: int) -> OrderReport | None:
        """Page by page, newest first: for exchanges that do not know an ended order by its client id."""
        since = max(since_ms - _CLOCKS_APART_MS, 0) or None
        for page in range(1, _ENDED_PAGES + 1):
            await self._pacer.take(Question.ALL_ORDERS, Urgency.URGENT)
            async with self._translated():
                [method] = self._row.ended_orders
                orders = await getattr(self._polling, method)(market, since, _ENDED_PAGE, {"page": page})
                for order in orders:
                    if own_id(order.get("clientOrderId")) == client_order_id:
                        return parse_order(order, client_order_id)
            if len(orders) < _ENDED_PAGE:
                return None
        raise errors.VenueUncertainError(f"order {client_order_id} is not among the newest ended ones")

    @asynccontextmanager
    async def _translated(self) -> AsyncIterator[None]:
        """Every exception into ours: what the row proves, else uncertain. ccxt trips over garbled answers in
        ways of its own."""
        try:
            yield
        except VenueError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the request may have had its effect
            code, _ = errors.venue_code(error)
            message = errors.sanitised(error)
            if code in self._row.credential_codes:
                raise errors.VenueCredentialsError(message) from None
            if errors.find_code(error, self._row.unknown_order_codes):
                raise errors.NothingToCancelError(message) from None
            refusal = errors.certain_refusal(error, self._row.codes)
            raise refusal or errors.VenueUncertainError(message) from None
        finally:
            self._note_allowance()

    def _note_allowance(self) -> None:
        """Heed what the newest answers say of the exchange's own limits."""
        for exchange in (self._orders, self._polling):
            headers = exchange.last_response_headers
            if headers is not None and headers is not self._heard.get(exchange):
                self._heard[exchange] = headers
                self._pacer.heed(self._read_allowance(headers))

    def _read_allowance(self, headers: Mapping[str, Any]) -> Allowance:
        row = self._row
        return read_allowance(headers, row.weight_header, row.weight_limit, row.order_limits)
