"""The adapter over the simulated exchange: its limits are heeded, its suspensions and new rules are seen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio
from msgspec.structs import replace as replace_order

from smarttrade.api.catalogue import Endpoint
from smarttrade.errors import VenueError
from smarttrade.exchange.capabilities import CAPABILITIES
from smarttrade.exchange.errors import OrderWithheldError, VenueUncertainError
from smarttrade.exchange.pacing import Urgency
from smarttrade.exchange.reports import OrderKind, VenueStatus
from smarttrade.exchange.venue import Credentials, NewOrder, Venue
from smarttrade.exchange.weights import BINANCE_ORDERS, OrderLimit, Question
from smarttrade.messages import Side
from smarttrade.simulator.testing import Simulator, build_test_user, manual_config

SYMBOL = "BTC/USDT"


@pytest_asyncio.fixture
async def exchange() -> AsyncIterator[Simulator]:
    async with Simulator(manual_config(build_test_user("alice", USDT="1000", BTC="1"))) as running:
        running.set_price(SYMBOL, "60000")
        yield running


@pytest_asyncio.fixture
async def venue(exchange: Simulator) -> AsyncIterator[Venue]:
    endpoint = Endpoint(rest=exchange.rest_url, websocket=exchange.ws_url)
    opened = Venue(CAPABILITIES["binance"], endpoint, Credentials("alice-key", "alice-secret"), [SYMBOL])
    await opened.read_filters()
    yield opened
    await opened.close()


async def test_a_retry_after_silences_even_cancels_for_as_long_as_it_says(
    exchange: Simulator, venue: Venue
) -> None:
    exchange.faults.inject("rate-limit", endpoint="GET /api/v3/order", times=1, delay_ms=30_000)
    with pytest.raises(VenueUncertainError):
        await venue.query("sTabcdefghijkl2345", SYMBOL)
    assert 25 < venue._pacer.delay(Question.CANCEL, Urgency.CANCEL) <= 30


async def test_near_the_limit_by_the_exchanges_own_count_only_cancels_leave(
    exchange: Simulator,
) -> None:
    endpoint = Endpoint(rest=exchange.rest_url, websocket=exchange.ws_url)
    row = replace(CAPABILITIES["binance"], weight_limit=60)
    venue = Venue(row, endpoint, Credentials("alice-key", "alice-secret"), [SYMBOL])
    try:
        await venue.read_filters()
        assert venue._pacer.delay(Question.ORDER) == 0
        # Once is enough, unless a minute of the exchange ends meanwhile and its count begins anew.
        async with asyncio.timeout(90):
            while venue._pacer.delay(Question.ORDER, Urgency.URGENT) == 0:
                await venue.read_account(0)
        assert venue._pacer.delay(Question.CANCEL, Urgency.CANCEL) == 0
    finally:
        await venue.close()


def _order(number: int, kind: OrderKind = OrderKind.POST_ONLY, trigger: Decimal | None = None) -> NewOrder:
    return NewOrder(
        client_order_id=f"sTabcdefghijkl{number:04}",
        market=SYMBOL,
        side=Side.BUY if trigger is None else Side.SELL,
        kind=kind,
        price=Decimal(50_000),
        quantity=Decimal("0.001"),
        deadline_ms=round(time.time() * 1000),
        window_ms=5_000,
        trigger=trigger,
    )


async def test_new_orders_stay_below_what_the_exchange_counts_and_the_last_are_for_exits(
    exchange: Simulator,
) -> None:
    endpoint = Endpoint(rest=exchange.rest_url, websocket=exchange.ws_url)
    ten_a_day = OrderLimit(10, 86_400, BINANCE_ORDERS[1].header)
    row = replace(CAPABILITIES["binance"], order_limits=(ten_a_day,))
    venue = Venue(row, endpoint, Credentials("alice-key", "alice-secret"), [SYMBOL])
    exchange.venue.order_counts.add("alice", 8, exchange.clock.now_ms())
    try:
        await venue.read_filters()
        await venue.place(_order(1), lambda: True)
        with pytest.raises(OrderWithheldError, match="allowance"):
            await venue.place(_order(2), lambda: True)
        assert len(exchange.journal.orders("alice")) == 1, "nothing was sent to be refused"
        stop = _order(3, OrderKind.STOP_LIMIT, trigger=Decimal(51_000))
        assert (await venue.place(stop, lambda: True)).status is VenueStatus.OPEN
        profit = replace_order(_order(4, OrderKind.LIMIT), side=Side.SELL, price=Decimal(70_000))
        async with asyncio.timeout(10):  # a day would have to end first
            with pytest.raises(OrderWithheldError, match="allowance"):
                await venue.place_pair("sTabcdefghijkl0004", profit, stop, lambda: True)
    finally:
        await venue.close()


async def test_the_rules_tell_how_many_orders_may_be_open(venue: Venue) -> None:
    [filters] = await venue.read_filters()
    assert filters.maximum_orders == 200
    assert filters.maximum_stops == 5


async def test_the_user_stream_never_loads_all_of_the_exchanges_markets(
    exchange: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = Endpoint(
        rest=exchange.rest_url, websocket=exchange.ws_url, websocket_api=exchange.websocket_api_url
    )
    venue = Venue(CAPABILITIES["binance"], endpoint, Credentials("alice-key", "alice-secret"), [SYMBOL])
    loaded: list[str] = []
    load = venue._stream.load_markets

    async def load_and_tell() -> Any:
        loaded.append("markets")
        return await load()

    monkeypatch.setattr(venue._stream, "load_markets", load_and_tell)
    watching = asyncio.ensure_future(anext(venue.watch_orders()))
    try:
        await asyncio.wait({watching}, timeout=0.05)
        assert loaded == []
        await venue.read_filters()
        async with asyncio.timeout(10):
            while not exchange.websockets():  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.02)
        assert list(venue._stream.markets) == [SYMBOL]
    finally:
        watching.cancel()
        await venue.close()


async def test_no_question_with_the_key_leaves_for_the_real_exchange(venue: Venue) -> None:
    report = await venue.examine().read_key()
    assert report.can_withdraw is False
    assert report.can_trade is True
    assert report.account_id
    fees = await venue.examine().read_fees(SYMBOL)
    assert fees.taker > 0


async def test_what_we_take_a_question_to_weigh_is_what_the_exchange_counts(
    exchange: Simulator, venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[int] = []
    told: list[int] = []
    use = exchange.dispatcher.weights.use

    def tell(address: str, weight: int) -> Any:
        told.append(weight)
        return use(address, weight)

    def count(question: Question, urgency: Urgency = Urgency.ORDINARY) -> float:
        counted.append(CAPABILITIES["binance"].weights.get(question, 1))
        return 0.0

    monkeypatch.setattr(exchange.dispatcher.weights, "use", tell)
    monkeypatch.setattr(venue._pacer, "delay", count)
    placed = await venue.place(_resting(exchange), lambda: True)
    assert await venue.query("sTweights", SYMBOL) is not None
    await venue.trades_of(SYMBOL, placed.order_id)
    await venue.read_account(0)
    await venue.quote(SYMBOL)
    await venue.read_filters()
    await venue.examine().read_fees(SYMBOL)
    await venue.amend("sTweights", SYMBOL, placed.order_id, placed.quantity / 2)
    await venue.cancel("sTweights", SYMBOL, placed.order_id)
    assert told == counted


async def test_a_trade_of_the_account_with_itself_is_told_of_both_orders(
    exchange: Simulator, venue: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under one trade id: by the account's trades, by each order's, and across two pages of history."""
    before = await venue.place(
        replace_order(_order(3, OrderKind.LIMIT_IOC), price=Decimal(60_300)), lambda: True
    )
    offer = replace_order(_order(1), side=Side.SELL, price=Decimal(60_000))
    bid = replace_order(_order(2, OrderKind.LIMIT_IOC), price=Decimal(60_300))
    resting = await venue.place(offer, lambda: True)
    taking = await venue.place(bid, lambda: True)
    assert (taking.filled, taking.trades[0].price) == (bid.quantity, offer.price)
    orders = {resting.order_id: Side.SELL, taking.order_id: Side.BUY}
    _, account, _ = await venue.read_account(0)
    of_each = [trade for order_id in orders for trade in await venue.trades_of(SYMBOL, order_id)]
    monkeypatch.setattr("smarttrade.exchange.venue._PAGE", 2)
    _, history = await venue.read_history()
    for told in (account, of_each, history):
        trades = [trade for trade in told if trade.order_id != before.order_id]
        assert {trade.order_id: trade.side for trade in trades} == orders
        assert len({trade.trade_id for trade in trades}) == 1
        assert len(trades) == 2


