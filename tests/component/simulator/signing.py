"""Signed requests and websocket API calls by hand, for what a client library hides."""

import hashlib
import hmac
import time
from typing import Any
from urllib.parse import urlencode

import aiohttp

from smarttrade.simulator.testing import Simulator


def signed(name: str, **parameters: Any) -> str:
    """A query with timestamp and HMAC signature of a test user."""
    query = urlencode({**parameters, "timestamp": time.time_ns() // 1_000_000})
    return f"{query}&signature={sign(name, query)}"


def sign(name: str, payload: str) -> str:
    return hmac.new(f"{name}-secret".encode(), payload.encode(), hashlib.sha256).hexdigest()


def signed_parameters(name: str, **parameters: Any) -> dict[str, Any]:
    """Parameters of a signed call of the websocket API."""
    given = {**parameters, "apiKey": f"{name}-key", "timestamp": time.time_ns() // 1_000_000}
    payload = "&".join(f"{key}={value}" for key, value in sorted(given.items()))
    return {**given, "signature": sign(name, payload)}


class Rest:
    """REST calls of one user; answers are (status, JSON)."""

    def __init__(self, exchange: Simulator, name: str) -> None:
        self.exchange = exchange
        self.name = name
        self.headers: dict[str, str] = {}

    async def ask(self, method: str, path: str, **parameters: Any) -> tuple[int, Any]:
        url = f"{self.exchange.rest_url}{path}?{signed(self.name, **parameters)}"
        headers = {"X-MBX-APIKEY": f"{self.name}-key"}
        async with aiohttp.ClientSession(headers=headers) as session, session.request(method, url) as answer:
            self.headers = dict(answer.headers)
            return answer.status, await answer.json()


async def call(socket: aiohttp.ClientWebSocketResponse, method: str, **parameters: Any) -> dict[str, Any]:
    """One call of the websocket API; events that come before its answer are skipped."""
    await socket.send_json({"id": method, "method": method, "params": parameters})
    while True:
        answer: dict[str, Any] = await socket.receive_json(timeout=10)
        if answer.get("id") == method:
            return answer
