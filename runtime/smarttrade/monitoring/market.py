"""One market: its streams, watched; its trades, quotes and candles, put onto the bus.

A connection that broke, fell silent or is behind is replaced with a fresh one after a jittered pause. What
bites: REST is asked for missed trades only after the new connection has been heard, so that nothing falls
between the two.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from decimal import Decimal

import structlog

from smarttrade.errors import VenueError
from smarttrade.exchange.feed import MarketFeed
from smarttrade.exchange.public import PublicVenue
from smarttrade.messages import Book, MarketEvent, Quote, StreamStatus, Verdict
from smarttrade.monitoring.backoff import Backoff
from smarttrade.monitoring.clock import ExchangeClock, monotonic_ms
from smarttrade.monitoring.metrics import Metrics
from smarttrade.monitoring.outliers import OutlierRule, flag_quote
from smarttrade.monitoring.peers import Copy
from smarttrade.monitoring.staleness import Action, Judgement, StreamWatch
from smarttrade.monitoring.tape import Tape
from smarttrade.monitoring.ticks import best_prices, impossible_book, impossible_quote

logger = structlog.get_logger()

STREAMS = ("trade", "quote")

_JUDGE_S = 0.25
_ASLEEP_MS = 1_000
_CONNECT_TIMEOUT_MS = 10_000
_PROBE_TIMEOUT_S = 5.0
_PROBE_GRACE_MS = 1_000
_LEAST_UNANSWERED_MS = 5_000
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 10.0
_STABLE_MS = 30_000
_STATUS_EVERY_MS = 1_000


class FeedBrokenError(VenueError):
    """Our own watchdog gave the connection up."""


class MarketMonitor:
    """`run` until cancelled. `publish` takes events in their final order."""

    def __init__(
        self,
        venue: PublicVenue,
        symbol: str,
        clock: ExchangeClock,
        publish: Callable[[MarketEvent], None],
        metrics: Metrics,
        *,
        stale_ms: int,
        copy: Copy,
    ) -> None:
        self.symbol = symbol
        self.stale_ms = stale_ms
        self.book_levels = 0
        self._books_wanted = asyncio.Event()
        self._venue = venue
        self._clock = clock
        self._publish = publish
        self._metrics = metrics
        self._log = logger.bind(market=symbol)
        self._quote: Quote | None = None
        self._outliers = OutlierRule()
        self._book: Book | None = None
        self._told: dict[str, tuple[Judgement, int, int]] = {}
        self._watches = self._new_watches()
        self.tape = Tape(venue, symbol, clock, publish, metrics, self._watch_of_trades, copy)

    def judgements(self) -> dict[str, Judgement]:
        """The verdict on every stream, now."""
        now = int(monotonic_ms())
        return {stream: watch.judge(now) for stream, watch in self._watches.items()}

    def want_books(self, levels: int) -> None:
        """Watch the order book to so many levels of each side; once wanted, it is watched from then on."""
        if levels:
            self.book_levels = levels
            self._books_wanted.set()

    def timeframes(self) -> Collection[str]:
        """Timeframes of which the exchange has candles."""
        return self._venue.timeframes()

    async def run(self) -> None:
        status = asyncio.create_task(self._tell_status())
        try:
            await self._keep_connected()
        finally:
            status.cancel()
            await self.tape.close()
            await asyncio.gather(status, return_exceptions=True)

    # --- the connection ---------------------------------------------------------------------------------

    async def _keep_connected(self) -> None:
        backoff = Backoff(_FIRST_PAUSE_S, _LONGEST_PAUSE_S)
        while True:
            began = monotonic_ms()
            reason = await self._connection()
            self._log.warning("feed lost, connecting again", reason=reason)
            self._metrics.reconnects.labels(self.symbol).inc()
            if monotonic_ms() - began > _STABLE_MS:
                backoff.reset()
            await asyncio.sleep(backoff.pause_s())

    async def _connection(self) -> str:
        """Live with one feed until it breaks; say why it did."""
        feed = self._venue.open_feed(self.symbol, self._clock.now_ms)
        self._watches, self._outliers = self._new_watches(), OutlierRule()
        reason = ""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._trades(feed))
                tasks.create_task(self._quotes(feed))
                tasks.create_task(self._books(feed))
                tasks.create_task(self._candles(feed, tasks))
                tasks.create_task(self._supervise(feed, tasks))
        except* VenueError as errors:
            reason = str(errors.exceptions[0])
        finally:
            for watch in self._watches.values():
                watch.disconnected(reason or "connection lost")
            self.tape.interrupted()
            await feed.close()
        return reason

    def _new_watches(self) -> dict[str, StreamWatch]:
        return {stream: self._new_watch() for stream in STREAMS}

    def _new_watch(self) -> StreamWatch:
        return StreamWatch(
            int(monotonic_ms()),
            stale_ms=min(3_000, self.stale_ms),
            probe_ms=max(1_000, self.stale_ms // 2),
            unanswered_ms=max(_LEAST_UNANSWERED_MS, self.stale_ms),
        )

    def _watch_of_trades(self) -> StreamWatch:
        return self._watches["trade"]

    # --- the streams ------------------------------------------------------------------------------------

    async def _trades(self, feed: MarketFeed) -> None:
        first = asyncio.create_task(feed.watch_trades())
        try:
            await feed.heard(first)
            await self.tape.catch_up()
            trades, beginning = await first, True  # some exchanges begin with what there was already
            while True:
                self._watches["trade"].data(int(monotonic_ms()))
                await self.tape.deliver(trades, overlapping=beginning)
                trades, beginning = await feed.watch_trades(), False
        finally:
            first.cancel()

    async def _quotes(self, feed: MarketFeed) -> None:
        """The stream brings changes only, so the first quote of a connection is fetched."""
        first = asyncio.create_task(feed.watch_quotes())
        try:
            await feed.heard(first)
            self._take_quote(await self._venue.fetch_quote(self.symbol, self._clock.now_ms))
            quotes = await first
            while True:
                self._watches["quote"].data(int(monotonic_ms()))
                for quote in quotes:
                    self._take_quote(quote)
                quotes = await feed.watch_quotes()
        finally:
            first.cancel()

    def _take_quote(self, quote: Quote) -> None:
        if self._quote and quote.update_id and quote.update_id <= self._quote.update_id:
            return
        reason = impossible_quote(quote)
        if reason:
            self._metrics.withheld.labels(self.symbol, "quote").inc()
            self._log.warning("impossible quote withheld", reason=reason)
            return
        before, quote = self._quote, flag_quote(self._outliers, quote)
        if quote.outlier:
            self._tell_outlier(quote, before)
        self._quote = quote
        self._publish(quote)

    def _tell_outlier(self, quote: Quote, before: Quote | None) -> None:
        """Count each, and say of the first in a row what it is far from."""
        self._metrics.outliers.labels(self.symbol, "quote").inc()
        if before is None or not before.outlier:
            self._log.warning(
                "quote far from those before it",
                bid=str(quote.bid),
                ask=str(quote.ask),
                usual=f"{self._outliers.low / 2:.8g} to {self._outliers.high / 2:.8g}",
            )

    async def _books(self, feed: MarketFeed) -> None:
        """From the moment that somebody wants books; another depth needs another connection."""
        await self._books_wanted.wait()
        levels = self.book_levels
        self._watches["book"] = self._new_watch()
        while True:
            books = await feed.watch_books(levels)
            self._watches["book"].data(int(monotonic_ms()))
            for book in books:
                self._take_book(book)
            if self.book_levels != levels:
                raise FeedBrokenError(f"the order book is wanted to {self.book_levels} levels, not {levels}")

    def _take_book(self, book: Book) -> None:
        if self._book and book.update_id and book.update_id <= self._book.update_id:
            return
        reason = impossible_book(book)
        if reason:
            self._metrics.withheld.labels(self.symbol, "book").inc()
            self._log.warning("impossible order book withheld", reason=reason)
            return
        self._book = book
        self._publish(book)

    async def _candles(self, feed: MarketFeed, tasks: asyncio.TaskGroup) -> None:
        """Watch the exchange's own candles of every timeframe that somebody needs, also later ones."""
        watched: set[str] = set()
        while True:
            for timeframe in self.tape.timeframes - watched:
                watched.add(timeframe)
                if feed.has_candles(timeframe):
                    tasks.create_task(self._candle_stream(feed, timeframe))
            await asyncio.sleep(_JUDGE_S)

    async def _candle_stream(self, feed: MarketFeed, timeframe: str) -> None:
        while True:
            for candle in await feed.watch_candles(timeframe):
                self.tape.on_exchange_candle(timeframe, candle)

    # --- the watchdog -----------------------------------------------------------------------------------

    async def _supervise(self, feed: MarketFeed, tasks: asyncio.TaskGroup) -> None:
        began = monotonic_ms()
        probes: dict[str, asyncio.Task[None]] = {}
        while True:
            slept_at = monotonic_ms()
            await asyncio.sleep(_JUDGE_S)
            silence_ms, now = feed.silence_ms(), int(monotonic_ms())
            if now - slept_at > _ASLEEP_MS:
                continue  # this process stood still: what the socket holds has not been read yet
            if silence_ms is None:
                if now - began > _CONNECT_TIMEOUT_MS:
                    raise FeedBrokenError("no connection within 10 s")
                continue
            for stream, watch in self._watches.items():
                watch.connected(now)
                watch.answers_pings = feed.answers_pings()
                watch.heard(now - silence_ms)
                judgement = watch.judge(now)
                if judgement.action is Action.RECONNECT:
                    raise FeedBrokenError(f"{stream}: {judgement.reason}")
                if judgement.action is Action.PROBE and (stream not in probes or probes[stream].done()):
                    probes[stream] = tasks.create_task(self._probe(stream, watch))

    async def _probe(self, stream: str, watch: StreamWatch) -> None:
        behind: str | None = None
        try:
            async with asyncio.timeout(_PROBE_TIMEOUT_S):
                behind = await self._missed(stream)
        except (VenueError, TimeoutError) as error:
            self._log.debug("probe without an answer", stream=stream, error=str(error))
        watch.probed(int(monotonic_ms()), behind)

    async def _missed(self, stream: str) -> str:
        """What the stream should have brought by now, or an empty string."""
        if stream == "trade":
            return await self._missed_trade()
        if stream == "quote":
            return await self._missed_best(
                lambda: (self._quote.bid, self._quote.ask) if self._quote else None
            )
        return await self._missed_best(lambda: best_prices(self._book) if self._book else None)

    async def _missed_trade(self) -> str:
        """Ask by REST whether there is a trade that the stream should have brought."""
        for trade in (await self._venue.fetch_trades(self.symbol))[-1:]:
            if self._clock.now_ms() - trade.time_ms > _PROBE_GRACE_MS and self.tape.is_after_ours(trade):
                return f"trade {trade.id or trade.time_ms} did not come"
        return ""

    async def _missed_best(self, ours: Callable[[], tuple[Decimal, Decimal] | None]) -> str:
        """Ask by REST, twice, whether best bid and ask have long been others than the stream brought."""
        before = ours()
        seen = await self._venue.fetch_quote(self.symbol, self._clock.now_ms)
        await asyncio.sleep(_PROBE_GRACE_MS / 1000)
        again = await self._venue.fetch_quote(self.symbol, self._clock.now_ms)
        steady = (seen.bid, seen.ask) == (again.bid, again.ask)
        if ours() == before and steady and before != (again.bid, again.ask):
            return f"best bid {again.bid} and ask {again.ask} did not come"
        return ""

    # --- status -----------------------------------------------------------------------------------------

    async def _tell_status(self) -> None:
        while True:
            for stream, judgement in self.judgements().items():
                self._tell(stream, judgement)
            await asyncio.sleep(_JUDGE_S)

    def _tell(self, stream: str, judgement: Judgement) -> None:
        """Publish a verdict on change and once a second."""
        now_ms = self._clock.now_ms()
        told, since_ms, at_ms = self._told.get(stream, (None, 0, 0))
        changed = told is None or told.verdict is not judgement.verdict
        if not changed and now_ms - at_ms < _STATUS_EVERY_MS:
            return
        since_ms = now_ms if changed else since_ms
        self._told[stream] = (judgement, since_ms, now_ms)
        self._metrics.fresh.labels(self.symbol, stream).set(judgement.verdict is Verdict.FRESH)
        if changed:
            self._log.info(
                "stream verdict", stream=stream, verdict=judgement.verdict, reason=judgement.reason
            )
        status = StreamStatus(
            market=self.symbol,
            stream=stream,
            verdict=judgement.verdict,
            since_ms=since_ms,
            reason=judgement.reason,
        )
        self._publish(status)
