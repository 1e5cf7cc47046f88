"""Market streams: who listens to what, and each message encoded once for all of them."""

import re
from typing import Any

import msgspec
from aiohttp import web

from smarttrade.matching import PublicTrade
from smarttrade.simulator import render_market, render_market_events
from smarttrade.simulator.candles import INTERVALS
from smarttrade.simulator.connections import Connection, accept, frame, texts
from smarttrade.simulator.faults import SILENCE_FAULTS
from smarttrade.simulator.marketdata import MarketData
from smarttrade.simulator.venue import Venue

_PARTIAL_DEPTH = re.compile(r"^depth(5|10|20)(@100ms|@1000ms)?$")
_PLAIN = {"trade", "aggTrade", "bookTicker", "depth", "depth@100ms", "depth@1000ms", "ticker", "miniTicker"}
_encoder = msgspec.json.Encoder()


def is_stream(name: str, venue: Venue) -> bool:
    """Whether `name` is one that this exchange has."""
    if name in ("!ticker@arr", "!miniTicker@arr"):
        return True
    market, _, kind = name.partition("@")
    if market.upper() not in venue.data or market != market.lower():
        return False
    if kind.startswith("kline_"):
        return kind[len("kline_") :] in INTERVALS
    return kind in _PLAIN or bool(_PARTIAL_DEPTH.match(kind))


