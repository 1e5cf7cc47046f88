"""Who listens to which market stream, and the one encoding that all of them share.

What a beat publishes is looked up by market, so that three thousand quiet markets cost nothing.
"""

import re
from collections.abc import Callable
from typing import Any

import msgspec

from smarttrade.simulator.candles import INTERVALS
from smarttrade.simulator.connections import Connection, frame
from smarttrade.simulator.time_unit import fine_event

_PARTIAL_DEPTH = re.compile(r"^depth(5|10|20)(@100ms|@1000ms)?$")
_ALL_MARKETS = re.compile(r"^!(ticker|miniTicker|ticker_(1h|4h|1d))@arr(@[0-9]{3,4}ms)?$")
_PLAIN = frozenset(
    (
        "trade",
        "aggTrade",
        "bookTicker",
        "depth",
        "depth@100ms",
        "depth@1000ms",
        "ticker",
        "miniTicker",
        "ticker_1h",
        "ticker_4h",
        "ticker_1d",
        "avgPrice",
    )
)
Listeners = dict[str, set[Connection]]
_NOBODY: frozenset[str] = frozenset()
_encoder = msgspec.json.Encoder()


def is_stream_kind(kind: str) -> bool:
    """Whether a market has such a stream."""
    if kind.startswith("kline_"):
        return kind[len("kline_") :] in INTERVALS
    return kind in _PLAIN or bool(_PARTIAL_DEPTH.match(kind))


def is_global_stream(name: str) -> bool:
    return bool(_ALL_MARKETS.match(name))


class Subscriptions:
    """Connections by stream name, those that want the combined form or finer times apart."""

    def __init__(self) -> None:
        self.frames_encoded = 0
        self.frames_sent = 0
        self._plain: Listeners = {}
        self._combined: Listeners = {}
        self._fine_plain: Listeners = {}
        self._fine_combined: Listeners = {}
        self._kinds: dict[str, set[str]] = {}

    def add(self, connection: Connection, name: str) -> None:
        connection.streams.add(name)
        self._side(connection).setdefault(name, set()).add(connection)
        market, _, kind = name.partition("@")
        self._kinds.setdefault(market, set()).add(kind)

    def remove(self, connection: Connection, name: str) -> None:
        connection.streams.discard(name)
        side = self._side(connection)
        rest = side.get(name, set())
        rest.discard(connection)
        if not rest:
            side.pop(name, None)
        if not self.has(name):
            self._forget(name)

    def combine(self, connection: Connection, combined: bool) -> None:
        """Change the form in which a connection gets its streams."""
        names = list(connection.streams)
        for name in names:
            self.remove(connection, name)
        connection.combined = combined
        for name in names:
            self.add(connection, name)

    def has(self, name: str) -> bool:
        return any(
            name in side for side in (self._plain, self._combined, self._fine_plain, self._fine_combined)
        )

    def markets(self) -> list[str]:
        """Lower-case names of the markets that anybody listens to."""
        return list(self._kinds)

    def kinds(self, market: str) -> set[str] | frozenset[str]:
        """Which streams of a market anybody listens to."""
        return self._kinds.get(market, _NOBODY)

    def publish(self, name: str, build: Callable[[], Any]) -> None:
        """Send what `build` makes to all subscribers; built and encoded at most once in each form."""
        plain, combined = self._plain.get(name), self._combined.get(name)
        fine, fine_combined = self._fine_plain.get(name), self._fine_combined.get(name)
        if not (plain or combined or fine or fine_combined):
            return
        event = build()
        if plain or combined:
            self._send(name, _encoder.encode(event), plain, combined)
        if fine or fine_combined:
            self._send(name, _encoder.encode(fine_event(event)), fine, fine_combined)

    def _send(
        self, name: str, payload: bytes, plain: set[Connection] | None, combined: set[Connection] | None
    ) -> None:
        if plain:
            self._fan_out(plain, frame(payload))
        if combined:
            wrapped = b'{"stream":"%b","data":%b}' % (name.encode(), payload)
            self._fan_out(combined, frame(wrapped))

    def _fan_out(self, connections: set[Connection], ready: bytes) -> None:
        self.frames_encoded += 1
        self.frames_sent += len(connections)
        for connection in connections:
            connection.write(ready)

    def _side(self, connection: Connection) -> Listeners:
        if connection.is_fine:
            return self._fine_combined if connection.combined else self._fine_plain
        return self._combined if connection.combined else self._plain

    def _forget(self, name: str) -> None:
        market, _, kind = name.partition("@")
        kinds = self._kinds.get(market, set())
        kinds.discard(kind)
        if not kinds:
            self._kinds.pop(market, None)