async def test_an_order_is_lowered_where_it_stands_under_the_same_id(
    exchange: Simulator, venue: Venue
) -> None:
    order = _resting(exchange)
    placed = await venue.place(order, lambda: True)
    half = order.quantity / 2
    amended = await venue.amend(order.client_order_id, SYMBOL, placed.order_id, half)
    assert (amended.client_order_id, amended.order_id) == (order.client_order_id, placed.order_id)
    assert (amended.status, amended.quantity, amended.filled) == (VenueStatus.OPEN, half, 0)
    found = await venue.query(order.client_order_id, SYMBOL)
    assert found is not None
    assert (found.order_id, found.quantity, found.status) == (placed.order_id, half, VenueStatus.OPEN)
    with pytest.raises(VenueError):
        await venue.amend(order.client_order_id, SYMBOL, placed.order_id, order.quantity)


async def test_an_account_that_has_used_up_its_share_withholds_orders_itself_and_still_cancels(
    exchange: Simulator,
) -> None:
    endpoint = Endpoint(rest=exchange.rest_url, websocket=exchange.ws_url)
    key = Credentials("alice-key", "alice-secret")
    venue = Venue(CAPABILITIES["binance"], endpoint, key, [SYMBOL], share=400)
    try:
        await venue.read_filters()
        placed = await venue.place(_resting(exchange), lambda: True)
        while not venue._pacer.delay(Question.FIND_ORDER, Urgency.URGENT):
            pass
        with pytest.raises(OrderWithheldError, match="allowance"):
            await venue.place(_resting(exchange, "sTwithheld"), lambda: True)
        await venue.cancel("sTweights", SYMBOL, placed.order_id)
        assert {order.client_order_id for order in exchange.journal.orders("alice")} == {"sTweights"}
    finally:
        await venue.close()