class MarketStreams:
    """Subscriptions by stream name."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.subscribers: dict[str, set[Connection]] = {}
        self.connections: set[Connection] = set()
        self.frames_sent = 0

    # --- clients ------------------------------------------------------------------------------------

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """/ws, /ws/<stream>, /stream?streams=a/b. A last part without '@' only tells clients apart."""
        combined = request.path.startswith("/stream") and not request.path.startswith("/stream/ws")
        connection = await accept(request, combined)
        connection.silent = bool(self.venue.faults.take(SILENCE_FAULTS, "*", "ws"))
        self.connections.add(connection)
        try:
            for name in _named_in(request):
                if is_stream(name, self.venue):
                    self.subscribe(connection, name)
            async for text in texts(connection):
                self._control(connection, text)
        finally:
            self.forget(connection)
        return connection.socket

    def subscribe(self, connection: Connection, name: str) -> None:
        connection.streams.add(name)
        self.subscribers.setdefault(name, set()).add(connection)

    def unsubscribe(self, connection: Connection, name: str) -> None:
        connection.streams.discard(name)
        rest = self.subscribers.get(name)
        if rest is not None:
            rest.discard(connection)
            if not rest:
                del self.subscribers[name]

    def forget(self, connection: Connection) -> None:
        for name in list(connection.streams):
            self.unsubscribe(connection, name)
        self.connections.discard(connection)

    def _control(self, connection: Connection, text: str) -> None:
        try:
            message = msgspec.json.decode(text)
            answer = self._answer(connection, message)
        except (msgspec.DecodeError, AttributeError, TypeError):
            answer = {"error": {"code": 3, "msg": "Invalid JSON: expected value at line 1 column 1"}}
        connection.write(frame(_encoder.encode(answer)))

    def _answer(self, connection: Connection, message: dict[str, Any]) -> dict[str, Any]:
        request_id, method, names = message.get("id"), message.get("method"), message.get("params") or []
        if method == "LIST_SUBSCRIPTIONS":
            return {"result": sorted(connection.streams), "id": request_id}
        if method not in ("SUBSCRIBE", "UNSUBSCRIBE"):
            text = f"Invalid request: unknown variant `{method}`"
            return {"error": {"code": 2, "msg": text}, "id": request_id}
        if not all(is_stream(name, self.venue) for name in names):
            return {"error": {"code": 2, "msg": "Invalid request: invalid stream"}, "id": request_id}
        for name in names:
            (self.subscribe if method == "SUBSCRIBE" else self.unsubscribe)(connection, name)
        return {"result": None, "id": request_id}

    # --- messages -----------------------------------------------------------------------------------

    def publish(self, name: str, message: Any) -> None:
        """Send to all subscribers of a stream; encoded at most once in each of the two forms."""
        connections = self.subscribers.get(name)
        if not connections:
            return
        payload = _encoder.encode(message)
        raw: bytes | None = None
        wrapped: bytes | None = None
        for connection in tuple(connections):
            if connection.combined:
                wrapped = wrapped or frame(b'{"stream":"%b","data":%b}' % (name.encode(), payload))
                connection.write(wrapped)
            else:
                raw = raw or frame(payload)
                connection.write(raw)
        self.frames_sent += len(connections)

    def has(self, name: str) -> bool:
        return name in self.subscribers

    def on_trade(self, data: MarketData, trade: PublicTrade) -> None:
        prefix = data.market.id.lower()
        now_ms = self.venue.clock.now_ms()
        if self.has(f"{prefix}@trade"):
            self.publish(f"{prefix}@trade", render_market_events.build_trade_event(trade, now_ms))
        if self.has(f"{prefix}@aggTrade"):
            self.publish(
                f"{prefix}@aggTrade", render_market_events.build_aggregate_trade_event(trade, now_ms)
            )

    def on_book(self, data: MarketData) -> None:
        name = f"{data.market.id.lower()}@bookTicker"
        if self.has(name):
            self.publish(name, render_market_events.build_book_ticker_event(data))

    def closed_candles(self, data: MarketData, now_ms: int) -> None:
        """Send the final message of every candle that has ended."""
        data.candles.advance(now_ms)
        prefix = data.market.id.lower()
        for interval, candle in data.candles.take_closed():
            name = f"{prefix}@kline_{interval}"
            if self.has(name):
                self.publish(
                    name, render_market_events.build_kline_event(data.market, interval, candle, True, now_ms)
                )

    def running_candles(self, data: MarketData, now_ms: int) -> None:
        prefix = data.market.id.lower()
        for interval in INTERVALS:
            name = f"{prefix}@kline_{interval}"
            running = data.candles.running(interval) if self.has(name) else None
            if running is not None:
                self.publish(
                    name,
                    render_market_events.build_kline_event(data.market, interval, running, False, now_ms),
                )

    def depth(self, data: MarketData, now_ms: int) -> None:
        """Differences and partial books."""
        changes = data.take_changes()
        if changes is None:
            return
        prefix = data.market.id.lower()
        for suffix in ("depth", "depth@100ms", "depth@1000ms"):
            if self.has(f"{prefix}@{suffix}"):
                event = render_market_events.build_depth_event(data.market, changes, now_ms)
                self.publish(f"{prefix}@{suffix}", event)
        for count in (5, 10, 20):
            for speed in ("", "@100ms", "@1000ms"):
                if self.has(f"{prefix}@depth{count}{speed}"):
                    self.publish(f"{prefix}@depth{count}{speed}", render_market.build_depth(data, count))

    def tickers(self, now_ms: int) -> None:
        for data in self.venue.data.values():
            prefix = data.market.id.lower()
            if self.has(f"{prefix}@ticker"):
                self.publish(f"{prefix}@ticker", render_market_events.build_ticker_event(data, now_ms))
            if self.has(f"{prefix}@miniTicker"):
                self.publish(
                    f"{prefix}@miniTicker", render_market_events.build_mini_ticker_event(data, now_ms)
                )
        every = self.venue.data.values()
        if self.has("!ticker@arr"):
            self.publish(
                "!ticker@arr", [render_market_events.build_ticker_event(data, now_ms) for data in every]
            )
        if self.has("!miniTicker@arr"):
            self.publish(
                "!miniTicker@arr",
                [render_market_events.build_mini_ticker_event(data, now_ms) for data in every],
            )


def _named_in(request: web.Request) -> list[str]:
    streams = request.query.get("streams", "")
    last = request.path.rsplit("/", 1)[-1]
    return [name for name in (*streams.split("/"), last) if "@" in name]
