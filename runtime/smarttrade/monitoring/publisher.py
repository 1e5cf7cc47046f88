"""Market events onto the bus, in the order in which they were put, numbered without a hole.

What is put within one turn of the event loop goes out together, in runs of one kind. A batch that could not
be sent keeps its number: readers see the hole and ask for it again. The newest batches are kept for that,
sent or not; who missed older ones must ask where the stream stands, which is the truth.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from itertools import groupby, islice

import structlog

from smarttrade.errors import BusError
from smarttrade.messages import (
    Book,
    Candle,
    ControlChange,
    MarketBatch,
    MarketEvent,
    MissedRequest,
    Quote,
    StreamStatus,
    Trade,
    decode,
    encode,
)

logger = structlog.get_logger()

Send = Callable[[str, bytes], Awaitable[None]]

_KINDS = {
    Trade: "trade",
    Quote: "quote",
    Book: "book",
    Candle: "candle",
    StreamStatus: "status",
    ControlChange: "control",
}
_LARGEST_BATCH = 500
_KEPT = 2_000
_KEPT_BYTES = 2 * 1024 * 1024
_REPLY_BYTES = 512 * 1024


def kind_of(event: MarketEvent) -> str:
    return _KINDS[type(event)]


class Publisher:
    """One feed. `send` gets the kind and the encoded batch, and raises BusError when it cannot."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: list[MarketEvent] = []
        self._wake = asyncio.Event()
        self.feed = uuid.uuid4().hex
        self.seq = 0
        self.lost = 0
        self._failing = False
        self._kept: deque[bytes] = deque()
        """Ends with batch `seq`."""
        self._kept_bytes = 0

    def again(self, request: MissedRequest) -> list[MarketBatch]:
        """The first of the batches asked for, as many as fit a message; none where that is not kept."""
        oldest = self.seq - len(self._kept) + 1
        if request.feed != self.feed or not oldest <= request.first <= min(request.last, self.seq):
            return []
        found, size = [], 0
        for payload in islice(self._kept, request.first - oldest, min(request.last, self.seq) - oldest + 1):
            size += len(payload)
            if size > _REPLY_BYTES:
                break
            found.append(payload)
        return [decode(payload, MarketBatch) for payload in found]

    def put(self, event: MarketEvent) -> None:
        self._waiting.append(event)
        self._wake.set()

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            await self.flush()

    async def flush(self) -> None:
        self._wake.clear()
        events, self._waiting = self._waiting, []
        for kind, run in _runs(events):
            self.seq += 1
            payload = encode(MarketBatch(feed=self.feed, seq=self.seq, events=run))
            self._keep(payload)
            await self._send_or_count(kind, payload)

    def _keep(self, payload: bytes) -> None:
        self._kept.append(payload)
        self._kept_bytes += len(payload)
        while len(self._kept) > _KEPT or self._kept_bytes > _KEPT_BYTES:
            self._kept_bytes -= len(self._kept.popleft())

    async def _send_or_count(self, kind: str, payload: bytes) -> None:
        """Say once that batches are lost, and once that they are not any more."""
        try:
            await self._send(kind, payload)
        except BusError as error:
            if not self._failing:
                logger.warning("batches are not sent", seq=self.seq, error=str(error))
            self._failing = True
            self.lost += 1
            return
        if self._failing:
            logger.info("batches are sent again", seq=self.seq, lost=self.lost)
        self._failing = False


def _runs(events: list[MarketEvent]) -> Iterator[tuple[str, list[MarketEvent]]]:
    for kind, run in groupby(events, kind_of):
        while batch := list(islice(run, _LARGEST_BATCH)):
            yield kind, batch
