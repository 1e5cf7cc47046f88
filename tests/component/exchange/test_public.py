"""The public side of an exchange through unmodified ccxt, against the simulated one."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
import pytest_asyncio

from smarttrade.api.catalogue import Endpoint
from smarttrade.errors import ConfigurationError, VenueError
from smarttrade.exchange.public import PublicVenue, open_public
from smarttrade.simulator.simulator import Simulator
from smarttrade.simulator.testing import manual_config

SYMBOLS = tuple(f"{name}/USDT" for name in ("BTC", "ETH", "SOL", "XRP", "BNB"))


@pytest_asyncio.fixture
async def exchange() -> AsyncIterator[Simulator]:
    async with Simulator(manual_config(symbols=SYMBOLS)) as running:
        yield running


def endpoint(exchange: Simulator) -> Endpoint:
    return Endpoint(rest=exchange.rest_url, websocket=exchange.ws_url, websocket_api=exchange.ws_url)


@pytest_asyncio.fixture
async def venue(exchange: Simulator) -> AsyncIterator[PublicVenue]:
    made = await open_public("binance", endpoint(exchange), ["BTC/USDT"])
    yield made
    await made.close()


async def test_only_the_own_markets_are_known(exchange: Simulator) -> None:
    venue = await open_public("binance", endpoint(exchange), ["BTC/USDT", "XRP/USDT"])
    try:
        assert sorted(venue.symbols()) == ["BTC/USDT", "XRP/USDT"]
    finally:
        await venue.close()


async def test_a_market_that_is_not_listed_is_named(exchange: Simulator) -> None:
    with pytest.raises(ConfigurationError, match=r"no spot market NOPE/USDT: correct spec\.markets"):
        await open_public("binance", endpoint(exchange), ["BTC/USDT", "NOPE/USDT"])


async def test_an_exchange_that_does_not_answer_is_a_venue_error() -> None:
    nowhere = Endpoint(rest="http://127.0.0.1:9", websocket="ws://127.0.0.1:9")
    with pytest.raises(VenueError, match="cannot load the markets of binance"):
        await open_public("binance", nowhere, ["BTC/USDT"])


async def test_trades_quotes_and_time_by_rest(exchange: Simulator, venue: PublicVenue) -> None:
    exchange.set_price("BTC/USDT", "60000")
    [trade] = await venue.fetch_trades("BTC/USDT")
    assert (trade.market, trade.price) == ("BTC/USDT", Decimal(60_000))
    quote = await venue.fetch_quote("BTC/USDT", exchange.clock.now_ms)
    assert quote.bid < 60_000 < quote.ask
    assert abs(await venue.fetch_time_ms() - exchange.clock.now_ms()) < 5_000


async def test_streams_share_one_connection_and_hear_its_pongs(
    exchange: Simulator, venue: PublicVenue
) -> None:
    exchange.set_price("BTC/USDT", "60000")
    feed = venue.open_feed("BTC/USDT", exchange.clock.now_ms)
    watching = [asyncio.create_task(feed.watch_trades()), asyncio.create_task(feed.watch_quote())]
    try:
        await asyncio.wait_for(feed.heard(watching[0]), 10)
        exchange.set_price("BTC/USDT", "60001")
        trades, quote = await asyncio.wait_for(asyncio.gather(*watching), 10)
        assert [trade.price for trade in trades] == [Decimal(60_001)]
        assert quote.update_id > 0
        assert len(exchange.streams.connections) == 1
        silence = feed.silence_ms()
        assert silence is not None
        assert silence < 10_000
    finally:
        await feed.close()


async def test_a_broken_stream_is_a_venue_error(exchange: Simulator, venue: PublicVenue) -> None:
    feed = venue.open_feed("BTC/USDT", exchange.clock.now_ms)
    watching = asyncio.create_task(feed.watch_trades())
    try:
        await asyncio.wait_for(feed.heard(watching), 10)
        exchange.drop_websockets()
        with pytest.raises(VenueError, match="trades of BTC/USDT"):
            await asyncio.wait_for(watching, 10)
    finally:
        await feed.close()
