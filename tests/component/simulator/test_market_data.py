"""Market data through unmodified ccxt and ccxt.pro, and the streams' own protocol."""

import asyncio
from itertools import pairwise

import aiohttp
import pytest

from tests.component.simulator.conftest import SYMBOL, streaming, until
from tests.component.simulator.signing import Rest, call, signed_parameters


async def test_trades_quotes_and_books_arrive(exchange, connect):
    client = connect()
    trades = asyncio.create_task(client.watch_trades(SYMBOL))
    quotes = asyncio.create_task(client.watch_bids_asks([SYMBOL]))
    await streaming(exchange, "btcusdt@trade", "btcusdt@bookTicker")
    exchange.set_price(SYMBOL, "60010")
    async with asyncio.timeout(10):
        assert (await trades)[-1]["price"] == 60010
        quote = (await quotes)[SYMBOL]
        assert (quote["bid"], quote["ask"]) == (60009.99, 60010.01)


async def test_order_book_is_kept_in_sequence(exchange, connect):
    client = connect()
    watching = asyncio.create_task(client.watch_order_book(SYMBOL, 10))
    await streaming(exchange, "btcusdt@depth@100ms")
    async with asyncio.timeout(20):
        for step in range(200):
            exchange.set_price(SYMBOL, str(60000 + step))
            await asyncio.sleep(0.02)
            if watching.done() and step > 50:
                break
        await watching
        exchange.set_price(SYMBOL, "61000")
        while (book := await client.watch_order_book(SYMBOL, 10))["bids"][0][0] != 60999.99:
            pass
    assert book["asks"][0] == [61000.01, 1000]


async def test_candles_stream_and_close(exchange, connect):
    client = connect()
    closes: dict[int, float] = {}

    async def watch() -> None:
        while len(closes) < 3:
            for candle in await client.watch_ohlcv(SYMBOL, "1s"):
                closes[candle[0]] = candle[4]

    task = asyncio.create_task(watch())
    await streaming(exchange, "btcusdt@kline_1s")
    exchange.set_price(SYMBOL, "60500")
    async with asyncio.timeout(15):
        await task
    opens = sorted(closes)
    assert [later - earlier for earlier, later in pairwise(opens)] == [1000, 1000]
    assert (opens[0] % 1000, closes[opens[-1]]) == (0, 60500)


async def test_candles_by_rest_are_flat_without_trades_and_exact_with_them(exchange, connect):
    client = connect()
    exchange.trade(SYMBOL, "60100", "0.5", buyer_is_maker=False)
    exchange.trade(SYMBOL, "59900", "0.25")
    minute = (await client.fetch_ohlcv(SYMBOL, "1m"))[-1]
    assert minute[2:5] == [60100, 59900, 59900]
    seconds = await client.fetch_ohlcv(SYMBOL, "1s")
    await until(lambda: exchange.clock.now_ms() // 1000 > seconds[-1][0] // 1000)
    later = await client.fetch_ohlcv(SYMBOL, "1s")
    assert later[-1][1:6] == [59900, 59900, 59900, 59900, 0]


async def test_public_questions(exchange, connect):
    client = connect()
    exchange.trade(SYMBOL, "60000", "0.5")
    assert abs(await client.fetch_time() - exchange.clock.now_ms()) < 10_000
    ticker = await client.fetch_ticker(SYMBOL)
    assert (ticker["last"], ticker["bid"]) == (60000, 59999.99)
    assert set(await client.fetch_tickers()) == {SYMBOL, "ETH/USDT"}
    assert (await client.fetch_trades(SYMBOL))[-1]["amount"] == 0.5
    book = await client.fetch_order_book(SYMBOL, 5)
    assert len(book["bids"]) == len(book["asks"]) == 5
    assert (await client.fetch_bids_asks())[SYMBOL]["bid"] == 59999.99


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("klines?symbol=BTCUSDT&interval=7m", -1120),
        ("klines?symbol=NOPE&interval=1m", -1121),
        ("klines?interval=1m", -1102),
        ("depth?symbol=BTCUSDT&limit=x", -1100),
        ("exchangeInfo?symbol=NOPE", -1121),
        ("account", -2014),
    ],
)
async def test_bad_questions_have_the_exchanges_codes(exchange, query, code):
    url = f"{exchange.rest_url}/api/v3/{query}"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert (await answer.json())["code"] == code
        assert answer.status == (401 if code == -2014 else 400)


async def test_subscription_protocol(exchange):
    url = f"{exchange.ws_url}/ws/btcusdt@trade"
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as raw:
        await raw.send_json({"method": "SUBSCRIBE", "params": ["ethusdt@miniTicker"], "id": 1})
        assert await raw.receive_json() == {"result": None, "id": 1}
        await raw.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 2})
        assert (await raw.receive_json())["result"] == ["btcusdt@trade", "ethusdt@miniTicker"]
        await raw.send_json({"method": "UNSUBSCRIBE", "params": ["ethusdt@miniTicker"], "id": 3})
        assert await raw.receive_json() == {"result": None, "id": 3}
        await raw.send_json({"method": "SUBSCRIBE", "params": ["nope@trade"], "id": 4})
        assert (await raw.receive_json())["error"]["code"] == 2
        exchange.trade(SYMBOL, "60000", "0.5")
        assert (await raw.receive_json())["q"] == "0.50000000"


