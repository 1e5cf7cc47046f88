"""The adapter over the simulated exchange: its limits are heeded, its suspensions and new rules are seen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from smarttrade.api.catalogue import Endpoint
from smarttrade.exchange.capabilities import CAPABILITIES
from smarttrade.exchange.errors import VenueUncertainError
from smarttrade.exchange.venue import Credentials, Venue
from smarttrade.simulator.testing import Simulator, build_test_user, manual_config

SYMBOL = "BTC/USDT"


@pytest_asyncio.fixture
async def exchange() -> AsyncIterator[Simulator]:
    async with Simulator(manual_config(build_test_user("alice", USDT="1000"))) as running:
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
    assert 25 < venue._bucket.delay(urgent=True) <= 30


async def test_near_the_limit_by_the_exchanges_own_count_only_urgent_requests_leave(
    exchange: Simulator,
) -> None:
    endpoint = Endpoint(rest=exchange.rest_url, websocket=exchange.ws_url)
    row = replace(CAPABILITIES["binance"], weight_limit=60)
    venue = Venue(row, endpoint, Credentials("alice-key", "alice-secret"), [SYMBOL])
    try:
        await venue.read_filters()
        assert venue._bucket.delay() == 0
        for _ in range(3):
            await venue.read_account(0)
        assert venue._bucket.delay() > 0
        assert venue._bucket.delay(urgent=True) == 0
    finally:
        await venue.close()


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
