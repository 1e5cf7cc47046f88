"""One market's trades, each once and in order, and the candles made of them.

Missing trades are had by REST or from another pod's copy, whichever answers first, before anything later is
delivered, within a bound; those that cannot be had are counted as lost, and the candles around them come
from the exchange. After a lost connection, and where more is missing than one page holds, REST is read page
by page, each delivered as it comes, for a minute at most. A timeframe that is asked for later begins with
the trades remembered here, and a peer that missed some of them gets them from here.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import replace

import msgspec
import structlog

from smarttrade.errors import VenueError
from smarttrade.exchange.candle import VenueCandle
from smarttrade.exchange.public import PublicVenue
from smarttrade.messages import Candle, MarketEvent, Trade, Verdict
from smarttrade.monitoring.clock import ExchangeClock, monotonic_ms
from smarttrade.monitoring.history import CandleHistory
from smarttrade.monitoring.metrics import Metrics
from smarttrade.monitoring.outliers import OutlierRule, flag_trade
from smarttrade.monitoring.peers import Copy
from smarttrade.monitoring.staleness import StreamWatch
from smarttrade.monitoring.ticks import impossible_trade
from smarttrade.monitoring.trades import Accepted, TradeSequence

logger = structlog.get_logger()

_REMEMBERED = 5_000
_CATCH_UP_S = 3.0
_GAP_S = 0.2
_PAGING_S = 60.0
_PAGE = 1_000
_CANDLE_CLOCK_S = 0.1
_RETRY_S = 1.0
_HOLES_TOLERATED = 3


class Tape:
    """`watch` gives the watch of the trade stream as it is now."""

    def __init__(
        self,
        venue: PublicVenue,
        symbol: str,
        clock: ExchangeClock,
        publish: Callable[[MarketEvent], None],
        metrics: Metrics,
        watch: Callable[[], StreamWatch],
        copy: Copy,
    ) -> None:
        self._venue = venue
        self._symbol = symbol
        self._clock = clock
        self._publish = publish
        self._metrics = metrics
        self._watch = watch
        self._peers_copy = copy
        self._delivered = asyncio.Event()
        self._log = logger.bind(market=symbol)
        self._sequence = TradeSequence(venue.consecutive_trade_ids)
        self._outliers = OutlierRule()
        self._outlying = False
        self._recent: deque[Trade] = deque(maxlen=_REMEMBERED)
        self._complete_after_ms: int | None = None
        self._continuous = False
        self._holes = 0
        self._histories: dict[str, CandleHistory] = {}
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def timeframes(self) -> set[str]:
        return set(self._histories)

    def history(self, timeframe: str) -> CandleHistory:
        """The candles of a timeframe; the first call begins to make them."""
        if timeframe not in self._histories:
            self._histories[timeframe] = CandleHistory(
                self._venue,
                self._symbol,
                timeframe,
                self._clock.surely_ms,
                trust_trades=self._sequence.consecutive,
                on_open=self._begin,
            )
            self._tasks.append(asyncio.create_task(self._make_candles(self._histories[timeframe])))
        return self._histories[timeframe]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def is_after_ours(self, trade: Trade) -> bool:
        """Whether a trade is newer than all that was delivered."""
        return self._sequence.is_after(trade)

    # --- trades -----------------------------------------------------------------------------------------

    def interrupted(self) -> None:
        """The connection is gone: trades may be missed from now on."""
        self._continuous = False
        for history in self._histories.values():
            if history.builder:
                history.builder.incomplete()

    async def catch_up(self) -> None:
        """On a new connection: deliver what was missed, or at the start remember what there was."""
        why, watch = "fetching the trades before this connection", self._watch()
        watch.backfilling(why)
        trades = await self._fetch(why, _CATCH_UP_S)
        watch.backfilling("")
        if trades is None:
            self._doubt(self._clock.now_ms())
            return  # where ids count, the first trade of the stream will show the gap
        if self._complete_after_ms is None:
            self._complete_after_ms = trades[0].time_ms if trades else self._clock.now_ms()
            self._remember(self._sequence.start_after(trades))
        else:
            await self._bridge(why, trades)
            await self.deliver(trades, overlapping=True)
        self._resume()

    async def deliver(self, trades: list[Trade], *, overlapping: bool = False) -> None:
        """`overlapping`: a page that may hold what was delivered, and that a lost connection came before."""
        accepted = self._sequence.accept(trades, overlapping=overlapping)
        self._put(accepted.trades)
        while accepted.gap:
            accepted = await self._close_gap(accepted, patient=overlapping)
            self._put(accepted.trades)
        if not self._continuous:
            self._resume()

    async def _bridge(self, why: str, page: list[Trade]) -> None:
        """Where ids do not count: read on from the last trade delivered, until a page reaches back to it."""
        watch, until = self._watch(), monotonic_ms() + _PAGING_S * 1000
        while page and not self._sequence.overlaps(page):
            watch.backfilling(why)
            later = await self._fetch(why, _CATCH_UP_S, self._sequence.newest) or []
            watch.backfilling("")
            reached = self._sequence.overlaps(later) and monotonic_ms() < until
            found = self._sequence.accept(later, overlapping=True).trades if reached else []
            if not found:
                self._doubt(page[0].time_ms)
                return
            self._put(found)

    def _doubt(self, until_ms: int) -> None:
        """Say from when to when trades may be missing, where nothing else will tell."""
        since_ms = self._sequence.last_time_ms
        if self._sequence.consecutive or not since_ms:
            return
        self._metrics.gaps.labels(self._symbol).inc()
        self._metrics.doubtful.labels(self._symbol).inc(max(0, until_ms - since_ms) / 1000)
        self._log.warning("trades may be missing", since_ms=since_ms, until_ms=until_ms)

    async def _close_gap(self, accepted: Accepted, *, patient: bool) -> Accepted:
        self._metrics.gaps.labels(self._symbol).inc()
        filled, hole = await self._missing(accepted)
        if hole:
            self._count_hole()
            return self._sequence.skip_to(filled.held)
        if filled.trades:
            return filled
        if patient or filled.last_missing - filled.first_missing >= _PAGE:
            filled = await self._page(filled)
        return self._lose(filled.held) if filled.gap else filled

    def _lose(self, held: list[Trade]) -> Accepted:
        """Go on with what was held: what is missing before it cannot be had any more."""
        first, lost = self._sequence.last_id + 1, int(held[0].id) - self._sequence.last_id - 1
        self._metrics.lost.labels(self._symbol).inc(lost)
        self._log.warning("trades cannot be had any more", first=first, lost=lost)
        self.interrupted()
        self._complete_after_ms = held[0].time_ms
        return self._sequence.skip_to(held)

    async def _missing(self, gap: Accepted) -> tuple[Accepted, bool]:
        """What can be delivered once REST or a peer has answered, and whether the exchange has no such
        trades; with neither, what was held."""
        why = f"fetching trades {gap.first_missing} to {gap.last_missing}"
        sources = {
            asyncio.create_task(self._fetch(why, _GAP_S)): "rest",
            asyncio.create_task(self._copy_from_peer(gap)): "peer",
        }
        pending, filled = set(sources), gap
        watch = self._watch()
        watch.backfilling(why)
        try:
            while pending:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                for source in sorted(done, key=sources.__getitem__):
                    known = source.result() or []
                    filled = self._sequence.accept([*known, *filled.held])
                    if filled.trades:
                        self._metrics.filled.labels(self._symbol, sources[source]).inc(_missed(filled, gap))
                        return filled, False
                    if sources[source] == "rest" and _proves_a_hole(known, filled):
                        return filled, True
            return filled, False
        finally:
            watch.backfilling("")
            for source in pending:
                source.cancel()

    async def _page(self, gap: Accepted) -> Accepted:
        """Read a gap page by page and deliver each; what is left of it after that, or after a minute."""
        self._watch().backfilling(f"fetching trades {gap.first_missing} to {gap.last_missing}, page by page")
        told = 0
        try:
            async with asyncio.timeout(_PAGING_S):
                while gap.gap and (page := await self._next_page(gap)):
                    known = sorted([*page, *gap.held], key=lambda trade: int(trade.id))
                    found = self._sequence.accept(known)
                    if not found.trades and told >= gap.first_missing - 1:
                        self._count_hole()  # a page before began earlier, and had none of them
                        found = self._sequence.skip_to(known)
                    elif not found.trades:
                        found = self._lose(known)
                    self._metrics.filled.labels(self._symbol, "rest").inc(_missed(found, gap))
                    self._put(found.trades)
                    told, gap = int(page[-1].id), replace(found, trades=[])
        except TimeoutError:
            self._log.warning("missing trades are given up", first=gap.first_missing, last=gap.last_missing)
        finally:
            self._watch().backfilling("")
        return gap

    async def _next_page(self, gap: Accepted) -> list[Trade]:
        """The first of the missing trades, asked for until there is an answer."""
        before = msgspec.structs.replace(gap.held[0], id=str(gap.first_missing - 1))
        while True:
            try:
                page = await self._venue.fetch_trades(self._symbol, before)
            except VenueError as error:
                self._log.warning("missing trades not fetched, trying again", error=str(error))
                await asyncio.sleep(_RETRY_S)
            else:
                return [trade for trade in page if int(trade.id) >= gap.first_missing]

    async def copy(self, first: int, last: int) -> list[Trade]:
        """These trades, once they have been delivered here; empty if not all of them are remembered."""
        if not self._sequence.consecutive:
            return []
        while self._sequence.last_id < last:
            self._delivered.clear()
            await self._delivered.wait()
        trades = [trade for trade in self._recent if first <= int(trade.id) <= last]
        return trades if len(trades) == last - first + 1 else []

    def _count_hole(self) -> None:
        """The exchange itself left ids out; one that does it often cannot be checked by them."""
        self._holes += 1
        if self._holes == _HOLES_TOLERATED:
            self._log.warning("trade ids of this market do not count by one: gaps are not seen by them")
            self._sequence.consecutive = False
            for history in self._histories.values():
                history.distrust()

    async def _fetch(self, why: str, within_s: float, after: Trade | None = None) -> list[Trade] | None:
        try:
            async with asyncio.timeout(within_s):
                return await self._venue.fetch_trades(self._symbol, after)
        except (VenueError, TimeoutError) as error:
            self._log.warning("trades not fetched", why=why, error=str(error) or type(error).__name__)
            return None

    async def _copy_from_peer(self, gap: Accepted) -> list[Trade]:
        try:
            async with asyncio.timeout(_GAP_S):
                return await self._peers_copy(self._symbol, gap.first_missing, gap.last_missing)
        except TimeoutError:
            return []

    def _resume(self) -> None:
        self._continuous = True
        if self._complete_after_ms is None:
            self._complete_after_ms = self._sequence.last_time_ms or self._clock.now_ms()
        for history in self._histories.values():
            if history.builder:
                history.builder.complete_after(self._complete_after_ms)

    def _put(self, trades: list[Trade]) -> None:
        for trade in trades:
            reason = impossible_trade(trade)
            if reason:
                self._metrics.withheld.labels(self._symbol, "trade").inc()
                self._log.warning("impossible trade withheld", trade=trade.id, reason=reason)
                continue
            flagged = flag_trade(self._outliers, trade)
            if flagged.outlier or self._outlying:
                self._tell_outlier(flagged)
            self._make(flagged)
            self._publish(flagged)
        if trades:
            self._delivered.set()
            self._metrics.last_trade.labels(self._symbol).set(trades[-1].time_ms / 1000)

    def _remember(self, trades: list[Trade]) -> None:
        for trade in trades:
            if not impossible_trade(trade):
                self._make(flag_trade(self._outliers, trade))

    def _tell_outlier(self, trade: Trade) -> None:
        """Count each, and say of the first in a row what it is far from."""
        if trade.outlier:
            self._metrics.outliers.labels(self._symbol, "trade").inc()
        if trade.outlier and not self._outlying:
            self._log.warning(
                "trade far from those before it",
                trade=trade.id,
                price=str(trade.price),
                usual=f"{self._outliers.low:.8g} to {self._outliers.high:.8g}",
            )
        self._outlying = trade.outlier

    def _make(self, trade: Trade) -> None:
        self._recent.append(trade)
        for history in self._histories.values():
            if history.builder:
                self._emit(history, history.builder.on_trade(trade), "trades")

    # --- candles ----------------------------------------------------------------------------------------

    def on_exchange_candle(self, timeframe: str, candle: VenueCandle) -> None:
        history = self._histories[timeframe]
        if history.builder:
            late = candle.closed and candle.open_ms < history.builder.next_open_ms
            self._emit(history, history.builder.on_exchange_candle(candle), "flag")
            self._correct(history, history.correct([candle]) if late else [])

    def _begin(self, history: CandleHistory) -> None:
        """A new builder gets the trades remembered, at the moment from which it gets every other."""
        if history.builder is None:
            return
        if self._continuous and self._complete_after_ms is not None:
            oldest_ms = self._recent[0].time_ms if len(self._recent) == _REMEMBERED else 0
            history.builder.complete_after(max(self._complete_after_ms, oldest_ms))
        for trade in self._recent:
            self._emit(history, history.builder.on_trade(trade), "trades")

    async def _make_candles(self, history: CandleHistory) -> None:
        """The clock of one timeframe: finish candles in time, fetch what trades cannot prove."""
        while True:
            try:
                builder = await history.open()
                now_ms = self._clock.surely_ms()
                fresh = self._continuous and self._watch().judge(int(monotonic_ms())).verdict is Verdict.FRESH
                self._emit(history, builder.on_time(now_ms, fresh), "time")
                if builder.overdue(now_ms):
                    self._emit(history, await history.fetch_missing(), "rest")
                if history.is_review_due():
                    self._correct(history, await history.review())
                await asyncio.sleep(_CANDLE_CLOCK_S)
            except VenueError as error:
                self._log.warning("candles not fetched", timeframe=history.timeframe, error=str(error))
                await asyncio.sleep(_RETRY_S)

    def _correct(self, history: CandleHistory, corrections: list[Candle]) -> None:
        """Publish what the exchange says otherwise."""
        mismatches = history.corrected + (history.builder.mismatches if history.builder else 0)
        self._metrics.mismatches.labels(self._symbol, history.timeframe).set(mismatches)
        for candle in corrections:
            self._log.warning("candle corrected", timeframe=candle.timeframe, open_ms=candle.open_ms)
            self._publish(candle)

    def _emit(self, history: CandleHistory, candles: list[Candle], source: str) -> None:
        if candles:
            history.append(candles)
            self._metrics.candles.labels(self._symbol, history.timeframe, source).inc(len(candles))
        for candle in candles:
            self._publish(candle)


def _missed(filled: Accepted, gap: Accepted) -> int:
    return sum(gap.first_missing <= int(trade.id) <= gap.last_missing for trade in filled.trades)


def _proves_a_hole(fetched: list[Trade], accepted: Accepted) -> bool:
    """Whether REST knows trades on both sides of the missing ids, and none of them."""
    numbers = [int(trade.id) for trade in fetched]
    around = bool(numbers) and min(numbers) < accepted.first_missing and max(numbers) > accepted.last_missing
    return around and not any(accepted.first_missing <= number <= accepted.last_missing for number in numbers)
