"""Pins the exchange-enforced deadline of one request, in each exchange's own way.

ccxt signs when it sends, with the time of sending: a process that slept would get a fresh deadline for an
order that another replica has given up. Where the deadline is not a parameter it is state of the ccxt
instance (a header, the nonce), so orders of such an exchange go one at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from smarttrade.exchange.capabilities import Capability, Deadline


def deadline_parameters(row: Capability, deadline_ms: int, window_ms: int) -> dict[str, Any]:
    """What goes into the request's own parameters."""
    if row.deadline is Deadline.TIMESTAMP_WINDOW:
        return {row.deadline_name: deadline_ms, row.window_name: window_ms}
    if row.deadline is Deadline.PARAMETER:
        until = datetime.fromtimestamp((deadline_ms + window_ms) / 1000, UTC)
        return {row.deadline_name: until.isoformat(timespec="milliseconds").replace("+00:00", "Z")}
    return {}


@asynccontextmanager
async def pinned(
    exchange: Any, lock: asyncio.Lock, row: Capability, deadline_ms: int, window_ms: int
) -> AsyncIterator[None]:
    """Hold the instance's state at the deadline while one request is signed and sent."""
    if row.deadline is not Deadline.HEADER and not row.pins_signature:
        yield
        return
    async with lock:
        headers, nonce = dict(exchange.headers or {}), exchange.nonce
        known, window = row.window_name in exchange.options, exchange.options.get(row.window_name)
        if row.deadline is Deadline.HEADER:
            exchange.headers = {**headers, row.deadline_name: str(deadline_ms + window_ms)}
        if row.deadline is Deadline.SIGNED_TIME:
            exchange.options[row.window_name] = window_ms
        if row.pins_signature:
            exchange.nonce = lambda: deadline_ms
        try:
            yield
        finally:
            exchange.headers, exchange.nonce = headers, nonce
            if known:
                exchange.options[row.window_name] = window
            elif row.deadline is Deadline.SIGNED_TIME:
                del exchange.options[row.window_name]
