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
from tests.component.exchange.gateways import USER, RunningGateway, ask, behind_tls, start_gateway

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


def _connect(host: str, gateway: Gateway | None, more: str = "") -> str:
    opened = f"Proxy-Authorization: {gateway.authorization}\r\n" if gateway else ""
    return f"CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n{opened}{more}\r\n"


async def test_what_is_not_an_accounts_own_way_to_its_exchange_is_refused(place: Place) -> None:
    gateway, host = place.gateways[0], place.host
    own = gateway.opened_by()
    other = gateway.opened_by("binance.Other.alice.alice")
    refusals = {
        "without credentials": (_connect(host, None), "407"),
        "with a guessed password": (_connect(host, gateway.opened_by(password="guess")), "407"),
        "as another account": (_connect(host, gateway.opened_by(USER + "x", own.password)), "407"),
        "of another environment": (_connect(host, other), "not a catalogued host"),
        "to a host outside the catalogue": (_connect("evil.example:443", own), "not a catalogued host"),
        "to another port": (_connect("localhost:22", own), "not a catalogued host"),
        "to the address instead of the name": (
            _connect(host.replace("localhost", "127.0.0.1"), own),
            "not a catalogued host",
        ),
        "to the cloud's metadata": (_connect("169.254.169.254:80", own), "not a catalogued host"),
        "in plain text": (
            f"GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
            f"Proxy-Authorization: {own.authorization}\r\n\r\n",
            "405",
        ),
    }
    for name, (request, words) in refusals.items():
        answer = await ask(gateway, request)
        assert words in answer, (name, answer)
        assert not answer.startswith("HTTP/1.1 2"), name
    onward = "X-Upstream-Https-Proxy: http://evil.example:8080\r\n"
    assert "200" in (await ask(gateway, _connect(host, own, onward))).splitlines()[0]


async def test_a_catalogued_name_that_leads_to_a_private_address_is_refused(
    place: Place, tmp_path: Path
) -> None:
    gateway = await start_gateway(tmp_path, {"binance.Private": [place.host]}, private="")
    try:
        answer = await ask(gateway, _connect(place.host, gateway.opened_by()))
        assert "407" in answer.splitlines()[0]
    finally:
        gateway.stop()
