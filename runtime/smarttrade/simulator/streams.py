"""Market streams: connections, and what clients ask of them."""

from typing import Any

import msgspec
from aiohttp import web

from smarttrade.simulator.connections import Connection, accept, frame, texts
from smarttrade.simulator.faults import SOCKET_FAULTS
from smarttrade.simulator.subscriptions import Subscriptions, is_global_stream, is_stream_kind
from smarttrade.simulator.venue import Venue

_MOST_STREAMS = 1024
_encoder = msgspec.json.Encoder()


class MarketStreams:
    """All market stream connections of the exchange."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.subscriptions = Subscriptions()
        self.connections: set[Connection] = set()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """/ws, /ws/<stream>, /stream?streams=a/b. A last part without '@' only tells clients apart."""
        combined = request.path.startswith("/stream") and not request.path.startswith("/stream/ws")
        connection = await accept(request, combined)
        connection.suffer(self.venue.faults.take(SOCKET_FAULTS, "*", "ws"))
        self.connections.add(connection)
        try:
            for name in _named_in(request):
                if self.is_stream(name):
                    self.subscriptions.add(connection, name)
            async for text in texts(connection):
                connection.write(frame(_encoder.encode(self._control(connection, text))))
        finally:
            self._forget(connection)
        return connection.socket

    def has(self, name: str) -> bool:
        """Whether anybody listens to a stream."""
        return self.subscriptions.has(name)

    def is_stream(self, name: str) -> bool:
        """Whether `name` is one that this exchange has."""
        if is_global_stream(name):
            return True
        market, _, kind = name.partition("@")
        return market == market.lower() and market.upper() in self.venue.data and is_stream_kind(kind)

    def _forget(self, connection: Connection) -> None:
        for name in list(connection.streams):
            self.subscriptions.remove(connection, name)
        self.connections.discard(connection)

    # --- control messages ---------------------------------------------------------------------------

    def _control(self, connection: Connection, text: str) -> dict[str, Any]:
        try:
            return self._answer(connection, msgspec.json.decode(text))
        except (msgspec.DecodeError, AttributeError, TypeError):
            return {"error": {"code": 3, "msg": "Invalid JSON: expected value at line 1 column 1"}}

    def _answer(self, connection: Connection, message: dict[str, Any]) -> dict[str, Any]:
        request_id, method, parameters = message.get("id"), message.get("method"), message.get("params") or []
        match method:
            case "LIST_SUBSCRIPTIONS":
                result: Any = sorted(connection.streams)
            case "SUBSCRIBE" | "UNSUBSCRIBE":
                refusal = self._change(connection, str(method), parameters)
                if refusal:
                    return {"error": {"code": 2, "msg": refusal}, "id": request_id}
                result = None
            case "SET_PROPERTY" if parameters[:1] == ["combined"] and len(parameters) == 2:
                self.subscriptions.combine(connection, bool(parameters[1]))
                result = None
            case "GET_PROPERTY" if parameters[:1] == ["combined"]:
                result = connection.combined
            case "SET_PROPERTY" | "GET_PROPERTY":
                text = "Invalid request: property name must be 'combined'"
                return {"error": {"code": 0, "msg": text}, "id": request_id}
            case _:
                text = f"Invalid request: unknown variant `{method}`"
                return {"error": {"code": 2, "msg": text}, "id": request_id}
        return {"result": result, "id": request_id}

    def _change(self, connection: Connection, method: str, names: list[str]) -> str:
        """Why nothing was changed; empty where it was."""
        if not all(self.is_stream(name) for name in names):
            return "Invalid request: invalid stream"
        if method == "SUBSCRIBE" and len(connection.streams | set(names)) > _MOST_STREAMS:
            return f"Invalid request: too many streams, {_MOST_STREAMS} at most"
        act = self.subscriptions.add if method == "SUBSCRIBE" else self.subscriptions.remove
        for name in names:
            act(connection, name)
        return ""


def _named_in(request: web.Request) -> list[str]:
    streams = request.query.get("streams", "")
    path = request.path.removeprefix("/ws/").removeprefix("/stream/")
    return [name for name in (*streams.split("/"), *path.split("/")) if "@" in name]
