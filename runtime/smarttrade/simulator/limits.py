"""How much a client may ask: request weight by address and minute, orders by account.

A client over its weight is told 429 and when to come back; one that goes on regardless is banned: 418, two
minutes at first, twice as long each time, three days at most. That a client backs off is worth testing, so
the simulator keeps this as the exchange does; with `limit` 0 weight is counted and nothing is refused.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

_MINUTE_MS: Final = 60_000
_PATIENCE: Final = 10  # refused requests before a ban
_FIRST_BAN_MS: Final = 2 * 60_000
_LONGEST_BAN_MS: Final = 3 * 24 * 3_600_000
WEIGHT_LIMIT: Final = 6000
ORDERS_10S: Final = 100
ORDERS_DAY: Final = 200_000
_WINDOWS: Final = (("SECOND", 10, 10_000, ORDERS_10S), ("DAY", 1, 86_400_000, ORDERS_DAY))

RATE_LIMITS: Final = [
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": WEIGHT_LIMIT},
    *(
        {"rateLimitType": "ORDERS", "interval": name, "intervalNum": count, "limit": limit}
        for name, count, _, limit in _WINDOWS
    ),
    {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 61000},
]


@dataclass(frozen=True, slots=True)
class Refusal:
    """`status` 429 or 418; `retry_at_ms` is exchange time."""

    status: int
    message: str
    retry_at_ms: int

    def retry_after_s(self, now_ms: int) -> int:
        return max(1, -(-(self.retry_at_ms - now_ms) // 1000))


@dataclass(slots=True)
class _Client:
    minute: int = -1
    used: int = 0
    refused: int = 0
    banned_until_ms: int = 0
    bans: int = 0


class Weights:
    """Request weight by source address, over REST and the websocket API together."""

    def __init__(self, limit: int, clock: Callable[[], int]) -> None:
        self.limit = limit
        self._clock = clock
        self._clients: dict[str, _Client] = {}

    def use(self, address: str, weight: int) -> tuple[int, Refusal | None]:
        """(used this minute with `weight` added, why the request is refused)."""
        client, now_ms = self._client(address)
        if now_ms < client.banned_until_ms:
            return client.used, _banned(client)
        client.used += weight
        if not self.limit or client.used <= self.limit:
            return client.used, None
        client.refused += 1
        if client.refused > _PATIENCE:
            self._ban(client, now_ms)
            return client.used, _banned(client)
        return client.used, self._too_much((client.minute + 1) * _MINUTE_MS)

    def used(self, address: str) -> int:
        return self._client(address)[0].used

    def _client(self, address: str) -> tuple[_Client, int]:
        now_ms = self._clock()
        client = self._clients.setdefault(address, _Client())
        if client.minute != now_ms // _MINUTE_MS:
            client.minute, client.used, client.refused = now_ms // _MINUTE_MS, 0, 0
        return client, now_ms

    def _ban(self, client: _Client, now_ms: int) -> None:
        client.banned_until_ms = now_ms + min(_FIRST_BAN_MS << client.bans, _LONGEST_BAN_MS)
        client.bans = min(client.bans + 1, 16)
        client.refused = 0

    def _too_much(self, retry_at_ms: int) -> Refusal:
        text = (
            f"Too much request weight used; current limit is {self.limit} request weight per 1 MINUTE. "
            "Please use WebSocket Streams for live updates to avoid polling the API."
        )
        return Refusal(429, text, retry_at_ms)


def _banned(client: _Client) -> Refusal:
    text = (
        f"Way too much request weight used; IP banned until {client.banned_until_ms}. "
        "Please use WebSocket Streams for live updates to avoid bans."
    )
    return Refusal(418, text, client.banned_until_ms)


class OrderCounts:
    """Orders placed by account in the exchange's windows. `is_enforced` refuses those above the limits."""

    def __init__(self) -> None:
        self.is_enforced = False
        self._counts: dict[tuple[str, int], tuple[int, int]] = {}

    def add(self, account: str, orders: int, now_ms: int) -> None:
        for _, _, length, _ in _WINDOWS:
            window, count = now_ms // length, self.count(account, length, now_ms)
            self._counts[account, length] = (window, count + orders)

    def count(self, account: str, length: int, now_ms: int) -> int:
        window, count = self._counts.get((account, length), (-1, 0))
        return count if window == now_ms // length else 0

    def exceeded(self, account: str, now_ms: int) -> str | None:
        """The limit that another order would break, in the exchange's words."""
        if not self.is_enforced:
            return None
        for name, number, length, limit in _WINDOWS:
            if self.count(account, length, now_ms) >= limit:
                return f"Too many new orders; current limit is {limit} orders per {number} {name}."
        return None

    def headers(self, account: str, now_ms: int) -> dict[str, str]:
        counts = [self.count(account, length, now_ms) for _, _, length, _ in _WINDOWS]
        return {"X-MBX-ORDER-COUNT-10S": str(counts[0]), "X-MBX-ORDER-COUNT-1D": str(counts[1])}


def build_order_limits(counts: OrderCounts, account: str, now_ms: int) -> list[dict[str, Any]]:
    """The order limits with what is used of them."""
    return [
        {
            "rateLimitType": "ORDERS",
            "interval": name,
            "intervalNum": number,
            "limit": limit,
            "count": counts.count(account, length, now_ms),
        }
        for name, number, length, limit in _WINDOWS
    ]