async def test_combined_streams_name_their_stream_and_partial_depth_has_its_levels(exchange):
    url = f"{exchange.ws_url}/stream?streams=btcusdt@depth5@100ms/btcusdt@aggTrade"
    async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
        await streaming(exchange, "btcusdt@depth5@100ms")
        exchange.set_price(SYMBOL, "60100")
        seen = {}
        async with asyncio.timeout(10):
            while len(seen) < 2:
                message = await socket.receive_json()
                seen[message["stream"]] = message["data"]
        assert len(seen["btcusdt@depth5@100ms"]["bids"]) == 5
        assert seen["btcusdt@aggTrade"]["p"] == "60100.00000000"


async def test_rules_that_no_market_has_are_absent_as_documented(exchange):
    alice = Rest(exchange, "alice")
    asked = {"symbol": "BTCUSDT"}
    _, rules = await alice.ask("GET", "/api/v3/executionRules", **asked)
    assert rules == {"symbolRules": [{"symbol": "BTCUSDT", "rules": []}]}
    for path in ("/api/v3/referencePrice", "/api/v3/referencePrice/calculation"):
        status, refused = await alice.ask("GET", path, **asked)
        assert (status, refused["code"]) == (400, -2043)
    assert (await alice.ask("GET", "/api/v3/historicalBlockTrades", **asked))[1] == []
    _, mine = await alice.ask("GET", "/api/v3/myFilters", **asked)
    assert (mine["exchangeFilters"], mine["assetFilters"]) == ([], [])
    assert {"filterType": "MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends": 10} in mine["symbolFilters"]


async def test_times_come_in_microseconds_to_who_asks_for_them(exchange):
    fine, plain = {"X-MBX-TIME-UNIT": "microsecond"}, {"X-MBX-TIME-UNIT": "MILLISECOND"}
    async with aiohttp.ClientSession() as session:

        async def ask(path: str, headers: dict[str, str] = fine):
            async with session.get(f"{exchange.rest_url}/api/v3/{path}", headers=headers) as response:
                return await response.json()

        told = [(await ask("time", headers))["serverTime"] for headers in (fine, plain, {})]
        assert [len(str(each)) for each in told] == [16, 13, 13]
        [[opened, *_, closed, _, _, _, _, _]] = await ask("klines?symbol=BTCUSDT&interval=1m&limit=1")
        assert closed - opened == 59_999_999
        [trade] = await ask(f"aggTrades?symbol=BTCUSDT&limit=1&endTime={told[0]}")
        assert len(str(trade["T"])) == 16
        assert (await ask("time", {"X-MBX-TIME-UNIT": "NANOSECOND"}))["code"] == -1194

        stream = f"{exchange.ws_url}/stream?streams=btcusdt@trade/btcusdt@kline_1m&timeUnit=MICROSECOND"
        plain_stream = f"{exchange.ws_url}/ws/btcusdt@trade"
        async with session.ws_connect(stream) as fine_socket, session.ws_connect(plain_stream) as socket:
            await until(lambda: len(exchange.streams.connections) == 2)
            exchange.set_price(SYMBOL, "60010")
            events = {}
            async with asyncio.timeout(10):
                while len(events) < 2:
                    message = await fine_socket.receive_json()
                    events[message["data"]["e"]] = message["data"]
                same = await socket.receive_json()
        assert events["trade"] == {**same, "E": same["E"] * 1000, "T": same["T"] * 1000}
        assert events["kline"]["k"]["T"] - events["kline"]["k"]["t"] == 59_999_999
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(f"{plain_stream}?timeUnit=SECOND")
        assert refused.value.status == 400


async def test_own_orders_come_in_microseconds_over_the_websocket_api(exchange):
    events = []
    async with aiohttp.ClientSession() as session:
        url = f"{exchange.websocket_api_url}?timeUnit=MICROSECOND"
        async with session.ws_connect(url) as socket:
            await call(socket, "userDataStream.subscribe.signature", **signed_parameters("alice"))
            order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
            given = signed_parameters("alice", **order)
            await socket.send_json({"id": 1, "method": "order.place", "params": given})
            while not any("id" in event for event in events) or len(events) < 3:
                events.append(await socket.receive_json(timeout=10))
    answer = next(event["result"] for event in events if "id" in event)
    reports = [event["event"] for event in events if event.get("event", {}).get("e") == "executionReport"]
    assert {len(str(time)) for time in (answer["transactTime"], reports[0]["T"], reports[0]["O"])} == {16}
