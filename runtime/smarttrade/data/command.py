"""`smarttrade data`: download, list and check."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from smarttrade.api import Timeframe
from smarttrade.api.catalogue import Catalogue, Endpoint
from smarttrade.data.check import Findings, check, inspect
from smarttrade.data.coverage import Span
from smarttrade.data.download import Download, whole_span
from smarttrade.data.series import Series, find_series
from smarttrade.data.store import SeriesStore, load_pyarrow
from smarttrade.errors import ConfigurationError, VenueError
from smarttrade.exchange.public import PublicVenue, open_public

_LINE_EVERY_S = 5.0
_GAPS_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to download: `begin` and `end` in ms since 1970; without `end` up to now."""

    exchange: str
    environment: str
    markets: Sequence[str]
    timeframe: str
    begin_ms: int
    end_ms: int | None
    root: Path
    catalogue: Path | None = None

    def series(self) -> list[Series]:
        return [Series(self.exchange, self.environment, market, self.timeframe) for market in self.markets]


def run_download(request: Request, console: Console | None = None) -> None:
    """Download all markets side by side; VenueError if one of them could not be finished."""
    load_pyarrow()
    asyncio.run(download(request, console or Console()))


async def download(request: Request, console: Console) -> None:
    """As `run_download`, in a running loop."""
    endpoint = find_endpoint(request)
    venue = await open_public(request.exchange, endpoint, request.markets)
    try:
        _check_timeframe(venue, request)
        now_ms = (await venue.fetch_time()).ms
        span = whole_span(request.begin_ms, request.end_ms or now_ms, now_ms, Timeframe(request.timeframe))
        if span.begin_ms >= span.end_ms:
            raise ConfigurationError("the span holds no candle that is over: give an earlier --from")
        await _download_all(request, venue, span, console)
    finally:
        await venue.close()
    for series in request.series():
        console.print(describe(inspect(request.root, series)), highlight=False)


async def _download_all(request: Request, venue: PublicVenue, span: Span, console: Console) -> None:
    with _Bars(console, span) as bars:
        downloads = [
            Download(
                SeriesStore(request.root, series),
                venue,
                span,
                told=bars.teller(str(series)),
                paused=bars.pauser(str(series)),
            )
            for series in request.series()
        ]
        ends = await asyncio.gather(*(each.run() for each in downloads), return_exceptions=True)
    failures = [end for end in ends if isinstance(end, BaseException)]
    for failure in failures:
        if not isinstance(failure, VenueError):
            raise failure
    if failures:
        raise VenueError(f"{failures[0]}; what came is kept: run it again to go on") from failures[0]


def find_endpoint(request: Request) -> Endpoint:
    """From the catalogue, else ccxt's own addresses of Production or of the exchange's test environment."""
    if request.catalogue:
        return Catalogue.load(request.catalogue).find(request.exchange, request.environment)
    try:
        return {"Production": Endpoint(), "Testnet": Endpoint(sandbox=True)}[request.environment]
    except KeyError:
        raise ConfigurationError(
            f"environment {request.environment} is not known here: give --catalogue FILE"
        ) from None


def check_timeframe(name: str) -> str:
    """One that backtests know; ConfigurationError lists them."""
    kept = [timeframe for timeframe in Timeframe if timeframe is not Timeframe.MONTH]
    if name not in kept:
        raise ConfigurationError(
            f"--timeframe {name} is not one of {', '.join(kept)} (candles of 1M are made of those of 1d)"
        )
    return name


def _check_timeframe(venue: PublicVenue, request: Request) -> None:
    if request.timeframe not in venue.timeframes():
        raise ConfigurationError(
            f"{request.exchange} has no candles of {request.timeframe}; there are: "
            f"{', '.join(venue.timeframes())}"
        )


