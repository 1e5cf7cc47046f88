"""The markets that are watched now, following the specification without a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import structlog

from smarttrade.api import Timeframe, TradingAccountSpec
from smarttrade.api.catalogue import Endpoint
from smarttrade.api.exchange import Exchange
from smarttrade.errors import ConfigurationError, SmartTradeError, VenueError
from smarttrade.exchange.public import PublicVenue, open_public
from smarttrade.exchange.route import Route
from smarttrade.exchange.weights import MONITORING, share_of
from smarttrade.messages import HistoryReply, HistoryRequest, MarketEvent, Trade
from smarttrade.monitoring.backoff import Backoff
from smarttrade.monitoring.clock import ExchangeClock, monotonic_ms
from smarttrade.monitoring.market import MarketMonitor
from smarttrade.monitoring.metrics import Metrics
from smarttrade.monitoring.peers import Copy
from smarttrade.monitoring.staleness import Judgement

logger = structlog.get_logger()

_CLOCK_S = 30.0
_CLOCK_FIRST_S = 0.1
_CLOCK_RETRY_S = 2.0
_FIRST_SAMPLES = 3
_BISECTIONS = 4
_FIRST_RETRY_S, _LONGEST_RETRY_S = 1.0, 8.0
_LARGEST_PAGE = 1_000


class Watchers:
    """`follow` a specification; `problem` says what keeps this from watching, or is empty."""

    def __init__(
        self,
        endpoint: Endpoint,
        publish: Callable[[MarketEvent], None],
        metrics: Metrics,
        route: Route | None = None,
        replicas: int = 1,
        *,
        copy: Copy,
    ) -> None:
        self._endpoint, self._route, self._replicas = endpoint, route, replicas
        self._publish = publish
        self._metrics = metrics
        self._copy = copy
        self._venue: PublicVenue | None = None
        self._markets: dict[str, MarketMonitor] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._clock_task: asyncio.Task[None] | None = None
        self.clock = ExchangeClock()
        self._book_levels = 0
        self.problem = ""

    async def follow(self, spec: TradingAccountSpec) -> None:
        """Watch exactly the specification's markets. ConfigurationError if one of them does not exist, which
        leaves what is watched as it was; an exchange that does not answer is asked again and again."""
        symbols = [market.symbol for market in spec.markets]
        venue = await self._opened(spec.exchange, symbols)
        timeframe = spec.strategy.timeframe.value
        if timeframe not in venue.timeframes():
            raise ConfigurationError(
                f"{venue.name} has no {timeframe} candles: set strategy.timeframe to one of "
                f"{', '.join(venue.timeframes())}"
            )
        stale_ms = spec.risk.stale_data_seconds * 1000
        for symbol in self._markets.keys() - set(symbols):
            await self._stop(symbol)
        for symbol in symbols:
            if symbol not in self._markets:
                self._start(venue, symbol, stale_ms)
            self._markets[symbol].stale_ms = stale_ms
            self._markets[symbol].tape.history(timeframe)
        self.problem = ""

    async def history(self, request: HistoryRequest) -> HistoryReply:
        """Candles of a watched market; what is wrong is told in the reply."""
        try:
            monitor = self._markets.get(request.market)
            if monitor is None:
                raise ConfigurationError(self.problem or f"{request.market} is not a market of this account")
            known = {timeframe.value for timeframe in Timeframe} & set(monitor.timeframes())
            if request.timeframe not in known:
                raise ConfigurationError(f"there is no timeframe {request.timeframe!r} on this exchange")
            count = min(max(1, request.count), _LARGEST_PAGE)
            candles = await monitor.tape.history(request.timeframe).newest(count, request.before_ms)
            return HistoryReply(candles=candles)
        except SmartTradeError as error:
            return HistoryReply(candles=[], error=str(error))

    async def copy(self, market: str, first: int, last: int) -> list[Trade]:
        """Our copy of trades that a peer missed, once they are here; empty if they will not be."""
        monitor = self._markets.get(market)
        return await monitor.tape.copy(first, last) if monitor else []

    def want_books(self, levels: int) -> None:
        """Watch the order books of all markets, also of those that are added later."""
        self._book_levels = levels
        for monitor in self._markets.values():
            monitor.want_books(levels)

    def judgements(self) -> Mapping[str, Mapping[str, Judgement]]:
        return {symbol: monitor.judgements() for symbol, monitor in self._markets.items()}

    async def close(self) -> None:
        for symbol in list(self._markets):
            await self._stop(symbol)
        if self._clock_task:
            self._clock_task.cancel()
        if self._venue:
            await self._venue.close()

    async def _opened(self, exchange: Exchange, symbols: list[str]) -> PublicVenue:
        platform = self._endpoint.request_weight
        share = share_of(exchange.request_weight, platform, MONITORING, self._replicas)
        backoff = Backoff(_FIRST_RETRY_S, _LONGEST_RETRY_S)
        while True:
            try:
                if self._venue is None:
                    self._venue = await open_public(
                        exchange.name, self._endpoint, symbols, self._route, share, streams=True
                    )
                if self._clock_task is None:  # candles need the exchange's time, so it comes before them
                    await self._sample(self._venue)
                    self._clock_task = asyncio.create_task(self._keep_time(self._venue))
                elif set(symbols) - self._markets.keys():
                    await self._venue.load_markets({*symbols, *self._markets})
                return self._venue
            except VenueError as error:
                if str(error) != self.problem:
                    logger.warning("the exchange cannot be reached, trying again", error=str(error))
                self.problem = str(error)
                await asyncio.sleep(backoff.pause_s())

    def _start(self, venue: PublicVenue, symbol: str, stale_ms: int) -> None:
        monitor = MarketMonitor(
            venue, symbol, self.clock, self._publish, self._metrics, stale_ms=stale_ms, copy=self._copy
        )
        monitor.want_books(self._book_levels)
        self._markets[symbol] = monitor
        self._tasks[symbol] = asyncio.create_task(monitor.run())

    async def _stop(self, symbol: str) -> None:
        del self._markets[symbol]
        task = self._tasks.pop(symbol)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    def failed(self) -> BaseException | None:
        """What ended a market's task, which nothing should."""
        for task in self._tasks.values():
            if task.done() and not task.cancelled() and task.exception():
                return task.exception()
        return None

    async def _keep_time(self, venue: PublicVenue) -> None:
        """Ask the exchange for its time: a few times at once, then every 30 s. Where it tells whole seconds
        only, each time when one should begin, and at first until that tells no more."""
        taken, pause_s = 1, _CLOCK_FIRST_S
        while True:
            await asyncio.sleep(pause_s)
            try:
                resolution_ms = await self._sample(venue)
                taken += 1
                first = _FIRST_SAMPLES + (_BISECTIONS if resolution_ms else 0)
                pause_s = _CLOCK_FIRST_S if taken < first else _CLOCK_S
                if resolution_ms:
                    pause_s += (self.clock.wait_ms() / 1000 - pause_s) % 1
            except VenueError as error:
                logger.warning("the exchange's time is not known", error=str(error))
                pause_s = _CLOCK_RETRY_S

    async def _sample(self, venue: PublicVenue) -> int:
        sent_ms = monotonic_ms()
        told = await venue.fetch_time()
        self.clock.sample(sent_ms, told, monotonic_ms())
        self._metrics.clock_offset.set(self.clock.wall_offset_ms / 1000)
        self._metrics.clock_error.set(self.clock.error_ms / 1000)
        return told.resolution_ms
