"""The public side of an exchange, against the simulated one: our own of Binance's protocol, and ccxt's."""

import asyncio
from collections.abc import AsyncIterator, Callable
from decimal import Decimal

import pytest
import pytest_asyncio
from picows import WSListener, WSMsgType, WSTransport, ws_create_server

from smarttrade.api.catalogue import Endpoint
from smarttrade.errors import ConfigurationError, VenueError
from smarttrade.exchange.binance_feed import BinanceFeed
from smarttrade.exchange.binance_public import BinanceVenue
from smarttrade.exchange.candle import VenueCandle
from smarttrade.exchange.ccxt_public import CcxtVenue
from smarttrade.exchange.feed import MarketFeed
from smarttrade.exchange.public import PublicVenue, open_public
from smarttrade.monitoring.ticks import impossible_book
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


BUILDERS = {"native": BinanceVenue, "ccxt": CcxtVenue}


@pytest.fixture(params=list(BUILDERS))
def build(request: pytest.FixtureRequest) -> Callable[[Endpoint], PublicVenue]:
    """Both ways to an exchange's public side must tell the same."""
    return lambda at: BUILDERS[request.param]("binance", at)


BuildVenue = Callable[[Endpoint], PublicVenue]


async def test_only_the_own_markets_are_known(exchange: Simulator, build: BuildVenue) -> None:
    venue = build(endpoint(exchange))
    try:
        await venue.load_markets(["BTC/USDT", "XRP/USDT"])
        assert sorted(venue.symbols()) == ["BTC/USDT", "XRP/USDT"]
    finally:
        await venue.close()


async def test_a_market_that_is_not_listed_is_named(exchange: Simulator, build: BuildVenue) -> None:
    venue = build(endpoint(exchange))
    try:
        with pytest.raises(ConfigurationError, match=r"no spot market NOPE/USDT: correct spec\.markets"):
            await venue.load_markets(["BTC/USDT", "NOPE/USDT"])
    finally:
        await venue.close()


async def test_an_exchange_that_does_not_answer_is_a_venue_error(build: BuildVenue) -> None:
    venue = build(Endpoint(rest="http://127.0.0.1:9", websocket="ws://127.0.0.1:9"))
    try:
        with pytest.raises(VenueError, match="cannot load the markets of binance"):
            await venue.load_markets(["BTC/USDT"])
    finally:
        await venue.close()


