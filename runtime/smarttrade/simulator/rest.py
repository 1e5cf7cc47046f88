"""The REST edge: aiohttp requests in, exchange answers out."""

import asyncio
from urllib.parse import unquote_plus

import msgspec
from aiohttp import web

from smarttrade.simulator.call import Call
from smarttrade.simulator.dispatch import Answer, Dispatcher, Kill, build_refusal
from smarttrade.simulator.errors import ApiError
from smarttrade.simulator.operations import REST, Operation, Security
from smarttrade.simulator.parameters import Parameters
from smarttrade.simulator.security import Window, check_signature, find_user
from smarttrade.simulator.time_unit import HEADER, fine_answer, wants_microseconds

_encoder = msgspec.json.Encoder()


def parse_pairs(text: str) -> dict[str, str]:
    """name=value pairs of a query or form body, the first of a name winning."""
    values: dict[str, str] = {}
    for pair in text.split("&"):
        name, _, value = pair.partition("=")
        if name:
            values.setdefault(unquote_plus(name), unquote_plus(value))
    return values


class RestEdge:
    """Serves every (method, path) of `operations.REST`."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self.dispatcher = dispatcher
        self.venue = dispatcher.venue

    async def serve(self, request: web.Request) -> web.StreamResponse:
        operation = REST.get((request.method, request.path))
        if operation is None:
            known = any(path == request.path for _, path in REST)
            return web.Response(status=405 if known else 404, text="")
        call = await self._read(request)
        weight = operation.weigh(call.parameters)
        used, refusal = self.dispatcher.weights.use(request.remote or "", weight)
        if refusal is not None:
            return build_response(build_refusal(refusal, self.venue.clock.now_ms()), used)
        try:
            answer = await self._answer(request, operation, call)
        except Kill:
            return await _end(request)
        response = build_response(answer, used)
        if operation.orders and call.user is not None and answer.status == 200:
            response.headers.update(
                self.venue.order_counts.headers(call.user.name, self.venue.clock.now_ms())
            )
        return await _send_half(request, response) if answer.truncated else response

    async def _read(self, request: web.Request) -> Call:
        values = parse_pairs((await request.read()).decode("utf-8", "replace")) | parse_pairs(_query(request))
        return Call(self.venue, Parameters(values), f"{request.method} {request.path}")

    async def _answer(self, request: web.Request, operation: Operation, call: Call) -> Answer:
        body = (await request.read()).decode("utf-8", "replace")
        try:
            is_fine = wants_microseconds(request.headers.get(HEADER))
            self._authorise(request, operation, call, _query(request), body)
        except ApiError as error:
            return Answer(error.status, error.body())
        answer = await self.dispatcher.run(operation, call)
        if is_fine:
            answer.content = fine_answer(answer.content)
        return answer

    def _authorise(
        self, request: web.Request, operation: Operation, call: Call, query: str, body: str
    ) -> None:
        if operation.security is not Security.NONE:
            call.user = find_user(self.venue, request.headers.get("X-MBX-APIKEY"))
        self.dispatcher.skew(call)
        if operation.security is Security.SIGNED and call.user is not None:
            check_signature(call.user, query, body)
            call.window = Window(call.parameters)
            call.check_deadline()


def _query(request: web.Request) -> str:
    """The query as it was sent: signatures cover these bytes."""
    return request.raw_path.partition("?")[2] if "?" in request.raw_path else request.query_string


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
