"""What ccxt really sends for each row of the capability table: deadline, client id, time in force.

The request is caught where ccxt would hand it to the network, signed and complete.
"""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from smarttrade.api.catalogue import Endpoint
from smarttrade.exchange.capabilities import CAPABILITIES, Capability, Deadline
from smarttrade.exchange.errors import OrderWithheldError, VenueUncertainError
from smarttrade.exchange.reports import OrderKind
from smarttrade.exchange.venue import Credentials, NewOrder, Venue
from smarttrade.messages import Side

T, W = 1_795_000_000_123, 800
CID = "sTabcdefghijkl2345"
ROWS = sorted(CAPABILITIES)


class Caught:
    """One request as it would leave."""

    def __init__(self, url: str, method: str, headers: Any, body: Any) -> None:
        self.url, self.method = url, method
        self.headers = {str(name).lower(): str(value) for name, value in (headers or {}).items()}
        self.text = f"{url} {body or ''}"


def build_market() -> dict[str, Any]:
    limits = {"min": 0.00001, "max": 1000}
    return {
        "id": "BTCUSDT",
        "lowercaseId": "btcusdt",
        "symbol": "BTC/USDT",
        "base": "BTC",
        "quote": "USDT",
        "baseId": "BTC",
        "quoteId": "USDT",
        "settle": None,
        "type": "spot",
        "spot": True,
        "margin": False,
        "swap": False,
        "future": False,
        "option": False,
        "contract": False,
        "active": True,
        "precision": {"price": "0.01", "amount": "0.00001"},
        "limits": {"amount": limits, "price": limits, "cost": {"min": 5, "max": None}},
        "info": {"orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"]},
    }


