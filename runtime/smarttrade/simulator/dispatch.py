"""Runs one operation, with the faults that strike it before and after.

Requests and the websocket API share this, so a fault means the same on both. A fault that leaves no answer
ends in `Kill`, and the edge decides what that looks like on its connection.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from smarttrade.simulator.call import Call
from smarttrade.simulator.errors import BACKEND_TIMEOUT, ApiError
from smarttrade.simulator.faults import REQUEST_FAULTS, FaultKind, FaultSpec
from smarttrade.simulator.operations import Operation
from smarttrade.simulator.venue import Venue

_LONGEST_SILENCE_S = 60.0


@dataclass(slots=True)
class Answer:
    """HTTP status and content; `truncated` sends half of it."""

    status: int
    content: Any
    truncated: bool = False
    retry_after_s: int | None = None


class Kill(Exception):  # noqa: N818 - not an error: the connection ends here
    """No answer: the connection is reset, or stays silent until the client gives up."""

    def __init__(self, reset: bool) -> None:
        super().__init__()
        self.reset = reset


class Dispatcher:
    """`requests` counts by endpoint and status, for metrics."""

    def __init__(self, venue: Venue) -> None:
        self.venue = venue
        self.requests: dict[tuple[str, int], int] = {}

    async def run(self, operation: Operation, call: Call) -> Answer:
        user = call.user.name if call.user else "*"
        faults = self.venue.faults.take(REQUEST_FAULTS, user, call.endpoint)
        answer = await self._before(faults)
        if answer is None:
            answer = self._execute(operation, call)
            answer = await self._after(faults, answer)
        key = (call.endpoint, answer.status)
        self.requests[key] = self.requests.get(key, 0) + 1
        return answer

    def _execute(self, operation: Operation, call: Call) -> Answer:
        try:
            return Answer(200, operation.handle(call))
        except ApiError as error:
            return Answer(error.status, error.body())

    async def _before(self, faults: list[FaultSpec]) -> Answer | None:
        for fault in faults:
            match fault.kind:
                case FaultKind.LATENCY:
                    await asyncio.sleep(fault.delay_ms / 1000)
                case FaultKind.TIMEOUT_BEFORE:
                    await self._stay_silent(fault)
                case FaultKind.RESET_BEFORE:
                    raise Kill(reset=True)
                case FaultKind.SERVER_ERROR | FaultKind.MAINTENANCE | FaultKind.RATE_LIMIT:
                    return build_refusal(fault)
                case FaultKind.UNKNOWN_NOT_EXECUTED:
                    return Answer(504, ApiError(-1007, BACKEND_TIMEOUT).body())
        return None

    async def _after(self, faults: list[FaultSpec], answer: Answer) -> Answer:
        for fault in faults:
            match fault.kind:
                case FaultKind.TIMEOUT_AFTER:
                    await self._stay_silent(fault)
                case FaultKind.RESET_AFTER:
                    raise Kill(reset=True)
                case FaultKind.TRUNCATED:
                    answer.truncated = True
                case FaultKind.UNKNOWN_EXECUTED:
                    return Answer(504, ApiError(-1007, BACKEND_TIMEOUT).body())
        return answer

    async def _stay_silent(self, fault: FaultSpec) -> None:
        await asyncio.sleep(fault.delay_ms / 1000 if fault.delay_ms else _LONGEST_SILENCE_S)
        raise Kill(reset=True)


def build_refusal(fault: FaultSpec) -> Answer:
    if fault.kind is FaultKind.RATE_LIMIT:
        status = fault.status if fault.status in (418, 429) else 429
        text = "Too much request weight used; please use WebSocket Streams for live updates."
        return Answer(status, {"code": -1003, "msg": text}, retry_after_s=max(1, fault.delay_ms // 1000))
    if fault.kind is FaultKind.MAINTENANCE:
        text = "System is under maintenance."
        return Answer(503, {"code": 0, "msg": text})
    return Answer(fault.status, "Service Unavailable")
