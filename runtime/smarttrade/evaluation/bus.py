"""What evaluation says and asks on NATS. Every request is bounded; no answer is a BusError.

What bites: an answer that is on its way is lost with the connection. A history may take seconds to fetch, so
its request ends with the connection that it was made on, and is made again by whoever needs it. A process
that imports for long at its start is cut off just then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from nats.errors import Error as NatsError

from smarttrade.bus import subjects
from smarttrade.bus.connection import Connection
from smarttrade.errors import BusError
from smarttrade.messages import (
    Candle,
    Decision,
    DecisionReply,
    DescribeReply,
    DescribeRequest,
    EvaluationStatus,
    HistoryReply,
    HistoryRequest,
    MarketBatch,
    MissedReply,
    MissedRequest,
    decode,
    encode,
)

T = TypeVar("T")

_DECIDE_TIMEOUT_S = 0.5
_DESCRIBE_TIMEOUT_S = 1.0
_HISTORY_TIMEOUT_S = 15.0
_PAGE = 1_000


class PodBus:
    """The services of this pod's monitoring and execution."""

    def __init__(self, nc: Connection, pod: str) -> None:
        self._nc = nc
        self._history = subjects.history(pod)
        self._decide = subjects.decide(pod)
        self._connection_lost = asyncio.Event()
        nc.on_reconnect.append(self._reconnected)

    async def describe(self) -> DescribeReply:
        return await self._ask(self._history, DescribeRequest(), DescribeReply, _DESCRIBE_TIMEOUT_S)

    async def decide(self, decision: Decision) -> DecisionReply:
        return await self._ask(self._decide, decision, DecisionReply, _DECIDE_TIMEOUT_S)

    async def missed(self, feed: str, first: int, last: int) -> list[MarketBatch]:
        """Batches that did not arrive, or what is still kept of the first of them."""
        batches: list[MarketBatch] = []
        while first <= last:
            request = MissedRequest(feed=feed, first=first, last=last)
            reply = await self._ask(self._history, request, MissedReply, _DESCRIBE_TIMEOUT_S)
            if not reply.batches:
                break
            batches += reply.batches
            first = batches[-1].seq + 1
        return batches

    async def history(self, market: str, timeframe: str, count: int) -> list[Candle]:
        """The last `count` final candles, or what there is of them, oldest first."""
        candles: list[Candle] = []
        while len(candles) < count:
            before_ms = candles[0].open_ms if candles else 0
            page = await self._page(market, timeframe, min(_PAGE, count - len(candles)), before_ms)
            if not page:
                break
            candles = page + candles
        return candles

    async def _page(self, market: str, timeframe: str, count: int, before_ms: int) -> list[Candle]:
        request = HistoryRequest(market=market, timeframe=timeframe, count=count, before_ms=before_ms)
        asked = self._ask(self._history, request, HistoryReply, _HISTORY_TIMEOUT_S)
        reply = await self._on_this_connection(asked)
        if reply.error:
            raise BusError(f"no history of {market} {timeframe}: {reply.error}")
        return reply.candles

    async def _on_this_connection(self, asked: Coroutine[Any, Any, T]) -> T:
        asking = asyncio.create_task(asked)
        losing = asyncio.create_task(self._connection_lost.wait())
        try:
            await asyncio.wait((asking, losing), return_when=asyncio.FIRST_COMPLETED)
            if asking.done():
                return asking.result()
            raise BusError("the connection was lost while an answer was on its way")
        finally:
            asking.cancel()
            losing.cancel()

    async def _reconnected(self) -> None:
        self._connection_lost.set()
        self._connection_lost = asyncio.Event()

    async def heartbeat(self, status: EvaluationStatus) -> None:
        await self._request(self._history, status, _DESCRIBE_TIMEOUT_S)

    async def _ask(self, subject: str, message: Any, kind: type[T], timeout_s: float) -> T:
        return decode(await self._request(subject, message, timeout_s), kind)

    async def _request(self, subject: str, message: Any, timeout_s: float) -> bytes:
        try:
            reply = await self._nc.request(subject, encode(message), timeout=timeout_s)
        except (NatsError, TimeoutError) as error:
            raise BusError(f"{subject}: {error or type(error).__name__}") from error
        return bytes(reply.data)