async def catch(row: Capability, kind: OrderKind, *, leave: bool = True) -> Caught:
    venue = Venue(row, Endpoint(), Credentials("key", "c2VjcmV0LXNlY3JldA==", "password"), ["BTC/USDT"])
    exchange, caught = venue._orders, []
    exchange.set_markets([build_market()])

    async def fetch(url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        caught.append(Caught(url, method, exchange.prepare_request_headers(headers), body))
        raise TimeoutError("caught")

    exchange.fetch = fetch
    order = NewOrder(
        client_order_id=CID,
        market="BTC/USDT",
        side=Side.BUY,
        kind=kind,
        price=Decimal("60000.01"),
        quantity=Decimal("0.00123"),
        deadline_ms=T,
        window_ms=W,
    )
    try:
        with pytest.raises(VenueUncertainError):
            await venue.place(order, lambda: leave)
    finally:
        await venue.close()
    assert [request.method for request in caught] == ["POST"], [request.url for request in caught]
    return caught[0]


@pytest.mark.parametrize("name", ROWS)
async def test_the_order_carries_our_client_id_price_and_quantity(name: str) -> None:
    request = await catch(CAPABILITIES[name], OrderKind.LIMIT_IOC)
    assert CID in request.text
    assert "60000.01" in request.text
    assert "0.00123" in request.text


@pytest.mark.parametrize("name", ROWS)
async def test_an_immediate_order_says_so(name: str) -> None:
    request = await catch(CAPABILITIES[name], OrderKind.LIMIT_IOC)
    assert "ioc" in request.text.lower() or "immediate" in request.text.lower()


@pytest.mark.parametrize("name", ROWS)
async def test_a_passive_order_is_post_only(name: str) -> None:
    request = await catch(CAPABILITIES[name], OrderKind.POST_ONLY)
    text = request.text.lower().replace("_", "").replace("-", "")
    assert any(word in text for word in ("postonly", "limitmaker", "post", "poc"))


@pytest.mark.parametrize("name", [n for n in ROWS if CAPABILITIES[n].deadline is not Deadline.NONE])
async def test_the_pinned_deadline_is_in_the_signed_request(name: str) -> None:
    row = CAPABILITIES[name]
    request = await catch(row, OrderKind.LIMIT_IOC)
    if row.deadline is Deadline.TIMESTAMP_WINDOW:
        for name_, value in ((row.deadline_name, T), (row.window_name, W)):
            assert re.search(rf'{name_}"?[=:]"?{value}\b', request.text), request.text
    elif row.deadline is Deadline.PARAMETER:
        assert "2026-11-18" in request.text
    elif row.deadline is Deadline.HEADER:
        assert request.headers[row.deadline_name.lower()] == str(T + W)
    else:
        everything = request.text + str(request.headers)
        assert str(W) in everything
    if row.pins_signature:
        assert str(T) in request.text + str(request.headers)


async def test_an_amendment_keeps_the_client_id() -> None:
    venue = Venue(CAPABILITIES["binance"], Endpoint(), Credentials("key", "c2VjcmV0"), ["BTC/USDT"])
    caught: list[Caught] = []
    venue._polling.set_markets([build_market()])

    async def fetch(url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        caught.append(Caught(url, method, headers, body))
        raise TimeoutError("caught")

    venue._polling.fetch = fetch
    with pytest.raises(VenueUncertainError):
        await venue.amend(CID, "BTC/USDT", "77", Decimal("0.00100"))
    await venue.close()
    [request] = caught
    assert request.method == "PUT"
    assert "/api/v3/order/amend/keepPriority" in request.url
    for part in ("symbol=BTCUSDT", "orderId=77", "newQty=0.00100", f"newClientOrderId={CID}"):
        assert part in request.text


def test_krakens_deadlines_are_as_far_ahead_as_it_takes_them() -> None:
    """From 2 to 60 s: one that is nearer is refused, whatever the order."""
    late_ms = 1_500  # the order's time-out, after which nobody waits for it
    assert 2_000 + late_ms <= CAPABILITIES["kraken"].window_ms <= 60_000


@pytest.mark.parametrize("name", [n for n in ROWS if CAPABILITIES[n].deadline is not Deadline.NONE])
async def test_the_deadline_of_one_order_does_not_stay_for_the_next(name: str) -> None:
    row = CAPABILITIES[name]
    venue = Venue(row, Endpoint(), Credentials("key", "c2VjcmV0", "password"), ["BTC/USDT"])
    try:
        exchange = venue._orders
        exchange.set_markets([build_market()])
        before = dict(exchange.headers or {}), exchange.options.get(row.window_name)

        async def fetch(*_: Any, **__: Any) -> Any:
            raise TimeoutError("caught")

        exchange.fetch = fetch
        order = NewOrder(
            client_order_id=CID,
            market="BTC/USDT",
            side=Side.SELL,
            kind=OrderKind.LIMIT_IOC,
            price=Decimal(60000),
            quantity=Decimal("0.1"),
            deadline_ms=T,
            window_ms=W,
        )
        with pytest.raises(VenueUncertainError):
            await venue.place(order, lambda: True)
        assert (dict(exchange.headers or {}), exchange.options.get(row.window_name)) == before
        assert abs(int(exchange.nonce()) - T) > W
    finally:
        await venue.close()


async def test_an_order_that_may_not_leave_makes_no_request() -> None:
    venue = Venue(CAPABILITIES["binance"], Endpoint(), Credentials("key", "secret"), ["BTC/USDT"])
    order = NewOrder(
        client_order_id=CID,
        market="BTC/USDT",
        side=Side.BUY,
        kind=OrderKind.LIMIT_IOC,
        price=Decimal(1),
        quantity=Decimal(1),
        deadline_ms=T,
        window_ms=W,
    )
    try:
        with pytest.raises(OrderWithheldError):
            await venue.place(order, lambda: False)
    finally:
        await venue.close()


def test_credentials_are_never_shown() -> None:
    assert "topsecret" not in repr(Credentials("key", "topsecret"))
    assert "topsecret" not in repr(replace(Credentials("key", "topsecret"), api_key="other"))


@pytest.mark.parametrize("name", ROWS)
def test_our_ids_fit_every_exchange(name: str) -> None:
    assert CAPABILITIES[name].identifier_length >= len(CID)