class _Bars:
    """A bar a series on a terminal; elsewhere a line now and then."""

    def __init__(self, console: Console, span: Span) -> None:
        self._total_ms = span.end_ms - span.begin_ms
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> _Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def teller(self, name: str) -> Teller:
        return Teller(self._console, self._progress, name, self._total_ms)

    def pauser(self, name: str) -> Pauser:
        return Pauser(self._progress.console, name)


class Teller:
    """Takes the milliseconds of market time that are done."""

    def __init__(self, console: Console, progress: Progress, name: str, total_ms: int) -> None:
        self._console, self._progress, self._name, self._total_ms = console, progress, name, total_ms
        self._task = progress.add_task(name, total=total_ms)
        self._told_s = time.monotonic()

    def __call__(self, done_ms: int) -> None:
        self._progress.update(self._task, completed=done_ms)
        if not self._console.is_terminal and time.monotonic() - self._told_s >= _LINE_EVERY_S:
            self._told_s = time.monotonic()
            self._console.print(f"{self._name}: {done_ms / self._total_ms:.0%}", highlight=False)


@dataclass(frozen=True, slots=True)
class Pauser:
    """Says that a page is asked for again."""

    console: Console
    name: str

    def __call__(self, error: VenueError, pause_s: float) -> None:
        text = f"{self.name}: {str(error)[:160]}: again in {pause_s:g} s"
        self.console.print(text, highlight=False, markup=False)


def describe(found: Findings) -> str:
    """One series in one sentence."""
    if found.span is None:
        return f"{found.series}: no candles: the exchange has none in this span"
    gaps = f"{len(found.gaps)} gaps at the exchange" if found.gaps else "no gaps"
    return (
        f"{found.series}: {found.candles:,} candles, {_moment(found.span.begin_ms)} to "
        f"{_moment(found.span.end_ms)}, {gaps}"
    )


def print_list(root: Path, console: Console | None = None) -> None:
    """A table of every series in a store."""
    (console or Console()).print(build_table([inspect(root, series) for series in _all(root)]))


def build_table(findings: Sequence[Findings]) -> Table:
    table = Table("series", "from", "to", "candles", "gaps", "not downloaded", "MB")
    for column in table.columns[3:]:
        column.justify = "right"
    for found in findings:
        span = [_moment(time_ms) for time_ms in found.span] if found.span else ["-", "-"]
        table.add_row(
            str(found.series),
            *span,
            f"{found.candles:,}",
            _candles(found.gaps, found.series),
            _candles(found.holes, found.series),
            f"{found.bytes / 1e6:,.1f}",
        )
    return table


def print_check(root: Path, console: Console | None = None) -> bool:
    """Look at every candle; False if something must be repaired."""
    console = console or Console()
    findings = [check(root, series) for series in _all(root)]
    console.print(build_table(findings))
    for found in findings:
        for line in _details(found):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    return not any(found.problems or found.holes for found in findings)


def _details(found: Findings) -> list[str]:
    lines = [f"{found.series}: {problem}" for problem in found.problems]
    lines += [
        f"{found.series}: not downloaded from {_moment(hole.begin_ms)} to {_moment(hole.end_ms)}: "
        "download this span again"
        for hole in found.holes
    ]
    lines += [
        f"{found.series}: the exchange had none from {_moment(gap.begin_ms)} to {_moment(gap.end_ms)}"
        for gap in found.gaps[:_GAPS_SHOWN]
    ]
    rest = len(found.gaps) - _GAPS_SHOWN
    return [*lines, f"{found.series}: and {rest} more gaps"] if rest > 0 else lines


def _all(root: Path) -> list[Series]:
    found = find_series(root)
    if not found:
        raise ConfigurationError(f"{root} holds no downloaded candles: smarttrade data download fills it")
    return found


def _candles(spans: Sequence[Span], series: Series) -> str:
    missing = sum(span.end_ms - span.begin_ms for span in spans) // series.length_ms
    return f"{missing:,} in {len(spans)}" if spans else "-"


def _moment(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d %H:%M}"
