"""From a store to what a backtest reads: the finest candles that all markets of an account have."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from smarttrade.api import Exchange
from smarttrade.backtest.candles import CandleColumns, build_candles
from smarttrade.backtest.history import History, join_histories
from smarttrade.data.series import Series, find_series
from smarttrade.data.store import SeriesStore
from smarttrade.errors import ConfigurationError


def is_store(path: Path) -> bool:
    """Whether a folder is a store of downloaded candles."""
    return path.is_dir() and any(path.glob("exchange=*"))


def load_history(
    root: Path, exchange: Exchange, markets: Sequence[str], timeframes: Collection[str] = ()
) -> History:
    """Candles of every market. ConfigurationError says what to download.

    Of the account's own exchange and environment where the store has them, else of the same exchange's
    Production, else of the only one there is. `timeframes` narrows the choice.
    """
    chosen = choose_series(find_series(root), exchange, markets, timeframes)
    return join_histories({market: _read(root, chosen[market]) for market in markets})


def _read(root: Path, series: Series) -> CandleColumns:
    candles = build_candles(
        series.market, series.timeframe, series.length_ms, SeriesStore(root, series).read_units()
    )
    if not len(candles):
        raise ConfigurationError(f"the data of {series} holds no candle: download it with an earlier --from")
    return candles


def choose_series(
    there: Sequence[Series], exchange: Exchange, markets: Sequence[str], timeframes: Collection[str] = ()
) -> dict[str, Series]:
    """Market -> series, all of one exchange, environment and timeframe."""
    complete = [source for source in _sources(there, timeframes) if set(markets) <= source.keys()]
    if not complete:
        known = ", ".join(str(series) for series in there) or "nothing"
        raise ConfigurationError(
            f"the data has no candles of {', '.join(markets)} in one timeframe; there is: {known}. "
            f"Get them with: smarttrade data download {exchange.name} {' '.join(markets)}"
        )
    wishes = [(exchange.name, exchange.environment), (exchange.name, "Production")]
    for wish in wishes:
        own = [source for source in complete if _origin(source) == wish]
        if own:
            return min(own, key=_length_ms)
    origins = {_origin(source) for source in complete}
    if len(origins) > 1:
        told = ", ".join(sorted(" ".join(origin) for origin in origins))
        raise ConfigurationError(
            f"the data is of {told}, and none of them is {' '.join(wishes[0])}: give a folder with one"
        )
    return min(complete, key=_length_ms)


def _sources(there: Sequence[Series], timeframes: Collection[str]) -> list[dict[str, Series]]:
    """Series by market, one entry for each exchange, environment and timeframe."""
    grouped: dict[tuple[str, str, str], dict[str, Series]] = {}
    for series in there:
        if not timeframes or series.timeframe in timeframes:
            key = (series.exchange, series.environment, series.timeframe)
            grouped.setdefault(key, {})[series.market] = series
    return list(grouped.values())


def _origin(source: dict[str, Series]) -> tuple[str, str]:
    series = next(iter(source.values()))
    return series.exchange, series.environment


def _length_ms(source: dict[str, Series]) -> int:
    return next(iter(source.values())).length_ms
