"""What anybody may see of an exchange: trades, best bid and ask, candles, time.

Where the exchange speaks Binance's protocol both REST and streams are our own; everywhere else both go
through ccxt, which is only then imported: it costs a process 25 MiB and half a second.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol

from smarttrade.api.catalogue import Endpoint
from smarttrade.errors import ConfigurationError
from smarttrade.exchange.candle import VenueCandle
from smarttrade.exchange.endpoints import BINANCE_PROTOCOL
from smarttrade.exchange.exchange_time import ToldTime
from smarttrade.exchange.feed import MarketFeed
from smarttrade.exchange.route import Route
from smarttrade.messages import Quote, Trade


class PublicVenue(Protocol):
    """One exchange's public side: REST here, streams from `open_feed`. What fails is a VenueError."""

    name: str
    consecutive_trade_ids: bool
    """Whether trade ids of a market count by one, so that a gap can be seen."""

    def lacks(self) -> str:
        """What keeps its streams from being watched, or an empty string."""
        ...

    async def load_markets(self, symbols: Collection[str]) -> None:
        """Know exactly these markets. ConfigurationError names those that are not listed."""
        ...

    def timeframes(self) -> Collection[str]:
        """Timeframes of which the exchange has candles."""
        ...

    def symbols(self) -> Collection[str]:
        """The markets that are known."""
        ...

    def open_feed(self, symbol: str, now_ms: Callable[[], int]) -> MarketFeed:
        """The streams of one market, not connected yet."""
        ...

    async def fetch_candles(
        self, symbol: str, timeframe: str, since_ms: int, limit: int
    ) -> list[VenueCandle]:
        """At most `limit` candles that open at or after `since_ms`, oldest first; the last may be running."""
        ...

    async def fetch_trades(self, symbol: str, after: Trade | None = None) -> list[Trade]:
        """The newest trades, or the first ones `after` that one, oldest first: one page. By its id where they
        count by one, else from its time on; an exchange may give the newest all the same."""
        ...

    async def fetch_quote(self, symbol: str, now_ms: Callable[[], int]) -> Quote:
        """Best bid and ask."""
        ...

    async def fetch_time(self) -> ToldTime: ...

    async def close(self) -> None: ...


async def open_public(
    name: str,
    endpoint: Endpoint,
    symbols: Collection[str],
    route: Route | None = None,
    share: float | None = None,
    *,
    streams: bool = False,
) -> PublicVenue:
    """The public side of an exchange at one endpoint, knowing the given markets only, asking at most
    `share` a minute.

    ConfigurationError: unknown exchange or market, or, with `streams`, one that cannot be watched;
    VenueError: the exchange could not be asked.
    """
    venue = _build(name, endpoint, route, share)
    try:
        if streams and (lacks := venue.lacks()):
            raise ConfigurationError(f"{name} cannot be watched: {lacks}: choose another exchange")
        await venue.load_markets(symbols)
    except BaseException:
        await venue.close()
        raise
    return venue


def _build(
    name: str, endpoint: Endpoint, route: Route | None = None, share: float | None = None
) -> PublicVenue:
    if name in BINANCE_PROTOCOL:
        from smarttrade.exchange.binance_public import BinanceVenue

        return BinanceVenue(name, endpoint, route, share)
    from smarttrade.exchange.ccxt_public import CcxtVenue

    return CcxtVenue(name, endpoint, route, share)
