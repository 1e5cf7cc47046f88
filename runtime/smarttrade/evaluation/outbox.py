"""Decisions on their way to execution: the newest of every market, asked until answered.

A request that got no answer may have been carried out; it is repeated with the same id, which execution
knows. A newer decision of the market takes the place of one that still waits, and one that is no longer
valid, or whose pod no longer leads, is given up.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from smarttrade.errors import BusError
from smarttrade.messages import Decision, DecisionReply

logger = structlog.get_logger()

Send = Callable[[Decision], Awaitable[DecisionReply]]
Answered = Callable[[Decision, str, float], None]

_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 1.0
_SHORTEST_LIFE_S = 1.0


class Outbox:
    """`send` raises BusError when no answer came; `answered` is told the answer (or Expired) and seconds."""

    def __init__(self, send: Send, may_send: Callable[[], bool], answered: Answered) -> None:
        self._send = send
        self._may_send = may_send
        self._answered = answered
        self._waiting: dict[str, tuple[Decision, float]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def offer(self, decision: Decision, now_ms: int) -> None:
        """Send now; `now_ms` is the event time from which the decision's validity is counted."""
        life_s = max(_SHORTEST_LIFE_S, (decision.want.valid_until_ms - now_ms) / 1000)
        self._waiting[decision.market] = (decision, time.monotonic() + life_s)
        task = self._tasks.get(decision.market)
        if task is None or task.done():
            self._tasks[decision.market] = asyncio.create_task(self._work(decision.market))

    async def settle(self) -> None:
        """Wait until nothing is on its way."""
        while running := [task for task in self._tasks.values() if not task.done()]:
            await asyncio.wait(running)

    def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()

    async def _work(self, market: str) -> None:
        while market in self._waiting:
            decision, deadline = self._waiting.pop(market)
            await self._ask(decision, deadline)

    async def _ask(self, decision: Decision, deadline: float) -> None:
        log = logger.bind(market=decision.market, decision=decision.id)
        began, pause_s = time.monotonic(), _FIRST_PAUSE_S
        while self._may_send() and time.monotonic() < deadline and decision.market not in self._waiting:
            try:
                reply = await self._send(decision)
            except BusError as error:
                log.warning("execution did not answer, asking again", error=str(error))
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                continue
            self._answered(decision, reply.answer.value, time.monotonic() - began)
            log.info("decision answered", answer=reply.answer.value, code=reply.code, reason=decision.reason)
            return
        self._answered(decision, "Unanswered", time.monotonic() - began)
        log.warning("decision given up: superseded, no longer valid, or no longer leading")