def _resting(exchange: Simulator, client_order_id: str = "sTweights") -> NewOrder:
    return NewOrder(
        client_order_id=client_order_id,
        market=SYMBOL,
        side=Side.BUY,
        kind=OrderKind.LIMIT,
        price=Decimal(50_000),
        quantity=Decimal("0.001"),
        deadline_ms=exchange.clock.now_ms(),
        window_ms=800,
    )


async def test_a_third_asset_is_priced_whichever_way_round_its_market_is() -> None:
    users = build_test_user("alice", USDT="1000")
    async with Simulator(manual_config(users, symbols=(SYMBOL, "BNB/USDT"))) as exchange:
        exchange.set_price(SYMBOL, "60000")
        exchange.set_price("BNB/USDT", "500")
        endpoint = Endpoint(rest=exchange.rest_url, websocket=exchange.ws_url)
        venue = Venue(CAPABILITIES["binance"], endpoint, Credentials("alice-key", "alice-secret"), [SYMBOL])
        try:
            await venue.read_filters()
            assert await venue.price("BNB", "USDT") == pytest.approx(Decimal(500), abs=Decimal(1))
            assert await venue.price("USDT", "BNB") == pytest.approx(Decimal("0.002"), abs=Decimal("0.00001"))
            assert await venue.price("XRP", "USDT") is None
            [filters] = await venue.read_filters()
            assert filters.market == SYMBOL, "the market of the fee is not the account's"
            assert await venue.price("BNB", "USDT") is not None
        finally:
            await venue.close()
