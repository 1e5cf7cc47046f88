"""The REST edge: aiohttp requests in, exchange answers out."""

import asyncio
import time
from urllib.parse import unquote_plus

import msgspec
from aiohttp import web

from smarttrade.simulator.call import Call
from smarttrade.simulator.dispatch import Answer, Dispatcher, Kill
from smarttrade.simulator.errors import ApiError
from smarttrade.simulator.operations import REST, Operation, Security
from smarttrade.simulator.parameters import Parameters
from smarttrade.simulator.security import Window, check_signature, find_user

_encoder = msgspec.json.Encoder()


def parse_pairs(text: str) -> dict[str, str]:
    """name=value pairs of a query or form body, the first of a name winning."""
    values: dict[str, str] = {}
    for pair in text.split("&"):
        name, _, value = pair.partition("=")
        if name:
            values.setdefault(unquote_plus(name), unquote_plus(value))
    return values


class Weights:
    """Request weight by source address and minute; above `limit` (0: none) 429, and 418 for who goes on."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._minute = 0
        self._used: dict[str, int] = {}

    def use(self, address: str, weight: int) -> int:
        """Add `weight`; returns what the address has used this minute."""
        minute = int(time.time()) // 60
        if minute != self._minute:
            self._minute, self._used = minute, {}
        self._used[address] = self._used.get(address, 0) + weight
        return self._used[address]

    def refusal(self, used: int) -> Answer | None:
        if not self.limit or used <= self.limit:
            return None
        retry_after_s = 60 - int(time.time()) % 60
        if used > self.limit * 2:
            return Answer(
                418, {"code": -1003, "msg": "Way too much request weight used; IP banned."}, retry_after_s=120
            )
        text = f"Too much request weight used; current limit is {self.limit} request weight per 1 MINUTE."
        return Answer(429, {"code": -1003, "msg": text}, retry_after_s=retry_after_s)


class RestEdge:
    """Serves every (method, path) of `operations.REST`."""

    def __init__(self, dispatcher: Dispatcher, weights: Weights) -> None:
        self.dispatcher = dispatcher
        self.venue = dispatcher.venue
        self.weights = weights

    async def serve(self, request: web.Request) -> web.StreamResponse:
        operation = REST.get((request.method, request.path))
        if operation is None:
            known = any(path == request.path for _, path in REST)
            return web.Response(status=405 if known else 404, text="")
        used = self.weights.use(request.remote or "", operation.weight)
        answer = self.weights.refusal(used)
        if answer is None:
            try:
                answer = await self._answer(request, operation)
            except Kill:
                return await _end(request)
        response = build_response(answer, used)
        return await _send_half(request, response) if answer.truncated else response

    async def _answer(self, request: web.Request, operation: Operation) -> Answer:
        query = request.raw_path.partition("?")[2] if "?" in request.raw_path else request.query_string
        body = (await request.read()).decode("utf-8", "replace")
        call = Call(
            self.venue, Parameters(parse_pairs(body) | parse_pairs(query)), f"{request.method} {request.path}"
        )
        try:
            self._authorise(request, operation, call, query, body)
        except ApiError as error:
            return Answer(error.status, error.body())
        return await self.dispatcher.run(operation, call)

    def _authorise(
        self, request: web.Request, operation: Operation, call: Call, query: str, body: str
    ) -> None:
        if operation.security is Security.NONE:
            return
        call.user = find_user(self.venue, request.headers.get("X-MBX-APIKEY"))
        if operation.security is Security.SIGNED:
            check_signature(call.user, query, body)
            call.window = Window(call.parameters)
            call.check_deadline()


def build_response(answer: Answer, used: int) -> web.Response:
    headers = {"X-MBX-USED-WEIGHT": str(used), "X-MBX-USED-WEIGHT-1M": str(used)}
    if answer.retry_after_s is not None:
        headers["Retry-After"] = str(answer.retry_after_s)
    if isinstance(answer.content, str):
        return web.Response(status=answer.status, text=answer.content, headers=headers)
    content = _encoder.encode(answer.content)
    return web.Response(status=answer.status, body=content, content_type="application/json", headers=headers)


async def _end(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    await asyncio.sleep(0)
    return web.Response(status=500)


async def _send_half(request: web.Request, whole: web.Response) -> web.StreamResponse:
    """Announce the whole body, send half of it and close."""
    body = bytes(whole.body) if isinstance(whole.body, bytes) else b""
    half = web.StreamResponse(status=whole.status, headers={"Content-Type": "application/json"})
    half.content_length = len(body)
    await half.prepare(request)
    await half.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return half