async def test_trades_candles_quotes_and_time_by_rest(exchange: Simulator, build: BuildVenue) -> None:
    exchange.set_price("BTC/USDT", "60000")
    venue = build(endpoint(exchange))
    try:
        await venue.load_markets(["BTC/USDT"])
        [trade] = await venue.fetch_trades("BTC/USDT")
        assert (trade.market, trade.price) == ("BTC/USDT", Decimal(60_000))
        quote = await venue.fetch_quote("BTC/USDT", exchange.clock.now_ms)
        assert quote.bid < 60_000 < quote.ask
        assert quote.update_id > 0
        candles = await venue.fetch_candles("BTC/USDT", "1m", trade.time_ms // 60_000 * 60_000, 10)
        assert [(candle.close, candle.volume) for candle in candles] == [(60_000, trade.quantity)]
        assert abs((await venue.fetch_time()).ms - exchange.clock.now_ms()) < 5_000
        assert {"1s", "1m", "1d"} < set(venue.timeframes())
        assert venue.consecutive_trade_ids == isinstance(venue, BinanceVenue)
    finally:
        await venue.close()


async def test_trades_are_read_on_from_one_of_them(exchange: Simulator, build: BuildVenue) -> None:
    for price in range(60_000, 60_010):
        exchange.set_price("BTC/USDT", str(price))
    venue = build(endpoint(exchange))
    try:
        await venue.load_markets(["BTC/USDT"])
        every = await venue.fetch_trades("BTC/USDT")
        later = await venue.fetch_trades("BTC/USDT", every[-4])
        assert every[-3:] == later[-3:]
        assert venue.consecutive_trade_ids <= (len(later) == 3)
    finally:
        await venue.close()


OpenFeed = Callable[[], MarketFeed]


@pytest_asyncio.fixture(params=list(BUILDERS))
async def open_feed(request: pytest.FixtureRequest, exchange: Simulator) -> AsyncIterator[OpenFeed]:
    """Both ways to a market's streams must tell the same."""
    venue: PublicVenue = BUILDERS[request.param]("binance", endpoint(exchange))
    await venue.load_markets(["BTC/USDT"])
    yield lambda: venue.open_feed("BTC/USDT", exchange.clock.now_ms)
    await venue.close()


async def test_streams_share_one_connection_and_hear_its_pongs(
    exchange: Simulator, open_feed: OpenFeed
) -> None:
    exchange.set_price("BTC/USDT", "60000")
    feed = open_feed()
    watching = asyncio.create_task(feed.watch_trades())
    watching_quotes = asyncio.create_task(feed.watch_quotes())
    try:
        await asyncio.wait_for(feed.heard(watching), 10)
        exchange.set_price("BTC/USDT", "60001")
        trades, quotes = await asyncio.wait_for(asyncio.gather(watching, watching_quotes), 10)
        assert [(trade.price, trade.market) for trade in trades] == [(Decimal(60_001), "BTC/USDT")]
        assert quotes[-1].update_id > 0
        assert quotes[-1].bid < quotes[-1].ask
        assert len(exchange.streams.connections) == 1
        silence = feed.silence_ms()
        assert silence is not None
        assert silence < 10_000
    finally:
        await feed.close()


async def test_every_trade_of_a_burst_comes_once_and_in_order(
    exchange: Simulator, venue: PublicVenue
) -> None:
    feed = venue.open_feed("BTC/USDT", exchange.clock.now_ms)
    first = asyncio.create_task(feed.watch_trades())
    try:
        await asyncio.wait_for(feed.heard(first), 10)
        for price in range(60_000, 60_050):
            exchange.set_price("BTC/USDT", str(price))
        trades = await asyncio.wait_for(first, 10)
        while len(trades) < 50:
            trades += await asyncio.wait_for(feed.watch_trades(), 10)
        assert [trade.price for trade in trades] == list(range(60_000, 60_050))
        numbers = [int(trade.id) for trade in trades]
        assert numbers == list(range(numbers[0], numbers[0] + 50))
    finally:
        await feed.close()


async def test_the_book_is_told_to_the_levels_asked_for(exchange: Simulator, open_feed: OpenFeed) -> None:
    exchange.set_price("BTC/USDT", "60000")
    feed = open_feed()
    watching = asyncio.create_task(feed.watch_books(5))
    try:
        await asyncio.wait_for(feed.heard(watching), 10)
        while not watching.done():
            exchange.set_price("BTC/USDT", "60001")
            await asyncio.wait({watching}, timeout=0.2)
        book = watching.result()[-1]
        assert book.market == "BTC/USDT"
        assert len(book.bids) <= 5 >= len(book.asks)
        assert not impossible_book(book)
        assert 59_990 < book.bids[0][0] < book.asks[0][0] < 60_010
        assert book.update_id > 0
    finally:
        await feed.close()


async def test_a_native_candle_says_when_it_is_closed(exchange: Simulator, venue: PublicVenue) -> None:
    feed = venue.open_feed("BTC/USDT", exchange.clock.now_ms)
    assert feed.has_candles("1s")
    assert not feed.has_candles("7m")
    watching = asyncio.create_task(feed.watch_candles("1s"))
    try:
        await asyncio.wait_for(feed.heard(watching), 10)
        candles: list[VenueCandle] = []
        while not any(candle.closed for candle in candles):
            exchange.set_price("BTC/USDT", "60000")
            done, _ = await asyncio.wait({watching}, timeout=0.1)
            if done:
                candles += watching.result()
                watching = asyncio.create_task(feed.watch_candles("1s"))
        assert {candle.close for candle in candles} == {Decimal(60_000)}
    finally:
        watching.cancel()
        await feed.close()


async def test_a_refused_subscription_ends_the_feed_with_the_exchanges_words(
    exchange: Simulator, venue: PublicVenue
) -> None:
    feed = BinanceFeed(f"{exchange.ws_url}/ws", "NO/PE", "NOPE", ["1s"], exchange.clock.now_ms)
    try:
        with pytest.raises(VenueError, match="trades of NO/PE: subscription refused: 2 Invalid request"):
            await asyncio.wait_for(feed.watch_trades(), 10)
    finally:
        await feed.close()


async def test_a_message_that_is_no_json_ends_the_feed_and_is_shown() -> None:
    class Babbling(WSListener):
        def on_ws_connected(self, transport: WSTransport) -> None:
            transport.send(WSMsgType.TEXT, b'{"e":"trade","p":')

    server = await ws_create_server(lambda _: Babbling(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    feed = BinanceFeed(f"ws://127.0.0.1:{port}/ws", "BTC/USDT", "BTCUSDT", [], lambda: 0)
    try:
        with pytest.raises(VenueError, match="malformed message"):
            await asyncio.wait_for(feed.watch_trades(), 10)
    finally:
        await feed.close()
        server.close()


async def test_an_exchange_without_a_websocket_is_a_venue_error() -> None:
    feed = BinanceFeed("ws://127.0.0.1:9/ws", "BTC/USDT", "BTCUSDT", [], lambda: 0)
    with pytest.raises(VenueError, match="trades of BTC/USDT: cannot connect"):
        await feed.watch_trades()
    await feed.close()


async def test_a_broken_stream_is_a_venue_error(exchange: Simulator, open_feed: OpenFeed) -> None:
    feed = open_feed()
    watching = asyncio.create_task(feed.watch_trades())
    try:
        await asyncio.wait_for(feed.heard(watching), 10)
        exchange.drop_websockets()
        with pytest.raises(VenueError, match="trades of BTC/USDT"):
            await asyncio.wait_for(watching, 10)
    finally:
        await feed.close()
