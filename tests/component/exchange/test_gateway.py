"""The egress gateway: the only way to an exchange, for its own accounts, to its own hosts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from smarttrade.api.catalogue import Endpoint
from smarttrade.errors import VenueError
from smarttrade.exchange.binance_public import BinanceVenue
from smarttrade.exchange.capabilities import CAPABILITIES
from smarttrade.exchange.ccxt_public import CcxtVenue
from smarttrade.exchange.reports import OrderKind
from smarttrade.exchange.route import Gateway, Route
from smarttrade.exchange.venue import Credentials, NewOrder, Venue
from smarttrade.messages import Side
from smarttrade.simulator.testing import Simulator, build_test_user, manual_config
from tests.attacks.gateway.attempts_gateway import build_request
from tests.component.exchange.gateways import ISSUED, RunningGateway, ask, behind_tls, start_gateway

SYMBOL = "BTC/USDT"


@dataclass
class Place:
    """An exchange behind TLS and two gateways that admit it."""

    exchange: Simulator
    endpoint: Endpoint
    host: str
    gateways: list[RunningGateway]

    def route(self, *gateways: Gateway) -> Route:
        return Route(self.endpoint, gateways or [gateway.opened_by() for gateway in self.gateways])


@pytest_asyncio.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    async with Simulator(manual_config(build_test_user("alice", USDT="1000"))) as exchange:
        exchange.set_price(SYMBOL, "60000")
        plain = urlsplit(exchange.rest_url).port
        assert plain
        async with behind_tls(tmp_path, plain) as (port, authority):
            host = f"localhost:{port}"
            endpoint = Endpoint(
                rest=f"https://{host}",
                websocket=f"wss://{host}",
                websocket_api=f"wss://{host}",
                certificate_authority=authority,
            )
            hosts = {"binance.Private": [host], "binance.Other": ["other.example:443"]}
            gateways = [await start_gateway(tmp_path, hosts) for _ in range(2)]
            try:
                yield Place(exchange, endpoint, host, gateways)
            finally:
                for gateway in gateways:
                    gateway.stop()


@pytest.mark.parametrize("kind", [BinanceVenue, CcxtVenue])
async def test_the_market_is_read_over_it(place: Place, kind: type[BinanceVenue] | type[CcxtVenue]) -> None:
    venue = kind("binance", place.endpoint, place.route())
    try:
        await venue.load_markets([SYMBOL])
        feed = venue.open_feed(SYMBOL, lambda: 0)
        watching = asyncio.ensure_future(feed.watch_trades())
        await feed.heard(watching)
        place.exchange.trade(SYMBOL, "60010", "0.5", buyer_is_maker=False)
        [trade] = await asyncio.wait_for(watching, 10)
        assert trade.price == Decimal(60010)
        await feed.close()
    finally:
        await venue.close()


async def test_orders_and_their_fills_go_over_it(place: Place) -> None:
    row, key = CAPABILITIES["binance"], Credentials("alice-key", "alice-secret")
    venue = Venue(row, place.endpoint, key, [SYMBOL], place.route())
    fills = venue.watch_trades()
    try:
        await venue.read_filters()
        filled = asyncio.ensure_future(anext(fills))
        async with asyncio.timeout(10):
            while not place.exchange.websockets():  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.02)
        order = NewOrder(
            client_order_id="sTgateway1",
            market=SYMBOL,
            side=Side.BUY,
            kind=OrderKind.LIMIT_IOC,
            price=Decimal(61000),
            quantity=Decimal("0.01"),
            deadline_ms=place.exchange.clock.now_ms(),
            window_ms=5_000,
        )
        report = await venue.place(order, lambda: True)
        assert report.filled == Decimal("0.01")
        assert (await asyncio.wait_for(filled, 10)).quantity == Decimal("0.01")
    finally:
        await venue.close()


async def test_without_a_gateway_that_answers_there_is_no_way(place: Place) -> None:
    for gateway in place.gateways:
        gateway.stop()
    venue = BinanceVenue("binance", place.endpoint, place.route())
    try:
        with pytest.raises(VenueError):
            await venue.load_markets([SYMBOL])
    finally:
        await venue.close()


async def test_when_its_gateway_fails_an_account_goes_on_over_the_next_and_comes_back(
    place: Place, tmp_path: Path
) -> None:
    route = place.route()
    ways: asyncio.Queue[Gateway | None] = asyncio.Queue()
    route.follow(ways.put_nowait)
    first, second = (gateway.opened_by() for gateway in place.gateways)
    assert await ways.get() == first
    venue = BinanceVenue("binance", place.endpoint, route)
    try:
        await venue.load_markets([SYMBOL])
        place.gateways[0].stop()
        assert await asyncio.wait_for(ways.get(), 20) == second
        await venue.load_markets([SYMBOL])
        assert (await venue.fetch_quote(SYMBOL, lambda: 0)).bid > 0
    finally:
        await venue.close()
        route.forget(ways.put_nowait)


async def test_the_account_goes_on_with_credentials_that_replaced_withdrawn_ones(
    place: Place,
) -> None:
    gateway = place.gateways[0]
    credentials = [gateway.opened_by()]
    route = Route(place.endpoint, credentials, lambda: credentials)
    venue = BinanceVenue("binance", place.endpoint, route)
    try:
        await venue.load_markets([SYMBOL])
        feed = venue.open_feed(SYMBOL, lambda: 0)
        watching = asyncio.ensure_future(feed.watch_trades())
        await feed.heard(watching)
        credentials = [gateway.opened_by(f"binance.Private.{ISSUED + 1}.alice.alice")]
        async with asyncio.timeout(20):
            while route.gateway != credentials[0]:  # noqa: ASYNC110 - it looks for itself
                await asyncio.sleep(0.02)
        gateway.withdraw({"alice.alice": ISSUED})
        with pytest.raises(VenueError):
            await asyncio.wait_for(watching, 20)
        await feed.close()
        await venue.load_markets([SYMBOL])
        feed = venue.open_feed(SYMBOL, lambda: 0)
        again = asyncio.ensure_future(feed.watch_trades())
        await feed.heard(again)
        place.exchange.trade(SYMBOL, "60010", "0.5", buyer_is_maker=False)
        assert await asyncio.wait_for(again, 20)
        await feed.close()
    finally:
        await venue.close()


async def test_what_another_account_withdrew_or_nobody_can_read_changes_nothing(place: Place) -> None:
    gateway = place.gateways[0]
    request = build_request(place.host, gateway.opened_by())
    gateway.withdraw({"alice.alicia": ISSUED, "bob.alice": ISSUED})
    other = gateway.opened_by(f"binance.Private.{ISSUED}.bob.alice")
    async with asyncio.timeout(30):
        while " 200 " in await ask(gateway, build_request(place.host, other)):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert " 200 " in await ask(gateway, request)
    (gateway.place / "withdrawn.json").write_text("{")
    assert " 200 " in await ask(gateway, request)
    assert " 200 " not in await ask(gateway, build_request(place.host, other))


async def test_another_proxy_that_the_account_names_is_not_asked(place: Place) -> None:
    onward = "X-Upstream-Https-Proxy: http://evil.example:8080\r\n"
    gateway = place.gateways[0]
    assert " 200 " in await ask(gateway, build_request(place.host, gateway.opened_by(), onward))
