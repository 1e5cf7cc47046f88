"""An exchange that speaks as much of HollaEx's public protocol as is watched, on a loopback port.

What makes it worth it: it gives trades no ids, has no stream of candles, no question for its time, and begins
a stream with the trades that there were. Its own clock is `ahead_s` before everybody else's. Payloads:
"HollaEx API", sections Constants, Orderbook, Trades, Chart and Websocket.
"""

import asyncio
import contextlib
import time
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any, Self

from aiohttp import WSMsgType, web

MARKET, IDENTIFIER = "BTC/USDT", "btc-usdt"
PAGE = 50


class HollaEx:
    """`trades` are all that were made, oldest first; what a page holds of them is the newest `PAGE`."""

    def __init__(self, ahead_s: float = 0.0) -> None:
        self.ahead_s = ahead_s
        self.trades: list[dict[str, Any]] = []
        self.candles: dict[int, tuple[str, str, str, str, str]] = {}
        self.connections: set[web.WebSocketResponse] = set()
        self.accepting = asyncio.Event()
        self.accepting.set()
        self.dates = True
        self.asked_for_trades = 0
        self.answers_pings = True
        self._bid = 60_000

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.on_response_prepare.append(self._date)
        application.add_routes(
            [
                web.get("/v2/constants", self._constants),
                web.get("/v2/orderbook", self._orderbook),
                web.get("/v2/trades", self._trades),
                web.get("/v2/chart", self._chart),
                web.get("/stream", self._stream),
            ]
        )
        self._runner = web.AppRunner(application)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.drop()
        await self._runner.cleanup()

    @property
    def urls(self) -> dict[str, Any]:
        return {"rest": f"http://127.0.0.1:{self.port}", "ws": f"ws://127.0.0.1:{self.port}/stream"}

    def now_s(self) -> float:
        return time.time() + self.ahead_s

    def now_ms(self) -> int:
        return int(self.now_s() * 1000)

    # --- what happens -----------------------------------------------------------------------------------

    async def trade(self, price: str, size: str = "0.5", *, silently: bool = False) -> None:
        made = {"size": float(size), "price": float(price), "side": "buy", "timestamp": _iso(self.now_ms())}
        self.trades.append(made)
        if not silently:
            await self._tell("trade", [made])

    async def drop(self) -> int:
        """Break every connection, as a lost network does."""
        dropped = list(self.connections)
        for connection in dropped:
            with contextlib.suppress(ConnectionError):
                await connection.close()
        return len(dropped)

    async def _tell(self, topic: str, data: Any, *to: web.WebSocketResponse) -> None:
        message = {"topic": topic, "action": "partial", "symbol": IDENTIFIER, "data": data}
        for connection in to or list(self.connections):
            with contextlib.suppress(ConnectionError):
                await connection.send_json(message)

    # --- answers ----------------------------------------------------------------------------------------

    async def _date(self, _: web.Request, response: web.StreamResponse) -> None:
        response.headers["Date"] = formatdate(self.now_s(), usegmt=True) if self.dates else ""

    async def _constants(self, _: web.Request) -> web.Response:
        pair = {
            "name": IDENTIFIER,
            "pair_base": "btc",
            "pair_2": "usdt",
            "active": True,
            "increment_size": 0.0001,
            "increment_price": 0.01,
            "min_size": 0.0001,
            "max_size": 1000,
            "min_price": 1,
            "max_price": 1_000_000,
            "created_at": "2020-01-01T00:00:00.000Z",
        }
        return web.json_response({"pairs": {IDENTIFIER: pair}})

    def _book(self) -> dict[str, Any]:
        bids = [[self._bid - 1, 1.5], [self._bid - 2, 2]]
        asks = [[self._bid + 1, 1.5], [self._bid + 2, 2]]
        return {"bids": bids, "asks": asks, "timestamp": _iso(self.now_ms())}

    async def _orderbook(self, _: web.Request) -> web.Response:
        return web.json_response({IDENTIFIER: self._book()})

    async def _trades(self, _: web.Request) -> web.Response:
        self.asked_for_trades += 1
        return web.json_response({IDENTIFIER: self.trades[-PAGE:][::-1]})

    async def _chart(self, request: web.Request) -> web.Response:
        begin, end = int(request.query["from"]) * 1000, int(request.query["to"]) * 1000
        rows = [
            {
                "time": _iso(open_ms),
                "symbol": IDENTIFIER,
                **dict(zip(("open", "high", "low", "close", "volume"), map(float, shape), strict=True)),
            }
            for open_ms, shape in sorted(self.candles.items())
            if begin <= open_ms <= end
        ]
        return web.json_response(rows)

    async def _stream(self, request: web.Request) -> web.WebSocketResponse:
        await self.accepting.wait()
        connection = web.WebSocketResponse()
        await connection.prepare(request)
        async for message in connection:
            if message.type is not WSMsgType.TEXT:
                break
            asked = message.json()
            if asked["op"] == "ping":
                if self.answers_pings:
                    await connection.send_json({"message": "pong"})
            elif asked["args"] == [f"trade:{IDENTIFIER}"]:
                self.connections.add(connection)
                await self._tell("trade", self.trades[-PAGE:], connection)
            else:
                await self._tell("orderbook", self._book(), connection)
        self.connections.discard(connection)
        return connection


def _iso(time_ms: int) -> str:
    return (
        datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    )
