"""Runs one operation, with the faults that strike it before and after.

Requests and the websocket API share this, so a fault means the same on both. A fault that leaves no answer
ends in `Kill`, and the edge decides what that looks like on its connection.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from smarttrade.simulator.call import Call
from smarttrade.simulator.errors import BACKEND_TIMEOUT, ApiError
from smarttrade.simulator.faults import REQUEST_FAULTS, SKEW_FAULTS, FaultKind, FaultSpec
from smarttrade.simulator.limits import Refusal, Weights
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

    def __init__(self, venue: Venue, weights: Weights) -> None:
        self.venue = venue
        self.weights = weights
        self.requests: dict[tuple[str, int], int] = {}

    def skew(self, call: Call) -> None:
        """Let the exchange be wrong about the time for this request, where a fault says so."""
        user = call.user.name if call.user else "*"
        faults = self.venue.faults.take(SKEW_FAULTS, user, call.endpoint)
        call.skew_ms = sum(fault.skew_ms for fault in faults)

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
            if operation.orders and call.user is not None:
                self._check_order_count(call.user.name)
            content = operation.handle(call)
        except ApiError as error:
            return Answer(error.status, error.body())
        if operation.orders and call.user is not None:
            self.venue.order_counts.add(call.user.name, operation.orders, self.venue.clock.now_ms())
        return Answer(200, content)

    def _check_order_count(self, account: str) -> None:
        text = self.venue.order_counts.exceeded(account, self.venue.clock.now_ms())
        if text is not None:
            raise ApiError(-1015, text, status=429)

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
                    return build_fault_answer(fault)
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


def build_fault_answer(fault: FaultSpec) -> Answer:
    if fault.kind is FaultKind.RATE_LIMIT:
        status = fault.status if fault.status in (418, 429) else 429
        text = "Too much request weight used; please use WebSocket Streams for live updates."
        return Answer(status, {"code": -1003, "msg": text}, retry_after_s=max(1, fault.delay_ms // 1000))
    if fault.kind is FaultKind.MAINTENANCE:
        text = "System is under maintenance."
        return Answer(503, {"code": 0, "msg": text})
    return Answer(fault.status, "Service Unavailable")


def build_refusal(refusal: Refusal, now_ms: int) -> Answer:
    """The answer to a client that asks too much."""
    return Answer(
        refusal.status,
        {"code": -1003, "msg": refusal.message},
        retry_after_s=refusal.retry_after_s(now_ms),
    )
